"""What vectors with n-grams begin with: a file of vectors, or an earlier training of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError, UsageError, quoted, typed
from erya.language import say
from erya.models.fasttext import beginnings
from erya.models.fasttext.subword_loop import Start, Subwords
from erya.parts.more_text import Grown
from erya.progress import Report
from erya.text.corpus import Encoded

if TYPE_CHECKING:
    from erya.models.fasttext.vectors import FastTextVectors

FIXED = ("dim", "loss", "min_n", "max_n", "buckets")  # of a fitted model


def from_file(path: Path, encoded: Encoded, report: Report) -> Start:
    """The own rows of those words of a vocabulary that a file of vectors has.

    Raises:
        DataError: it has none of them, or cannot be read.
        UsageError: an ``.erya`` file without word vectors.
    """
    names, vectors = beginnings.read(path, encoded.tokenizer)
    place_of = {name: place for place, name in enumerate(names)}
    places = np.array([place_of.get(word, -1) for word in encoded.words], dtype=np.int64)
    known = places >= 0
    if not known.any():
        raise DataError(
            "no-common-words",
            say(
                f"{quoted(path.name, 80)} has no word of this text",
                f"{quoted(path.name, 80)} 中没有这份文本里的词",
            ),
            help=f"head -n 3 {typed(path)}",
        )
    counts = encoded.counts
    shares = {"words": float(known.mean()), "tokens": float(counts[known].sum() / max(1, int(counts.sum())))}
    report.note(beginnings.said(shares))
    return Start(np.flatnonzero(known), np.asarray(vectors[places[known]], dtype=np.float32))


def check_settings(model: FastTextVectors) -> None:
    """Refuse to go on with settings that the rows do not fit.

    Raises:
        UsageError: one of FIXED is another than when the model was fitted, as far as that can be seen.
    """
    rows = len(model.words_) - (model.loss == "hierarchical_softmax")
    dim = model.vectors_.shape[1]
    bad = rows != len(model.targets_) or (model.pretrained is None and model.dim != dim)
    bad |= len(model.buckets_) > 0 and int(model.buckets_[-1]) >= model.buckets
    bad |= len(model.buckets_) > 0 and model.max_n == 0
    if bad:
        raise UsageError(
            "other-settings",
            say(
                f"{', '.join(FIXED)} cannot change once a model is fitted",
                f"模型训练之后不能再改 {'、'.join(FIXED)}",
            ),
            help=f"set_params(dim={dim}), or fit(X)",
        )


def from_before(model: FastTextVectors, more: Grown, subwords: Subwords) -> Start:
    """All rows that the model has, where they lie in a vocabulary that has grown; targets of new words are zeros."""
    before, size = len(model.words_), len(more.order)
    old = np.flatnonzero(more.order < before)  # rows of the words that were known
    found, places = _places(model.buckets_, subwords.kept)
    rows = np.concatenate([old, size + found])
    vectors = np.concatenate([model.input_[more.order[old]], model.input_[before + places]])
    if model.loss == "hierarchical_softmax":
        return Start(rows, vectors)
    targets = np.zeros((size, model.input_.shape[1]), dtype=np.float32)
    targets[old] = model.targets_[more.order[old]]
    return Start(rows, vectors, targets)


def _places(buckets: NDArray[np.int64], kept: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of ``kept`` are among the ascending ``buckets``, and where there."""
    if not len(buckets):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    places = np.minimum(np.searchsorted(buckets, kept), len(buckets) - 1)
    found = np.flatnonzero(buckets[places] == kept)
    return found, places[found]
