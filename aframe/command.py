"""The command ``law``: law's own, after a look at the configuration."""

from conventions.errors import exit_on_user_error

from aframe import validation


def main() -> int:
    """Run law, unless it could not even read its configuration.

    Returns:
        The exit code.

    Raises:
        SystemExit: with code 2, if ``LAW_CONFIG_FILE`` names no file or a
            reference in the file leads nowhere.
    """
    with exit_on_user_error():
        validation.check_before_law()
    from law.cli import run

    code = run()
    return code if isinstance(code, int) else 0
