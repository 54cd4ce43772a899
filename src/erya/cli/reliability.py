"""``show m.erya reliability DATA``: how often a classifier, or a tagger at a token, is right when it is this sure."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

from erya.cli.evaluate import CHUNK, scored_part
from erya.cli.options import Columns
from erya.cli.reading import data_facts, how_to_read, shown_path
from erya.errors import UsageError, quoted
from erya.language import say
from erya.trace import Lines, Table, Trace

if TYPE_CHECKING:
    from erya.artefact import Content

NAME = "reliability"
NORMAL = 1.959964  # of a 95 % interval


def picture(
    path: str, model: Any, content: Content | None, data: list[str], columns: Columns
) -> tuple[Trace, dict[str, Any]]:
    """The reliability plot of a classifier or a tagger on labelled rows, and its document.

    Args:
        path: the model file.
        model: what is in it.
        content: what it says of itself; None: a foreign file.
        data: one data set, as ``erya evaluate`` takes it.
        columns: how to read it.

    Raises:
        UsageError: not one data set, or a model without probabilities.
        DataError: it cannot be read, or has no labels.
    """
    if len(data) != 1:
        raise UsageError(
            "missing-argument" if not data else "extra-argument",
            say("reliability needs one set of labelled rows", "reliability 需要一份带标签的数据"),
            help=f"erya show {shown_path(path)} reliability TEST.csv",
        )
    from erya import runs

    task = model.task()
    if not hasattr(model, "predict_marginals" if task == "tag" else "predict_proba"):
        raise UsageError(
            "no-probabilities",
            say(f"{model.id} has no probabilities", f"{model.id} 没有概率"),
            help=f"erya evaluate {shown_path(path)} {shown_path(data[0])}",
        )
    how = how_to_read(data[0], task, columns, None)
    how["read"]["check"] = False
    dataset = runs.read_rows(how)
    name, part = scored_part(dataset, content.training if content is not None else {})
    error, bins = _of_tokens(model, part) if task == "tag" else _measured(model, part)
    document = {
        "schema": "erya.reliability/1",
        "model": model.id,
        "path": path,
        "data": {**data_facts(dataset), "part": name},
        "rows": len(part),
        **({"tokens": sum(bin["count"] for bin in bins)} if task == "tag" else {}),
        "calibration_error": error,
        "bins": bins,
    }
    return _drawn(model.id, path, document), document


def _measured(model: Any, part: Any) -> tuple[dict[str, float], list[dict[str, float]]]:
    """The calibration error with its interval; of every bin confidence, accuracy with an interval, and rows."""
    import numpy as np

    from erya.parts import label_thresholds
    from erya.tasks import classify

    chunks = [model.predict_proba(part.inputs[start : start + CHUNK]) for start in range(0, len(part), CHUNK)]
    probabilities = np.concatenate(chunks)
    classes = np.asarray([str(label) for label in model.classes_])
    answers = label_thresholds.decided(model, probabilities, classes)
    several = "several" in (classify.kind_of(part.targets), classify.kind_of(answers))
    targets = classify.sets(part.targets) if several else part.targets
    error = classify.scores(targets, [classify.Run(answers, probabilities, classes)])["calibration_error"]
    bins = classify.calibration_bins(targets, probabilities, classes)
    for bin in bins:
        bin["low"], bin["high"] = wilson(bin["accuracy"], int(bin["count"]))
    return error.to_plain(), bins


def _of_tokens(model: Any, part: Any) -> tuple[dict[str, float], list[dict[str, float]]]:
    """The same for a tagger: of the tokens that it answered as part of a span, or of all where tags tell no spans."""
    from erya.tasks import tag

    answers, marginals = [], []
    for start in range(0, len(part), CHUNK):
        some = part.inputs[start : start + CHUNK]
        answers += model.predict(some)
        marginals += model.predict_marginals(some)
    error, bins = tag.reliability(part.targets, answers, marginals, model.classes_, model.scheme_)
    for bin in bins:
        bin["low"], bin["high"] = wilson(bin["accuracy"], int(bin["count"]))
    return error.to_plain(), bins


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of ``count`` trials (Wilson 1927), which stays within 0 and 1 however few they are."""
    square = NORMAL * NORMAL
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = NORMAL * sqrt(share * (1 - share) / count + square / (4 * count * count)) / (1 + square / count)
    return max(0.0, centre - half), min(1.0, centre + half)


def _drawn(id: str, path: str, document: dict[str, Any]) -> Trace:
    bins, error = document["bins"], document["calibration_error"]
    sure = [bin["confidence"] for bin in bins]
    count = document.get("tokens", document["rows"])
    counted = (
        (f"{count:,} tokens tagged", f"{count:,} 个标出的词")
        if "tokens" in document
        else (f"{count:,} rows", f"{count:,} 行")
    )
    off = say(
        f"calibration error {error['value']:.4f} [{error['low']:.4f}, {error['high']:.4f}], {counted[0]}",
        f"校准误差 {error['value']:.4f} [{error['low']:.4f}, {error['high']:.4f}]，{counted[1]}",
    )
    title = say("How often it is right (up) when it is this sure (across)", "把握（横轴）与实际正确率（纵轴）")
    series = {
        say("believable", "完全可信"): sure,
        say("right", "正确率"): [bin["accuracy"] for bin in bins],
        say("at least", "区间下限"): [bin["low"] for bin in bins],
        say("at most", "区间上限"): [bin["high"] for bin in bins],
    }
    last = say("tokens", "词数") if "tokens" in document else say("rows", "行数")
    head = [say("sure", "把握"), say("right", "正确率"), say("95 % interval", "95% 区间"), last]
    rows = [
        [
            round(bin["confidence"], 3),
            round(bin["accuracy"], 3),
            f"[{bin['low']:.3f}, {bin['high']:.3f}]" + ("" if bin["low"] <= bin["confidence"] <= bin["high"] else " *"),
            int(bin["count"]),
        ]
        for bin in bins
    ]
    note = say("*: not to be believed, the interval does not hold it", "*：把握落在区间之外，不可信")
    views: list[Any] = [
        Lines(title, sure, series, off),
        Table(say("numbers", "数值"), head, rows, note if any("*" in str(row[2]) for row in rows) else ""),
    ]
    return Trace(id, quoted(path, 200), {}, views)
