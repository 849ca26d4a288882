"""Probability that an event of a search is astrophysical."""

from p_astro.p_astro import Pastro

__all__ = ["Pastro"]
