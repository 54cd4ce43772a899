"""How taggers are scored: spans that are right to the last token and in their type, tokens, and what kind of mistakes.

A span counts only where its first token, its last token and its type are all right ("strict"). Broken sequences are read as
conlleval reads them, so that precision, recall and F1 are those of conlleval (Tjong Kim Sang and Buchholz 2000); of sound
sequences seqeval's strict mode gives the same. Everything is counted sentence by sentence: intervals come from resampled
sentences, and the test of two models swaps their answers to whole sentences (Yeh 2000), since F1 is no mean over anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError
from erya.language import say
from erya.scoring import Measure, Paired, Score, bootstrap, mean_of, paired_counts
from erya.tasks._answers import LabelScore, label_score
from erya.text.tag_schemes import Flat, Scheme, Spans, detect, encoded, fits, mended, spans

Counts = NDArray[np.float64]
TagSequences = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class TagRun:
    """One model's answers to the test sentences: N lists of tags, and where there are some N arrays (T, C) of marginals."""

    predictions: TagSequences
    marginals: Sequence[NDArray[np.float64]] | None = None
    classes: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """True and answered tags side by side, counted sentence by sentence.

    Attributes:
        scheme: of the true tags; ``"none"``: no spans.
        right: (N,) spans that are right; of scheme ``"none"`` tokens, as are the next two.
        true: (N,) spans that there are.
        answered: (N,) spans that were answered.
        tokens: (N,) tokens whose tag is right.
        lengths: (N,) tokens.
        truth: the true spans.
        answer: the answered spans.
        hit: (S,) of each answered span whether it is right.
        broken: answered tags that no sound sequence has there; they were mended before the spans were read.
    """

    scheme: Scheme
    right: Counts
    true: Counts
    answered: Counts
    tokens: Counts
    lengths: Counts
    truth: Spans
    answer: Spans
    hit: NDArray[np.bool_]
    broken: int


def compare(targets: TagSequences, predictions: TagSequences) -> Compared:
    """Count what is right.

    Raises:
        DataError: no sentences, or lengths that differ.
    """
    true, answered = Flat.of(targets), Flat.of(predictions)
    check_lengths(true, answered)
    scheme = detect(true)
    sentences = np.repeat(np.arange(len(true)), np.diff(true.starts))
    right_tokens = np.bincount(sentences[_equal(true, answered) > 0], minlength=len(true)).astype(np.float64)
    lengths = np.diff(true.starts).astype(np.float64)
    truth, answer = spans(true), spans(answered)
    if scheme == "none":
        nothing = np.zeros(0, dtype=bool)
        return Compared(scheme, right_tokens, lengths, lengths, right_tokens, lengths, truth, answer, nothing, 0)
    hit = _hits(truth, answer)
    found = (
        np.bincount(which, minlength=len(true)) for which in (answer.sentences[hit], truth.sentences, answer.sentences)
    )
    right, there, given = (counts.astype(np.float64) for counts in found)
    own = scheme if fits(answered, scheme) else detect(answered)
    broken = len(mended(answered, own)[1])
    return Compared(scheme, right, there, given, right_tokens, lengths, truth, answer, hit, broken)


def check_lengths(true: Flat, answered: Flat) -> None:
    """Raises DataError where there is not one tag a token, or no sentence at all."""
    if len(true) != len(answered):
        raise DataError(
            "lengths-differ",
            say(
                f"{len(true):,} sentences but {len(answered):,} answers",
                f"{len(true):,} 个句子，却有 {len(answered):,} 个回答",
            ),
        )
    wrong = np.flatnonzero(np.diff(true.starts) != np.diff(answered.starts))
    if len(wrong):
        tokens, tags = (int(np.diff(one.starts)[wrong[0]]) for one in (true, answered))
        raise DataError(
            "lengths-differ",
            say(
                f"sentence {wrong[0] + 1:,} has {tokens:,} tokens but {tags:,} answered tags",
                f"第 {wrong[0] + 1:,} 个句子有 {tokens:,} 个词，却回答了 {tags:,} 个标签",
            ),
        )
    if not len(true):
        raise DataError("no-rows", say("there is nothing to score: no sentences", "没有可供评分的句子"))


def _equal(true: Flat, answered: Flat) -> Counts:
    """(L,) 1 where the tags are the same."""
    places = {name: place for place, name in enumerate(true.names)}
    own = np.array([places.get(name, -1) for name in answered.names], dtype=np.int64)
    return (own[answered.codes] == true.codes).astype(np.float64) if len(true.codes) else np.zeros(0)


