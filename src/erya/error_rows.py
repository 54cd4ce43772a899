"""Rows worth reading after a comparison: confident mistakes of each model, likely label errors, test texts that training has seen.

Likely label errors by confident learning (Northcutt, Jiang and Chuang 2021, "Confident learning: estimating uncertainty in dataset
labels"): a model answered test rows that it did not learn from. For each label the mean probability that it gets on the rows that bear
it is what "sure" means for this label; a row that bears a label but for which a model is sure of another one is suspect. What several
models suspect comes first, then what they give the least probability. Of several labels a row each label is such a question, yes or no.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.language import say
from erya.near_duplicates import twins
from erya.tasks import classify
from erya.tasks.classify import Run

CONFIDENT = 20  # mistakes of each model
SUSPECTS = 30
DUPLICATES = 30
LONGEST = 4000  # characters of a text that the document carries

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Labelled texts. ``rows`` are their numbers in the file."""

    inputs: Sequence[Any]
    targets: Sequence[Any]
    rows: Sequence[int]


def document(test: Rows, runs: Mapping[str, Run], train: Rows | None) -> dict[str, Any]:
    """The ``"errors"`` of a compare document.

    Args:
        test: the rows that were answered.
        runs: model → its answers.
        train: what the models learned from; None where that is not known.

    Returns:
        ``"confident"``: model → rows with ``row text label answer probability`` (of the answer; None where the model tells none);
        ``"suspects"``: rows with ``row text label instead probability models``: what the models would say, the mean probability
        of the label that is given, who suspects it; ``"models_asked"``; ``"duplicates"``: ``count near all rows``.
    """
    told = {model: run for model, run in runs.items() if run.probabilities is not None and run.classes is not None}
    return {
        "confident": {model: confident(test, run) for model, run in runs.items()},
        "suspects": suspects(test, told),
        "models_asked": len(told),
        "duplicates": None if train is None else duplicates(train, test),
    }


def text_of(document: Any) -> str:
    """A text or a pair as one text, cut where it is very long."""
    whole = document if isinstance(document, str) else " ⟂ ".join(document)
    return whole if len(whole) <= LONGEST else whole[: LONGEST - 1] + "…"


def label_of(target: Any) -> str:
    """A row's labels as one text; of shares the largest."""
    if isinstance(target, list | tuple | set | frozenset):
        return ", ".join(sorted(map(str, target))) or say("(none)", "（无）")
    return str(classify.strings([target])[0])


def labels_of(target: Any) -> list[str]:
    """A row's labels one by one."""
    return list(classify.sets([target])[0])


# ---- confident mistakes ----------------------------------------------------------------------------------------------


def confident(test: Rows, run: Run) -> list[dict[str, Any]]:
    """The rows one model gets wrong with the highest probability, at most twenty.

    Of several labels a row: those where a label that is not true has the highest probability among the answered, or one that is true
    the lowest among the others.
    """
    wrong = classify.row_errors(test.targets, run.predictions) > 0
    sure = np.ones(len(wrong)) if run.probabilities is None else _sureness(test, run)
    order = np.argsort(np.where(wrong, -sure, np.inf), kind="stable")[:CONFIDENT]
    return [
        {
            **_row(test, place),
            "answer": label_of(run.predictions[place]),
            "answers": labels_of(run.predictions[place]),
            "probability": None if run.probabilities is None else float(sure[place]),
        }
        for place in order.tolist()
        if wrong[place]
    ]


def _sureness(test: Rows, run: Run) -> Floats:
    """(N,) the probability of the answer; of several labels of the worst single error in it."""
    assert run.probabilities is not None
    if classify.kind_of(run.predictions) != "several":
        return np.asarray(run.probabilities.max(axis=1))
    truth, answered = (_members(labels, run.classes) for labels in (test.targets, run.predictions))
    of_errors = np.where(truth & ~answered, 1 - run.probabilities, np.where(answered & ~truth, run.probabilities, 0.0))
    return np.asarray(of_errors.max(axis=1))


def _members(targets: Any, classes: Any) -> NDArray[np.bool_]:
    """(N, C) which label each row has."""
    places = {str(label): place for place, label in enumerate(np.asarray(classes).tolist())}
    found = np.zeros((len(targets), len(places)), dtype=bool)
    for row, labels in enumerate(classify.sets(targets)):
        for label in labels:
            if label in places:
                found[row, places[label]] = True
    return found


