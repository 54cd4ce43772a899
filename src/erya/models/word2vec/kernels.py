"""word2vec's training steps as Numba functions: arrays in, arrays out. ``reference.py`` says the same in plain NumPy.

For a word, its contexts c (the words up to ``window`` away) and its targets t with labels y:

    score    s = h · u_t − offset         h = v_c for each context (skip-gram), or the contexts' mean or sum (CBOW)
    error    e = y − σ(s)                 the gradient of ln σ(s) for y = 1, of ln σ(−s) for y = 0
    steps    h += η Σ_t e u_t             u_t += η Σ_h e h

Targets are the word itself (y = 1) and words drawn as noise (y = 0), or the turns on the word's path in Huffman's tree.
With noise-contrastive estimation the offset is ln(K q(t)); otherwise it is 0. Mikolov et al. 2013; Gutmann & Hyvärinen 2012.

How it becomes fast, and the same for any number of threads: S shards take C words each. A shard copies the rows that it
will need into its *arena*, side by side, which stays in the processor's cache, and trains there; the parameters stand still.
Then what changed is added to the parameters: every row by the thread that owns it, in the order of the shards. Noise words
are drawn once for a shard's words and taken in turn, which brings three rows from memory for a word instead of seven.
Rows of V input vectors come first in ``parameters``, then those of targets. Widths are multiples of LANES.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import kernel
from erya.parts.chance import AliasTable, below, draw, mixed
from erya.parts.huffman import Paths
from erya.parts.lockstep import ABORT, atomic_load, atomic_store, barrier
from erya.parts.simd import LANES, fma, load, minus, over, plus, prefetch, spread, store, times, total, totals, within

GROUP = 6  # targets that are multiplied at once: the word and five noise words
SHARDS = 8  # of a round; the result depends on it, so it does not depend on the number of threads
OWNERS = 64  # rows are dealt to this many, whatever the number of threads; a power of two
AHEAD = 8  # rows that are asked for before they are needed
LISTEN = 64  # the loss is measured at every 64th word
LARGEST = 1e12  # squared length of a step; training that works stays billions of times below
SPARE, HIDDEN, GRADIENT, SIDE = 0, 1, 2, 3  # the arena's first rows: zeros, h, its gradient, the contexts' gradients

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]
Places = NDArray[np.int64]


class Settings(NamedTuple):
    """What does not change while training."""

    words: int  # V
    window: int
    negative: int  # K; 0: hierarchical softmax
    pool: int  # noise words of a shard's turn
    chunk: int  # C, words of a shard's turn
    cbow: bool
    mean: bool  # CBOW: h is the contexts' mean, not their sum
    shrink: bool  # the window's width is drawn between 1 and ``window``
    seed: int


class Sampling(NamedTuple):
    """Where targets come from."""

    noise: AliasTable  # over V words
    offsets: Floats  # (V,) ln(K q(w)) for NCE, else 0
    paths: Paths  # hierarchical softmax, else empty


class Desks(NamedTuple):
    """Each shard's room."""

    arena: NDArray[np.float32]  # (S, rows, width)
    keys: NDArray[np.int64]  # (S, rows) which parameter row stands there; −1: none
    used: NDArray[np.int64]  # (S, 16) [0]: rows in use
    place_of: NDArray[np.int32]  # (S, V) where an inner node stands in the arena, −1: nowhere; (S, 0) without a tree
    before: NDArray[np.float32]  # lock-free training: the rows as they were fetched, else (S, 0, 0)


class Hands(NamedTuple):
    """Each thread's room. G: target groups."""

    contexts: Places  # (2 window,) arena rows
    into: Places  # (2 window,) arena rows that take the gradients
    targets: Places  # (6 G,) arena rows
    scores: Floats  # (2 window, 16 G), then the errors times the rate
    goals: NDArray[np.float32]  # (3, 16 G) labels, offsets, 1 where there is a target
    owned: Places  # (rows,)
    stream: NDArray[np.uint64]  # (1,)


# ---- one word and its contexts ------------------------------------------------------------------------------------


