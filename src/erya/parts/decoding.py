"""From probabilities of the next unit to a text: greedy, sampled, or by beams. Knows no model; asks it for one step after another.

Greedy takes the most probable unit each time. Sampling draws; a temperature below 1 makes it safer, above 1 wilder; ``top_k`` draws of the
k most probable units (Fan, Lewis & Dauphin 2018), ``top_p`` of the fewest that have so much probability together (Holtzman et al. 2020).
Beams keep the best beginnings at every length (Sutskever, Vinyals & Le 2014; scores divided by a power of the length: Wu et al. 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from erya.errors import UsageError
from erya.language import say

Floats = NDArray[np.float64]
MOST_BEAMS = 1000
Allowed = Callable[[list[int]], NDArray[np.bool_] | None]  # of the ids so far: which units may come next; None: any


class Decoder(Protocol):
    """A model that is asked step by step. Its memory is its own business."""

    def start(self, prefixes: Sequence[Sequence[int]]) -> tuple[Any, Floats]:
        """Read B prefixes. Gives the memory and the log-probabilities (B, V) of what comes next."""

    def step(self, memory: Any, rows: Sequence[int], ids: Sequence[int]) -> tuple[Any, Floats]:
        """Go on with ``rows`` of the memory – some of them, in any order, one several times – each with one more unit."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How units are chosen.

    Attributes:
        temperature: 0: the most probable unit.
        top_k: None: of all units.
        top_p: 1: of all units.
        beams: 1: no beams; with more nothing is drawn.
        length_power: of the number of units, by which the score of a beam is divided.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    beams: int = 1
    length_power: float = 0.6

    def check(self) -> None:
        """Raises UsageError where a value makes no sense."""
        if not 0 <= self.temperature < float("inf"):
            raise _bad(say("temperature is 0 or more", "temperature 须不小于 0"), "temperature=0.8")
        if self.top_k is not None and self.top_k < 1:
            raise _bad(say("top_k is at least 1", "top_k 至少为 1"), "top_k=40")
        if not 0 < self.top_p <= 1:
            raise _bad(say("top_p lies above 0 and is at most 1", "top_p 须大于 0、不大于 1"), "top_p=0.9")
        if not 1 <= self.beams <= MOST_BEAMS:
            raise _bad(say(f"beams is 1 to {MOST_BEAMS}", f"beams 须在 1 与 {MOST_BEAMS} 之间"), "beams=4")


def _bad(sentence: str, example: str) -> UsageError:
    return UsageError("bad-setting", sentence, help=example)


@dataclass(slots=True)
class Written:
    """What came behind one prefix.

    Attributes:
        ids: the new units, without the end.
        log_probability: of them – and of the end, where it came –, natural.
        ended: whether the model came to an end, rather than the length.
    """

    ids: list[int]
    log_probability: float
    ended: bool


def write(
    decoder: Decoder,
    prefixes: Sequence[Sequence[int]],
    *,
    length: int,
    end: int,
    never: Sequence[int] = (),
    manner: Manner | None = None,
    seed: int = 0,
    allowed: Allowed | None = None,
    done: Callable[[list[int]], bool] | None = None,
) -> list[Written]:
    """Continue each of B prefixes; what comes behind one does not depend on its company.

    Args:
        decoder: asked for probabilities.
        prefixes: ids.
        length: at most so many new units.
        end: the unit that ends a text.
        never: units that are never written.
        manner: how units are chosen.
        seed: of what is drawn; same seed, same text.
        allowed: of prefix and new units: which may come next.
        done: of the new units: whether that is enough.

    Raises:
        UsageError: the manner makes no sense, or nothing is allowed.
    """
    manner = manner or Manner()
    manner.check()
    if length < 0:
        raise _bad(say("length is 0 or more", "length 须不小于 0"), "length=100")
    if manner.beams > 1:
        return [_beams(decoder, prefix, length, end, never, manner, allowed, done) for prefix in prefixes]
    return _drawn(decoder, prefixes, length, end, never, manner, seed, allowed, done)


