"""What ``erya check`` finds in a data set: facts, and the problems that spoil a model before it is trained."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from erya.errors import DataError, quoted
from erya.language import say

if TYPE_CHECKING:
    from erya.text.dataset import Dataset, Part

FEW_ROWS = 10  # rows of a label under which its scores mean nothing
ENOUGH_ROWS = 50  # rows of a label from which a linear model usually learns it
UNBALANCED = 20  # times the rarest label, for the most frequent
LONG_TEXT = 20_000  # characters
EXAMPLES = 3
UNLEARNABLE = ("too-few-rows", "all-same", "labels-empty", "one-class", "labels-unique")

Problem = dict[str, Any]


def examine(dataset: Dataset) -> dict[str, Any]:
    """Facts and problems of a data set as JSON data."""
    return {
        "parts": {name: _part_facts(part) for name, part in dataset.parts()},
        "target_kind": dataset.kind,
        "labels": _label_counts(dataset),
        "languages": dataset.languages,
        "problems": [problem for check in CHECKS for problem in check(dataset)],
    }


def _part_facts(part: Part) -> dict[str, Any]:
    lengths = sorted(len(text) if isinstance(text, str) else sum(map(len, text)) for text in part.inputs)
    return {
        "rows": len(part),
        "duplicates": len(part) - len(set(part.inputs)),
        "characters": {
            "median": lengths[len(lengths) // 2],
            "p95": lengths[min(len(lengths) - 1, int(len(lengths) * 0.95))],
            "longest": lengths[-1],
        }
        if lengths
        else None,
    }


def _label_counts(dataset: Dataset) -> dict[str, int] | None:
    """Rows by label over all parts, the most frequent first; None where there are no labels."""
    if dataset.train.targets is None:
        return None
    counts: Counter[str] = Counter()
    for _, part in dataset.parts():
        counts.update(part.label_counts())
    return dict(counts.most_common())


def _problem(code: str, severity: str, message: str, help: str | None = None, rows: list[int] | None = None) -> Problem:
    return {"code": code, "severity": severity, "message": message, "help": help, "rows": rows or []}


# ---- the checks -----------------------------------------------------------------------------------------------


def _unlearnable(dataset: Dataset) -> list[Problem]:
    """What every training would refuse: one row, one label, one text, a label of its own for each row."""
    from erya.text.judge import learnable

    try:
        learnable(dataset)
    except DataError as refused:
        return [_problem(refused.code, "error", refused.message, (refused.help or "").partition("  →  ")[0])]
    return []


def _rejected(dataset: Dataset) -> list[Problem]:
    reading = dataset.reading
    if not reading.rejected:
        return []
    reasons = "; ".join(f"{reason} ×{count:,}" for reason, count in list(reading.reasons().items())[:4])
    return [
        _problem(
            "rejected-rows",
            "warning",
            say(
                f"{reading.rejected:,} of {reading.rows_in:,} rows cannot be used: {reasons}",
                f"{reading.rows_in:,} 行中有 {reading.rejected:,} 行不可用：{reasons}",
            ),
            say("mend them, or train with --bad-rows skip", "修正这些行，或训练时加 --bad-rows skip"),
            [reject.row for reject in reading.rejects[:EXAMPLES]],
        )
    ]


def _leakage(dataset: Dataset) -> list[Problem]:
    """Texts of training that occur in dev or test: their scores are remembered, not predicted."""
    leaks = [duplicate for duplicate in dataset.duplicates() if "train" in duplicate.rows]
    if not leaks:
        return []
    scored = sum(len(rows) for duplicate in leaks for name, rows in duplicate.rows.items() if name != "train")
    total = sum(len(part) for name, part in dataset.parts() if name != "train")
    return [
        _problem(
            "leakage",
            "error" if scored > 0.01 * total else "warning",
            say(
                f"{scored:,} of {total:,} test and validation rows are also in training, to the letter",
                f"{total:,} 行测试与验证数据中有 {scored:,} 行原样出现在训练数据里",
            ),
            say("remove them from the training file: scores are too good", "从训练文件中去掉它们，否则分数虚高"),
            [row for duplicate in leaks[:EXAMPLES] for row in duplicate.rows["train"][:1]],
        )
    ]


def _duplicates(dataset: Dataset) -> list[Problem]:
    rows = len(dataset.train)
    copies = rows - len(set(dataset.train.inputs))
    if copies <= max(2, 0.01 * rows):
        return []
    return [
        _problem(
            "duplicates",
            "warning" if copies > 0.1 * rows else "note",
            say(
                f"{copies:,} of {rows:,} training rows repeat an earlier text",
                f"{rows:,} 行训练数据中有 {copies:,} 行重复",
            ),
            say("--split keeps equal texts together, so nothing leaks", "--split 会把相同文本放在同一部分，不会泄漏"),
        )
    ]


def _contradictions(dataset: Dataset) -> list[Problem]:
    """One text with different labels on different rows: no model can get all of them right."""
    seen: dict[Any, set[str]] = defaultdict(set)
    first: dict[Any, int] = {}
    for place, (text, label) in enumerate(zip(dataset.train.inputs, dataset.train.targets or [], strict=False)):
        seen[text].add(label if isinstance(label, str) else _written(label))
        first.setdefault(text, dataset.train.rows[place] if dataset.train.rows else place + 1)
    torn = [text for text, labels in seen.items() if len(labels) > 1]
    if not torn:
        return []
    example = quoted(torn[0] if isinstance(torn[0], str) else " | ".join(torn[0]), 40)
    labels = ", ".join(quoted(label, 20) for label in sorted(seen[torn[0]]))
    return [
        _problem(
            "contradictions",
            "warning",
            say(
                f"{len(torn):,} texts carry more than one label, e.g. '{example}': {labels}",
                f"{len(torn):,} 条文本带有不止一个标签，如“{example}”：{labels}",
            )
            if dataset.kind == "one"
            else say(
                f"{len(torn):,} texts occur with different labels, e.g. '{example}': {labels}",
                f"{len(torn):,} 条文本在不同的行里标签不同，如“{example}”：{labels}",
            ),
            say("decide for one; no model can get both right", "请确定一个；任何模型都无法两个都答对"),
            [first[text] for text in torn[:EXAMPLES]],
        )
    ]


def _written(target: Any) -> str:
    """A row's labels as one text."""
    if isinstance(target, dict):
        return ", ".join(f"{label} {share:g}" for label, share in sorted(target.items()))
    return ", ".join(sorted(target)) or say("(none)", "（无）")


