"""Few labelled sentences and many without tags: a tagger teaches itself with the answers that it is sure of.

Yarowsky 1995, "Unsupervised Word Sense Disambiguation Rivaling Supervised Methods"; for sequences e.g. Clark, Curran and Osborne 2003,
"Bootstrapping POS taggers using unlabelled data". Round 0 learns from what people tagged. Each further round tags the other sentences,
takes those of which every token is sure, and learns from both, the tagger's own answers at less weight. Every round is scored on held-out
sentences that people tagged; the best one stays, and that may well be round 0.

Not here: Baum and Welch (``erya.tag.HMM.partial_fit``), which believes every tag as far as it is probable.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from erya.contract import Model
from erya.errors import DataError, UsageError, quoted
from erya.language import say
from erya.parts import settings
from erya.progress import Report, quiet
from erya.run_recipe import data_changed
from erya.scoring import Paired
from erya.state import State
from erya.tasks import tag
from erya.text.dataset import Dataset
from erya.text.read_tags import stream_tagged

SENTENCES_AT_ONCE = 1024
HELD_OUT = 5  # one sentence in so many judges the rounds where nothing else does
FEWEST = 10  # labelled sentences

Sentences = tuple[list[Any], list[Any]]  # X and y


@dataclass(frozen=True, slots=True)
class Round:
    """One round.

    Attributes:
        round: 0 learns from what people tagged alone.
        kept: sentences with the tagger's own tags that it learned from.
        spans: spans in those.
        score: on the held-out sentences: span F1, or accuracy of tags without spans; None: there are none.
    """

    round: int
    kept: int
    spans: int
    score: float | None


@dataclass(frozen=True, slots=True)
class SelfTrained:
    """What came of it.

    Attributes:
        rounds: in their order.
        best: the number of the round that stays: the first of the best ones.
        metric: the name of the score.
        judged_by: held-out sentences.
        difference: the best round against round 0 on these; None where that is round 0 itself.
    """

    rounds: list[Round]
    best: int
    metric: str
    judged_by: int
    difference: Paired | None

    @property
    def helped(self) -> bool:
        """Whether a round with the tagger's own answers stays."""
        return self.best > 0

    def to_plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "rounds": [asdict(one) for one in self.rounds],
            "best": self.best,
            "metric": self.metric,
            "judged_by": self.judged_by,
            "helped": self.helped,
            "difference": None if self.difference is None else asdict(self.difference),
        }

    def said(self) -> str:
        """Whether it helped, in one sentence that can be believed."""
        if self.difference is None:
            return say(
                f"its own answers did not help on {self.judged_by:,} held-out sentences: what people tagged alone stays",
                f"在 {self.judged_by:,} 个留出句子上，加入模型自己的标注没有提高：只用人工标注的那一轮留下",
            )
        gain, one = self.difference, self.rounds[self.best]
        chance = say("which may be chance", "可能只是偶然") if not gain.significant else say("no chance", "并非偶然")
        return say(
            f"round {one.round} stays, with {one.kept:,} sentences tagged by itself: {gain.difference:+.3f} on {self.judged_by:,} held-out "
            f"sentences, {chance} (p = {gain.p_value:.2g})",
            f"第 {one.round} 轮留下，用了自己标注的 {one.kept:,} 句：在 {self.judged_by:,} 个留出句子上 {gain.difference:+.3f}，"
            f"{chance}（p = {gain.p_value:.2g}）",
        )