def _row(test: Rows, place: int) -> dict[str, Any]:
    target = test.targets[place]
    return {
        "row": int(test.rows[place]),
        "text": text_of(test.inputs[place]),
        "label": label_of(target),
        "labels": labels_of(target),
    }


# ---- likely label errors ---------------------------------------------------------------------------------------------


def suspects(test: Rows, runs: Mapping[str, Run]) -> list[dict[str, Any]]:
    """The rows whose labels the models doubt, at most thirty, the most doubted first."""
    several = classify.kind_of(test.targets) == "several"
    votes = np.zeros(len(test.targets), dtype=np.int64)
    doubt = np.zeros(len(test.targets))
    said: list[dict[str, list[str]]] = [{} for _ in test.targets]
    for model, run in runs.items():
        given, instead = (_doubted_labels if several else _doubted)(test.targets, run)
        doubt += 1 - given
        for place, label in instead.items():
            votes[place] += 1
            said[place].setdefault(label, []).append(model)
    if not runs:
        return []
    order = sorted(np.flatnonzero(votes).tolist(), key=lambda place: (-votes[place], -doubt[place], place))
    found = []
    for place in order[:SUSPECTS]:
        label, models = max(said[place].items(), key=lambda entry: len(entry[1]))
        mean = float(1 - doubt[place] / len(runs))
        found.append({**_row(test, place), "instead": label, "probability": mean, "models": models})
    return found


def _doubted(targets: Any, run: Run) -> tuple[Floats, dict[int, str]]:
    """(N,) the probability of the label that is given; and of suspect rows the label of which the model is sure."""
    assert run.probabilities is not None
    classes = [str(label) for label in np.asarray(run.classes).tolist()]
    places = {label: place for place, label in enumerate(classes)}
    numbers = np.array([places.get(label, -1) for label in classify.strings(targets).tolist()])
    given = np.where(numbers >= 0, run.probabilities[np.arange(len(numbers)), numbers], 0.0)
    sure = np.full(len(classes), np.inf)  # a label that no row bears: what sure means is not known
    for number in range(len(classes)):
        if (numbers == number).any():
            sure[number] = given[numbers == number].mean()
    confident = np.where(run.probabilities >= sure, run.probabilities, 0.0)
    best = confident.argmax(axis=1)
    doubted = (confident.max(axis=1) > 0) & (best != numbers) & (numbers >= 0)
    return given, {place: classes[best[place]] for place in np.flatnonzero(doubted).tolist()}


def _doubted_labels(targets: Any, run: Run) -> tuple[Floats, dict[int, str]]:
    """The same for labels by themselves: the least probability of any of a row's yes and no; the set with all doubted ones turned."""
    assert run.probabilities is not None
    classes = [str(label) for label in np.asarray(run.classes).tolist()]
    truth, yes = _members(targets, classes), run.probabilities
    given = np.where(truth, yes, 1 - yes)
    turned = np.zeros_like(truth)
    for number in range(len(classes)):
        has = truth[:, number]
        if has.any() and not has.all():
            turned[has, number] = 1 - yes[has, number] >= (1 - yes[~has, number]).mean()
            turned[~has, number] = yes[~has, number] >= yes[has, number].mean()
    instead = {
        row: ", ".join(sorted(np.asarray(classes)[truth[row] ^ turned[row]].tolist())) or say("(none)", "（无）")
        for row in np.flatnonzero(turned.any(axis=1)).tolist()
    }
    return np.asarray(given.min(axis=1)), instead


# ---- what training has seen ------------------------------------------------------------------------------------------


def duplicates(train: Rows, test: Rows) -> dict[str, Any]:
    """Test texts that stand in the training part, too: those whose labels differ first, then the most alike."""
    pairs, everything = twins(train.inputs, test.inputs)
    found = []
    for pair in pairs:
        label = label_of(train.targets[pair.train]) if train.targets else ""
        found.append(
            {
                **_row(test, pair.test),
                "train_row": int(train.rows[pair.train]),
                "train_text": text_of(train.inputs[pair.train]),
                "train_label": label,
                "resemblance": pair.resemblance,
            }
        )
    found.sort(key=lambda one: (one["label"] == one["train_label"], -one["resemblance"], one["row"]))
    return {
        "count": sum(pair.resemblance == 1 for pair in pairs),
        "near": sum(pair.resemblance < 1 for pair in pairs),
        "all": everything,
        "rows": found[:DUPLICATES],
    }
