"""``evaluate`` for a language model: bits per character, perplexity, what it does not know, what it finds hardest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from erya.cli import output
from erya.cli.reading import corpus_facts, corpus_line, shown_path, tell_notes
from erya.cli.train import score_name
from erya.language import say

if TYPE_CHECKING:
    from erya.artefact import Content
    from erya.cli.options import Manner
    from erya.run_corpus import Corpus

HARDEST = 8  # documents, and units, in sight
ENDLESS = 1e15  # a perplexity that only the impossible has

Document = dict[str, Any]


def evaluate(path: str, model: Any, content: Content | None, corpus: Corpus, manner: Manner) -> None:
    """Score a language model on the test part, or on all of a file that has no parts; of the text that the model was trained on,
    on the test part of that training.

    Raises:
        DataError: no text.
    """
    from erya.run_documents import LONGEST, as_trained, letters, texts_of
    from erya.tasks import generate

    kind = getattr(model, "documents", "auto")
    known = [again for data in trained_on(content) if (again := as_trained(corpus, data, kind)) is not None]
    same = known[0] if len({again.digest for again in known}) == 1 else None
    test = corpus.test or (same.test if same is not None else None)
    notes = [] if test or not known else [learned_note()]
    texts = texts_of(test or corpus.inputs, kind, LONGEST)
    found = model.surprisals(texts)
    scores = {name: score.to_plain() for name, score in generate.scores([found]).items()}
    rows = generate.counted(found)
    facts = corpus_facts(corpus)
    document: Document = {
        "schema": "erya.evaluate/1",
        "model": model.id,
        "path": path,
        "data": {**facts, "notes": [*facts["notes"], *notes], "part": "test" if test else "all"},
        "documents": len(texts),
        "characters": int(sum(one.characters for one in found)),
        "units": {
            "kind": model.units_.name,
            "count": int(rows.units.sum()),
            "unknown": int(rows.unknown.sum()),
            "impossible": int(sum((one.bits >= generate.IMPOSSIBLE).sum() for one in found)),
        },
        "scores": scores,
        "letters": None if same is None else letters(same.inputs, kind, texts),
        "unknown": _unknown(found),
        "hardest": _hardest(texts, found),
    }
    if manner.json:
        output.write_document(document)
        return
    manner.talk(output.fact(say("data", "数据"), corpus_line(corpus)))
    tell_notes(corpus.reading, manner)
    for note in notes:
        manner.talk(output.fact(say("note", "注意"), note))
    for line in _lines(document):
        output.write(line)
    manner.next(f'erya explain {shown_path(path)} "…"', f"erya predict {shown_path(path)} --input …")


def trained_on(content: Content | None) -> list[dict[str, Any]]:
    """What the training of a model file said of its data; of a mixture, those of its models. Foreign files (None) say nothing."""
    if content is None:
        return []
    training = content.training
    return [data for data in (training.get("data"), *(training.get("inside") or [])) if data]


def learned_note() -> str:
    """What is said where a model is scored on its training."""
    return say(
        "the model was trained on this text, with no test part held out: the scores are too good",
        "模型就是用这份文本训练的，没有留出测试部分：分数过于乐观",
    )


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


def _number(value: float) -> str:
    """A score; where a model finds something impossible its perplexity has no end."""
    return f"{value:.4f}" if value < ENDLESS else "∞"


def _lines(document: Document) -> list[str]:
    units = document["units"]
    kinds = {"characters": say("characters", "字符"), "words": say("words", "词"), "whitespace": say("words", "词")}
    kind = kinds.get(units["kind"], units["kind"])
    part = {"test": say("test part", "测试部分"), "all": say("all of the data", "全部数据")}[document["data"]["part"]]
    lines = [
        say(
            f"{document['documents']:,} documents, {part}: {document['characters']:,} characters, {units['count']:,} units "
            f"({kind}, ends counted)",
            f"{document['documents']:,} 篇文档，{part}：{document['characters']:,} 个字符，{units['count']:,} 个单元（{kind}，含结尾）",
        ),
        "",
    ]
    table = [
        (score_name(name), _number(score["value"]), f"[{_number(score['low'])}, {_number(score['high'])}]")
        for name, score in document["scores"].items()
    ]
    if units["impossible"]:
        share = units["impossible"] / units["count"]
        table.append((say("impossible units", "不可能的单元"), f"{share:.4f}", say("probability 0", "概率为 0")))
    if document["letters"] is not None:  # else the training, whose letters they are, is not at hand
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
