"""What a network that tags has learned, as a State, and the checks when it comes back from a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.parts.network_state import network_of
from erya.parts.settings import LARGEST
from erya.parts.token_units import Lexicon
from erya.state import State, pack_strings, unpack_strings
from erya.tasks import tag
from erya.text import tokenizers


@dataclass(frozen=True, slots=True)
class Learned:
    """All that a fitted tagger is, besides its settings.

    Attributes:
        network: with its weights.
        lexicon: numbers words, characters and pairs.
        tokenizer: cuts raw text.
        classes: (C,) tags, sorted.
        scheme: that they are in.
        data_scheme: that the answers are in.
        dim: D, width of a word vector.
        coverage: what the vectors that it began with knew of the text; empty: it began at random.
        curve: one row an epoch.
    """

    network: Any
    lexicon: Lexicon
    tokenizer: tokenizers.Tokenizer
    classes: NDArray[Any]
    scheme: str
    data_scheme: str
    dim: int
    coverage: dict[str, float] = field(default_factory=dict)
    curve: list[dict[str, Any]] = field(default_factory=list)


def to_state(learned: Learned) -> State:
    """Weights, vocabularies and tags as arrays; the rest as data."""
    from erya.parts.network_answers import weights_of

    return State(
        {
            **weights_of(learned.network),
            **learned.lexicon.to_arrays(),
            **pack_strings("classes", learned.classes.tolist()),
        },
        {
            "lexicon": learned.lexicon.to_plain(),
            "tokenizer": learned.tokenizer.to_plain(),
            "scheme": learned.scheme,
            "data_scheme": learned.data_scheme,
            "dim": learned.dim,
            "coverage": dict(learned.coverage),
            "curve": [dict(row) for row in learned.curve],
        },
    )


def from_state(state: State, build: Callable[[Lexicon, int, NDArray[Any], str], Any]) -> Learned:
    """The inverse of ``to_state``.

    Args:
        build: the lexicon, D, classes (C,) and their scheme → a network without weights; called on torch's ``meta`` device, so
            that a hostile file's sizes are compared before memory is taken.

    Raises:
        KeyError: something is missing.
        ValueError: shapes, numbers or values that do not fit one another.
    """
    data = state.data
    names = unpack_strings("classes", state.arrays)
    if len(names) < 2 or names != sorted(set(names)):
        raise ValueError("the tags are not two or more sorted ones")
    classes = np.array(names, dtype=np.str_)
    schemes = data["scheme"], data["data_scheme"]
    if any(scheme not in tag.SCHEMES for scheme in schemes):
        raise ValueError("the tags are in no scheme")
    dim = data["dim"]
    if type(dim) is not int or not 1 <= dim <= LARGEST:
        raise ValueError("dim is a width")
    lexicon = Lexicon.restored(state.arrays, data["lexicon"])
    coverage = {str(name): float(share) for name, share in data["coverage"].items()}
    curve = [dict(row) for row in data["curve"]]
    tokenizer = tokenizers.from_plain(data["tokenizer"])
    network = network_of(state, lambda: build(lexicon, dim, classes, schemes[0]))
    return Learned(network, lexicon, tokenizer, classes, *schemes, dim, coverage, curve)