def self_train(
    model: Any,
    X: Any,
    y: Any,
    unlabelled: Any,
    *,
    rounds: int = 3,
    confidence: float = 0.9,
    weight: float = 0.5,
    validation: Any = None,
    sample_weight: Any = None,
    seed: int = 0,
    report: Report = quiet,
) -> SelfTrained:
    """Fit a tagger on labelled sentences and on its own answers to others; the model ends as its best round left it.

    Args:
        model: a tagger with ``predict_marginals``; what it learned before is forgotten.
        X: N lists of tokens, or texts.
        y: their tags.
        unlabelled: M lists of tokens, or texts.
        rounds: at most, beside round 0.
        confidence: a sentence is learned from when every token's most probable tag has at least this probability.
        weight: what such a sentence counts, where a labelled one counts 1.
        validation: ``(X, y)`` that judges the rounds. None: a fifth of the sentences, drawn by ``seed``; once the number of rounds is
            known, all are learned from.
        sample_weight: N weights.
        seed: draws that fifth.
        report: told about every round; asked whether to stop.

    Returns:
        The rounds and which one stays.

    Raises:
        DataError: too few sentences to hold some out, or none without tags.
        UsageError: a tagger without probabilities, a setting out of its range.
    """
    check_tagger(model)
    settings.whole("rounds", rounds)
    settings.number("confidence", confidence, 0, 1)
    settings.number("weight", weight, 0, 1e9, closed=False)
    data = _Labelled(_listed(X), _listed(y), _weights(sample_weight, len(X)))
    others = [x for x in _listed(unlabelled) if len(x)]
    if not others:
        raise DataError("no-rows", say("there are no sentences without tags", "没有未标注的句子"))
    taking = _Taking(others, data.empty_share, confidence, weight)
    if validation is not None:
        judge = _listed(validation[0]), _listed(validation[1])
        return _rounds(model, data, taking, judge, rounds, report)
    learned, judge = data.parted(seed)
    found = _rounds(model, learned, taking, judge, rounds, report)
    _rounds(model, data, taking, None, found.best, report)
    return found


# ---- as a training of ``erya train`` ------------------------------------------------------------------------------------


def wish_of(path: str) -> dict[str, str]:
    """A file of sentences without tags, as a run folder names it. Raises DataError where it cannot be read."""
    source = Path(path).expanduser().absolute()
    try:
        with source.open("rb") as file:
            return {"path": str(source), "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(
            "data-missing",
            say(
                f"--unlabelled {quoted(path)} cannot be read: {reason}",
                f"--unlabelled {quoted(path)} 无法读取：{reason}",
            ),
        ) from None


def learn(model: Any, dataset: Dataset, wish: dict[str, str], report: Report) -> dict[str, Any]:
    """``self_train`` on a data set; its dev part, if there is one, judges the rounds.

    Raises:
        DataError: the file with the other sentences is not what it was.
    """
    if wish_of(wish["path"]) != wish:
        raise data_changed(wish["path"])
    others = [item[1] for item in stream_tagged(wish["path"]) if isinstance(item, tuple)]
    train, dev = dataset.train, dataset.dev
    found = self_train(
        model,
        train.inputs,
        train.targets,
        others,
        validation=(dev.inputs, dev.targets) if dev is not None and len(dev) else None,
        sample_weight=train.weights,
        report=report,
    )
    report.note(found.said())
    return {"source": Path(wish["path"]).name, "sentences": len(others), **found.to_plain()}


# ---- what is learned from -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Labelled:
    """What people tagged."""

    X: list[Any]
    y: list[Any]
    weights: NDArray[np.float64]

    @property
    def empty_share(self) -> float:
        """The share of sentences without a span, as if there were half a sentence more of either kind."""
        empty = sum(len(tags) == 0 or all(name == "O" for name in tags) for tags in self.y)
        return (empty + 0.5) / (len(self.y) + 1)

    def parted(self, seed: int) -> tuple[_Labelled, Sentences]:
        """Four fifths to learn from, and a fifth that judges."""
        if len(self.X) < FEWEST:
            raise DataError(
                "too-few-rows",
                say(
                    f"{len(self.X)} labelled sentences are too few to hold some out that judge the rounds",
                    f"只有 {len(self.X)} 个标注句子，不够留出一部分来评判各轮",
                ),
                help=say("more labelled sentences, or validation=(X, y)", "再标一些句子，或给出 validation=(X, y)"),
            )
        held = np.zeros(len(self.X), dtype=bool)
        held[np.random.default_rng(seed).permutation(len(self.X))[::HELD_OUT]] = True
        learned, judge = np.flatnonzero(~held).tolist(), np.flatnonzero(held).tolist()
        part = _Labelled([self.X[row] for row in learned], [self.y[row] for row in learned], self.weights[~held])
        return part, ([self.X[row] for row in judge], [self.y[row] for row in judge])


