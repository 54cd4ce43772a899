"""The learning curve: what models score when they learn from 1 %, 10 %, all of the data – and so whether more data would help.

A portion is the beginning of one drawn order of the training rows, so each holds the smaller ones. The order begins with rows that show
labels not shown before, as they come: each label, or tag, is there as early as can be. Everybody is scored on the same test rows.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya import catalog, tasks
from erya.errors import DataError, UsageError
from erya.language import say
from erya.tasks import tag
from erya.text.dataset import Dataset, Part
from erya.trace import Lines, Table, Trace

PORTIONS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
MODELS = {
    "tag": ("tag/hmm", "tag/perceptron", "tag/crf"),
    "classify": ("classify/naive_bayes", "classify/logistic_regression"),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One model on one portion.

    Attributes:
        model: its id.
        portion: share of the training rows.
        rows: so many.
        labels: different labels or tags in them.
        score: the mean over the seeds; None: it could not learn from so little, see ``error``.
        low, high: the least and the greatest score of a seed.
        seconds: of fitting, the mean.
        error: why there is no score.
    """

    model: str
    portion: float
    rows: int
    labels: int
    score: float | None
    low: float | None
    high: float | None
    seconds: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """All points, by portion and then in the order of the models.

    Attributes:
        source: the data.
        task: its task.
        metric: the name of the score.
        models: ids.
        portions: ascending.
        seeds: how many orders were drawn.
        test_rows: rows that everybody is scored on.
        points: see ``Point``.
    """

    source: str
    task: str
    metric: str
    models: tuple[str, ...]
    portions: tuple[float, ...]
    seeds: int
    test_rows: int
    points: list[Point]

    def to_plain(self) -> dict[str, Any]:
        """As JSON data, ``erya.curve/1``."""
        return {
            "schema": "erya.curve/1",
            "source": self.source,
            "task": self.task,
            "metric": self.metric,
            "models": list(self.models),
            "portions": list(self.portions),
            "seeds": self.seeds,
            "test_rows": self.test_rows,
            "rows": [asdict(point) for point in self.points],
            "doubling": {model: self.doubling(model) for model in self.models},
        }

    def of(self, model: str) -> list[Point]:
        """One model's points, ascending."""
        return [point for point in self.points if point.model == model]

    def doubling(self, model: str) -> float | None:
        """What twice as many rows brought in the end: the gain between the last two scores, a doubling."""
        found = [(point.rows, point.score) for point in self.of(model) if point.score is not None]
        if len(found) < 2 or found[-1][0] <= found[-2][0]:
            return None
        return (found[-1][1] - found[-2][1]) / math.log2(found[-1][0] / found[-2][0])

    def said(self) -> list[str]:
        """For each model what more data may bring, in a sentence."""
        gains = [(model, self.doubling(model)) for model in self.models]
        return [
            say(
                f"{model}: {gain:+.3f} for a doubling of the rows, at the end of the curve",
                f"{model}：曲线末端，数据每增加一倍，分数 {gain:+.3f}",
            )
            for model, gain in gains
            if gain is not None
        ]

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """A table: head, and a row a portion."""
        rows = []
        for portion in self.portions:
            some = [point for point in self.points if point.portion == portion]
            rows.append(
                [f"{portion:.3g}", f"{some[0].rows:,}", f"{some[0].labels:,}"] + [_shown(point) for point in some]
            )
        head = [say("portion", "比例"), say("rows", "行数"), say("labels", "标签数"), *self.models]
        return head, rows

    def trace(self) -> Trace:
        """The picture: scores over portions, which stand at equal distances, and the table below it."""
        names = [f"{portion:.3g}" for portion in self.portions]
        series = {
            model: [math.nan if point.score is None else point.score for point in self.of(model)]
            for model in self.models
        }
        head, rows = self.cells()
        title = say(
            f"Learning curve: {self.metric} on {self.test_rows:,} test rows",
            f"学习曲线：{self.test_rows:,} 行测试数据上的 {self.metric}",
        )
        lines = Lines(title, names, series, say("share of the training rows", "所用训练数据的比例"))
        arrays = {model: np.array(values) for model, values in series.items()}
        return Trace("curve", self.source, arrays, [lines, Table(say("scores", "分数"), head, rows)])


def _shown(point: Point) -> str:
    if point.score is None:
        return "–"
    spread = "" if point.low == point.high else f" ({point.low:.3f} … {point.high:.3f})"
    return f"{point.score:.3f}{spread}"


# ---- portions -----------------------------------------------------------------------------------------------------------


def nested_order(targets: Sequence[Any], seed: int = 0) -> NDArray[np.int64]:
    """(N,) the rows in a drawn order that begins with those that show a label, or tag, not shown before.

    Args:
        targets: of each row a label, a tuple or dict of labels, or its tags.
        seed: draws the order.
    """
    drawn = np.random.default_rng(seed).permutation(len(targets)).tolist()
    seen: set[Any] = set()
    first: list[int] = []
    rest: list[int] = []
    for row in drawn:
        labels = labels_of(targets[row])
        (rest if labels <= seen else first).append(row)
        seen |= labels
    return np.array([*first, *rest], dtype=np.int64)


