"""How word2vec's steps become fast, and the same for any number of threads: arenas, turns and rounds.

S shards take C words each. A shard copies the rows that it will need into its *arena*, side by side, which stays in the
processor's cache, and trains there; the parameters stand still. Then what changed is added to the parameters: every row by
the thread that owns it, in the order of the shards. Noise words are drawn once for a shard's words and taken in turn,
which brings five rows from memory for a word instead of seven.
Rows of V input vectors come first in ``parameters``, then those of targets. Widths are multiples of LANES.

``train_in_step`` (the default) does so in rounds: all shards take their turns, then all changes are added. ``train_lock_free``
has no arenas: every thread changes the parameters themselves, whatever the others do meanwhile (Hogwild, Niu et al. 2011), and
no two runs are alike. Only of a tree's top, which is on every word's way, each thread has a copy for the length of a turn.
Both look whether a step is sound *before* taking it: where a score or a change is not finite, or larger than any sense, they
stop, and the parameters are those of the last good step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import inlined, kernel
from erya.models.word2vec.kernels import GROUP, LARGEST, SIDE, SPARE, Floats, Hands, Places, cbow, skip_gram
from erya.parts.chance import AliasTable, below, draw, start_stream
from erya.parts.huffman import Paths
from erya.parts.lockstep import ABORT, atomic_load, atomic_store, barrier
from erya.parts.simd import LANES, fma, load, minus, plus, prefetch, prefetch_to_write, spread, store, total

SHARDS = 8  # at most, of a round; the result depends on it, so it does not depend on the number of threads
OWNERS = 64  # rows are dealt to this many, whatever the number of threads; a power of two
AHEAD = 8  # rows that are asked for before they are needed
TOP = 128  # inner nodes of which each thread has a copy of its own, lock-free
HEAVY = 512  # inner nodes that stay in a core's cache by themselves
LISTEN = 64  # the loss is measured at every 64th word of a turn: the first

Ids = NDArray[np.int32]


class Settings(NamedTuple):
    """What does not change while training."""

    words: int  # V
    window: int
    negative: int  # K; 0: hierarchical softmax
    pool: int  # noise words of a shard's turn
    chunk: int  # C, words of a shard's turn
    shards: int  # S, turns of a round
    cbow: bool
    mean: bool  # CBOW: h is the contexts' mean, not their sum
    shrink: bool  # the window's width is drawn between 1 and ``window``
    seed: int
    direct: bool  # training in the parameters themselves, not in an arena


class Sampling(NamedTuple):
    """Where targets come from."""

    noise: AliasTable  # over V words
    offsets: Floats  # (V,) ln(K q(w)) for NCE, else empty
    paths: Paths  # hierarchical softmax, else empty


class Desks(NamedTuple):
    """Each shard's room."""

    arena: NDArray[np.float32]  # (S, rows, width)
    keys: NDArray[np.int64]  # (S, rows) which parameter row stands there; −1: none
    used: NDArray[np.int64]  # (S, 16) [0]: rows in use; [1]: 0 where a step would have been beyond all sense
    place_of: NDArray[np.int32]  # (S, V) where an inner node stands in the arena, −1: nowhere; (S, 0) without a tree
    places: Places  # (rows,) 0, 1, 2 …


def side_rows(window: int) -> int:
    """How many rows beyond V inputs and the targets a thread needs that trains in the parameters themselves."""
    return SIDE + 2 * window + 2 * TOP


# ---- a shard's turn -----------------------------------------------------------------------------------------------


@kernel
def fetch(parameters: Floats, arena: Floats, keys: Places, first: int, last: int) -> None:
    """Copy rows ``keys[first:last]`` into the arena, asking for each some steps before it is needed."""
    for place in range(first, last):
        coming = place + AHEAD
        if coming < last and keys[coming] >= 0:
            for k in range(0, parameters.shape[1], LANES):
                prefetch(parameters, keys[coming], k)
        if keys[place] >= 0:
            for k in range(0, parameters.shape[1], LANES):
                store(arena, place, k, load(parameters, keys[place], k))


@kernel
def lay_out(
    kept: Ids, size: int, begin: int, end: int, settings: Settings, sampling: Sampling, keys: Places, hands: Hands
) -> int:
    """Which rows the words ``kept[begin:end]`` need: the words as targets, noise, contexts. Returns how many in all.

    Every place of the text has a row of its own, even where a word stands twice: all their changes are added.
    """
    place = SIDE + 2 * settings.window
    for k in range(place):
        keys[k] = -1
    if settings.negative > 0:
        for p in range(begin, end):
            keys[place] = settings.words + kept[p] if kept[p] >= 0 else -1
            place += 1
        for _ in range(settings.pool):
            keys[place] = settings.words + draw(sampling.noise, hands.stream)
            place += 1
    for p in range(max(0, begin - settings.window), min(size, end + settings.window)):
        keys[place] = kept[p]  # −1 stays −1
        place += 1
    return place