@kernel
def sigmoid(x: object) -> object:
    """1 / (1 + e⁻ˣ) of 16 numbers: (1 + tanh(x/2)) / 2, tanh by the first terms of Lambert's continued fraction.

    The error is below 2·10⁻⁶ everywhere; beyond ±18 the answer is that of ±18.
    """
    y = times(within(x, spread(np.float32(-18)), spread(np.float32(18))), spread(np.float32(0.5)))
    q = times(y, y)
    above = plus(q, spread(np.float32(990)))
    above = fma(above, q, spread(np.float32(135135)))
    above = fma(above, q, spread(np.float32(4729725)))
    above = fma(above, q, spread(np.float32(34459425)))
    under = fma(q, spread(np.float32(45)), spread(np.float32(13860)))
    under = fma(under, q, spread(np.float32(945945)))
    under = fma(under, q, spread(np.float32(16216200)))
    under = fma(under, q, spread(np.float32(34459425)))
    tanh = within(over(times(y, above), under), spread(np.float32(-1)), spread(np.float32(1)))
    return fma(tanh, spread(np.float32(0.5)), spread(np.float32(0.5)))


@kernel
def score(arena: Floats, rows: Places, size: int, targets: Places, group: int, scores: Floats) -> None:
    """``scores[i, 16 group + j]`` = arena[rows[i]] · arena[targets[6 group + j]], j < 6, for the first ``size`` rows."""
    first = GROUP * group
    t0, t1, t2 = targets[first], targets[first + 1], targets[first + 2]
    t3, t4, t5 = targets[first + 3], targets[first + 4], targets[first + 5]
    for i in range(size):
        s0 = spread(np.float32(0))
        s1, s2, s3, s4, s5 = s0, s0, s0, s0, s0
        for k in range(0, arena.shape[1], LANES):
            h = load(arena, rows[i], k)
            s0 = fma(h, load(arena, t0, k), s0)
            s1 = fma(h, load(arena, t1, k), s1)
            s2 = fma(h, load(arena, t2, k), s2)
            s3 = fma(h, load(arena, t3, k), s3)
            s4 = fma(h, load(arena, t4, k), s4)
            s5 = fma(h, load(arena, t5, k), s5)
        store(scores, i, LANES * group, totals(s0, s1, s2, s3, s4, s5))


@kernel
def step(arena: Floats, rows: Places, into: Places, size: int, targets: Places, group: int, errors: Floats) -> None:
    """Both steps for six targets: rows ``into`` += Σ_t e u_t, and u_t += Σ_i e_i h_i; all from before the step."""
    first, column = GROUP * group, LANES * group
    t0, t1, t2 = targets[first], targets[first + 1], targets[first + 2]
    t3, t4, t5 = targets[first + 3], targets[first + 4], targets[first + 5]
    for k in range(0, arena.shape[1], LANES):
        u0, u1, u2 = load(arena, t0, k), load(arena, t1, k), load(arena, t2, k)
        u3, u4, u5 = load(arena, t3, k), load(arena, t4, k), load(arena, t5, k)
        n0, n1, n2, n3, n4, n5 = u0, u1, u2, u3, u4, u5
        for i in range(size):
            h, e0, e1 = load(arena, rows[i], k), spread(errors[i, column]), spread(errors[i, column + 1])
            e2, e3 = spread(errors[i, column + 2]), spread(errors[i, column + 3])
            e4, e5 = spread(errors[i, column + 4]), spread(errors[i, column + 5])
            n0, n1, n2 = fma(e0, h, n0), fma(e1, h, n1), fma(e2, h, n2)
            n3, n4, n5 = fma(e3, h, n3), fma(e4, h, n4), fma(e5, h, n5)
            even = fma(e4, u4, fma(e2, u2, fma(e0, u0, load(arena, into[i], k))))
            odd = fma(e5, u5, fma(e3, u3, times(e1, u1)))
            store(arena, into[i], k, plus(even, odd))
        store(arena, t0, k, n0)
        store(arena, t1, k, n1)
        store(arena, t2, k, n2)
        store(arena, t3, k, n3)
        store(arena, t4, k, n4)
        store(arena, t5, k, n5)


