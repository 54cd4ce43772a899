"""A tagger with feature templates, once it has weights: scores of sentences, what is kept of it, and why it answers so.

For rooms whose emission is a sum of weights of features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import UsageError, nearest, quoted
from erya.language import say
from erya.parts import crf, feature_kernels
from erya.parts.feature_table import FeatureTable
from erya.parts.simd_double import whole
from erya.parts.token_features import Template, parsed
from erya.state import Arrays, State, unpack_strings
from erya.tasks import tag
from erya.trace import Bars, Table, TokenHeat, Trace, View

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Weights = NDArray[np.float32]

TOKENS_AT_ONCE = 50_000  # when predicting: bounds the memory
STRONGEST = 15  # features listed in an explanation
NEAREST = 14  # tags listed there


def with_own(
    templates: Sequence[Template], lists: Mapping[str, Any] | None, patterns: Mapping[str, str] | None
) -> tuple[Template, ...]:
    """The templates, and those that read ``lists`` and ``patterns`` where there are such and no template asks for them."""
    names = [template.name for template in templates]
    more: list[str] = []
    if lists and not any("listed" in name for name in names):
        more += ["listed[-1]", "listed[0]", "listed[1]", "listed[0]|listed[1]"]
    if patterns and not any("pattern" in name for name in names):
        more += ["pattern[-1]", "pattern[0]", "pattern[1]"]
    return parsed([*names, *more])


class Reader:
    """Scores of the tags from tokens, for weights that no longer change.

    Args:
        table: the R features.
        weights: (R, W).
        classes: C ≤ W.
    """

    def __init__(self, table: FeatureTable, weights: Weights, classes: int) -> None:
        self.table, self.weights, self.classes = table, weights, classes
        self._sums = self._added(table.unit_rows)

    def _added(self, unit_rows: NDArray[np.int32]) -> Weights:
        found = np.zeros((len(self.table.places), len(unit_rows), self.weights.shape[1]), dtype=np.float32)
        feature_kernels.unit_sums(self.weights, unit_rows, self.table.bounds, 0, len(unit_rows), found)
        return found

    def emissions(self, sentences: Sequence[Sequence[str]]) -> Iterator[tuple[Floats, Ints]]:
        """(L, C) scores and (N + 1,) starts of some sentences at a time, in their order; all are covered."""
        begin = tokens = 0
        for place, sentence in enumerate(sentences):
            tokens += len(sentence)
            if tokens >= TOKENS_AT_ONCE or place == len(sentences) - 1:
                yield self._some(sentences[begin : place + 1])
                begin, tokens = place + 1, 0

    def _some(self, sentences: Sequence[Sequence[str]]) -> tuple[Floats, Ints]:
        encoded = self.table.encode(sentences)
        found = np.empty((int(encoded.sizes.sum()), self.classes))
        more, bounds = self._added(encoded.more), (encoded.begins, encoded.sizes)
        where = encoded.types, encoded.joint
        feature_kernels.emissions(self._sums, more, self.table.places, self.weights, *where, *bounds, found)
        return found, encoded.starts


# ---- kept -----------------------------------------------------------------------------------------------------------


def sparse(weights: Weights, classes: int) -> Arrays:
    """Rows (R, W) as those that are not 0: where each row's stand, of which tag, how much."""
    part = weights[:, :classes]
    rows, tags = np.nonzero(part)
    ends = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(part)))]).astype(np.int64)
    return {"weights.ends": ends, "weights.tags": tags.astype(np.int16), "weights.values": part[rows, tags]}


def dense(arrays: Arrays, rows: int, classes: int) -> Weights:
    """The inverse: (R, W), W the next multiple of eight.

    Raises:
        KeyError: something is missing.
        ValueError: places that do not fit, or values that are not finite.
    """
    ends, tags, values = (arrays[f"weights.{name}"] for name in ("ends", "tags", "values"))
    good = ends.dtype == np.int64 and ends.shape == (rows + 1,) and ends[0] == 0 and ends[-1] == len(tags)
    if not good or (np.diff(ends) < 0).any() or tags.shape != values.shape or tags.ndim != 1:
        raise ValueError("the weights do not fit the features")
    if tags.dtype != np.int16 or tags.min(initial=0) < 0 or tags.max(initial=0) >= classes:
        raise ValueError("weights of tags that do not exist")
    if values.dtype != np.float32 or not np.isfinite(values).all():
        raise ValueError("there are values that are not finite")
    found = np.zeros((rows, whole(classes)), dtype=np.float32)
    found[np.repeat(np.arange(rows), np.diff(ends)), tags] = values
    return found


def checked_tags(arrays: Arrays, data: Mapping[str, Any]) -> tuple[NDArray[Any], tuple[str, str]]:
    """(C,) tags, and the schemes that they and the answers are in. Raises KeyError or ValueError."""
    names = unpack_strings("classes", arrays)
    if len(names) < 2 or names != sorted(set(names)) or len(names) >= 2**15:
        raise ValueError("the tags are not two or more sorted ones")
    schemes = data["scheme"], data["data_scheme"]
    if any(scheme not in tag.SCHEMES for scheme in schemes):
        raise ValueError("the tags are in no scheme")
    return np.array(names, dtype=np.str_), schemes


