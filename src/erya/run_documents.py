"""Running text in three parts, as language models take it: documents to learn from, to watch, and to be scored on.

Where the parts lie in files of their own – a folder with ``train``, ``dev`` or ``valid``, ``test``; a sample; ``--validation``
and ``--test`` –, those are taken. Else the documents are cut where they stand, the last ones held out: neighbours may be of
one book, and a random choice would put pages of it on both sides. One document alone is cut at a line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from erya import tasks
from erya.errors import DataError, quoted
from erya.language import say
from erya.run_corpus import Corpus
from erya.text import documents, samples, sources
from erya.text.dataset import Reading
from erya.text.formats import format_of

LARGEST = 1 << 28  # bytes of files that are read whole, to be cut; larger ones need parts of their own
LONGEST = 1 << 25  # characters of a document that is scored: each of its units is an object
TABLES = ("csv", "tsv", "jsonl", "labels")
PARTS = ("train", "dev", "test")
SPLIT = {"train": 0.8, "dev": 0.1, "test": 0.1, "seed": 0}  # where nobody says another


def takes_documents(task: str) -> bool:
    """Whether models of this task learn from documents and are scored on others."""
    return str(getattr(tasks.find(task), "PARTS", "")) == "documents"


def read_documents(source: str, options: dict[str, Any], split: dict[str, Any] | None = None) -> Corpus:
    """The parts of a corpus.

    Args:
        source: a file, a folder, a pattern or ``sample:NAME``.
        options: the arguments of ``erya.read`` that mean something here: text, encoding, format, validation, test, bad_rows; and
            ``documents``, what a document of a text file is.
        split: shares of ``train``, ``dev`` and ``test``, where there are no files for them; None: everything is for training.

    Returns:
        A ``Corpus`` with ``inputs``, ``validation`` and ``test``: lists of texts, or of paths where the files are large.

    Raises:
        DataError: nothing is there, or it cannot be read; no text.
    """
    kind = str(options.get("documents", "auto"))
    documents.check_kind(kind)
    parts, notes, reading, tokenizer = _parts(source, options)
    for name, option in (("dev", "validation"), ("test", "test")):
        if options.get(option) is not None:
            parts[name] = _inputs(str(Path(str(options[option])).expanduser()), options)[0]
    if split is not None and set(parts) == {"train"}:
        parts = _cut(parts["train"], kind, split, source, notes)
    train = parts.get("train", [])
    if not any(isinstance(item, Path) or item.strip() for item in train) or not _bytes(train):
        raise DataError(
            "no-rows",
            say(f"{quoted(source)} holds no text to learn from", f"{quoted(source)} 里没有可供学习的文本"),
            where=quoted(source, 200),
        )
    corpus = Corpus(
        source,
        parts["train"],
        _digest(parts),
        files=[item for item in parts["train"] if isinstance(item, Path)],
        bytes=_bytes(parts["train"]),
        rows=None if any(isinstance(item, Path) for item in parts["train"]) else len(parts["train"]),
        validation=parts.get("dev"),
        test=parts.get("test"),
        tokenizer=tokenizer,
        reading=Reading(notes=notes) if reading is None else reading,
    )
    return corpus


def texts_of(inputs: Sequence[Any], kind: str, longest: int | None = None) -> list[str]:
    """Whole documents, those of paths read.

    Args:
        inputs: texts or paths.
        kind: of the documents of files, see ``documents.pieces``.
        longest: characters of a document, at most; None: as many as it has.

    Raises:
        DataError: one is longer.
    """
    return list(whole_documents(inputs, kind, longest))


def whole_documents(inputs: Sequence[Any], kind: str, longest: int | None = None) -> Iterator[str]:
    """As ``texts_of``, one after the other."""
    held: list[str] = []
    number, characters = 1, 0
    for text, ends in documents.pieces(list(inputs), kind):
        held.append(text)
        characters = len(text) + (characters if len(held) > 1 else 0)
        if longest is not None and characters > longest:
            raise DataError(
                "text-too-long",
                say(
                    f"document {number:,} has more than {longest:,} characters: every unit of it would be held at once",
                    f"第 {number:,} 篇文档超过 {longest:,} 个字符：其中每个单元都要同时留在内存里",
                ),
                help=say(
                    "score a part of it: head -c 30M FILE > part.txt; a text of that length can be learned from",
                    "只取一部分来评分：head -c 30M FILE > part.txt；这么长的文本用来训练则没有问题",
                ),
            )
        if ends:
            yield "".join(held)
            held, number = [], number + 1


def cut_texts(texts: list[str], split: dict[str, Any]) -> Corpus:
    """The parts of documents that are at hand."""
    parts = _cut(texts, "auto", split, say("texts", "文本"), [])
    return Corpus(
        say("texts", "文本"),
        parts["train"],
        _digest(parts),
        bytes=_bytes(parts["train"]),
        rows=len(parts["train"]),
        validation=parts.get("dev"),
        test=parts.get("test"),
    )


def as_trained(corpus: Corpus, trained_on: dict[str, Any], kind: str = "auto") -> Corpus | None:
    """The corpus in the parts of a training that read it.

    Args:
        corpus: as ``read_documents`` gave it, not cut.
        trained_on: the ``"data"`` of that training.
        kind: of the documents of files, as that training had it.

    Returns:
        None where that training read another corpus, or where this cannot be told.
    """
    if not trained_on.get("digest"):
        return None
    if corpus.digest == trained_on["digest"]:
        return corpus
    if corpus.validation is not None or corpus.test is not None:
        return None
    split = trained_on.get("split", SPLIT)
    if split:
        parts = _cut(corpus.inputs, kind, split, corpus.source, [])
        if _digest(parts) == trained_on["digest"]:
            return replace(
                corpus,
                inputs=parts["train"],
                digest=trained_on["digest"],
                validation=parts.get("dev"),
                test=parts.get("test"),
            )
    return corpus if digest_of(corpus.inputs) == trained_on.get("train_digest") else None


def digest_of(inputs: list[Any]) -> str:
    """The digest of texts or files that are all for training."""
    return _digest({"train": inputs})


def letters(inputs: Sequence[Any], kind: str, test: Sequence[str]) -> float:
    """Bits per character of test documents under the frequencies of the training's letters, see ``generate.baseline_of_pieces``."""
    from erya.tasks import generate

    return generate.baseline_of_pieces(documents.pieces(list(inputs), kind), test)


