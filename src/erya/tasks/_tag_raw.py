"""The gap between tokens and raw text: the same sentences, scored once more from what a user would type.

Scores on tokens never see the tokenizer: they are given the tokens of the data. In use a model cuts the text itself, and cuts
it otherwise here and there. Here answers to raw text are held against the true spans character by character.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.scoring import Score, bootstrap
from erya.tasks._tag_answers import Tagging
from erya.text.sentences import Sentence


@dataclass(frozen=True, slots=True)
class RawScore:
    """What is left of a score when the model must cut the text itself.

    Attributes:
        score: span F1 by characters; of tags without spans the share of true tokens that are cut so and tagged so.
        cut: share of true tokens that the model's tokenizer cuts as they are in the data.
        given: share of sentences whose text the data has; the others' tokens were joined by rule.
    """

    score: Score
    cut: float
    given: float

    def to_plain(self) -> dict[str, Any]:
        return {**self.score.to_plain(), "tokens_cut_alike": self.cut, "texts_given": self.given}


def raw_score(
    truth: Sequence[Tagging], answers: Sequence[Tagging], *, seed: int = 0, resamples: int = 1000
) -> RawScore:
    """Score answers to raw texts.

    Args:
        truth: N sentences with their true tags; see ``tagged``.
        answers: the model's answers to ``[one.text for one in truth]``.
    """
    right, true, answered = (
        np.array([_counts(one, other) for one, other in zip(truth, answers, strict=True)], dtype=np.float64)
        .reshape(-1, 3)
        .T
    )

    def f1(rows: NDArray[Any]) -> float:
        both = true[rows].sum() + answered[rows].sum()
        return float(2 * right[rows].sum() / both) if both else 0.0

    score = bootstrap({"f1": f1}, len(truth), seed, resamples)["f1"]
    alike = sum(len(set(one.offsets) & set(other.offsets)) for one, other in zip(truth, answers, strict=True))
    tokens = sum(len(one) for one in truth)
    given = sum(one.sentence.given for one in truth)
    return RawScore(score, alike / tokens if tokens else 1.0, given / len(truth) if truth else 0.0)


def tagged(inputs: Sequence[Sequence[str]], targets: Sequence[Sequence[str]], scheme: str) -> list[Tagging]:
    """Sentences with their true tags."""
    return [
        Tagging(tags, tokens if isinstance(tokens, Sentence) else Sentence(tokens), scheme)
        for tokens, tags in zip(inputs, targets, strict=True)
    ]


def _counts(one: Tagging, other: Tagging) -> tuple[int, int, int]:
    """Right, true and answered; of tags without spans a true token stands for a true and an answered one."""
    if one.scheme == "none":
        true = dict(zip(one.offsets, one, strict=True))
        right = sum(true.get(place) == name for place, name in zip(other.offsets, other, strict=True))
        return right, len(one), len(one)
    wanted = {(span.start, span.end, span.label) for span in one.spans}
    found = {(span.start, span.end, span.label) for span in other.spans}
    return len(wanted & found), len(wanted), len(found)
