"""The text that all sides of a comparison read: English Wikipedia, cut into words once, lower case, a paragraph a line."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import results_file

TINY = 100_000  # words that peers read once before the clock starts


@dataclass(frozen=True, slots=True)
class Corpus:
    """A file of words between single spaces."""

    path: Path
    words: int
    lines: int
    bytes: int

    def to_plain(self) -> dict[str, object]:
        """Without the place where it lay."""
        return {
            "source": "wiki_en, train shards",
            **{key: value for key, value in asdict(self).items() if key != "path"},
        }


def english(folder: Path, words: int | None) -> Corpus | None:
    """The first ``words`` words of the training shards, to the end of their line; None: all. Made once, kept in ``folder``.

    Words are those of Erya's own tokenizer, lower-cased, without punctuation. Returns None where the data is not here.
    """
    shards = sorted((results_file.SHARED / "wiki_en").glob("train-*.txt.xz"))
    if not shards:
        return None
    path = folder / f"wiki_en_{words or 'all'}.txt"
    note = path.with_suffix(".json")
    if not note.is_file():
        print(f"writing {path.name}", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        found = _write(path, shards, words)
        note.write_text(json.dumps(found), encoding="utf-8")  # last: a file without its note is made anew
    path.read_bytes()  # into the system's cache, so that the first job reads no slower than the others
    return Corpus(path=path, **json.loads(note.read_text(encoding="utf-8")))


def _write(path: Path, shards: list[Path], most: int | None) -> dict[str, int]:
    words = lines = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for tokens in _paragraphs(shards):
            file.write(" ".join(tokens) + "\n")
            words, lines = words + len(tokens), lines + 1
            if most is not None and words >= most:
                break
    return {"words": words, "lines": lines, "bytes": path.stat().st_size}


def _paragraphs(shards: list[Path]) -> Iterator[list[str]]:
    from erya.text import Words

    tokenizer = Words(punctuation=False)
    for shard in shards:
        with lzma.open(shard, "rt", encoding="utf-8") as file:
            for line in file:
                tokens = tokenizer.tokens(line)
                if tokens:
                    yield tokens
