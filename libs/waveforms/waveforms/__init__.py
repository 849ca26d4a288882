"""Compact binary parameters to polarizations, detector responses and signal-to-noise ratios."""
