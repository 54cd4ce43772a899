"""What taggers save whose features vote for tags, and whose tags vote for their neighbours: the CRF and the perceptron.

Both are features (``features_``), their weights (``weights_``) and ``transitions_``; how they were found is all that differs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from erya.parts import tagger_features
from erya.state import State, pack_strings
from erya.text import tokenizers


def state(model: Any) -> State:
    """Features, weights that are not zero, transitions, tags and tokenizer of a fitted model."""
    features = model.features_.state()
    arrays = {
        **tagger_features.sparse(model.weights_, len(model.classes_)),
        "transitions": model.transitions_,
        **pack_strings("classes", model.classes_.tolist()),
        **{f"features.{name}": array for name, array in features.arrays.items()},
    }
    data = {
        "scheme": model.scheme_,
        "data_scheme": model.data_scheme_,
        "tokenizer": model.tokenizer_.to_plain(),
        "curve": model.curve_,
        "features": features.data,
    }
    return State(arrays, data)


def set_state(model: Any, state: State) -> None:
    """The inverse of ``state``, into a model whose settings stand.

    Raises:
        KeyError: something is missing.
        ValueError: shapes, numbers or values that do not fit one another.
    """
    data, arrays = state.data, state.arrays
    classes, schemes = tagger_features.checked_tags(arrays, data)
    table = tagger_features.restored_table(state, model.lists, model.patterns)
    weights = tagger_features.dense(arrays, table.rows, len(classes))
    transitions = arrays["transitions"]
    if transitions.dtype != np.float64 or transitions.shape != (len(classes), len(classes)):
        raise ValueError("the transitions do not fit the tags")
    if not np.isfinite(transitions).all():
        raise ValueError("there are values that are not finite")
    model.classes_, (model.scheme_, model.data_scheme_) = classes, schemes
    model.features_, model.weights_, model.transitions_ = table, weights, transitions
    model.tokenizer_ = tokenizers.from_plain(data["tokenizer"])
    model.curve_ = [dict(row) for row in data["curve"]]
