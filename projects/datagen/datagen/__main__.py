"""``python -m datagen``: see :mod:`datagen.cli`."""

from datagen.cli import main

main()
