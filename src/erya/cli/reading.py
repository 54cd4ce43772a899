"""From column options to data sets, and what is said about them: the data line, rejected rows, guesses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from erya.cli import output
from erya.cli.options import Manner, Parts, Texts
from erya.errors import typed
from erya.language import say

if TYPE_CHECKING:
    from erya.artefact import Content
    from erya.contract import Model
    from erya.run_corpus import Corpus
    from erya.text.dataset import Dataset, Reading


def how_to_read(source: str, task: str, columns: Texts, parts: Parts | None) -> dict[str, Any]:
    """The description of a reading that a run folder keeps: ``{"source", "read": {…}, "split": {…} or None}``."""
    read: dict[str, Any] = {"task": task, "bad_rows": columns.bad_rows_policy()}
    names = ("text", "text2", "label", "weight", "tokens", "tags", "label_separator", "encoding", "format")
    for name in names:
        if getattr(columns, name, None) is not None:
            read[name] = getattr(columns, name)
    if columns.no_header:
        read["header"] = False
    if parts is None:
        return {"source": source, "read": read, "split": None}
    for name in ("validation", "test"):
        if getattr(parts, name) is not None:
            read[name] = getattr(parts, name)
    train, dev, test = parts.shares()
    return {
        "source": source,
        "read": read,
        "split": {"train": train, "dev": dev, "test": test, "seed": parts.seed_number()},
    }


def opened(path: str) -> tuple[Model, Content | None]:
    """A model file with what it says of itself; of a foreign file (word vectors, fastText) the model alone."""
    from erya import artefact, catalog

    model = catalog.load(path)
    return model, None if catalog.foreign_task(path) else artefact.load(path)


def any_line(data: Dataset | Corpus) -> str:
    """One line on what was read, or will be."""
    from erya.text.dataset import Dataset

    return data_line(data) if isinstance(data, Dataset) else corpus_line(data)


def any_facts(data: Dataset | Corpus) -> dict[str, Any]:
    """The ``"data"`` of JSON documents."""
    from erya.text.dataset import Dataset

    return data_facts(data) if isinstance(data, Dataset) else corpus_facts(data)


def corpus_line(corpus: Corpus) -> str:
    """``6 files · 45.2 MB``, or ``13,084 texts · 0.9 MB``."""
    pieces = [
        say(f"{corpus.rows:,} texts", f"{corpus.rows:,} 条文本")
        if corpus.rows is not None
        else say(
            "1 file" if len(corpus.files) == 1 else f"{len(corpus.files):,} files", f"{len(corpus.files):,} 个文件"
        ),
        output.size(corpus.bytes),
    ]
    if corpus.reading.rejected:
        pieces.append(rejected(corpus.reading))
    return " · ".join(pieces)


def corpus_facts(corpus: Corpus) -> dict[str, Any]:
    """The ``"data"`` of JSON documents about a corpus."""
    return {
        "source": corpus.source,
        **corpus.facts(),
        "rejected": corpus.reading.rejected,
        "notes": corpus.reading.notes,
    }


def data_line(dataset: Dataset) -> str:
    """``100,412 rows · zh 71 % en 29 % · 5 labels · 212 rejected``."""
    if dataset.kind == "tags":
        return _tags_line(dataset)
    rows = sum(len(part) for _, part in dataset.parts())
    split = say(" ", "、").join(f"{part_name(name)} {len(part):,}" for name, part in dataset.parts())
    pieces = [
        say(f"{rows:,} rows", f"{rows:,} 行")
        + (say(f" ({split})", f"（其中{split}）") if dataset.dev or dataset.test else "")
    ]
    shares = [(share, name) for name, share in dataset.languages.items() if share >= 0.005]
    if shares:
        pieces.append(
            " ".join(f"{_language(name)} {output.percent(share)}" for share, name in sorted(shares, reverse=True))
        )
    if dataset.train.targets is not None:
        pieces.append(say(f"{len(dataset.labels)} labels", f"{len(dataset.labels)} 个标签") + _each_row(dataset))
    if dataset.reading.rejected:
        pieces.append(rejected(dataset.reading))
    return " · ".join(pieces)


def _tags_line(dataset: Dataset) -> str:
    """``13,075 sentences (train 13,075 …) · 119,000 tokens · en 100 % · 39 types of spans``."""
    from erya.text.tag_schemes import Flat, detect, parsed

    rows = sum(len(part) for _, part in dataset.parts())
    tokens = sum(len(sentence) for _, part in dataset.parts() for sentence in part.inputs)
    split = say(" ", "、").join(f"{part_name(name)} {len(part):,}" for name, part in dataset.parts())
    pieces = [
        say(f"{rows:,} sentences", f"{rows:,} 个句子")
        + (say(f" ({split})", f"（其中{split}）") if dataset.dev or dataset.test else ""),
        say(f"{tokens:,} tokens", f"{tokens:,} 个词"),
    ]
    if dataset.train.targets is not None:
        names = dataset.labels
        types = {parsed(name)[1] for name in names} - {""}
        if detect(Flat.of(dataset.train.targets)) == "none" or not types:
            pieces.append(say(f"{len(names)} tags", f"{len(names)} 种标签"))
        else:
            pieces.append(say(f"{len(types)} types of spans", f"{len(types)} 类片段"))
    if dataset.reading.rejected:
        pieces.append(rejected(dataset.reading))
    return " · ".join(pieces)


def _each_row(dataset: Dataset) -> str:
    """How many labels a row has, where it may have several; empty for one label a row."""
    if dataset.kind == "soft":
        return say(" (shares)", "（份额）")
    if dataset.kind == "one" or not len(dataset.train):
        return ""
    mean = sum(dataset.train.label_counts().values()) / len(dataset.train)
    return say(f" ({mean:.2f} a row)", f"（平均每行 {mean:.2f} 个）")


def part_name(name: str) -> str:
    """``train``, ``dev``, ``test`` in the user's language."""
    return {
        "train": say("train", "训练"),
        "dev": say("dev", "验证"),
        "test": say("test", "测试"),
        "all": say("all", "共"),
    }.get(name, name)


def _language(name: str) -> str:
    return {"zh": say("zh", "中文"), "en": say("en", "英文"), "other": say("other", "其他")}.get(name, name)


def rejected(reading: Reading) -> str:
    """``212 rejected (empty text)``, with the most frequent reasons."""
    reasons = "; ".join(
        f"{reason} ×{count:,}" if count > 1 else reason for reason, count in list(reading.reasons().items())[:3]
    )
    return say(f"{reading.rejected:,} rejected: {reasons}", f"拒收 {reading.rejected:,} 行：{reasons}")


def tell_notes(reading: Reading, manner: Manner) -> None:
    """What the reader guessed, so that a wrong guess is seen."""
    for note in reading.notes:
        manner.talk(output.fact(say("read", "读取"), note))


def data_facts(dataset: Dataset) -> dict[str, Any]:
    """The ``"data"`` of JSON documents about rows."""
    return {
        "source": dataset.source,
        "columns": dataset.columns,
        "rows": {name: len(part) for name, part in dataset.parts()},
        "labels": dataset.labels,
        "target_kind": dataset.kind,
        "languages": dataset.languages,
        "rows_in": dataset.reading.rows_in,
        "rejected": dataset.reading.rejected,
        "notes": dataset.reading.notes,
        "digest": dataset.digest,
    }


def shown_path(path: str | Path) -> str:
    """A path as one would type it into a shell."""
    return typed(path)
