"""The task ``generate``: what comes next in a text, and how probable the whole of it is.

Owns how language models are scored: perplexity per unit – which only models with the same units share – and bits per character,
which all do; and a toy language on which every model must do better than letters counted one by one.

What a score counts: every unit of a document and its end. An unknown unit costs what the model says for ``<unk>``, and its spelling
besides, by a code that knows nothing but the characters of the training (``spelling_bits``): leaving words out of a vocabulary must
not look like knowing them. Perplexity is without the spelling, as everywhere; bits per character are with it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError
from erya.language import say
from erya.scoring import Measure, Paired, Score, bootstrap, mean_of, paired_counts

INPUT = "corpus"  # of running text
PARTS = "documents"  # some of them are held out, and scored
FIRST_USE = "erya predict FILE.erya --input TEXT"
HEADLINE = "bits_per_character"
BASELINE = "letters"  # counted one by one
SCORE_NAMES = ("bits_per_character", "perplexity", "unknown")
LOWER_IS_BETTER = ("bits_per_character", "perplexity", "unknown")
CODE_POINTS = 0x110000
IMPOSSIBLE = 1e6  # bits of what a model gives no probability at all: sums, means and JSON want numbers
WORST = 1e300  # perplexity
LETTERS = 20_000_000  # characters of the training that the baseline counts, in a few seconds
BLOCK = 1000  # units: longer documents are scored in blocks, so that one book has an interval too


# ---- what a model says of texts ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Surprisal:
    """What a model says of one document.

    Attributes:
        units: the T units; where they stand in the text, ``model.units_.spans`` says.
        bits: (T + 1,) −log2 of the probability of each unit after those before it, at most ``IMPOSSIBLE``; the last is that of the
            end.
        unknown: (T,) whether the model has no such unit.
        spelling: (T,) bits for the spelling of the unknown ones, else 0.
        characters: of the text, and one for its end.
    """

    units: list[str]
    bits: NDArray[np.float64]
    unknown: NDArray[np.bool_]
    spelling: NDArray[np.float64]
    characters: int

    @property
    def bits_per_character(self) -> float:
        """Of this document."""
        return float(self.bits.sum() + self.spelling.sum()) / self.characters

    @property
    def perplexity(self) -> float:
        """Of this document, per unit; ``WORST`` where a model finds something impossible."""
        return _power(float(self.bits.sum()), len(self.bits))


def spelling_bits(unit: str, alphabet: Iterable[str]) -> float:
    """What it costs to spell a unit that a model does not know.

    Each character one of those of the training or a sign that none of them follows, all equally probable; the end likewise; a
    character that the training never showed is any code point.

    Args:
        unit: what is spelled.
        alphabet: the characters of the training: a set.
    """
    known = alphabet if isinstance(alphabet, set | frozenset) else set(alphabet)
    one = math.log2(len(known) + 2)  # and a sign for the end, and one for a character that is none of them
    strange = sum(character not in known for character in unit)
    return (len(unit) + 1) * one + strange * math.log2(CODE_POINTS)


def _power(bits: float, units: float) -> float:
    mean = bits / units if units else 0.0
    return min(2.0**mean, WORST) if mean < 1000 else WORST


# ---- scores -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counted:
    """What scores are made of: R rows – documents, or blocks of 1,000 units of them – in the order of the documents.

    Attributes:
        bits: (R,) of the units and ends.
        spelling: (R,) of the unknown ones.
        units: (R,) ends counted.
        unknown: (R,)
        characters: (R,) ends counted; those of a block by its share of the units, so that models with other units are cut alike
            where whole documents are rows.
        documents: (R,) which document a row is of.
    """

    bits: NDArray[np.float64]
    spelling: NDArray[np.float64]
    units: NDArray[np.float64]
    unknown: NDArray[np.float64]
    characters: NDArray[np.float64]
    documents: NDArray[np.int64]


def counted(found: Sequence[Surprisal]) -> Counted:
    """The rows of N documents. Raises DataError where there are none."""
    if not found:
        raise DataError("no-rows", say("there is no text to score", "没有可供评分的文本"))
    rows = [row for number, one in enumerate(found) for row in _rows(number, one)]
    bits, spelling, units, unknown, characters, documents = (np.array(column) for column in zip(*rows, strict=True))
    return Counted(bits, spelling, units, unknown, characters, documents.astype(np.int64))


def _rows(number: int, one: Surprisal) -> list[tuple[float, ...]]:
    total = len(one.bits)
    borders = [*range(0, total - BLOCK // 2, BLOCK), total] if total > BLOCK else [0, total]
    found: list[tuple[float, ...]] = []
    for start, end in pairwise(borders):
        found.append(
            (
                float(one.bits[start:end].sum()),
                float(one.spelling[start:end].sum()),
                float(end - start),
                float(one.unknown[start:end].sum()),
                one.characters * (end - start) / total,
                float(number),
            )
        )
    return found


def _measures(run: Counted) -> dict[str, Measure]:
    return {
        "bits_per_character": lambda rows: float(
            (run.bits[rows].sum() + run.spelling[rows].sum()) / max(run.characters[rows].sum(), 1e-9)
        ),
        "perplexity": lambda rows: _power(float(run.bits[rows].sum()), float(run.units[rows].sum())),
        "unknown": lambda rows: float(run.unknown[rows].sum() / run.units[rows].sum()),
    }


def scores(runs: Sequence[Sequence[Surprisal]], *, seed: int = 0, resamples: int = 1000) -> dict[str, Score]:
    """Every score of the task with its interval (percentile bootstrap over documents, of long ones over blocks).

    Args:
        runs: what one model says of N documents, or the same model trained with several seeds: then each score is the mean.

    Returns:
        by name: bits_per_character (spelling of unknown units counted), perplexity (per unit, an unknown one is one), unknown (share of
        the units).

    Raises:
        DataError: no documents.
    """
    tables = [counted(run) for run in runs]
    each = [_measures(table) for table in tables]
    rows = len(tables[0].bits)
    return bootstrap(
        {name: mean_of([measures[name] for measures in each]) for name in SCORE_NAMES}, rows, seed, resamples
    )


def headline(found: Sequence[Surprisal]) -> float:
    """Bits per character of all documents together."""
    rows = counted(found)
    return float((rows.bits.sum() + rows.spelling.sum()) / rows.characters.sum())


def paired_test(a: Sequence[Surprisal], b: Sequence[Surprisal], *, seed: int = 0) -> Paired:
    """Does A need fewer bits per character than B on the same documents? See ``scoring.paired_counts``.

    Documents are the rows, whatever their length, since models with other units cut blocks in other places.
    """
    return paired_counts(_by_document(a), _by_document(b), seed=seed)


def _by_document(found: Sequence[Surprisal]) -> NDArray[np.float64]:
    """(N, 2) bits and characters."""
    return np.array([[one.bits.sum() + one.spelling.sum(), one.characters] for one in found], dtype=np.float64)


# ---- what knows nothing -------------------------------------------------------------------------------------------------


def baseline(train: Iterable[str], test: Iterable[str]) -> float:
    """As ``baseline_of_pieces``, of documents that are whole."""
    return baseline_of_pieces(((text, True) for text in train), test)


def baseline_of_pieces(train: Iterable[tuple[str, bool]], test: Iterable[str], *, most: int = LETTERS) -> float:
    """Bits per character of letters counted one by one: the training's frequencies and one more of each, ends counted, a
    character that it never showed any code point.

    Args:
        train: pieces of documents, each with whether it is its document's last.
        test: whole documents.
        most: no further piece is read behind so many characters.
    """
    counts: Counter[str] = Counter()
    ends = seen = 0
    for text, last in train:
        counts.update(text)
        ends += last
        seen += len(text)
        if seen >= most:
            break
    total = sum(counts.values()) + ends + len(counts) + 2
    bits, characters = 0.0, 0
    for text in test:
        for character, times in Counter(text).items():
            cost = -math.log2((counts[character] + 1) / total)
            bits += times * (cost if character in counts else cost + math.log2(CODE_POINTS))
        bits -= math.log2((ends + 1) / total)
        characters += len(text) + 1
    return bits / max(characters, 1)


# ---- a toy language -----------------------------------------------------------------------------------------------------

_TOY = {
    "one": (("the", "a"), ("cat", "dog", "bird"), ("sees", "hears", "likes")),
    "many": (("the", "two"), ("cats", "dogs", "birds"), ("see", "hear", "like")),
}
_TOY_ZH = (("春", "秋"), ("风", "雨", "月"), ("来", "去", "生"))


def toy(seed: int = 0, rows: int = 300) -> list[str]:
    """Sentences whose verb agrees with its subject, and Chinese ones of three characters, half and half.

    Whoever knows the pair of words before each knows nearly all there is to know: fewer than 1.4 bits a character, where letters
    counted one by one need about 4.
    """
    generator = np.random.default_rng(seed)

    def one_of(choices: Sequence[str]) -> str:
        return choices[int(generator.integers(len(choices)))]

    texts = []
    for number in range(rows):
        if number % 2:
            texts.append("".join(one_of(choices) for choices in _TOY_ZH) + "。")
            continue
        (article, noun, verb), (other, thing, _) = (_TOY[one_of(("one", "many"))] for _ in range(2))
        texts.append(f"{one_of(article)} {one_of(noun)} {one_of(verb)} {one_of(other)} {one_of(thing)}.")
    return texts


def sklearn_tags() -> Any:
    """Learns from texts without targets."""
    from sklearn.utils import InputTags, Tags, TargetTags

    return Tags(
        estimator_type=None,
        target_tags=TargetTags(required=False, one_d_labels=False, two_d_labels=False),
        input_tags=InputTags(one_d_array=True, two_d_array=False, string=True),
    )
