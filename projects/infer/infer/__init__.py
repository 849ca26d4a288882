"""Searches strain with an exported network, by a server or in process."""