def labels_of(target: Any) -> set[Any]:
    """The different labels or tags of one row."""
    return {target} if isinstance(target, str) or not isinstance(target, Iterable) else set(target)


def _part_of(part: Part, rows: NDArray[np.int64]) -> tuple[list[Any], list[Any], Any]:
    """Inputs, targets and weights of some rows, in the order of the data."""
    chosen = sorted(rows.tolist())
    targets = part.targets or []
    weights = None if part.weights is None else np.asarray(part.weights)[chosen]
    return [part.inputs[row] for row in chosen], [targets[row] for row in chosen], weights


# ---- the curve ----------------------------------------------------------------------------------------------------------


def learning_curve(
    data: Dataset,
    models: Sequence[str] | None = None,
    *,
    portions: Sequence[float] = PORTIONS,
    seeds: int = 1,
    settings: dict[str, Any] | None = None,
    told: Callable[[Point], None] | None = None,
) -> Curve:
    """Fit every model on every portion of the training rows, and score it on the test rows.

    Args:
        data: with a test part, or at least a dev part (``data.split()``).
        models: ids; None: quick ones of the data's task.
        portions: shares of the training rows, above 0, at most 1.
        seeds: how many orders, from 0 on; a model with a ``seed`` gets the same number.
        settings: for every model that has a setting of that name.
        told: is given each point as it is found.

    Raises:
        DataError: no rows to score on.
        UsageError: a portion out of its range, a model of another task.
    """
    test = data.test if data.test is not None and len(data.test) else data.dev
    if test is None or not len(test) or test.targets is None or data.train.targets is None:
        raise DataError(
            "no-test", say("there are no test rows", "没有测试数据"), help="data.split()   --split 0.8/0.1/0.1"
        )
    chosen = tuple(models or MODELS.get(data.task, ()))
    for id in chosen:
        if id.split("/")[0] != data.task:
            raise UsageError(
                "other-task",
                say(f"{id} is not for the task {data.task}", f"{id} 不属于任务 {data.task}"),
                help=" ".join(MODELS.get(data.task, ())),
            )
    shares = _checked(portions)
    targets = data.train.targets
    orders = [nested_order(targets, seed) for seed in range(seeds)]
    points: list[Point] = []
    for portion in shares:
        for id in chosen:
            runs = [
                _run(id, data.train, order, portion, seed, test, settings or {}) for seed, order in enumerate(orders)
            ]
            points.append(_point(id, portion, runs))
            if told is not None:
                told(points[-1])
    metric = tag.headline_of(tag.scheme_of(targets)) if data.task == "tag" else str(tasks.find(data.task).HEADLINE)
    return Curve(data.source, data.task, metric, chosen, shares, seeds, len(test), points)


@dataclass(frozen=True, slots=True)
class _Run:
    rows: int
    labels: int
    score: float | None
    seconds: float
    error: str | None


def _run(
    id: str, train: Part, order: NDArray[np.int64], portion: float, seed: int, test: Part, settings: dict[str, Any]
) -> _Run:
    rows = order[: max(1, round(portion * len(order)))]
    X, y, weights = _part_of(train, rows)
    labels = len(set().union(*map(labels_of, y)))
    known = catalog.find(id).parameters()
    wishes = {name: value for name, value in {"seed": seed, **settings}.items() if name in known}
    begin = time.perf_counter()
    try:
        model = catalog.model(id, settings=wishes).fit(X, y, sample_weight=weights)
        seconds = time.perf_counter() - begin
        return _Run(len(rows), labels, float(model.score(test.inputs, test.targets)), seconds, None)
    except DataError as problem:  # one label only, too few rows: the curve begins later
        return _Run(len(rows), labels, None, 0.0, problem.message)


def _point(id: str, portion: float, runs: list[_Run]) -> Point:
    scores = [run.score for run in runs if run.score is not None]
    first = runs[0]
    if not scores:
        return Point(id, portion, first.rows, first.labels, None, None, None, 0.0, first.error)
    seconds = statistics.fmean(run.seconds for run in runs)
    mean = statistics.fmean(scores)
    return Point(id, portion, first.rows, first.labels, mean, min(scores), max(scores), seconds, first.error)


def _checked(portions: Sequence[float]) -> tuple[float, ...]:
    found = tuple(sorted({float(portion) for portion in portions}))
    if not found or not all(0 < portion <= 1 for portion in found):
        raise UsageError(
            "bad-portions",
            say("portions are shares of the training rows, above 0 and at most 1", "比例应大于 0 且不超过 1"),
            help="--portions 1%,10%,100%",
        )
    return found