def _keys(found: Spans, kinds: dict[str, int]) -> dict[str, NDArray[np.int64]]:
    own = np.array([kinds.setdefault(name, len(kinds)) for name in found.names], dtype=np.int64)
    return {"first": found.firsts, "end": found.ends, "kind": own[found.kinds] if len(found) else found.kinds}


def _hits(truth: Spans, answer: Spans) -> NDArray[np.bool_]:
    """(S,) which answered spans are true ones, to the token and in their type. No two spans of one side begin together."""
    kinds: dict[str, int] = {}
    true, given = _keys(truth, kinds), _keys(answer, kinds)
    place = np.searchsorted(true["first"], given["first"])
    there = place < len(truth)
    place = np.where(there, place, 0)
    if not len(truth):
        return np.zeros(len(answer), dtype=bool)
    same = [true[name][place] == given[name] for name in ("first", "end", "kind")]
    return np.asarray(there & same[0] & same[1] & same[2])


# ---- scores -------------------------------------------------------------------------------------------------------


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def _measures(found: Compared) -> dict[str, Measure]:
    """Each score as a function of the chosen sentences, so that value and resampled values come from the same line."""
    right, true, answered, tokens, lengths = found.right, found.true, found.answered, found.tokens, found.lengths
    measures: dict[str, Measure] = {"accuracy": lambda rows: _share(tokens[rows].sum(), lengths[rows].sum())}
    if found.scheme != "none":
        measures |= {
            "precision": lambda rows: _share(right[rows].sum(), answered[rows].sum()),
            "recall": lambda rows: _share(right[rows].sum(), true[rows].sum()),
            "f1": lambda rows: _share(2 * right[rows].sum(), true[rows].sum() + answered[rows].sum()),
        }
    return measures


def scores(targets: TagSequences, runs: Sequence[TagRun], *, seed: int = 0, resamples: int = 1000) -> dict[str, Score]:
    """Every score of the task with its interval (percentile bootstrap over sentences).

    Args:
        targets: N lists of true tags; one that the model has never seen counts as wrong.
        runs: the answers of one model, or of the same model trained with several seeds: then each score is the mean over
            the seeds, and a resample takes the same sentences from all of them.

    Returns:
        by name: f1, precision, recall (strict spans; of untyped spans, as in word segmentation, of words) and accuracy (share
        of tokens whose tag is right). Of tags that tell no spans, as parts of speech, accuracy alone.

    Raises:
        DataError: no sentences, or lengths that differ.
    """
    each = [_measures(compare(targets, run.predictions)) for run in runs]
    names = [name for name in ("f1", "precision", "recall", "accuracy") if all(name in measures for measures in each)]
    return bootstrap(
        {name: mean_of([measures[name] for measures in each]) for name in names}, len(targets), seed, resamples
    )


