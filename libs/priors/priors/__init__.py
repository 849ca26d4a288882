"""Bilby priors of compact binary populations and the cosmology that they share."""
