"""Fills what was reproduced into the rooms' READMEs, between markers: no figure is typed by hand.

    python -m reproductions.cards            # rewrite what lies between the markers
    python -m reproductions.cards --check    # exit 1 where a README is not what the results say

Markers: ``<!-- reproduced:begin name=NAME -->`` … ``<!-- reproduced:end -->``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from erya.artefact import atomic_write
from reproductions import kim2014

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(
    r"(<!-- reproduced:begin name=(?P<name>[a-z0-9_]+) -->\n)(?P<body>.*?)(<!-- reproduced:end -->)", re.DOTALL
)
CARDS: dict[str, Callable[[str], str]] = {"kim2014": kim2014.card}


def filled(text: str, lang: str) -> str:
    """A README's text with its blocks written anew."""
    return BLOCK.sub(lambda match: match[1] + CARDS[match["name"]](lang) + match[4], text)


def stale(*, write: bool) -> list[Path]:
    """READMEs that are not what the results say; rewritten where ``write``."""
    found = []
    for path in sorted((ROOT / "src/erya/models").glob("*/README*.md")):
        before = path.read_text(encoding="utf-8")
        after = filled(before, "zh" if path.name.endswith(".zh.md") else "en")
        if after != before:
            found.append(path)
            if write:
                atomic_write(path, lambda file, after=after: file.write(after.encode("utf-8")))
    return found


def main() -> None:
    checking = "--check" in sys.argv
    found = stale(write=not checking)
    print("\n".join(str(path.relative_to(ROOT)) for path in found) or "all cards are up to date")
    sys.exit(1 if found and checking else 0)


if __name__ == "__main__":
    main()