# ---- where they are ----------------------------------------------------------------------------------------------------


def _parts(source: str, options: dict[str, Any]) -> tuple[dict[str, list[Any]], list[str], Reading | None, str | None]:
    """Inputs by part, notes, the account of a table, and the recommended tokenizer."""
    if source.startswith("sample:"):
        card = samples.sample_card(source.removeprefix("sample:"))
        files = {name: card.folder / path for name, path in card.texts.items()}
        if files:
            return {name: [path] for name, path in files.items()}, [], None, card.tokenizer
    if source.startswith("sample:") or options.get("text") or options.get("encoding"):
        return _table(source, options)
    found = sources.find(Path(source).expanduser())
    if options.get("format", "txt") != "txt" or format_of(found.parts["train"][0]) in TABLES:
        return _table(source, options)
    parts: dict[str, list[Any]] = {name: list(found.parts[name]) for name in PARTS if found.parts.get(name)}
    return parts, list(found.notes), None, None


def _table(source: str, options: dict[str, Any]) -> tuple[dict[str, list[Any]], list[str], Reading | None, str | None]:
    from erya.text.read import read

    known = ("text", "encoding", "format", "bad_rows", "header")
    data = read(source, **{name: options[name] for name in known if name in options}, unlabelled=True, check=False)
    parts = {
        name: part for name, part in zip(PARTS, (data.train, data.dev, data.test), strict=True) if part is not None
    }
    texts = {name: [str(text) for text in part.inputs] for name, part in parts.items()}
    return texts, [], data.reading, data.tokenizer


def _inputs(source: str, options: dict[str, Any]) -> tuple[list[Any], list[str]]:
    parts, notes, _, _ = _parts(source, {name: value for name, value in options.items() if name != "text"})
    return parts["train"], notes


# ---- cutting -----------------------------------------------------------------------------------------------------------


def _cut(inputs: list[Any], kind: str, split: dict[str, Any], source: str, notes: list[str]) -> dict[str, list[Any]]:
    """Train, dev and test by shares of the characters, in the order of the text."""
    if _bytes(inputs) > LARGEST:
        notes.append(
            say(
                f"{quoted(source)} is too large to be cut: all of it is for training (--validation FILE --test FILE)",
                f"{quoted(source)} 太大，不予划分：全部用于训练（--validation FILE --test FILE）",
            )
        )
        return {"train": inputs}
    texts = texts_of(inputs, kind) if any(isinstance(item, Path) for item in inputs) else list(inputs)
    if len(texts) == 1:
        texts = _halves(texts[0], split)
        return {name: [text] for name, text in zip(PARTS, texts, strict=True) if text}
    total = sum(len(text) + 1 for text in texts)
    borders, seen, place = [], 0, 0
    for share in (split["train"], split["train"] + split["dev"]):
        while place < len(texts) and seen < share * total - 1e-6:
            seen += len(texts[place]) + 1
            place += 1
        borders.append(place)
    found = {"train": texts[: borders[0]], "dev": texts[borders[0] : borders[1]], "test": texts[borders[1] :]}
    return {name: part for name, part in found.items() if part}


def _halves(text: str, split: dict[str, Any]) -> list[str]:
    """One document in three, each cut behind a line where there is one."""
    found, start = [], 0
    for share in (split["train"], split["train"] + split["dev"], 1.0):
        end = len(text) if share >= 1 else round(share * len(text))
        if end < len(text):
            line = text.rfind("\n", start, end) + 1
            end = line if line > start and end - line < len(text) // 20 else end
        found.append(text[start:end])
        start = end
    return found


def _bytes(inputs: Sequence[Any]) -> int:
    from erya.text.files import unreadable

    size = 0
    for item in inputs:
        if isinstance(item, str):
            size += len(item.encode("utf-8", "surrogatepass"))
            continue
        try:
            size += item.stat().st_size
        except OSError as error:
            raise unreadable(item, error) from error
    return size


def _digest(parts: dict[str, list[Any]]) -> str:
    from erya.run_corpus import hash_file

    digest = hashlib.sha256()
    for name in PARTS:
        for item in parts.get(name, []):
            if isinstance(item, Path):
                hash_file(item, digest)
            else:
                raw = item.encode("utf-8", "surrogatepass")
                digest.update(b"%d:" % len(raw) + raw)
        digest.update(name.encode())
    return digest.hexdigest()
