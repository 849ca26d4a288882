"""Trainings and searches on a Kubernetes cluster.

Only :mod:`aframe.remote.api` needs the ``kubernetes`` client, and imports it
when a cluster is asked something: manifests can be made, listed and printed
without it.
"""
