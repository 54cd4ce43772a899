"""What lies between a classifier's texts and labels and the training of ``supervised.py``: lines, the scores of held-out texts, thresholds.

    one label        the line's label
    several labels   one-vs-all: all of them are right, the others wrong; else one is drawn at every step, as the original does
    soft labels      softmax and one-vs-all aim at the shares; else a line stands once for each label, weighted by its share –
                     the same gradient in the mean

Thresholds of several labels must come from texts that training did not see, and deserve a model that saw as much as possible: where no
validation data is given, helpers are trained on parts of the texts, answer the rest, and are thrown away. The model itself learns from
all texts. Of FEW texts five helpers leave out a fifth each; of more, one helper leaves out a tenth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.errors import Interrupted, UsageError
from erya.language import say
from erya.models.fasttext.features import Encoded
from erya.models.fasttext.forward import Branches, averaged, label_order, probabilities
from erya.models.fasttext.supervised import Plan, Run, Start
from erya.parts import label_thresholds
from erya.progress import Report
from erya.state import State
from erya.tasks import classify

FEW = 5000  # texts; below, every text is held out once
SMALLEST = 1e-15  # a probability of 0 would make the loss of all infinite
HELD_SCORES = 1 << 26  # texts × labels that thresholds are learnt from, of many labels: bounds the memory
FOLDS, SHARE = 5, 10  # helpers for few texts; the part that one helper leaves out of many

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


class Lines(NamedTuple):
    """N texts as ``supervised.Run`` reads them."""

    rows: NDArray[np.int32]
    starts: Integers  # (N + 1,)
    labels: NDArray[np.int32]
    label_starts: Integers  # (N + 1,)
    tokens: Integers  # (N,)


class Lesson(NamedTuple):
    """Everything to learn from: lines, their weights (N,) and the shares of their labels, or None."""

    lines: Lines
    weights: Floats
    shares: Floats | None


@dataclass(frozen=True, slots=True)
class Pupil:
    """What a training is given besides texts.

    Attributes:
        plan: the settings.
        loss: our name of the loss.
        rows: R.
        counts: (C,) how often each label occurs, in the order of the classes.
        start: vectors to begin with.
    """

    plan: Plan
    loss: str
    rows: int
    counts: Integers
    start: Start | None = None

    def run(self, lesson: Lesson) -> Run:
        """A training that stands at its beginning. Labels of a tree are numbered by their counts."""
        lines, counts = lesson.lines, self.counts
        if self.loss == "hierarchical_softmax":
            order = label_order(counts)
            ranks = np.empty(len(order), dtype=np.int32)
            ranks[order] = np.arange(len(order), dtype=np.int32)
            lines, counts = lines._replace(labels=ranks[lines.labels]), counts[order]
        return Run(lines, self.rows, len(counts), counts, self.plan, self.start, lesson.weights, lesson.shares)

    def answers(self, hidden: Floats, output: Floats, *, sum_to_one: bool) -> NDArray[np.float64]:
        """(N, C) probabilities."""
        branches = Branches.over(self.counts) if self.loss == "hierarchical_softmax" else None
        return probabilities(self.loss, hidden, output, branches, sum_to_one=sum_to_one)


def label_counts(examples: classify.Examples) -> Integers:
    """(C,) how many texts have each label; of soft labels the sum of its shares, rounded."""
    counts = np.bincount(examples.labels, weights=examples.shares, minlength=len(examples.classes))
    return np.rint(counts).astype(np.int64)


def lesson(documents: Encoded, tokens: Integers, examples: classify.Examples, loss: str) -> Lesson:
    """Texts with their labels.

    Args:
        documents: N texts as rows.
        tokens: (N,) how many tokens each has.
        examples: their labels and weights.
        loss: our name of it.

    Raises:
        UsageError: all weights are 0.
    """
    if not examples.weights.any():
        raise UsageError("bad-weight", say("all weights are 0", "所有权重都是 0"))
    weights = (examples.weights / examples.weights.mean()).astype(np.float32)
    labels, starts, shares = examples.labels.astype(np.int32), examples.starts, examples.shares.astype(np.float32)
    if examples.kind == "soft" and loss in ("hierarchical_softmax", "negative_sampling"):
        owners = np.repeat(np.arange(len(examples)), np.diff(starts))
        documents, tokens, weights = chosen(documents, owners), tokens[owners], weights[owners] * shares
        starts = np.arange(len(labels) + 1, dtype=np.int64)
    aims = examples.kind == "soft" and loss in ("softmax", "one_vs_all")
    if examples.kind == "several" and loss == "one_vs_all":
        # a text without labels learns that none is right: a share of 0 of any label
        empty = np.diff(starts) == 0
        places = starts[:-1][empty]
        labels, shares = np.insert(labels, places, 0), np.insert(shares, places, np.float32(0))
        starts, aims = starts + np.concatenate([[0], np.cumsum(empty)]), True
    lines = Lines(documents.rows, documents.starts, labels, starts, tokens)
    return Lesson(lines, weights, shares if aims else None)


def chosen(documents: Encoded, places: Integers) -> Encoded:
    """The documents at these places, in this order."""
    sizes = np.diff(documents.starts)[places]
    starts = np.zeros(len(places) + 1, dtype=np.int64)
    np.cumsum(sizes, out=starts[1:])
    shifts = np.repeat(documents.starts[places] - starts[:-1], sizes)
    return Encoded(documents.rows[np.arange(int(starts[-1])) + shifts], starts)


def _some(lesson: Lesson, places: Integers) -> Lesson:
    lines = lesson.lines
    documents = chosen(Encoded(lines.rows, lines.starts), places)
    numbers = chosen(Encoded(np.arange(len(lines.labels), dtype=np.int32), lines.label_starts), places)
    some = Lines(documents.rows, documents.starts, lines.labels[numbers.rows], numbers.starts, lines.tokens[places])
    weights = lesson.weights[places]
    shares = None if lesson.shares is None else lesson.shares[numbers.rows]
    return Lesson(some, weights / max(float(weights.mean()), 1e-30), shares)


# ---- held-out texts -----------------------------------------------------------------------------------------------


class Truth:
    """Held-out texts with their labels, and how good answers to them are.

    Args:
        validation: ``(X, y)`` of the training's kind.
        classes: (C,) the labels that there are; others are wrong whatever is answered.
        kind: of the training's targets.

    Raises:
        UsageError: lengths that differ.
    """

    def __init__(self, validation: Any, classes: NDArray[Any], kind: str) -> None:
        self.documents, targets = classify.documents(validation[0]), list(validation[1])
        if len(self.documents) != len(targets):
            raise UsageError(
                "lengths-differ",
                say(
                    f"validation: {len(self.documents)} texts but {len(targets)} labels",
                    f"验证数据：{len(self.documents)} 条文本，却有 {len(targets)} 个标签",
                ),
            )
        self.kind, self.targets, self.classes = kind, targets, classes
        numbers = {str(label): number for number, label in enumerate(classes.tolist())}
        self.goals = np.zeros((len(targets) if kind != "one" else 0, len(classes)))
        self.missing = 0
        for row, target in enumerate(targets if kind != "one" else []):
            shares = target if isinstance(target, dict) else dict.fromkeys(_listed(target), 1.0)
            total = sum(shares.values()) if isinstance(target, dict) else 1.0
            for label, share in shares.items():
                if str(label) in numbers:
                    self.goals[row, numbers[str(label)]] += share / total
                else:
                    self.missing += 1

    def scores(self, found: NDArray[np.float64]) -> dict[str, float]:
        """``validation_loss`` and ``validation_accuracy``; of several labels ``validation_micro_f1``, at the best one threshold."""
        if self.kind == "one":
            return {
                "validation_loss": float(classify.row_losses(self.targets, found, self.classes).mean()),
                "validation_accuracy": classify.headline(self.targets, self.classes[found.argmax(axis=1)]),
            }
        logs = np.log(np.clip(found, SMALLEST, 1.0))
        if self.kind == "soft":
            hits = self.goals[np.arange(len(found)), found.argmax(axis=1)]
            loss = float(-(self.goals * logs).sum(axis=1).mean())
            return {"validation_loss": loss, "validation_accuracy": float(hits.mean())}
        truth = self.goals > 0
        against = np.log(np.clip(1.0 - found, SMALLEST, 1.0))
        threshold = label_thresholds.best(found.ravel(), truth.ravel()) if truth.any() else label_thresholds.DEFAULT
        answered = found >= threshold
        right = int((answered & truth).sum())
        return {
            "validation_loss": float(-np.where(truth, logs, against).sum(axis=1).mean()),
            "validation_micro_f1": 2 * right / max(1, int(answered.sum()) + int(truth.sum()) + self.missing),
        }

    def thresholds(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """(C,) of several labels."""
        return _thresholds(found, self.goals > 0)


def _listed(target: Any) -> list[Any]:
    if isinstance(target, list | tuple | set | frozenset | np.ndarray):
        return list(target.tolist() if hasattr(target, "tolist") else target)
    return [target]


def _thresholds(found: NDArray[np.float64], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(C,) of several labels, from answers and truth, (N, C) both."""
    starts = np.concatenate([[0], np.cumsum(truth.sum(axis=1))]).astype(np.int64)
    return label_thresholds.drawn_together(found, starts, np.nonzero(truth)[1].astype(np.int64))


