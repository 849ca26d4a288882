"""Exports a trained network as a Triton model repository."""
