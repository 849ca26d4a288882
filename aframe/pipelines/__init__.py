"""Whole pipelines, made of the tasks."""
