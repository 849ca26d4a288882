"""Typed tables of events and injections, in memory and in HDF5."""
