"""``evaluate`` for a language model: bits per character, perplexity, what it does not know, what it finds hardest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from erya.cli import output
from erya.cli.reading import corpus_facts, corpus_line, shown_path, tell_notes
from erya.cli.train import score_name
from erya.language import say

if TYPE_CHECKING:
    from erya.cli.options import Manner
    from erya.run_corpus import Corpus

HARDEST = 8  # documents, and units, in sight

Document = dict[str, Any]


def evaluate(path: str, model: Any, corpus: Corpus, manner: Manner) -> None:
    """Score a language model on the test part, or on all of a file that has no parts.

    Raises:
        DataError: no text.
    """
    from erya.run_documents import LONGEST, texts_of
    from erya.tasks import generate

    part = "test" if corpus.test else "all"
    texts = texts_of(corpus.test or corpus.inputs, getattr(model, "documents", "auto"), LONGEST)
    found = model.surprisals(texts)
    scores = {name: score.to_plain() for name, score in generate.scores([found]).items()}
    rows = generate.counted(found)
    document: Document = {
        "schema": "erya.evaluate/1",
        "model": model.id,
        "path": path,
        "data": {**corpus_facts(corpus), "part": part},
        "documents": len(texts),
        "characters": int(sum(one.characters for one in found)),
        "units": {"kind": model.units_.name, "count": int(rows.units.sum()), "unknown": int(rows.unknown.sum())},
        "scores": scores,
        "letters": generate.baseline(texts, texts),
        "unknown": _unknown(found),
        "hardest": _hardest(texts, found),
    }
    if manner.json:
        output.write_document(document)
        return
    manner.talk(output.fact(say("data", "数据"), corpus_line(corpus)))
    tell_notes(corpus.reading, manner)
    for line in _lines(document):
        output.write(line)
    manner.next(f'erya explain {shown_path(path)} "…"', f"erya predict {shown_path(path)} --input …")


def _unknown(found: list[Any]) -> list[list[Any]]:
    """The most frequent units that the model does not know."""
    counts: dict[str, int] = {}
    for one in found:
        for place in np.flatnonzero(one.unknown).tolist():
            counts[one.units[place]] = counts.get(one.units[place], 0) + 1
    return [[unit, count] for unit, count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:HARDEST]]


def _hardest(texts: list[str], found: list[Any]) -> list[Document]:
    order = sorted(range(len(texts)), key=lambda place: -found[place].bits_per_character)[:HARDEST]
    return [
        {"document": place + 1, "bits_per_character": found[place].bits_per_character, "text": texts[place][:200]}
        for place in order
    ]


def _lines(document: Document) -> list[str]:
    units = document["units"]
    kinds = {"characters": say("characters", "字符"), "words": say("words", "词"), "whitespace": say("words", "词")}
    kind = kinds.get(units["kind"], units["kind"])
    lines = [
        say(
            f"{document['documents']:,} documents, {document['characters']:,} characters, {units['count']:,} units ({kind}, ends counted)",
            f"{document['documents']:,} 篇文档，{document['characters']:,} 个字符，{units['count']:,} 个单元（{kind}，含结尾）",
        ),
        "",
    ]
    table = [
        (score_name(name), f"{score['value']:.4f}", f"[{score['low']:.4f}, {score['high']:.4f}]")
        for name, score in document["scores"].items()
    ]
    table.append((say("letters one by one", "逐字统计"), f"{document['letters']:.4f}", ""))
    lines += output.table(table)
    if document["unknown"]:
        told = "  ".join(f"{unit.strip() or repr(unit)} {count:,}" for unit, count in document["unknown"])
        lines += ["", say("unknown, spelled letter by letter:  ", "未知，逐字拼写：") + told]
    if document["hardest"] and document["documents"] > 1:
        lines += ["", say("hardest documents", "最难的文档")]
        lines += output.table(
            [
                (f"  {one['document']:,}", f"{one['bits_per_character']:.2f}", one["text"][:60].replace("\n", "⏎"))
                for one in document["hardest"]
            ]
        )
    return lines