@kernel
def to_errors(hands: Hands, size: int, groups: int, rate: float) -> None:
    """From scores to rate × (label − σ(score − offset)), 0 where there is no target."""
    for group in range(groups):
        column = LANES * group
        labels, offsets = load(hands.goals, 0, column), load(hands.goals, 1, column)
        factor = times(load(hands.goals, 2, column), spread(np.float32(rate)))
        for i in range(size):
            answer = sigmoid(minus(load(hands.scores, i, column), offsets))
            store(hands.scores, i, column, times(factor, minus(labels, answer)))


@kernel
def loss_of(hands: Hands, size: int, count: int) -> float:
    """−Σ ln σ(±(score − offset)) over all rows and ``count`` targets, in nats."""
    loss = 0.0
    for i in range(size):
        for j in range(count):
            place = LANES * (j // GROUP) + j % GROUP
            s = np.float64(hands.scores[i, place]) - hands.goals[1, place]
            x = s if hands.goals[0, place] > 0 else -s
            loss += max(-x, 0.0) + np.log1p(np.exp(-abs(x)))
    return loss


@kernel
def learn_word(
    arena: Floats, hands: Hands, size: int, count: int, settings: Settings, rate: float, listen: bool
) -> float:
    """Scores and steps for one word with ``size`` contexts and ``count`` targets. Returns the loss where ``listen``."""
    contexts, into, groups = hands.contexts, hands.into, (count + GROUP - 1) // GROUP
    width, loss = arena.shape[1], 0.0
    rows, share = size, np.float32(1.0 / size if settings.mean else 1.0)
    zero = spread(np.float32(0))
    if settings.cbow:
        for k in range(0, width, LANES):
            gathered = zero
            for i in range(size):
                gathered = plus(gathered, load(arena, contexts[i], k))
            store(arena, HIDDEN, k, times(gathered, spread(share)))
            store(arena, GRADIENT, k, zero)
        rows, first = 1, contexts[0]
        contexts[0], into[0] = HIDDEN, GRADIENT
    else:
        for i in range(size):
            into[i] = contexts[i]
            if groups > 1:  # the next groups must see the contexts as they are now
                into[i] = SIDE + i
                for k in range(0, width, LANES):
                    store(arena, SIDE + i, k, zero)

    for group in range(groups):
        score(arena, contexts, rows, hands.targets, group, hands.scores)
    if listen:
        loss = loss_of(hands, rows, count) / rows
    to_errors(hands, rows, groups, rate)
    for group in range(groups):
        step(arena, contexts, into, rows, hands.targets, group, hands.scores)

    if settings.cbow:
        contexts[0] = first
        for i in range(size):
            for k in range(0, width, LANES):
                moved = fma(load(arena, GRADIENT, k), spread(share), load(arena, contexts[i], k))
                store(arena, contexts[i], k, moved)
    elif groups > 1:
        for i in range(size):
            for k in range(0, width, LANES):
                store(arena, contexts[i], k, plus(load(arena, contexts[i], k), load(arena, SIDE + i, k)))
    return loss


# ---- a shard's turn -----------------------------------------------------------------------------------------------


@kernel
def fetch(parameters: Floats, arena: Floats, before: Floats, keys: Places, first: int, last: int) -> None:
    """Copy rows ``keys[first:last]`` into the arena, asking for each some steps before it is needed.

    Where ``before`` has room, they are copied there, too: other threads may change the parameters meanwhile.
    """
    for place in range(first, last):
        coming = place + AHEAD
        if coming < last and keys[coming] >= 0:
            for k in range(0, parameters.shape[1], LANES):
                prefetch(parameters, keys[coming], k)
        if keys[place] >= 0:
            for k in range(0, parameters.shape[1], LANES):
                row = load(parameters, keys[place], k)
                store(arena, place, k, row)
                if len(before) > 0:
                    store(before, place, k, row)


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


@kernel
def set_goal(hands: Hands, number: int, row: int, label: float, offset: float) -> None:
    """Target ``number`` of the word: its row in the arena, its label and its offset."""
    place = LANES * (number // GROUP) + number % GROUP
    hands.targets[number] = row
    hands.goals[0, place], hands.goals[1, place], hands.goals[2, place] = label, offset, 1.0


@kernel
def close_goals(hands: Hands, count: int) -> None:
    """Fill the last group up with rows of zeros that take no part."""
    for number in range(count, -(-count // GROUP) * GROUP):
        set_goal(hands, number, SPARE, 0.0, 0.0)
        hands.goals[2, LANES * (number // GROUP) + number % GROUP] = 0.0


@kernel
def sample_goals(
    word: int, own: int, pool: int, turn: int, settings: Settings, sampling: Sampling, keys: Places, hands: Hands
) -> int:
    """The word, then K noise words from the pool, in turn; not the word itself. Returns whose turn is next."""
    set_goal(hands, 0, own, 1.0, sampling.offsets[word])
    for number in range(1, settings.negative + 1):
        for _ in range(settings.pool):
            if keys[pool + turn] != settings.words + word:
                break
            turn = turn + 1 if turn + 1 < settings.pool else 0
        set_goal(hands, number, pool + turn, 0.0, sampling.offsets[keys[pool + turn] - settings.words])
        turn = turn + 1 if turn + 1 < settings.pool else 0
    close_goals(hands, settings.negative + 1)
    return turn


@kernel
def path_goals(
    word: int,
    used: int,
    settings: Settings,
    paths: Paths,
    parameters: Floats,
    arena: Floats,
    before: Floats,
    keys: Places,
    place_of: Ids,
    hands: Hands,
) -> int:
    """The turns on the word's path; nodes not yet in the arena are fetched. Returns the rows then in use."""
    first, last = paths.starts[word], paths.starts[word + 1]
    for place in range(first, last):
        node = paths.nodes[place]
        if place_of[node] < 0:
            place_of[node], keys[used] = used, settings.words + node
            fetch(parameters, arena, before, keys, used, used + 1)
            used += 1
        set_goal(hands, place - first, place_of[node], 1.0 - paths.turns[place], 0.0)
    close_goals(hands, last - first)
    return used


@kernel
def find_contexts(
    kept: Ids, size: int, p: int, begin: int, end: int, inputs: int, settings: Settings, hands: Hands
) -> int:
    """The arena rows of the words around place ``p``, nearest first, left before right. Returns how many."""
    reach = settings.window if not settings.shrink else 1 + below(hands.stream, settings.window)
    shift = inputs - max(0, begin - settings.window)
    count = 0
    for q in range(p - 1, max(-1, p - 1 - reach), -1):
        if kept[q] < 0:
            break
        hands.contexts[count] = shift + q
        count += 1
    for q in range(p + 1, min(size, p + 1 + reach)):
        if kept[q] < 0:
            break
        hands.contexts[count] = shift + q
        count += 1
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
    """Train on words ``kept[begin:end]`` in the shard's arena; the parameters are only read."""
    arena, keys, place_of, before = desks.arena[shard], desks.keys[shard], desks.place_of[shard], desks.before[shard]
    used = lay_out(kept, size, begin, end, settings, sampling, keys, hands)
    fetch(parameters, arena, before, keys, 0, used)
    own = SIDE + 2 * settings.window
    pool = own + (end - begin)
    inputs = pool + settings.pool if settings.negative > 0 else own
    turn, count = 0, settings.negative + 1
    for p in range(begin, end):
        word = kept[p]
        if word < 0:
            continue
        around = find_contexts(kept, size, p, begin, end, inputs, settings, hands)
        if around == 0:
            continue
        if settings.negative > 0:
            turn = sample_goals(word, own + p - begin, pool, turn, settings, sampling, keys, hands)
        else:
            used = path_goals(word, used, settings, sampling.paths, parameters, arena, before, keys, place_of, hands)
            count = sampling.paths.starts[word + 1] - sampling.paths.starts[word]
        heard = (p - begin) % listen == 0
        loss = learn_word(arena, hands, around, count, settings, rate, heard)
        if heard:
            totals_[0] += loss
            totals_[1] += 1
    desks.used[shard, 0] = used
    if settings.negative == 0:
        for place in range(inputs, used):
            if keys[place] >= settings.words:
                place_of[keys[place] - settings.words] = -1


@kernel
def to_changes(before: Floats, by_key: bool, arena: Floats, keys: Places, used: int) -> bool:
    """From trained rows to what changed in them. False: a change is not finite, or larger than any sense."""
    largest = spread(np.float32(0))
    for place in range(used):
        if keys[place] >= 0:
            row = keys[place] if by_key else place
            for k in range(0, arena.shape[1], LANES):
                change = minus(load(arena, place, k), load(before, row, k))
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
                prefetch(parameters, keys[owned[number + AHEAD]], k)
        place = owned[number]
        for k in range(0, parameters.shape[1], LANES):
            store(parameters, keys[place], k, plus(load(parameters, keys[place], k), load(arena, place, k)))


# ---- a block ------------------------------------------------------------------------------------------------------


@kernel
def subsample(ids: Ids, keep: NDArray[np.uint32], kept: Ids, stream: NDArray[np.uint64]) -> int:
    """Copy ``ids`` to ``kept``, each word w with probability keep[w] / 2³²; ends of lines (−1) always. Returns how many."""
    count, state = 0, stream[0]
    for place in range(len(ids)):
        word = ids[place]
        if word < 0:
            kept[count] = -1
            count += 1
        else:
            state += np.uint64(0x9E3779B97F4A7C15)
            kept[count] = word
            count += (mixed(state) >> np.uint64(32)) <= np.uint64(keep[word])
    stream[0] = state
    return count


@kernel
def start_stream(stream: NDArray[np.uint64], seed: int, block: int, turn: int) -> None:
    """The random numbers of one turn: a function of seed, block and turn, whoever takes it."""
    state = mixed(np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15))
    state = mixed(state ^ (np.uint64(block) + np.uint64(0xD1B54A32D192ED03)))
    stream[0] = mixed(state ^ (np.uint64(turn) + np.uint64(0x8CB92BA72F3D8DD7)))


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
    for begin in range(0, size, SHARDS * settings.chunk):
        rate = rates[0] + (rates[1] - rates[0]) * begin / size
        for shard in range(thread, SHARDS, threads):
            first = begin + shard * settings.chunk
            last = min(size, first + settings.chunk)
            desks.used[shard, 0], desks.used[shard, 1] = 0, 1
            if first < last:
                start_stream(hands.stream, settings.seed, block, first)
                take_turn(
                    kept, size, first, last, settings, sampling, parameters, desks, shard, hands, rate, LISTEN,
                    totals_[shard],
                )  # fmt: skip
                sound = to_changes(parameters, True, desks.arena[shard], desks.keys[shard], desks.used[shard, 0])
                desks.used[shard, 1] = sound
        if not barrier(control, threads):
            return begin
        for shard in range(SHARDS):  # every thread looks at all of them and comes to the same decision
            if desks.used[shard, 1] == 0:
                return begin
        for shard in range(SHARDS):
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
    """Every ``threads``-th turn of ``kept[:size]``; its changes are added at once, whatever the others do meanwhile."""
    arena, keys, before = desks.arena[thread], desks.keys[thread], desks.before[thread]
    for begin in range(thread * settings.chunk, size, threads * settings.chunk):
        rate = rates[0] + (rates[1] - rates[0]) * begin / size
        last = min(size, begin + settings.chunk)
        start_stream(hands.stream, settings.seed, block, begin)
        take_turn(
            kept, size, begin, last, settings, sampling, parameters, desks, thread, hands, rate, LISTEN, totals_[thread]
        )
        if not to_changes(before, False, arena, keys, desks.used[thread, 0]):
            atomic_store(control, ABORT, 1)
        if atomic_load(control, ABORT) != 0:
            return begin
        add_changes(parameters, arena, keys, desks.used[thread, 0], 0, OWNERS, hands.owned)
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
