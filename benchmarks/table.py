"""Tables in Markdown, row by row as they are measured."""


def row(*cells: object) -> None:
    """Print a row."""
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def head(*columns: str) -> None:
    """Print the names of the columns."""
    row(*columns)
    print("|---" * len(columns) + "|", flush=True)