def _masked(row: Floats, never: Sequence[int], allowed: NDArray[np.bool_] | None) -> Floats:
    row = np.array(row, dtype=np.float64)
    row[list(never)] = -np.inf
    if allowed is not None:
        row[~allowed] = -np.inf
    if not np.isfinite(row).any():
        raise UsageError(
            "nothing-allowed",
            say("no unit may come next here: the form cannot be kept", "此处没有可用的下一个单元：无法满足给定的格式"),
        )
    return row


def _drawn(
    decoder: Decoder,
    prefixes: Sequence[Sequence[int]],
    length: int,
    end: int,
    never: Sequence[int],
    manner: Manner,
    seed: int,
    allowed: Allowed | None,
    done: Callable[[list[int]], bool] | None,
) -> list[Written]:
    found = [Written([], 0.0, ended=False) for _ in prefixes]
    if not prefixes or not length:
        return found
    generators = [np.random.default_rng([seed, len(prefix), *prefix]) for prefix in prefixes]
    alive = list(range(len(prefixes)))
    memory, rows = decoder.start(prefixes)
    for written in range(1, length + 1):
        kept, places, chosen = [], [], []
        for place, number in enumerate(alive):
            one = found[number]
            may = None if allowed is None else allowed([*prefixes[number], *one.ids])
            row = _masked(rows[place], never, may)
            unit = _one_of(row, manner, generators[number])
            one.log_probability += float(rows[place][unit])
            if unit == end:
                one.ended = True
                continue
            one.ids.append(unit)
            if done is None or not done(one.ids):
                kept.append(number)
                places.append(place)
                chosen.append(unit)
        if not kept or written == length:
            break
        alive = kept
        memory, rows = decoder.step(memory, places, chosen)
    return found


def _one_of(row: Floats, manner: Manner, generator: np.random.Generator) -> int:
    """A unit of (V,) log-probabilities, of which some are −∞."""
    if manner.temperature == 0:
        return int(row.argmax())
    order = np.argsort(-row, kind="stable")
    order = order[: manner.top_k]
    weights = np.exp((row[order] - row[order[0]]) / manner.temperature)
    sums = np.cumsum(weights)
    if manner.top_p < 1:
        most = int(np.searchsorted(sums, manner.top_p * sums[-1])) + 1
        order, sums = order[:most], sums[:most]
    return int(order[min(int(np.searchsorted(sums, generator.random() * sums[-1], side="right")), len(order) - 1)])


def _beams(
    decoder: Decoder,
    prefix: Sequence[int],
    length: int,
    end: int,
    never: Sequence[int],
    manner: Manner,
    allowed: Allowed | None,
    done: Callable[[list[int]], bool] | None,
) -> Written:
    """The best of the beginnings that were kept: those that ended, and at last those that did not."""

    def score(one: Written) -> float:
        return float(one.log_probability / max(1, len(one.ids) + one.ended) ** manner.length_power)

    alive, ended = [Written([], 0.0, ended=False)], []
    if not length:
        return alive[0]
    memory, rows = decoder.start([prefix])
    for written in range(1, length + 1):
        candidates: list[tuple[float, int, int]] = []
        for place, one in enumerate(alive):
            may = None if allowed is None else allowed([*prefix, *one.ids])
            row = _masked(rows[place], never, may) + one.log_probability
            best = np.argsort(-row, kind="stable")[: manner.beams]
            candidates += [(float(row[unit]), place, int(unit)) for unit in best if np.isfinite(row[unit])]
        candidates.sort(key=lambda one: -one[0])
        kept, places, chosen = [], [], []
        for log_probability, place, unit in candidates[: manner.beams]:
            if unit == end:
                ended.append(Written(alive[place].ids, log_probability, ended=True))
                continue
            one = Written([*alive[place].ids, unit], log_probability, ended=False)
            if done is not None and done(one.ids):
                ended.append(one)
                continue
            kept.append(one)
            places.append(place)
            chosen.append(unit)
        alive = kept
        if not alive or (len(ended) >= manner.beams and max(map(score, ended)) >= max(map(score, alive))):
            break
        if written == length:
            break
        memory, rows = decoder.step(memory, places, chosen)
    return max([*ended, *alive], key=score)
