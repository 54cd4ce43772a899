"""Autotuning with the original's words: its metrics, its size limit, real models. What is tried next: ``autotune.py``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from erya.errors import UsageError, nearest, quoted
from erya.language import say
from erya.models.fasttext.autotune import Search, Trial, Tried, run
from erya.models.fasttext.meter import Meter
from erya.models.fasttext.original import Original
from erya.models.fasttext.quantize import Retraining, Settings, file_bytes, quantize
from erya.models.fasttext.small_models import largest_cutoff
from erya.progress import Report, quiet

METRICS = ("f1", "precisionAtRecall", "recallAtPrecision")
MULTIPLES = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}

Make = Callable[[Mapping[str, Any]], Original]


@dataclass(frozen=True, slots=True)
class Objective:
    """What a trial is scored by.

    Attributes:
        metric: one of METRICS.
        at: the share that recall or precision has to reach; 0 for f1.
        label: of one label alone; None: of all answers together.
    """

    metric: str
    at: float = 0.0
    label: str | None = None

    @classmethod
    def of(cls, text: str) -> Objective:
        """From the original's spelling: ``f1``, ``f1:LABEL``, ``precisionAtRecall:30``, ``recallAtPrecision:75:LABEL``.

        Raises:
            UsageError: it is spelt otherwise.
        """
        name, *rest = text.split(":")
        if name == "f1":
            return cls("f1", label=":".join(rest) or None)
        if name in METRICS and rest:
            try:
                at = float(rest[0]) / 100
            except ValueError:
                at = math.nan
            if 0 <= at <= 1:
                return cls(name, at, ":".join(rest[1:]) or None)
        raise UsageError(
            "bad-metric",
            say(f"unknown metric: {quoted(text, 60)}", f"未知的指标：{quoted(text, 60)}"),
            help="f1 · f1:__label__x · precisionAtRecall:30 · recallAtPrecision:75:__label__x",
        )

    @property
    def needs_curve(self) -> bool:
        """Whether all labels' scores are needed, not only the first answers."""
        return self.metric != "f1"

    def score(self, meter: Meter, labels: list[str]) -> float:
        """The metric, 0 where it is not defined.

        Args:
            meter: what was counted on the validation lines.
            labels: the model's, in order.

        Raises:
            UsageError: the model has no such label.
        """
        number = None
        if self.label is not None:
            if self.label not in labels:
                guess = nearest(self.label, labels)
                raise UsageError(
                    "no-such-label",
                    say(f"the model has no label {quoted(self.label, 60)}", f"模型没有标签 {quoted(self.label, 60)}"),
                    help=guess,
                )
            number = labels.index(self.label)
        if self.metric == "f1":
            found = meter.f1(number)
        elif self.metric == "precisionAtRecall":
            found = meter.precision_at_recall(self.at, number)
        else:
            found = meter.recall_at_precision(self.at, number)
        return 0.0 if math.isnan(found) else found


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best model, and how it was found."""

    model: Original
    best: Trial
    search: Search


def tuned(
    make: Make,
    validation: Path | str | bytes,
    by_hand: Mapping[str, Any],
    *,
    metric: str = "f1",
    predictions: int = 1,
    seconds: float = 300,
    max_bytes: int | None = None,
    text: Callable[[], bytes] | None = None,
    seed: int = 0,
    journal: Path | None = None,
    report: Report = quiet,
) -> Tuned:
    """Search for the best model.

    Args:
        make: trains a model with settings of the original's option names.
        validation: labelled lines, a file or bytes.
        by_hand: settings that stay as they are.
        metric: see ``Objective.of``.
        predictions: labels a line gets.
        seconds: the budget; the trial that is running when it ends is finished.
        max_bytes: of the model's file; larger models are quantized, with as many rows as fit.
        text: the training text, for the rows that stay; None: they are not retrained.
        seed: of the search.
        journal: see ``Search``.
        report: told about every trial; asked whether to stop.

    Raises:
        UsageError: an unknown metric or label.
        DataError: no trial made a model within the limits.
    """
    objective, search = Objective.of(metric), Search(by_hand, seed=seed, max_bytes=max_bytes, journal=journal)
    kept: dict[str, Any] = {}

    def attempt(settings: dict[str, Any]) -> Tried:
        made = make(settings)
        size = None
        if max_bytes is not None:
            made, size = _made_small(made, settings, max_bytes, None if text is None else text())
        k = -1 if objective.needs_curve else predictions
        meter = made.test(validation, k, unanswered=objective.needs_curve)
        score = objective.score(meter, [str(label) for label in made.label_names("replace")])
        if kept.get("score", -math.inf) < score and (max_bytes is None or (size or 0) <= max_bytes):
            kept.update(model=made, score=score)
        return Tried(score, size)

    best = run(search, attempt, seconds=seconds, report=report)
    if kept.get("score") != best.score:  # the best one stands in the journal of an earlier search
        made = make(best.settings)
        if max_bytes is not None:
            made, _ = _made_small(made, best.settings, max_bytes, None if text is None else text())
        kept["model"] = made
    return Tuned(kept["model"], best, search)


def _made_small(made: Original, settings: Mapping[str, Any], most: int, text: bytes | None) -> tuple[Original, int]:
    """The model quantized to at most ``most`` bytes, or as it is where it is smaller; and its size."""
    size = file_bytes(made)
    if size <= most:
        return made, size
    wanted = Settings(dsub=int(settings.get("dsub", 2)), qnorm=True)
    cutoff = largest_cutoff(made, wanted, most)
    if cutoff is None:
        return made, size
    small = quantize(
        made,
        Settings(dsub=wanted.dsub, qnorm=True, cutoff=cutoff),
        retraining=None if text is None or not cutoff else Retraining(text),
    )
    return small, file_bytes(small)


def bytes_of(text: str) -> int | None:
    """A size as the original writes it – ``2M``, ``500k``, ``1000000`` – in bytes; None for an empty text.

    Raises:
        UsageError: it is no size.
    """
    if not text:
        return None
    found = re.fullmatch(r"(\d+)([kmg]?)b?", text.strip().lower())
    if not found or not int(found[1]):
        raise UsageError(
            "bad-size",
            say(f"{quoted(text, 20)} is not a size", f"{quoted(text, 20)} 不是大小"),
            help="2M · 500k · 1000000",
        )
    return int(found[1]) * MULTIPLES[found[2]]
