"""A corpus as a training takes it: files that ``fit`` streams, or the texts of a table; never rows with labels.

A task says that its input is one: ``INPUT = "corpus"`` in its module. The files are looked at, not read: ten gigabytes
are read once, by ``fit``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erya import tasks
from erya.errors import DataError, quoted
from erya.language import say
from erya.text.dataset import Dataset, Reading

_TABLES = ("csv", "tsv", "jsonl", "labels")
_MIB = 1 << 20
_HASHED_WHOLE = 64 * _MIB  # a larger file is hashed in as many pieces, spread over it
_NOT_OF_A_CORPUS = ("label", "weight", "text2")


@dataclass(slots=True)
class Corpus:
    """What a model of words is trained on.

    Attributes:
        source: as the user wrote it.
        inputs: what ``fit`` takes: a list of paths, or of texts.
        digest: SHA-256 (hex) over sizes and bytes; of a file above 64 MiB, over 64 pieces of it. Models that keep
            checkpoints hash every byte as they read it.
        files: the files, where ``inputs`` are these.
        bytes: of the files as they lie on the disk, or of the texts in UTF-8.
        rows: texts, where ``inputs`` are texts; None: not counted.
        validation: files or texts for the held-out loss, or None.
        test: files or texts that the model is scored on, or None.
        tokenizer: what a sample recommends, by name; None: nothing.
        reading: the account of a table that was read.
    """

    source: str
    inputs: list[Any]
    digest: str
    files: list[Path] = field(default_factory=list)
    bytes: int = 0
    rows: int | None = None
    validation: list[Any] | None = None
    test: list[Any] | None = None
    tokenizer: str | None = None
    reading: Reading = field(default_factory=Reading)

    def facts(self) -> dict[str, Any]:
        """What the artefact and the documents say of it; no folder of this machine."""
        return {"digest": self.digest, "files": len(self.files), "bytes": self.bytes, "texts": self.rows}


def takes_corpus(task: str) -> bool:
    """Whether models of this task are trained on a corpus rather than on rows."""
    return str(getattr(tasks.find(task), "INPUT", "rows")) == "corpus"


def read_corpus(source: str, options: dict[str, Any]) -> Corpus:
    """The corpus behind a file, a folder, a pattern or ``sample:NAME``.

    Args:
        source: plain text (one text a line; .gz, .xz, .zst) is left to ``fit``; of tables and samples the texts are read.
        options: the arguments of ``erya.read``; those about labels mean nothing here.

    Raises:
        DataError: nothing is there, or it cannot be read.
    """
    options = {name: value for name, value in options.items() if name not in _NOT_OF_A_CORPUS}
    validation = options.pop("validation", None)
    options.pop("test", None)
    found = _texts(source, options) if _is_table(source, options) else _plain(source)
    if validation is not None:
        held_out = str(Path(str(validation)).expanduser())
        other = _texts(held_out, options) if _is_table(held_out, options) else _plain(held_out)
        found.validation = other.inputs
        found.digest = hashlib.sha256(f"{found.digest} {other.digest}".encode()).hexdigest()
    return found


def _is_table(source: str, options: dict[str, Any]) -> bool:
    """Whether the texts must be read here: in a column, in another encoding, with bad lines to skip, from a pipe."""
    from erya.text import sources
    from erya.text.formats import format_of

    if source.startswith("sample:") or options.get("encoding") or options.get("text"):
        return True
    if options.get("bad_rows") == "skip":  # ``fit`` stops at a line that cannot be read; these readers count it
        return True
    if options.get("format"):
        return bool(options["format"] != "txt")
    first = sources.find(Path(source).expanduser()).parts["train"][0]
    return format_of(first) in _TABLES or not first.is_file()  # a pipe gives its bytes once


def _texts(source: str, options: dict[str, Any]) -> Corpus:
    from erya.text.read import read

    data: Dataset = read(source, **{**options, "unlabelled": True, "check": False})
    texts = list(data.train.inputs)
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    alone = Dataset(data.train)
    return Corpus(
        source, texts, alone.digest, bytes=size, rows=len(texts), tokenizer=data.tokenizer, reading=data.reading
    )


def _plain(source: str) -> Corpus:
    from erya.text import sources

    files = sources.find(Path(source).expanduser())
    paths = files.parts["train"]
    digest, size = hashlib.sha256(), 0
    for path in paths:
        size += hash_file(path, digest)
    if not size:
        raise DataError(
            "no-rows",
            say(f"{quoted(source)} is empty", f"{quoted(source)} 是空的"),
            where=quoted(paths[0], 200),
            help=say("one text a line, in UTF-8", "每行一条文本，UTF-8 编码"),
        )
    return Corpus(source, list(paths), digest.hexdigest(), list(paths), size, reading=Reading(notes=files.notes))


def hash_file(path: Path, digest: Any) -> int:
    """Size and bytes of one file into ``digest``; a large one in 64 pieces of 1 MiB, the first and the last among them."""
    from erya.text.files import unreadable

    try:
        size = path.stat().st_size
        digest.update(f"{size}\n".encode())
        with path.open("rb") as file:
            if size <= _HASHED_WHOLE:
                while block := file.read(_MIB):
                    digest.update(block)
            else:
                pieces = _HASHED_WHOLE // _MIB
                for piece in range(pieces):
                    file.seek((size - _MIB) * piece // (pieces - 1))
                    digest.update(file.read(_MIB))
    except OSError as error:
        raise unreadable(path, error) from error
    return size