@inlined
def open_goals(hands: Hands, count: int) -> None:
    """``count`` targets, the first with label 1, no offsets; the last group is filled up with rows that take no part."""
    for number in range(-(-count // GROUP) * GROUP):
        slot = hands.slots[number]
        hands.targets[number] = hands.side + SPARE
        hands.goals[0, slot] = 1.0 if number == 0 else 0.0
        hands.goals[1, slot] = 0.0
        hands.goals[2, slot] = 1.0 if number < count else 0.0


@inlined
def sample_targets(
    word: int,
    own: int,
    pool: int,
    turn: int,
    settings: Settings,
    offsets: Floats,
    keys: Places,
    rows: Places,
    hands: Hands,
) -> int:
    """The word, then K noise words from the pool, in turn; not the word itself, and no place of the pool twice: where it
    has too few others, fewer than K. Returns whose turn is next.
    """
    hands.targets[0] = rows[own]
    key, number, looked = settings.words + word, 1, 0
    while number <= settings.negative and looked < settings.pool:
        other = pool + turn
        hands.targets[number] = rows[other]
        if len(offsets) > 0:
            hands.goals[1, hands.slots[number]] = offsets[keys[other] - settings.words]
        number += keys[other] != key
        looked += 1
        turn = turn + 1 if turn + 1 < settings.pool else 0
    if len(offsets) > 0:
        hands.goals[1, 0] = offsets[word]
    if number <= settings.negative or hands.goals[2, hands.slots[settings.negative]] == 0.0:
        for noise in range(1, settings.negative + 1):
            hands.goals[2, hands.slots[noise]] = 1.0 if noise < number else 0.0
        for noise in range(number, settings.negative + 1):
            hands.targets[noise] = hands.side + SPARE
    return turn


@inlined
def path_targets(
    word: int,
    used: int,
    settings: Settings,
    paths: Paths,
    parameters: Floats,
    arena: Floats,
    keys: Places,
    place_of: Ids,
    hands: Hands,
) -> int:
    """The turns on the word's path; in an arena, nodes not yet there are fetched. Returns the rows then in use."""
    first, last = paths.starts[word], paths.starts[word + 1]
    for place in range(first, last):
        node, number = paths.nodes[place], place - first
        if place_of[node] < 0 and not settings.direct:
            place_of[node], keys[used] = used, settings.words + node
            for k in range(0, parameters.shape[1], LANES):
                store(arena, used, k, load(parameters, keys[used], k))
            used += 1
        hands.targets[number] = place_of[node] if place_of[node] >= 0 else settings.words + node
        hands.goals[0, hands.slots[number]] = 1.0 - paths.turns[place]
    for number in range(last - first, -(-(last - first) // GROUP) * GROUP):
        hands.targets[number] = hands.side + SPARE
        hands.goals[0, hands.slots[number]] = 0.5  # what rows of zeros answer: their error is 0
    return used


@inlined
def ask_for(parameters: Floats, row: int) -> None:
    """Ask for a row that will be changed soon; −1: none."""
    if row >= 0:
        for k in range(0, parameters.shape[1], LANES):
            prefetch_to_write(parameters, row, k)


@inlined
def ask_ahead(
    p: int,
    begin: int,
    end: int,
    own: int,
    noise: int,
    inputs: int,
    used: int,
    settings: Settings,
    parameters: Floats,
    keys: Places,
) -> None:
    """Ask for what the words some places after ``p`` will change: their target, noise and context."""
    if settings.negative > 0:
        if p + AHEAD < end:
            ask_for(parameters, keys[own + p - begin + AHEAD])
        for place in range(noise + 2 * settings.negative, min(inputs, noise + 3 * settings.negative)):
            ask_for(parameters, keys[place])
    place = inputs + p - max(0, begin - settings.window) + settings.window + AHEAD
    if place < used:
        ask_for(parameters, keys[place])


@kernel
def exchange_top(
    parameters: Floats, settings: Settings, sampling: Sampling, place_of: Ids, side: int, ends: bool
) -> None:
    """Add what changed in a thread's own copies of the tree's top, and copy the top anew.

    Every word's way begins there: two cores that wrote these rows by turns would wait for them most of the time.
    """
    own = side + SIDE + 2 * settings.window
    before = own + TOP
    first = max(0, settings.words - 1 - TOP)
    for node in range(first, settings.words - 1):
        row, mine, old = settings.words + node, own + node - first, before + node - first
        known = place_of[node] >= 0
        for k in range(0, parameters.shape[1], LANES):
            now = load(parameters, row, k)
            if known:
                now = plus(now, minus(load(parameters, mine, k), load(parameters, old, k)))
                store(parameters, row, k, now)
            store(parameters, mine, k, now)
            store(parameters, old, k, now)
        place_of[node] = -1 if ends else mine


@inlined
def ask_for_path(word: int, settings: Settings, paths: Paths, parameters: Floats, place_of: Ids) -> None:
    """Ask for the inner nodes on a word's path that are not yet at hand; the heaviest always are."""
    for place in range(paths.starts[word], paths.starts[word + 1]):
        node = paths.nodes[place]
        if node < settings.words - HEAVY and place_of[node] < 0:
            ask_for(parameters, settings.words + node)


@inlined
def find_contexts(
    kept: Ids, size: int, p: int, begin: int, inputs: int, settings: Settings, rows: Places, hands: Hands
) -> int:
    """The arena rows of the words around place ``p``, nearest first, left before right. Returns how many."""
    reach = settings.window if not settings.shrink else 1 + below(hands.stream, settings.window)
    shift = inputs - max(0, begin - settings.window)
    count, near = 0, 1
    for q in range(
        p - 1, max(-1, p - 1 - reach), -1
    ):  # counted without a branch, which the processor could not foresee
        near = near & (kept[q] >= 0)
        hands.contexts[count] = rows[shift + q]
        count += near
    near = 1
    for q in range(p + 1, min(size, p + 1 + reach)):
        near = near & (kept[q] >= 0)
        hands.contexts[count] = rows[shift + q]
        count += near
    return count


@kernel
def take_turn(
    kept: Ids,
    size: int,
    begin: int,
    end: int,
    settings: Settings,
    sampling: Sampling,
    parameters: Floats,
    desks: Desks,
    shard: int,
    hands: Hands,
    rate: float,
    listen: int,
    totals_: NDArray[np.float64],
) -> None:
    """Train on words ``kept[begin:end]`` in the shard's arena, the parameters are only read; or directly in these."""
    keys, place_of = desks.keys[shard], desks.place_of[shard]
    used = lay_out(kept, size, begin, end, settings, sampling, keys, hands)
    own = SIDE + 2 * settings.window
    pool = own + (end - begin)
    inputs = pool + settings.pool if settings.negative > 0 else own
    if settings.direct:
        arena, rows = parameters, keys
    else:
        arena, rows = desks.arena[shard], desks.places
        fetch(parameters, arena, keys, 0, used)
    turn, count = 0, settings.negative + 1
    open_goals(hands, count if settings.negative > 0 else len(hands.slots))
    for p in range(begin, end):
        word = kept[p]
        if settings.direct:
            ask_ahead(p, begin, end, own, pool + turn, inputs, used, settings, parameters, keys)
        if settings.negative == 0 and p + 1 < end and kept[p + 1] >= 0:
            ask_for_path(kept[p + 1], settings, sampling.paths, parameters, place_of)
        if word < 0:
            continue
        around = find_contexts(kept, size, p, begin, inputs, settings, rows, hands)
        if around == 0:
            continue
        if settings.negative > 0:
            turn = sample_targets(word, own + p - begin, pool, turn, settings, sampling.offsets, keys, rows, hands)
        else:
            used = path_targets(word, used, settings, sampling.paths, parameters, arena, keys, place_of, hands)
            count = int(sampling.paths.starts[word + 1] - sampling.paths.starts[word])
        heard = (p - begin) % listen == 0
        if settings.cbow:
            loss = cbow(arena, hands, around, count, settings.mean, rate, heard)
        else:
            loss = skip_gram(arena, hands, around, count, rate, heard)
        if np.isnan(loss):
            desks.used[shard, 1] = 0
            break
        if heard:
            totals_[0] += loss
            totals_[1] += 1
    desks.used[shard, 0] = used
    if settings.negative == 0 and not settings.direct:
        for place in range(inputs, used):
            if keys[place] >= settings.words:
                place_of[keys[place] - settings.words] = -1


@kernel
def to_changes(before: Floats, arena: Floats, keys: Places, used: int) -> bool:
    """From trained rows to what changed in them. False: a change is not finite, or larger than any sense."""
    largest = spread(np.float32(0))
    for place in range(used):
        if keys[place] >= 0:
            for k in range(0, arena.shape[1], LANES):
                change = minus(load(arena, place, k), load(before, keys[place], k))
                store(arena, place, k, change)
                largest = fma(change, change, largest)
    return bool(total(largest) < LARGEST)  # false for nan, too


@kernel
def add_changes(parameters: Floats, arena: Floats, keys: Places, used: int, low: int, high: int, owned: Places) -> None:
    """Add the arena's changes to the rows whose owners are ``low`` to ``high`` − 1, in the arena's order."""
    count = 0
    for place in range(used):  # collected without a branch, which the processor could not foresee
        owner = keys[place] & (OWNERS - 1)
        owned[count] = place
        count += (keys[place] >= 0) & (low <= owner) & (owner < high)
    for number in range(count):
        if number + AHEAD < count:
            for k in range(0, parameters.shape[1], LANES):
                prefetch(arena, owned[number + AHEAD], k)  # in another core's cache, perhaps
                prefetch_to_write(parameters, keys[owned[number + AHEAD]], k)
        place = owned[number]
        for k in range(0, parameters.shape[1], LANES):
            store(parameters, keys[place], k, plus(load(parameters, keys[place], k), load(arena, place, k)))


# ---- a block ------------------------------------------------------------------------------------------------------


@kernel
def train_in_step(
    kept: Ids,
    size: int,
    block: int,
    rates: tuple[float, float],
    settings: Settings,
    sampling: Sampling,
    parameters: Floats,
    desks: Desks,
    hands: Hands,
    totals_: NDArray[np.float64],
    control: NDArray[np.int64],
    thread: int,
    threads: int,
) -> int:
    """All of ``kept[:size]`` in rounds of S turns, together with the other threads; the rate goes from rates[0] to rates[1].

    ``totals_`` (S, 2): loss and how many words it was measured at, by shard. Returns the words done: fewer than ``size``
    where a round's step would not have been finite; nothing of that round was applied.
    """
    low, high = OWNERS * thread // threads, OWNERS * (thread + 1) // threads
    for begin in range(0, size, settings.shards * settings.chunk):
        rate = rates[0] + (rates[1] - rates[0]) * begin / size
        for shard in range(thread, settings.shards, threads):
            first = begin + shard * settings.chunk
            last = min(size, first + settings.chunk)
            desks.used[shard, 0], desks.used[shard, 1] = 0, 1
            if first < last:
                start_stream(hands.stream, settings.seed, block, first)
                take_turn(
                    kept, size, first, last, settings, sampling, parameters, desks, shard, hands, rate, LISTEN,
                    totals_[shard],
                )  # fmt: skip
                if not to_changes(parameters, desks.arena[shard], desks.keys[shard], desks.used[shard, 0]):
                    desks.used[shard, 1] = 0
        if not barrier(control, threads):
            return begin
        for shard in range(settings.shards):  # every thread looks at all of them and comes to the same decision
            if desks.used[shard, 1] == 0:
                return begin
        for shard in range(settings.shards):
            used = desks.used[shard, 0]
            add_changes(parameters, desks.arena[shard], desks.keys[shard], used, low, high, hands.owned)
        if not barrier(control, threads):
            return begin
    return size


@kernel
def train_lock_free(
    kept: Ids,
    size: int,
    block: int,
    rates: tuple[float, float],
    settings: Settings,
    sampling: Sampling,
    parameters: Floats,
    desks: Desks,
    hands: Hands,
    totals_: NDArray[np.float64],
    control: NDArray[np.int64],
    thread: int,
    threads: int,
) -> int:
    """Every ``threads``-th turn of ``kept[:size]``; in the parameters, whatever the others do meanwhile."""
    shared_top = settings.negative == 0 and threads > 1
    desks.used[thread, 1] = 1
    for begin in range(thread * settings.chunk, size, threads * settings.chunk):
        rate = rates[0] + (rates[1] - rates[0]) * begin / size
        last = min(size, begin + settings.chunk)
        start_stream(hands.stream, settings.seed, block, begin)
        if shared_top:
            exchange_top(parameters, settings, sampling, desks.place_of[thread], hands.side, False)
        take_turn(
            kept, size, begin, last, settings, sampling, parameters, desks, thread, hands, rate, LISTEN, totals_[thread]
        )
        if desks.used[thread, 1] == 0:
            atomic_store(control, ABORT, 1)
        if atomic_load(control, ABORT) != 0:
            return begin
    if shared_top:
        exchange_top(parameters, settings, sampling, desks.place_of[thread], hands.side, True)
    return size


@kernel
def measure(
    kept: Ids,
    size: int,
    settings: Settings,
    sampling: Sampling,
    parameters: Floats,
    desks: Desks,
    hands: Hands,
    totals_: NDArray[np.float64],
) -> None:
    """The loss of ``kept[:size]`` at parameters that stand still, at every word; into ``totals_`` (2,)."""
    for begin in range(0, size, settings.chunk):
        start_stream(hands.stream, settings.seed, -1, begin)
        last = min(size, begin + settings.chunk)
        take_turn(kept, size, begin, last, settings, sampling, parameters, desks, 0, hands, 0.0, 1, totals_)