class _Helping(Report):
    """What a helper tells: nothing. It stops when the model is asked to stop; a checkpoint then is the model's own."""

    def __init__(self, report: Report, state: State) -> None:
        self.report, self.state = report, state

    def stopping(self) -> Any:
        return self.report.stopping()

    def save_checkpoint(self, state: State) -> None:
        self.report.save_checkpoint(self.state)


def out_of_fold(
    pupil: Pupil, whole: Lesson, examples: classify.Examples, report: Report, state: State
) -> NDArray[np.float64]:
    """(C,) thresholds from the answers of helpers to texts that they did not see; 0.5 where time was up.

    Args:
        pupil: how the model was trained.
        whole: what from.
        examples: its labels.
        report: the model's; asked whether to stop.
        state: the model's, finished, which is saved where a helper is interrupted.
    """
    count = len(examples)
    order = np.random.default_rng([pupil.plan.seed, 0]).permutation(count)
    most = max(FEW, HELD_SCORES // len(pupil.counts))
    folds = np.array_split(order, FOLDS) if count < FEW else [order[: min(count // SHARE, most)]]
    found, truths = [], []
    for held in folds:
        kept = np.setdiff1d(order, held)
        if not len(held) or not np.diff(examples.starts)[kept].any():
            continue
        if _time_is_up(report, state):
            return np.full(len(pupil.counts), label_thresholds.DEFAULT)
        some = _some(whole, kept)
        met = np.zeros(pupil.rows, dtype=np.bool_)
        met[some.lines.rows] = True  # rows that the helper never sees do not speak
        run = pupil.run(some)
        run.finish(_Helping(report, state))
        input, output = run.result()
        documents = chosen(Encoded(whole.lines.rows, whole.lines.starts), held)
        hidden = averaged(input, _only(documents, met))
        found.append(pupil.answers(hidden, output, sum_to_one=False))
        truths.append(_matrix(examples, held))
    if not found or _time_is_up(report, state):
        return np.full(len(pupil.counts), label_thresholds.DEFAULT)
    return _thresholds(np.concatenate(found), np.concatenate(truths))


def _time_is_up(report: Report, state: State) -> bool:
    """Whether the budget is spent."""
    wish = report.stopping()
    if wish == "interrupt":
        report.save_checkpoint(state)
        raise Interrupted("interrupted", say("stopped; the state is saved", "已停止；当前状态已保存"))
    return wish == "budget"


def _matrix(examples: classify.Examples, places: Integers) -> NDArray[np.bool_]:
    """(M, C) which labels these texts have."""
    mine = chosen(Encoded(examples.labels.astype(np.int32), examples.starts), places)
    truth = np.zeros((len(places), len(examples.classes)), dtype=np.bool_)
    truth[np.repeat(np.arange(len(places)), np.diff(mine.starts)), mine.rows] = True
    return truth


def _only(documents: Encoded, met: NDArray[np.bool_]) -> Encoded:
    """The documents without rows that were not met."""
    has = met[documents.rows]
    return Encoded(documents.rows[has], np.concatenate([[0], np.cumsum(has)])[documents.starts])