def _bare_rows(dataset: Dataset) -> list[Problem]:
    """Of several labels a row: how many a row has, and how many rows have none."""
    targets = dataset.train.targets or []
    if dataset.kind != "several" or not targets:
        return []
    bare = [place for place, target in enumerate(targets) if not target]
    mean = sum(map(len, targets)) / len(targets)
    return [
        _problem(
            "several-labels",
            "note",
            say(
                f"a row has {mean:.2f} labels on average; {len(bare):,} of {len(targets):,} training rows have none",
                f"平均每行 {mean:.2f} 个标签；{len(targets):,} 行训练数据中有 {len(bare):,} 行没有标签",
            ),
            say(
                "a row without labels teaches that none fits; is that meant?",
                "没有标签的行会教模型“都不是”；确实是这个意思吗？",
            )
            if bare
            else None,
            [dataset.train.rows[place] if dataset.train.rows else place + 1 for place in bare[:EXAMPLES]],
        )
    ]


def _rare_labels(dataset: Dataset) -> list[Problem]:
    counts = dataset.train.label_counts()
    rare = [label for label, count in counts.items() if count < FEW_ROWS]
    if not rare:
        return []
    names = ", ".join(f"{quoted(label, 20)} ({counts[label]})" for label in rare[:5]) + (" …" if len(rare) > 5 else "")
    return [
        _problem(
            "rare-labels",
            "warning",
            say(
                f"{len(rare)} labels have fewer than {FEW_ROWS} rows: {names}",
                f"{len(rare)} 个标签不足 {FEW_ROWS} 行：{names}",
            ),
            say("collect more, merge them, or leave them out", "补充数据、合并或去掉这些标签"),
        )
    ]


