"""Segments, background strain and simulated signals."""
