"""Texts of the test part that training has seen, to the letter but for case, marks and spaces, or nearly so.

Equal texts are found by their normalised form. Nearly equal ones by MinHash (Broder 1997, "On the resemblance and containment of
documents"): of the hashes of all pieces of four characters the smallest under each of several random functions; two texts agree in one
of these with the probability of their Jaccard resemblance. Who agrees in four of them together is compared whole. All of it is a fixed
number of passes over the characters, and of very large data the first ``MOST_CHARACTERS`` alone are looked at, never by the clock:
the same data gives the same answer.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIECE = 4  # characters
BANDS, DEEP = 8, 4  # 8 chances to agree in 4 smallest hashes: of resemblance 0.8 99 % are found, of 0.5 two in five
NEAR = 0.8  # resemblance from which two texts count as nearly the same
SHORTEST = 12  # characters: of fewer, a resemblance says little
MOST_CHARACTERS = 8_000_000
MOST_COMPARED = 20  # training texts that one test text is compared with

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Twin:
    """A test text and the training text that is most like it: places in their parts, and their resemblance (1: the same)."""

    test: int
    train: int
    resemblance: float


def normalised(document: Any) -> str:
    """A text, or a pair, as letters and digits alone: compatibility forms, case, marks and spaces do not count."""
    text = document if isinstance(document, str) else "\n".join(document)
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum()) or folded.strip()


def twins(train: Sequence[Any], test: Sequence[Any]) -> tuple[list[Twin], bool]:
    """Every test text that training has (nearly), in the order of the test; and whether all texts were looked at for near ones."""
    first: dict[str, int] = {}
    known = [normalised(document) for document in train]
    for place, text in enumerate(known):
        first.setdefault(text, place)
    asked = [normalised(document) for document in test]
    found = [Twin(place, first[text], 1.0) for place, text in enumerate(asked) if text and text in first]
    same = {twin.test for twin in found}
    rest = [place for place, text in enumerate(asked) if place not in same and len(text) >= SHORTEST]
    rest, all_test = _within([len(asked[place]) for place in rest], rest)
    pool = [place for place, text in enumerate(known) if len(text) >= SHORTEST and first[text] == place]
    pool, all_train = _within([len(known[place]) for place in pool], pool)
    if rest and pool:
        found += _near([known[place] for place in pool], pool, [asked[place] for place in rest], rest)
    return sorted(found, key=lambda twin: twin.test), all_test and all_train


def _within(lengths: list[int], places: list[int]) -> tuple[list[int], bool]:
    """The first places whose characters stay within the bound, and whether these are all."""
    last = int(np.searchsorted(np.cumsum(lengths), MOST_CHARACTERS, side="right")) if lengths else 0
    return places[:last], last == len(places)


def _near(known: list[str], pool: list[int], asked: list[str], rest: list[int]) -> list[Twin]:
    pieces_known, starts_known = _pieces(known)
    pieces_asked, starts_asked = _pieces(asked)
    keys_known, keys_asked = _keys(pieces_known, starts_known), _keys(pieces_asked, starts_asked)
    candidates: list[dict[int, None]] = [{} for _ in asked]
    for band in range(BANDS):
        order = np.argsort(keys_known[band], kind="stable")
        ordered = keys_known[band][order]
        low = np.searchsorted(ordered, keys_asked[band], side="left")
        high = np.minimum(np.searchsorted(ordered, keys_asked[band], side="right"), low + MOST_COMPARED)
        for place in np.flatnonzero(high > low).tolist():
            candidates[place].update(dict.fromkeys(order[low[place] : high[place]].tolist()))
    found = []
    for place, others in enumerate(candidates):
        mine = np.unique(pieces_asked[starts_asked[place] : starts_asked[place + 1]])
        best, which = 0.0, -1
        for other in sorted(others)[:MOST_COMPARED]:
            theirs = np.unique(pieces_known[starts_known[other] : starts_known[other + 1]])
            common = len(np.intersect1d(mine, theirs, assume_unique=True))
            resemblance = common / (len(mine) + len(theirs) - common)
            if resemblance > best:
                best, which = resemblance, other
        if best >= NEAR:
            found.append(Twin(rest[place], pool[which], float(best)))
    return found


def _pieces(texts: list[str]) -> tuple[Hashes, NDArray[np.int64]]:
    """The hashes of the pieces of all texts one after the other, and (N + 1,) where each text's begin. Every text has PIECE characters."""
    whole = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    hashes = np.zeros(len(whole) - PIECE + 1, dtype=np.uint64)
    for place in range(PIECE):
        hashes = hashes * np.uint64(1_000_003) + whole[place : place + len(hashes)]
    ends = np.cumsum(lengths)
    inside = np.arange(len(hashes)) + PIECE <= np.repeat(ends, lengths)[: len(hashes)]
    starts = np.concatenate([[0], np.cumsum(lengths - PIECE + 1)])
    return _mixed(hashes[inside]), starts


def _mixed(numbers: Hashes) -> Hashes:
    """Every bit of a number depends on every other (the finaliser of SplitMix64, Steele, Lea and Flood 2014)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _keys(pieces: Hashes, starts: NDArray[np.int64]) -> list[Hashes]:
    """BANDS keys (N,): the smallest hashes of each text under DEEP functions, as one number."""
    seeds = np.random.default_rng(0).integers(1, 2**63, (BANDS, DEEP), dtype=np.uint64)
    found = []
    for band in range(BANDS):
        key = np.zeros(len(starts) - 1, dtype=np.uint64)
        for seed in seeds[band]:
            key = _mixed(key * np.uint64(31) + np.minimum.reduceat(_mixed(pieces ^ seed), starts[:-1]))
        found.append(key)
    return found