def headline(targets: TagSequences, predictions: TagSequences, sample_weight: Any = None) -> float:
    """Span F1, or accuracy of tags that tell no spans; sentences weighted where weights are given."""
    found = compare(targets, predictions)
    weights = np.ones(len(found.right)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    right, true, answered = (float(weights @ counts) for counts in (found.right, found.true, found.answered))
    return _share(2 * right, true + answered)


def strict_f1(targets: TagSequences, predictions: TagSequences) -> float:
    """Span F1 that takes nothing from broken sequences: what the scheme of the tags would not write so is no span.

    What seqeval's strict mode gives; equal to F1 where no answer is broken.
    """
    true, answered = Flat.of(targets), Flat.of(predictions)
    truth, answer = spans(true), spans(answered)
    sound_true, sound = _sound(true, truth, detect(true)), _sound(answered, answer, detect(true))
    hit = _hits(truth, answer)
    both = hit & sound
    firsts = truth.firsts[sound_true]
    right = int(np.isin(answer.firsts[both], firsts).sum())
    return _share(2 * right, int(sound_true.sum()) + int(sound.sum()))


def _sound(flat: Flat, found: Spans, scheme: Scheme) -> NDArray[np.bool_]:
    """(S,) whether a span's tags are, all of them, those that the scheme writes."""
    if scheme == "none" or not len(found):
        return np.zeros(len(found), dtype=bool)
    written = encoded(found, flat.starts, scheme)
    wrong = np.concatenate([[0.0], np.cumsum(1 - _equal(written, flat))])
    return np.asarray(wrong[found.ends] == wrong[found.firsts])


def per_label(targets: TagSequences, predictions: TagSequences) -> list[LabelScore]:
    """Precision, recall, F1 and support of every type of span that occurs, in their order; of tags without spans of every tag."""
    found = compare(targets, predictions)
    if found.scheme == "none":
        return _per_tag(Flat.of(targets), Flat.of(predictions))
    true = _by_name(found.truth.kinds, found.truth.names)
    answered = _by_name(found.answer.kinds, found.answer.names)
    right = _by_name(found.answer.kinds[found.hit], found.answer.names)
    return [
        label_score(name, right.get(name, 0), true.get(name, 0), answered.get(name, 0))
        for name in sorted({*true, *answered})
    ]


def _per_tag(true: Flat, answered: Flat) -> list[LabelScore]:
    hits = _equal(true, answered) > 0
    there, given = _by_name(true.codes, true.names), _by_name(answered.codes, answered.names)
    right = _by_name(true.codes[hits], true.names)
    return [
        label_score(name, right.get(name, 0), there.get(name, 0), given.get(name, 0))
        for name in sorted({*there, *given})
    ]


def _by_name(codes: NDArray[np.int64], names: Sequence[str]) -> dict[str, int]:
    counts = np.bincount(codes, minlength=len(names)).tolist()
    return {name: count for name, count in zip(names, counts, strict=True) if count}


# ---- two models ----------------------------------------------------------------------------------------------------


def paired_test(
    targets: TagSequences, predictions_a: TagSequences, predictions_b: TagSequences, *, seed: int = 0
) -> Paired:
    """Is the headline score of A (span F1, or accuracy) better than that of B on the same sentences? See
    ``scoring.paired_counts``.
    """
    a, b = (compare(targets, predictions) for predictions in (predictions_a, predictions_b))
    tables = [np.column_stack([2 * one.right, one.true + one.answered]) for one in (a, b)]
    return paired_counts(*tables, seed=seed)


def row_errors(targets: TagSequences, predictions: TagSequences) -> NDArray[np.float64]:
    """(N,) how wrong each answer is: spans (or tokens) missed or wrongly given, as a share; 0 where all is right."""
    found = compare(targets, predictions)
    both = found.true + found.answered
    return np.asarray(1.0 - np.divide(2 * found.right, both, out=np.ones(len(both)), where=both > 0))


# ---- which mistakes -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Where answered and true spans part. Each answered span that is wrong is counted once, each true one that is lost once.

    Attributes:
        right: answered spans that are right.
        type: right to the token, but of another type.
        boundary: of the right type, overlapping, but with another begin or end.
        both: overlapping a true span, with neither its type nor its place.
        added: answered where nothing is.
        missed: true spans that no answer touches.
        confused: ``(true type, answered type) → count`` of ``type``.
    """

    right: int
    type: int
    boundary: int
    both: int
    added: int
    missed: int
    confused: dict[tuple[str, str], int]

    def to_plain(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in ("right", "type", "boundary", "both", "added", "missed")}
        pairs = sorted(self.confused.items(), key=lambda item: (-item[1], item[0]))
        return plain | {
            "confused": [{"label": true, "answer": given, "count": count} for (true, given), count in pairs]
        }


def mistakes(targets: TagSequences, predictions: TagSequences) -> Mistakes:
    """Sort the answered spans by what is wrong with them; where one touches several true spans, by the least wrong of these."""
    found = compare(targets, predictions)
    truth, answer = found.truth, found.answer
    begin = np.searchsorted(truth.ends, answer.firsts, side="right").tolist()  # the first true span that ends behind it
    stop = np.searchsorted(truth.firsts, answer.ends, side="left").tolist()
    counts = dict.fromkeys(("right", "type", "boundary", "both", "added"), 0)
    confused: dict[tuple[str, str], int] = {}
    touched: set[int] = set()
    for place, (low, high) in enumerate(zip(begin, stop, strict=True)):
        kind = answer.names[answer.kinds[place]]
        worst = "added"
        for other in range(low, high):
            touched.add(other)
            same_place = truth.firsts[other] == answer.firsts[place] and truth.ends[other] == answer.ends[place]
            true_kind = truth.names[truth.kinds[other]]
            verdict = _verdict(bool(same_place), true_kind == kind)
            if verdict == "type":
                confused[true_kind, kind] = confused.get((true_kind, kind), 0) + 1
            worst = min(worst, verdict, key=tuple(counts).index)
        counts[worst] += 1
    return Mistakes(**counts, missed=len(truth) - len(touched), confused=confused)


def _verdict(same_place: bool, same_kind: bool) -> str:
    if same_place:
        return "right" if same_kind else "type"
    return "boundary" if same_kind else "both"
