"""What classifiers over n-grams share when they go on with more texts (``partial_fit``): which rows they take, and wider tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.parts import network_checks
from erya.parts.integers import Integers
from erya.parts.ngram_union import widened
from erya.parts.ngrams import Counts, Tokens
from erya.parts.tfidf import Tfidf, inverse_document_frequency
from erya.tasks import classify

Floats = NDArray[np.float64]


def more_examples(
    model: Any,
    X: Any,
    y: Any,
    *,
    classes: Iterable[Any] | None,
    sample_weight: Any,
    kinds: Sequence[classify.Kind],
) -> classify.Examples:
    """Rows for a fitted model: of its labels, though not every one need occur, and of its kind of targets.

    Args:
        model: with ``classes_``, ``several_`` and ``class_weight``.
        X: as ``fit``.
        y: as ``fit``.
        classes: labels that may occur; the model must know them.
        sample_weight: as ``fit``.
        kinds: what the model takes in ``fit``.

    Raises:
        UsageError: a label that the model does not know; targets of another kind; as ``classify.examples``.
        DataError: as ``classify.examples``.
    """
    network_checks.check_labels(model.classes_, y, classes)
    fitting = [kind for kind in kinds if (kind == "several") == model.several_]
    given = {"sample_weight": sample_weight, "class_weight": model.class_weight}
    return classify.examples(X, y, **given, kinds=fitting, classes=model.classes_)


@contextmanager
def unharmed(model: Any) -> Iterator[None]:
    """Inside, what goes wrong leaves the model as it was: its attributes are replaced, never changed in place."""
    kept = dict(vars(model))
    try:
        yield
    except BaseException:
        vars(model).clear()
        vars(model).update(kept)
        raise


def wider(table: NDArray[Any], places: Integers, width: int, empty: float = 0.0) -> NDArray[Any]:
    """(…, V) → (…, W): each column where it belongs now, ``empty`` in the new ones."""
    found = np.full((*table.shape[:-1], width), empty, dtype=table.dtype)
    found[..., places] = table
    return found


def grown(features: Tfidf, tokens: Tokens, weights: Floats, model: Any) -> tuple[Tfidf, Counts, Integers]:
    """The features of a fitted model with those that more texts bring; what each known one is worth stays.

    A weight that was learned for an n-gram holds for what it was worth then, so its idf is left alone. That of a new one is taken
    over all documents, the earlier ones too, in which it did not stand, or too seldom. How many they were is told by the rarest
    feature: it stands in as few documents as a feature may.

    Args:
        features: V of them.
        tokens: N new documents.
        weights: (N,) of each.
        model: with the settings ``min_count min_count_ngrams``.

    Returns:
        the W features, the new documents' counts (N, W), and (V,) where the known features are among them.
    """
    fewest = min(model.min_count, model.min_count_ngrams)
    before = (1.0 + fewest) * np.exp(float(features.idf.max()) - 1.0) - 1.0 if len(features) else 0.0
    ngrams, places = widened(
        features.ngrams, tokens, min_count=model.min_count, min_count_ngrams=model.min_count_ngrams
    )
    counts = ngrams.count(tokens)
    copies = np.where(weights > 0, np.maximum(weights, 1.0), 0.0)
    own = inverse_document_frequency(counts, copies)
    new = own + np.log((1.0 + before + copies.sum()) / (1.0 + copies.sum()))
    idf = new.astype(np.float32)
    idf[places] = features.idf
    return Tfidf(ngrams, idf, features.character_weight), counts, places
