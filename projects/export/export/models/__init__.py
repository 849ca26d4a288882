"""Sources of the models that Triton's Python backend runs.

They are copied into the repository, so they import nothing but torch and
what the server provides.
"""
