"""Bilby priors of compact binary populations and the cosmology they share."""

from priors.loading import Population, load

__all__ = ["Population", "load"]
