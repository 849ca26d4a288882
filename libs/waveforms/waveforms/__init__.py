"""Binary parameters to polarizations, detector responses and SNRs."""
