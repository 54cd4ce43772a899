"""Fills what was reproduced into the READMEs, between markers: no figure is typed by hand.

    python -m reproductions.cards            # rewrite what lies between the markers
    python -m reproductions.cards --check    # exit 1 where a README is not what the results say

Markers: ``<!-- reproduced:begin name=NAME -->`` … ``<!-- reproduced:end -->``. In a room's README a survey's card has that model's lines
alone; in the README of this folder all of them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from erya.artefact import atomic_write
from reproductions import kim2014, language_models, long_documents, names, survey_zh, taggers, zhang_wallace

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(
    r"(<!-- reproduced:begin name=(?P<name>[a-z0-9_]+) -->\n)(?P<body>.*?)(<!-- reproduced:end -->)", re.DOTALL
)
Card = Callable[[str, str | None], str]  # of the language and the room; without a room: whole
CARDS: dict[str, Card] = {
    "kim2014": lambda lang, room: kim2014.card(lang),
    "zhang_wallace": lambda lang, room: zhang_wallace.card(lang),
    "survey_zh": survey_zh.SURVEY.card,
    "taggers": taggers.SURVEY.card,
    "taggers_summary": lambda lang, room: taggers.summary(lang),
    "names": names.SURVEY.card,
    "language_models": language_models.card,
    "language_ladder": lambda lang, room: language_models.card(lang, chosen="tang"),
    "long_documents": long_documents.SURVEY.card,
}


def filled(text: str, lang: str, room: str | None = None) -> str:
    """A README's text with its blocks written anew."""
    return BLOCK.sub(lambda match: match[1] + CARDS[match["name"]](lang, room) + match[4], text)


def readmes() -> list[tuple[Path, str | None]]:
    """All that may have blocks, and the room that they belong to."""
    rooms = sorted((ROOT / "src/erya/models").glob("*/README*.md"))
    return [(path, path.parent.name) for path in rooms] + [
        (path, None) for folder in (ROOT, ROOT / "docs", ROOT / "reproductions") for path in sorted(folder.glob("*.md"))
    ]


def stale(*, write: bool) -> list[Path]:
    """READMEs that are not what the results say; rewritten where ``write``."""
    found = []
    for path, room in readmes():
        before = path.read_text(encoding="utf-8")
        after = filled(before, "zh" if path.name.endswith(".zh.md") else "en", room)
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