def _balance(dataset: Dataset) -> list[Problem]:
    counts = dataset.train.label_counts().most_common()
    if len(counts) < 2 or counts[0][1] < UNBALANCED * counts[-1][1]:
        return []
    (most, many), (least, few) = counts[0], counts[-1]
    return [
        _problem(
            "unbalanced",
            "warning",
            say(
                f"'{quoted(most, 20)}' has {many / few:.0f} times the rows of '{quoted(least, 20)}'",
                f"“{quoted(most, 20)}”的行数是“{quoted(least, 20)}”的 {many / few:.0f} 倍",
            ),
            say("look at macro F1, not at micro F1 alone", "看宏平均 F1，别只看微平均")
            if dataset.kind == "several"
            else say(
                "--set class_weight=balanced; and look at macro F1, not at accuracy",
                "--set class_weight=balanced；看宏平均 F1，别只看准确率",
            ),
        )
    ]


def _lookalike_labels(dataset: Dataset) -> list[Problem]:
    """Labels that differ only in case or spaces are most likely one."""
    folded: dict[str, set[str]] = defaultdict(set)
    for label in dataset.labels:
        folded["".join(label.split()).casefold()].add(label)
    pairs = [sorted(names) for names in folded.values() if len(names) > 1]
    if not pairs:
        return []
    shown = "; ".join(" / ".join(repr(quoted(name, 20)) for name in names) for names in pairs[:3])
    return [
        _problem(
            "lookalike-labels",
            "warning",
            say(f"labels that differ only in case or spaces: {shown}", f"只差大小写或空格的标签：{shown}"),
            say("make them one", "请统一写法"),
        )
    ]


def _unseen(dataset: Dataset) -> list[Problem]:
    unseen = dataset.unseen_labels()
    if not unseen:
        return []
    names = ", ".join(f"{quoted(label, 20)} ({count})" for label, count in list(unseen.items())[:5])
    return [
        _problem(
            "unseen-labels",
            "error",
            say(f"labels that occur only outside training: {names}", f"只在训练数据之外出现的标签：{names}"),
            say("no model can answer them; move some rows into training", "模型无法答出它们；请移一些行到训练数据"),
        )
    ]


def _long_texts(dataset: Dataset) -> list[Problem]:
    long = [
        dataset.train.rows[place] if dataset.train.rows else place + 1
        for place, text in enumerate(dataset.train.inputs)
        if (len(text) if isinstance(text, str) else sum(map(len, text))) > LONG_TEXT
    ]
    if not long:
        return []
    return [
        _problem(
            "long-texts",
            "note",
            say(
                f"{len(long):,} texts are longer than {LONG_TEXT:,} characters",
                f"{len(long):,} 条文本超过 {LONG_TEXT:,} 个字符",
            ),
            say("is it one text a row? neural models are slow on these", "确定一行是一条文本吗？神经模型处理它们很慢"),
            long[:EXAMPLES],
        )
    ]


def _enough(dataset: Dataset) -> list[Problem]:
    counts = dataset.train.label_counts()
    if dataset.train.targets is not None and not counts:
        return []  # said already: not one row has a label
    if not counts:
        return [
            _problem(
                "no-labels",
                "note",
                say("there are no labels", "没有标签"),
                say("name the column: --label COL", "指明标签列：--label 列名"),
            )
        ]
    typical = sorted(counts.values())[len(counts) // 2]
    if typical >= ENOUGH_ROWS:
        return []
    return [
        _problem(
            "few-rows",
            "warning",
            say(
                f"a typical label has {typical} rows; from about {ENOUGH_ROWS} on, simple models learn it",
                f"一般的标签只有 {typical} 行；大约 {ENOUGH_ROWS} 行起，简单模型才学得会",
            ),
            say(
                "start with classify/naive_bayes or classify/logistic_regression",
                "先用 classify/naive_bayes 或 classify/logistic_regression",
            )
            if dataset.kind == "one"
            else say("merge rare labels, or collect rows for them", "合并少见的标签，或为它们补充数据"),
        )
    ]


CHECKS: tuple[Callable[[Dataset], list[Problem]], ...] = (
    _unlearnable,
    _rejected,
    _leakage,
    _unseen,
    _bare_rows,
    _contradictions,
    _lookalike_labels,
    _duplicates,
    _rare_labels,
    _balance,
    _long_texts,
    _enough,
)