@dataclass(frozen=True)
class _Taking:
    """Which of the sentences without tags are learned from."""

    others: list[Any]
    empty_share: float
    confidence: float
    weight: float

    def sure(self, model: Any) -> Sentences:
        """Those that the tagger is sure of, with its tags. Of those without a span, which are the easiest, the surest, up to the share that
        they have among the labelled ones: else each round would find less.
        """
        found: list[tuple[float, int, Any, list[str]]] = []
        rest, place = iter(self.others), 0
        while some := list(islice(rest, SENTENCES_AT_ONCE)):
            for answer, marginals in zip(model.predict(some), model.predict_marginals(some), strict=True):
                least = float(marginals.max(axis=1).min()) if len(marginals) else 0.0
                if least >= self.confidence:
                    found.append((-least, place, answer.sentence, list(answer)))
                place += 1
        if model.data_scheme_ != "none":
            empty = [one for one in found if all(name == "O" for name in one[3])]
            room = round((len(found) - len(empty)) * self.empty_share / (1 - self.empty_share))
            left_out = {one[1] for one in sorted(empty, key=lambda one: one[:2])[room:]}
            found = [one for one in found if one[1] not in left_out]
        return [one[2] for one in found], [one[3] for one in found]


# ---- rounds -------------------------------------------------------------------------------------------------------------


def _rounds(
    model: Any, data: _Labelled, taking: _Taking, judge: Sentences | None, rounds: int, report: Report
) -> SelfTrained:
    """Round after round; without a judge exactly as many as told, and the last one stays."""
    found: list[Round] = []
    answers: list[Any] = []
    states: list[State] = []
    own: Sentences = ([], [])
    for number in range(rounds + 1):
        weights = np.concatenate([data.weights, np.full(len(own[0]), taking.weight)])
        model.fit(data.X + own[0], data.y + own[1], sample_weight=weights, report=_Within(report, number, rounds))
        answers.append(model.predict(judge[0]) if judge else [])
        score = float(tag.headline(judge[1], answers[-1])) if judge else None
        spans = sum(map(len, tag.token_spans(own[1]))) if own[1] else 0
        found.append(Round(number, len(own[0]), spans, score))
        report.record({"epoch": number, "kept": len(own[0]), **({"score": score} if judge else {})})
        states.append(model.state())
        if number == rounds or report.stopping() == "budget":
            break
        before, own = own, taking.sure(model)
        if not own[0] or own == before:
            break
    scores = [one.score or 0.0 for one in found]
    best = scores.index(max(scores)) if judge else len(found) - 1
    if best != len(found) - 1:
        model.set_state(states[best])
    metric = tag.headline_of(model.data_scheme_)
    difference = tag.paired_test(judge[1], answers[best], answers[0]) if judge and best else None
    return SelfTrained(found, best, metric, len(judge[0]) if judge else 0, difference)


class _Within(Report):
    """One round's share of the whole. No checkpoints: a training that was killed begins again, and ends with the same bits."""

    def __init__(self, report: Report, number: int, rounds: int) -> None:
        self.report, self.number, self.rounds = report, number, rounds

    def note(self, sentence: str) -> None:
        if self.number == 0:
            self.report.note(sentence)

    def progress(
        self,
        *,
        epoch: int,
        epochs: int,
        done: float,
        loss: float | None = None,
        tokens_per_second: float | None = None,
        score: float | None = None,
    ) -> None:
        self.report.progress(
            epoch=self.number + 1,
            epochs=self.rounds + 1,
            done=(self.number + done) / (self.rounds + 1),
            loss=loss,
            tokens_per_second=tokens_per_second,
            score=score,
        )

    def stopping(self) -> Literal["interrupt", "budget"] | None:
        return self.report.stopping()


# ---- checks -------------------------------------------------------------------------------------------------------------


def check_tagger(model: Any) -> None:
    """Raises UsageError where a model does not say how sure it is of its tags."""
    if isinstance(model, Model) and model.task() == "tag" and hasattr(type(model), "predict_marginals"):
        return
    name = getattr(model, "id", type(model).__name__)
    raise UsageError(
        "no-probabilities",
        say(
            f"{name} cannot teach itself: it does not say how sure it is of its tags",
            f"{name} 无法自训练：它不给出标签的概率",
        ),
        help="erya train tag/crf DATA --unlabelled MORE -o m.erya",
    )


def _listed(rows: Any) -> list[Any]:
    return list(rows.tolist() if hasattr(rows, "tolist") else rows)


def _weights(sample_weight: Any, count: int) -> NDArray[np.float64]:
    return np.ones(count) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
