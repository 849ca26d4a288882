"""``python -m plots``."""

from plots.cli import main

main()