def restored_table(state: State, lists: Any, patterns: Any) -> FeatureTable:
    """The features of a state whose arrays begin with ``features.``. Raises KeyError or ValueError."""
    arrays = {
        name.removeprefix("features."): array for name, array in state.arrays.items() if name.startswith("features.")
    }
    return FeatureTable.from_state(State(arrays, state.data["features"]), lists, patterns)


# ---- why --------------------------------------------------------------------------------------------------------------


def explanation(
    model: str,
    sentence: tag.Sentence,
    table: FeatureTable,
    weights: Weights,
    classes: NDArray[Any],
    chain: crf.Chain,
    emissions: Floats,
    label: Any,
) -> Trace:
    """What speaks for some tags of a sentence, each against the best path that does not have it there.

    The lead of a tag at a token, its max-marginal minus that of its strongest rival there, is no sum over features; what the
    features add to the tag and not to the rival is. So heat is that: Σ (weight for the tag − weight for the rival), laid on the
    token that a feature looks at.

    Args:
        model: its id.
        sentence: T tokens.
        table: the features.
        weights: (R, W).
        classes: (C,).
        chain: with the rules.
        emissions: (T, C).
        label: a tag or a type: the token where it leads most, or falls behind least; None: the tokens of the path's spans.

    Raises:
        UsageError: no such tag or type.
    """
    names = [str(name) for name in classes.tolist()]
    through = crf.through(emissions, np.array([0, len(sentence)]), chain)
    path = crf.viterbi(emissions, np.array([0, len(sentence)]), chain)[0]
    chosen = _explained(names, path, through, label)
    heat, rows = np.zeros(len(sentence)), []
    encoded = table.encode([sentence])
    for place, mine in chosen:
        others = through[place].copy()
        others[mine] = -np.inf
        rival = int(others.argmax())
        for feature, row, seen in table.described(encoded, int(encoded.begins[0]) + place):
            difference = float(weights[row, mine] - weights[row, rival])
            at, inside = seen - int(encoded.begins[0]), 0 <= seen - int(encoded.begins[0]) < len(sentence)
            heat[at if inside else place] += difference
            shown = sentence[at] if inside else say("outside", "句外")
            rows.append((difference, f"{sentence[place]}  {names[mine]} ↔ {names[rival]}", feature, shown))
    rows.sort(key=lambda item: -abs(item[0]))
    told = names[chosen[0][1]] if label is not None and chosen else say("the answer", "答案")
    columns = [
        say("token, tag ↔ rival", "词、标签 ↔ 对手"),
        say("feature", "特征"),
        say("looks at", "看的是"),
        say("difference of weights", "权重差"),
    ]
    views: list[View] = [
        TokenHeat(
            say(f"where the features of “{told}” come from", f"“{told}”的依据来自哪里"),
            sentence.text,
            list(sentence.offsets),
            heat,
            say("for the tag against its strongest rival", "相对最强对手标签"),
        ),
        Table(
            say("the features that say most", "最有说服力的特征"),
            columns,
            [[where, feature, seen, round(value, 3)] for value, where, feature, seen in rows[:STRONGEST]],
        ),
    ]
    if chosen:
        place = chosen[0][0]
        behind = through[place] - through[place].max()
        near = [number for number in np.argsort(-behind, kind="stable").tolist() if behind[number] > crf.FORBIDDEN / 2]
        views.append(
            Bars(
                say(f"best path through each tag at “{sentence[place]}”", f"“{sentence[place]}”处经过各标签的最佳路径"),
                [names[number] for number in near[:NEAREST]],
                behind[near[:NEAREST]],
                say("score behind the best path", "与最佳路径的分差"),
            )
        )
    arrays: dict[str, NDArray[Any]] = {"emissions": emissions, "through": through, "heat": heat, "path": path}
    return Trace(model, sentence.text, arrays, views)


def _explained(names: Sequence[str], path: Ints, through: Floats, label: Any) -> list[tuple[int, int]]:
    """(token, tag) pairs to be explained."""
    if label is None:
        spans = [(place, int(number)) for place, number in enumerate(path) if names[number] != "O"]
        return spans or [(place, int(number)) for place, number in enumerate(path)]
    wanted = [number for number, name in enumerate(names) if label == name or name[1:] == f"-{label}"]
    if not wanted:
        types = sorted({name[2:] for name in names if name[1:2] == "-"})
        guess = nearest(str(label), [*names, *types])
        raise UsageError(
            "unknown-label",
            say(f"there is no tag '{quoted(label, 30)}'", f"没有标签 '{quoted(label, 30)}'"),
            help=say(f"did you mean '{guess}'?", f"是不是 '{guess}'？") if guess else " ".join([*types, *names][:20]),
        )
    if not len(path):
        return []
    lead = through[:, wanted] - through.max(axis=1, keepdims=True)
    place, number = np.unravel_index(int(lead.argmax()), lead.shape)
    return [(int(place), wanted[int(number)])]
