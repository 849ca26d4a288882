"""Stands in for the training, which takes longer than a moment."""
