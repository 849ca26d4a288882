"""``python -m infer``."""

from infer.cli import main

if __name__ == "__main__":
    main()
