"""What a calibration does on held-out rows: scores and reliability before and after it, in numbers and as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from erya.cli import output
from erya.cli.evaluate import CHUNK
from erya.cli.train import score_name
from erya.errors import quoted
from erya.language import say

if TYPE_CHECKING:
    from erya.text.dataset import Part
    from erya.trace import Trace

SHOWN = ("accuracy", "log_loss", "calibration_error", "brier")
SHOWN_OF_SEVERAL = ("micro_f1", "log_loss", "calibration_error", "brier")
WHEN = ("before", "after")
LISTED = 20  # labels in the terminal, the worst first
DRAWN = 6  # labels with a picture of their own, those that most rows have


def facts(made: Any, part: Part) -> dict[str, Any]:
    """Scores and bins before the calibration, and after it on rows that are left out in turn.

    Of several labels a row also ``"labels"``: of each the rows that have it, its calibration error and its Brier score.

    Args:
        made: a ``Calibrated`` of these rows.
        part: the rows.
    """
    import numpy as np

    from erya.calibrated import columns_of, truth_of
    from erya.parts import label_thresholds
    from erya.tasks import _calibration as calibrating
    from erya.tasks import _label_calibration as by_label
    from erya.tasks import classify

    several = made.several_
    classes = np.asarray([str(label) for label in made.classes_])
    before = probabilities(made.model_, part)
    if several:
        truth: Any = truth_of(part.targets, made.classes_)
        found = {"before": before, "after": by_label.held_out(made.method, before, truth)}
        brier = {when: by_label.brier_rows(found[when], truth) for when in WHEN}
    else:
        truth = columns_of(part.targets, made.classes_)
        found = {"before": before, "after": calibrating.held_out(made.method, before, truth)}
        brier = {when: by_label.brier_rows_of_one(found[when], truth) for when in WHEN}
    models = {"before": made.model_, "after": made}
    targets: Any = classify.sets(part.targets) if several else part.targets
    scores = {}
    for when in WHEN:
        answers = label_thresholds.decided(models[when], found[when], classes)
        scores[when] = classify.scores(targets, [classify.Run(answers, found[when], classes)])
        scores[when]["brier"] = _mean(brier[when])
    names = SHOWN_OF_SEVERAL if several else SHOWN
    return {
        "method": made.method,
        "temperature": getattr(made.calibration_, "value", None),
        "rows": len(part),
        "target_kind": "several" if several else classify.kind_of(part.targets),
        "scores": {when: {name: scores[when][name].to_plain() for name in names} for when in WHEN},
        "bins": {when: classify.calibration_bins(targets, found[when], classes) for when in WHEN},
        **({"labels": _labels(classes.tolist(), found, truth)} if several else {}),
        "threshold": (_labels_kept if several else _answers_kept)(made, made.calibration_(before), truth),
    }


def probabilities(model: Any, part: Part) -> Any:
    """(N, C) answered in portions."""
    import numpy as np

    chunks = [model.predict_proba(part.inputs[start : start + CHUNK]) for start in range(0, len(part), CHUNK)]
    return np.concatenate(chunks)


def _mean(values: Any) -> Any:
    from erya.scoring import bootstrap

    return bootstrap({"mean": lambda rows: float(values[rows].mean())}, len(values))["mean"]


def _labels(names: list[str], found: dict[str, Any], truth: Any) -> list[dict[str, Any]]:
    """Each label by itself, in label order."""
    from erya.tasks import _label_calibration as by_label

    errors = {when: by_label.label_errors(found[when], truth) for when in WHEN}
    return [
        {
            "label": name,
            "rows": int(truth[:, place].sum()),
            "calibration_error": {when: float(errors[when][place]) for when in WHEN},
            "brier": {when: float(((found[when][:, place] - truth[:, place]) ** 2).mean()) for when in WHEN},
            "bins": {when: by_label.label_bins(found[when][:, place], truth[:, place]) for when in WHEN},
        }
        for place, name in enumerate(names)
    ]


def _answers_kept(made: Any, found: Any, targets: Any) -> dict[str, float] | None:
    """What the stored threshold does on these rows."""
    if made.precision is None:
        return None
    given = found.max(axis=1) >= made.threshold_
    hits = found.argmax(axis=1) == targets
    return {
        "value": made.threshold_,
        "wanted": made.precision,
        "precision": float(hits[given].mean()),
        "coverage": float(given.mean()),
    }


def _labels_kept(made: Any, found: Any, truth: Any) -> dict[str, float] | None:
    """The same of several labels: ``coverage`` is the share of the labels given without it that still are."""
    from erya.parts import label_thresholds

    if made.precision is None:
        return None
    answered = label_thresholds.chosen(found, made.thresholds_)
    kept = answered & (found >= made.threshold_)
    return {
        "value": made.threshold_,
        "wanted": made.precision,
        "precision": float(truth[kept].mean()),
        "coverage": float(kept.sum() / answered.sum()),
        "silent_rows": float((answered.any(axis=1) & ~kept.any(axis=1)).mean()),
    }


def is_worse(found: dict[str, Any]) -> bool:
    """Whether the probabilities are further off than before, by more than chance."""
    before, after = (found["scores"][when]["calibration_error"] for when in WHEN)
    return bool(after["value"] > before["high"])


# ---- as lines ----------------------------------------------------------------------------------------------------


def named(score: str) -> str:
    """A score's name in the user's language."""
    return say("Brier score", "Brier 分数") if score == "brier" else score_name(score)


def lines(found: dict[str, Any]) -> list[str]:
    """The facts for a terminal."""
    head = ["", say("before", "校准前"), say("after", "校准后")]
    rows = [
        [named(name), *(f"{found['scores'][when][name]['value']:.4f}" for when in WHEN)]
        for name in found["scores"]["before"]
    ]
    shown = output.table(rows, head=head, right=[1, 2])
    if found["temperature"] is not None:
        shown.append(say(f"temperature {found['temperature']:.3f}", f"温度 {found['temperature']:.3f}"))
    shown += _label_lines(found.get("labels", []))
    threshold = found["threshold"]
    if threshold is not None:
        shown.append((_kept_of_several if found["target_kind"] == "several" else _kept)(threshold))
    return shown


def _kept(threshold: dict[str, float]) -> str:
    return say(
        f"from p = {threshold['value']:.4f} up: {threshold['precision']:.4f} of the answers are right, "
        f"{output.percent(threshold['coverage'])} of the rows get one",
        f"p ≥ {threshold['value']:.4f} 时：回答的正确率为 {threshold['precision']:.4f}，"
        f"{output.percent(threshold['coverage'])} 的行得到回答",
    )


def _kept_of_several(threshold: dict[str, float]) -> str:
    return say(
        f"from p = {threshold['value']:.4f} up: {threshold['precision']:.4f} of the labels are right, "
        f"{output.percent(threshold['coverage'])} of them are still given; "
        f"{output.percent(threshold['silent_rows'])} of the rows lose all of theirs",
        f"p ≥ {threshold['value']:.4f} 时：给出的标签有 {threshold['precision']:.4f} 正确，"
        f"{output.percent(threshold['coverage'])} 的标签仍会给出，"
        f"{output.percent(threshold['silent_rows'])} 的行因此一个标签也不剩",
    )


def _label_lines(labels: list[dict[str, Any]]) -> list[str]:
    if not labels:
        return []
    worst = sorted(labels, key=lambda one: -one["calibration_error"]["before"])[:LISTED]
    head = [say("label", "标签"), say("rows", "行数"), say("before", "校准前"), say("after", "校准后")]
    rows = [
        [
            quoted(one["label"], 30),
            f"{one['rows']:,}",
            *(f"{one['calibration_error'][when]:.4f}" for when in WHEN),
        ]
        for one in worst
    ]
    title = say("calibration error of each label", "各标签的校准误差")
    if len(worst) < len(labels):
        title += say(f", the {LISTED} worst of {len(labels)}", f"，共 {len(labels)} 个，只列最差的 {LISTED} 个")
    return ["", title, *output.table(rows, head=head, right=[1, 2, 3]), ""]


# ---- as pictures -------------------------------------------------------------------------------------------------


def picture(id: str, path: str, found: dict[str, Any]) -> Trace:
    """How often the model is right when it is this sure, before and after; a believable one stays on the diagonal.

    Of several labels a row: over all labels, then of those that most rows have each by itself.
    """
    from erya.trace import Table
    from erya.trace import Trace as Found

    title = say("How often it is right (up) when it is this sure (across)", "把握（横轴）与实际正确率（纵轴）")
    rows = [
        [name, round(bin["confidence"], 3), round(bin["accuracy"], 3), int(bin["count"])]
        for when, name in zip(WHEN, (say("before", "校准前"), say("after", "校准后")), strict=True)
        for bin in found["bins"][when]
    ]
    head = [say("when", "时间"), say("sure", "把握"), say("right", "正确率"), say("rows", "行数")]
    views: list[Any] = [_plot(title, found["bins"]), Table(say("numbers", "数值"), head, rows)]
    labels = sorted(found.get("labels", []), key=lambda one: -one["rows"])
    for one in labels[:DRAWN]:
        views.append(_plot(say(f"label {quoted(one['label'], 30)}", f"标签 {quoted(one['label'], 30)}"), one["bins"]))
    if labels:
        views.append(_label_table(labels))
    return Found(id, path, {}, views)


def _plot(title: str, bins: dict[str, list[dict[str, float]]]) -> Any:
    from erya.tasks.classify import CALIBRATION_BINS
    from erya.trace import Lines

    places = [(bin + 0.5) / CALIBRATION_BINS for bin in range(CALIBRATION_BINS)]
    series: dict[str, list[float]] = {say("believable", "完全可信"): places}
    for when, name in zip(WHEN, (say("before", "校准前"), say("after", "校准后")), strict=True):
        right = [float("nan")] * CALIBRATION_BINS
        for bin in bins[when]:
            right[min(int(bin["confidence"] * CALIBRATION_BINS), CALIBRATION_BINS - 1)] = bin["accuracy"]
        series[name] = right
    used = [
        place
        for place in range(CALIBRATION_BINS)
        if any(series[name][place] == series[name][place] for name in [*series][1:])
    ]
    drawn = {name: [values[place] for place in used] for name, values in series.items()}
    return Lines(title, [places[place] for place in used], drawn)


def _label_table(labels: list[dict[str, Any]]) -> Any:
    from erya.trace import Table

    off = say("calibration error", "校准误差")
    head = [
        say("label", "标签"),
        say("rows", "行数"),
        *(f"{off} {name}" for name in (say("before", "校准前"), say("after", "校准后"))),
        *(f"Brier {name}" for name in (say("before", "校准前"), say("after", "校准后"))),
    ]
    rows = [
        [
            one["label"],
            one["rows"],
            *(round(one["calibration_error"][when], 4) for when in WHEN),
            *(round(one["brier"][when], 4) for when in WHEN),
        ]
        for one in labels
    ]
    return Table(say("label by label", "逐个标签"), head, rows)
