"""Search of strain files with a finished run: ``aframe-search``."""
