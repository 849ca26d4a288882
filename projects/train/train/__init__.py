"""Trains the networks with PyTorch Lightning."""
