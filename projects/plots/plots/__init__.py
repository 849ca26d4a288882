"""Sensitive volume, background rates and their plots."""
