"""Whether something can be learned from a data set, and what its texts are written in."""

from __future__ import annotations

import re

from erya.errors import DataError, quoted, typed
from erya.language import say
from erya.text.dataset import Dataset, Part
from erya.text.tokenizers import HAN

_LOOKED_AT, _CHARACTERS = 2000, 2000  # documents, and characters of each


def judge(data: Dataset, *, strict: bool = False) -> None:
    """Refuse data from which no classifier can be learned; say what will surprise.

    Raises:
        DataError: ``too-few-rows``, ``all-same``, ``labels-empty``, ``one-class``, ``labels-unique``; under ``strict``
            also ``label-unseen`` and ``leakage``.
    """
    learnable(data)
    unseen = data.unseen_labels()
    if unseen:
        shown = ", ".join(f"{quoted(label, 30)} ({count:,})" for label, count in list(unseen.items())[:5])
        sentence = say(
            f"{len(unseen):,} labels of dev or test never occur in training: {shown}",
            f"dev 或 test 中有 {len(unseen):,} 个标签在训练数据里没有出现：{shown}",
        )
        if strict:
            raise DataError(
                "label-unseen", sentence, where=quoted(data.source, 200), help=f"erya check {typed(data.source)}"
            )
        data.reading.notes.append(sentence)
    once = _once(data)
    if once:
        data.reading.notes.append(once)
    leaked = len(data.duplicates()) if data.dev is not None or data.test is not None else 0
    if leaked:
        sentence = say(f"{leaked:,} inputs occur in more than one part", f"有 {leaked:,} 条输入同时出现在多个部分中")
        if strict:
            raise DataError(
                "leakage", sentence, where=quoted(data.source, 200), help=f"erya check {typed(data.source)}"
            )
        data.reading.notes.append(sentence)


def _once(data: Dataset) -> str:
    """A sentence about labels that one training row has: they can be learned by heart, and not be tested. Empty: none."""
    if data.task != "classify" or data.train.targets is None or data.kind == "soft":
        return ""
    rare = [label for label, count in data.train.label_counts().items() if count == 1]
    if not rare:
        return ""
    shown = ", ".join(quoted(label, 30) for label in rare[:5])
    return say(
        f"{len(rare):,} labels occur once in training: {shown}"
        if len(rare) > 1
        else f"one label occurs once in training: {shown}",
        f"有 {len(rare):,} 个标签在训练数据里只出现一次：{shown}",
    )


def learnable(data: Dataset) -> None:
    """Refuse rows and labels from which no classifier can be learned.

    Raises:
        DataError: ``too-few-rows``, ``all-same``, ``labels-empty``, ``one-class``, ``labels-unique``.
    """
    targets = data.train.targets
    if data.task != "classify" or targets is None:
        return
    rows, source = len(data.train), quoted(data.source, 200)
    column = quoted(data.columns.get("label", "label"))
    look = f"  →  erya check {typed(data.source)}"
    if rows < 2:
        raise DataError(
            "too-few-rows",
            say("one row is not enough to learn from", "只有一行数据，无法训练"),
            where=source,
            help=say("two labels with some rows each are the least", "至少需要两个类别，各有几行") + look,
        )
    if len(set(data.train.inputs)) == 1:
        shown = data.train.inputs[0] if isinstance(data.train.inputs[0], str) else " | ".join(data.train.inputs[0])
        raise DataError(
            "all-same",
            say(f"all {rows:,} rows have the same text", f"全部 {rows:,} 行的文本都相同"),
            where=f"{source}   {quoted(shown)}",
            help=say("is this the right column? --text COL", "这一列对吗？--text 列名") + look,
        )
    counts = data.train.label_counts()
    kinds, given = len(counts), sum(counts.values())
    if not kinds:
        raise DataError(
            "labels-empty",
            say(f"not one of the {rows:,} rows has a label", f"{rows:,} 行中没有一行有标签"),
            where=f"{source}   {column}",
            help=say("is this the right column? --label COL", "这一列对吗？--label 列名") + look,
        )
    if kinds == 1:
        only = quoted(next(iter(counts)))
        raise DataError(
            "one-class",
            say(f"all {rows:,} rows have the label '{only}'", f"全部 {rows:,} 行的标签都是 '{only}'")
            if given == rows
            else say(f"there is but one label, '{only}'", f"只有 '{only}' 这一个标签"),
            where=f"{source}   {column}",
            help=say(
                "a classifier needs two; is this the right column? --label COL",
                "分类至少要有两个类别；这一列对吗？--label 列名",
            )
            + look,
        )
    if (kinds == given and rows > 2) or (rows >= 20 and kinds > 0.8 * given):
        raise DataError(
            "labels-unique",
            say(
                f"column '{column}' has {kinds:,} different labels in {rows:,} rows; that is no label",
                f"列 '{column}' 的 {rows:,} 行里有 {kinds:,} 个不同的标签，不像是类别",
            ),
            where=f"{source}   {quoted(', '.join(list(counts)[:3]))}",
            help=say("name the right column: --label COL", "请指定正确的列：--label 列名") + look,
        )


_ZH = re.compile(f"[{HAN}]")
_EN = re.compile(r"[A-Za-z]+")
_OTHER = re.compile(f"[^\\W\\d_A-Za-z{HAN}]+")


def languages(part: Part) -> dict[str, float]:
    """Shares of the rows by the script most of the text is in: Han is ``zh``, A to Z is ``en``. Looks at 2,000 rows, evenly
    spread.
    """
    counts = {"zh": 0, "en": 0, "other": 0}
    step = max(1, len(part) // _LOOKED_AT)
    for document in part.inputs[::step]:
        text = (document if isinstance(document, str) else " ".join(document))[:_CHARACTERS]
        sizes = {
            "zh": 2.5 * len(_ZH.findall(text)),  # a Han character says as much as two or three letters
            "en": sum(map(len, _EN.findall(text))),
            "other": sum(map(len, _OTHER.findall(text))),
        }
        best = max(sizes, key=lambda name: sizes[name])
        counts[best if sizes[best] else "other"] += 1
    total = sum(counts.values()) or 1
    return {name: round(count / total, 4) for name, count in counts.items()}
