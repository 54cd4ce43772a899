"""The features of a tagger: which value of which template has which row of weights, and sentences as numbers.

Nearly all a tagger sees of a token at a given distance depends on that token alone. So different tokens – types – are numbered, and
what each of them shows is looked up once: a sentence is then a row of types, and the scores of a token's tags are a sum over its
neighbours' types, plus a row for each template that reads several tokens at once. Type 0 is what lies outside of the sentence;
``reach`` places of it stand between sentences, so that nobody asks for ends.

Exact: every value seen ``min_count`` times has a row of its own. Hashed: a value's row is a hash of it, ``2^bits`` rows in all; nothing
but the weights has to be kept, unknown values land on somebody's row, and two values may share one (Weinberger et al. 2009).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import UsageError
from erya.language import say
from erya.parts.token_features import Looker, Template
from erya.state import State, pack_strings, unpack_strings

Ints = NDArray[np.int64]
Rows = NDArray[np.int32]
OUTSIDE = 0  # type, and value of every function
_MOST = 2**62


@dataclass(frozen=True, slots=True)
class Encoded:
    """N sentences of L tokens as numbers, ``reach`` places of type 0 around each.

    Attributes:
        types: (P,) the type of the token at a place; P = L + (N + 1) · reach.
        begins: (N,) the place of a sentence's first token.
        sizes: (N,) its tokens.
        joint: (P, J) the row of each template of several parts; 0: none.
        more: (M, U) like ``FeatureTable.unit_rows``, of the types above those that the table knows.
    """

    types: Rows
    begins: Ints
    sizes: Ints
    joint: Rows
    more: Rows

    @property
    def starts(self) -> Ints:
        """(N + 1,) where sentences start when nothing stands between them."""
        return np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)

    @property
    def places(self) -> Ints:
        """(L,) the place of every token."""
        return _inside(self.begins, self.sizes)


class FeatureTable:
    """What was seen in training, numbered.

    Attributes:
        templates: single ones first, by place.
        rows: number of rows of weights; row 0 belongs to nothing and stays 0.
        unit_rows: (T, U) the row that single template u has for each type; 0: none.
        places: (O,) the distances that single templates look at, ascending.
        bounds: (O + 1,) the templates of place o are ``bounds[o] : bounds[o + 1]``.
        reach: the farthest any template looks.
    """

    def __init__(
        self, templates: Sequence[Template], looker: Looker, words: Sequence[str], values: Ints, names: list[list[str]]
    ) -> None:
        self.templates, self.looker = tuple(templates), looker
        self.words, self.values, self.names = list(words), values, names  # (T,), (T, F), by function
        self.types = {word: number for number, word in enumerate(self.words, start=1)}
        self._ids = [{name: number for number, name in enumerate(known, start=1)} for known in names]
        self.single = [template.parts[0] for template in templates if len(template.parts) == 1]
        self.joint = [template.parts for template in templates if len(template.parts) > 1]
        self.places = np.array(sorted({place for place, _ in self.single}), dtype=np.int64)
        bounds = [sum(place < first for place, _ in self.single) for first in self.places.tolist()]
        self.bounds = np.array([*bounds, len(self.single)], dtype=np.int64)
        self.reach = max(abs(place) for template in templates for place, _ in template.parts)
        self.bits: int | None = None
        self.rows = 1
        self.tables: list[Rows] = []  # value → row, of each single template
        self._tables_in_one: tuple[Rows, Ints] | None = (
            None  # all of them, and where each begins; not before they are all there
        )
        self.keys: list[Ints] = []  # of each joint template: sorted; the rows follow one another from …
        self.bases: list[int] = []  # … here

    # ---- made ---------------------------------------------------------------------------------------------------

    @classmethod
    def learn(
        cls,
        sentences: Sequence[Sequence[str]],
        templates: Sequence[Template],
        *,
        lists: dict[str, Any] | None = None,
        patterns: dict[str, str] | None = None,
        min_count: int = 1,
        bits: int | None = None,
    ) -> tuple[FeatureTable, Encoded]:
        """The features of N sentences, and these encoded.

        Args:
            sentences: lists of tokens.
            templates: see ``token_features.parsed``.
            lists: see ``token_features.Looker``.
            patterns: likewise.
            min_count: a value seen fewer times by its template has no row.
            bits: None: exact; else 2^bits rows, shared by hash.
        """
        functions = sorted({function for template in templates for _, function in template.parts})
        looker = Looker(functions, lists, patterns)
        words = sorted(set(chain.from_iterable(sentences)))
        shown = [looker.values(word) for word in words]
        values = np.zeros((len(words) + 1, len(functions)), dtype=np.int64)
        names: list[list[str]] = [[] for _ in functions]
        for column in range(len(functions)):
            of_words = [row[column] for row in shown]
            if bits is None:
                names[column] = sorted({value for value in of_words if value is not None})
            ids = {name: number for number, name in enumerate(names[column], start=1)}
            values[1:, column] = [_number(value, ids, bits) for value in of_words]
        table = cls(templates, looker, words, values, names)
        table.bits = bits
        types, begins, sizes = table._typed(sentences, {})
        table._number_rows(types, sizes, begins, min_count)
        return table, Encoded(types, begins, sizes, table._joint_rows(types, values), table._none())

    def _number_rows(self, types: Rows, sizes: Ints, begins: Ints, min_count: int) -> None:
        """Give rows to the values that occur often enough."""
        if self.bits is not None:
            self.rows = 1 + (1 << self.bits)
            return
        inside = _inside(begins, sizes)
        for place, function in self.single:
            column = self.looker.functions.index(function)
            seen = self.values[types[inside + place], column]
            counts = np.bincount(seen[seen >= 0], minlength=len(self.names[column]) + 1)
            kept = counts >= min_count
            rows = np.where(kept, self.rows - 1 + np.cumsum(kept), 0).astype(np.int32)
            self.tables.append(rows)
            self.rows += int(kept.sum())
        for parts in self.joint:
            keys = self._keys(parts, types, self.values)[inside]
            found, counts = np.unique(keys[keys >= 0], return_counts=True)
            self.keys.append(found[counts >= min_count])
            self.bases.append(self.rows)
            self.rows += len(self.keys[-1])

    # ---- sentences as numbers -----------------------------------------------------------------------------------------

    def encode(self, sentences: Sequence[Sequence[str]]) -> Encoded:
        """Sentences as the types and rows of this table; tokens never seen are types of their own, for this call."""
        fresh: dict[str, int] = {}
        types, begins, sizes = self._typed(sentences, fresh)
        values = self.values
        more = self._none()
        if fresh:
            new = np.array([self._values(word) for word in fresh], dtype=np.int64).reshape(len(fresh), -1)
            more = self._unit_rows(new)
            values = np.concatenate([values, new])
        return Encoded(types, begins, sizes, self._joint_rows(types, values), more)

    def _typed(self, sentences: Sequence[Sequence[str]], fresh: dict[str, int]) -> tuple[Rows, Ints, Ints]:
        """Types with pads between, begins, sizes; words that are unknown are numbered in ``fresh``."""
        sizes = np.array([len(sentence) for sentence in sentences], dtype=np.int64)
        known = self.types
        flat = [known.get(word, -1) for sentence in sentences for word in sentence]
        numbers = np.array(flat, dtype=np.int32)
        unknown = np.flatnonzero(numbers < 0)
        if len(unknown):
            words = list(chain.from_iterable(sentences))
            for place in unknown.tolist():
                numbers[place] = fresh.setdefault(words[place], len(known) + 1 + len(fresh))
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        begins = starts[:-1] + self.reach * np.arange(1, len(sizes) + 1)
        types = np.zeros(starts[-1] + (len(sizes) + 1) * self.reach, dtype=np.int32)
        types[_inside(begins, sizes)] = numbers
        return types, begins, sizes

    def _values(self, word: str) -> list[int]:
        found = self.looker.values(word)
        return [_number(value, ids, self.bits) for value, ids in zip(found, self._ids, strict=True)]

    @property
    def unit_rows(self) -> Rows:
        """(T, U), see above."""
        return self._unit_rows(self.values)

    def _unit_rows(self, values: Ints) -> Rows:
        if not self.single:
            return np.zeros((len(values), 0), dtype=np.int32)
        seen = values[:, [self.looker.functions.index(function) for _, function in self.single]]
        if self.bits is None:
            if self._tables_in_one is None:
                ends = np.cumsum([0, *(len(rows) for rows in self.tables)])
                self._tables_in_one = np.concatenate(self.tables), ends[:-1]
            rows, begins = self._tables_in_one
            return np.asarray(np.where(seen >= 0, rows[begins + np.maximum(seen, 0)], 0), dtype=np.int32)
        found = np.zeros(seen.shape, dtype=np.int32)
        for number in range(len(self.single)):
            found[:, number] = np.where(seen[:, number] >= 0, self._hashed(number, [seen[:, number]]), 0)
        return found

    def _none(self) -> Rows:
        return np.zeros((0, len(self.single)), dtype=np.int32)

    def _joint_rows(self, types: Rows, values: Ints) -> Rows:
        """(P, J)."""
        found = np.zeros((len(types), len(self.joint)), dtype=np.int32)
        for number, parts in enumerate(self.joint):
            if self.bits is not None:
                seen = [self._shifted(part, types, values) for part in parts]
                whole = np.minimum.reduce(seen) >= 0
                found[:, number] = np.where(whole, self._hashed(len(self.single) + number, seen), 0)
                continue
            known, keys = self.keys[number], self._keys(parts, types, values)
            if len(known):
                places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
                found[:, number] = np.where(known[places] == keys, self.bases[number] + places, 0)
        return found

    def _shifted(self, part: tuple[int, str], types: Rows, values: Ints) -> Ints:
        """(P,) the value of a part at every place; at the rim, where no token stands, anything."""
        place, function = part
        return np.asarray(values[np.roll(types, -place), self.looker.functions.index(function)])

    def _keys(self, parts: Sequence[tuple[int, str]], types: Rows, values: Ints) -> Ints:
        """(P,) the values of several parts as one number; −1 where one of them is missing."""
        key, missing, room = np.zeros(len(types), dtype=np.int64), np.zeros(len(types), dtype=bool), 1
        for part in parts:
            size = len(self.names[self.looker.functions.index(part[1])]) + 1
            room *= size
            if room >= _MOST:
                raise UsageError(
                    "template-too-wide",
                    say(
                        f"a template of {len(parts)} parts has more values than can be numbered",
                        f"由 {len(parts)} 部分组成的模板取值太多，无法编号",
                    ),
                    help=say(
                        "fewer parts, or hashed features: hash_bits=22", "减少组成部分，或改用哈希特征：hash_bits=22"
                    ),
                )
            seen = self._shifted(part, types, values)
            missing |= seen < 0
            key = key * size + seen
        key[missing] = -1
        return key

    def _hashed(self, template: int, values: Sequence[Ints]) -> Ints:
        """Rows 1 … 2^bits from values, by the finaliser of splitmix64 (Steele, Lea and Flood 2014)."""
        mixed = np.full(len(values[0]), template + 1, dtype=np.uint64)
        with np.errstate(over="ignore"):
            for seen in values:
                mixed = (mixed ^ seen.astype(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
                mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
                mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
                mixed ^= mixed >> np.uint64(31)
        return 1 + (mixed & np.uint64((1 << int(self.bits or 0)) - 1)).astype(np.int64)

    # ---- names --------------------------------------------------------------------------------------------------------

    def described(self, encoded: Encoded, place: int) -> list[tuple[str, int, int]]:
        """What stands at one token: ``(feature, row, place of the token looked at)``, e.g. ``("suffix3[0]=ing", 512, 7)``."""
        known = len(self.values)
        found: list[tuple[str, int, int]] = []
        for number, (distance, function) in enumerate(self.single):
            kind = int(encoded.types[place + distance])
            rows = self.unit_rows_of(kind) if kind < known else encoded.more[kind - known]
            if rows[number]:
                found.append((f"{function}[{distance}]", int(rows[number]), place + distance))
        for number, parts in enumerate(self.joint):
            row = int(encoded.joint[place, number])
            if row:
                name = "|".join(f"{function}[{distance}]" for distance, function in parts)
                found.append((name, row, place + min(parts, key=lambda part: abs(part[0]))[0]))
        return found

    def unit_rows_of(self, kind: int) -> Rows:
        """(U,) of one type."""
        rows: Rows = self._unit_rows(self.values[kind : kind + 1])[0]
        return rows

    # ---- kept ---------------------------------------------------------------------------------------------------------

    def state(self) -> State:
        """Words, what they show, and the rows of all values."""
        arrays = {**pack_strings("words", self.words), "values": self.values}
        for column, known in enumerate(self.names):
            arrays |= pack_strings(f"names.{column}", known)
        arrays |= {f"tables.{number}": rows for number, rows in enumerate(self.tables)}
        arrays |= {f"keys.{number}": keys for number, keys in enumerate(self.keys)}
        templates = [template.name for template in self.templates]
        return State(arrays, {"templates": templates, "bits": self.bits, "rows": self.rows, "bases": self.bases})

    @classmethod
    def from_state(cls, state: State, lists: Any, patterns: Any) -> FeatureTable:
        """The inverse of ``state``; ``lists`` and ``patterns`` are settings.

        Raises:
            KeyError: something is missing.
            ValueError: numbers that point nowhere, or do not fit one another.
        """
        from erya.parts.token_features import parsed

        data, arrays = state.data, state.arrays
        templates = parsed(data["templates"])
        functions = sorted({function for template in templates for _, function in template.parts})
        words, values = unpack_strings("words", arrays), arrays["values"]
        names = [unpack_strings(f"names.{column}", arrays) for column in range(len(functions))]
        bits, rows, bases = data["bits"], data["rows"], data["bases"]
        table = cls(templates, Looker(functions, lists, patterns), words, values, names)
        if (
            len(table.types) != len(words)
            or values.dtype != np.int64
            or values.shape != (len(words) + 1, len(functions))
        ):
            raise ValueError("the words do not fit what they show")
        if bits is not None and (not isinstance(bits, int) or not 1 <= bits <= 30 or rows != 1 + (1 << bits)):
            raise ValueError("a number of bits that does not fit the rows")
        table.bits, table.rows, table.bases = bits, int(rows), [int(base) for base in bases]
        if bits is None:
            table.tables = [arrays[f"tables.{number}"] for number in range(len(table.single))]
            table.keys = [arrays[f"keys.{number}"] for number in range(len(table.joint))]
            table._check_rows()
        return table

    def _check_rows(self) -> None:
        sizes = np.array([len(known) for known in self.names])
        if (self.values.max(axis=0, initial=0) > sizes).any() or self.values.min(initial=0) < -1:
            raise ValueError("a value that has no name")
        for (_, function), rows in zip(self.single, self.tables, strict=True):
            size = len(self.names[self.looker.functions.index(function)]) + 1
            good = rows.dtype == np.int32 and rows.shape == (size,) and rows.min() >= 0 and rows.max() < self.rows
            if not good:
                raise ValueError("rows of a template that point nowhere")
        if len(self.bases) != len(self.keys):
            raise ValueError("templates of several parts do not fit their rows")
        for base, keys in zip(self.bases, self.keys, strict=True):
            if keys.dtype != np.int64 or (np.diff(keys) <= 0).any() or not 1 <= base <= base + len(keys) <= self.rows:
                raise ValueError("keys that are out of order, or rows that do not exist")


def _inside(begins: Ints, sizes: Ints) -> Ints:
    """(L,) the place of every token."""
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return np.asarray(np.arange(starts[-1]) + np.repeat(begins - starts[:-1], sizes))


def _number(value: str | None, ids: dict[str, int], bits: int | None) -> int:
    """A value's number: exact by the table, 0 being outside, or by hash; −1: none."""
    if value is None:
        return -1
    if bits is not None:
        return 1 + zlib.crc32(value.encode("utf-8", "surrogatepass"))
    return ids.get(value, -1)
