"""The entry point of the command ``erya`` and of ``python -m erya``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        from erya.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # before the command line could look after itself
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
