"""Searches strain with an exported network, through an inference server or in process."""
