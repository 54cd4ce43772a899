"""The steps that train vectors of words and their n-grams, as Numba functions. ``subword_reference.py`` says the same in NumPy.

A word w owns n rows: one of its own, and one for each of its character n-grams. Its vector is their mean.

    hidden     h = the mean of the rows of the word (skip-gram), or of all rows of all words around it (CBOW)
    score      s = h · u_t                for each target t
    error      e = y − m σ(s)             m: for how many predictions the target stands, y: how many of these are true
    steps      every row of h += η Σ_t e u_t          u_t += η e h

In skip-gram a word predicts each of its c contexts against K noise words. All these predictions begin at the same h, so
that it is gathered once for all of them: the contexts are targets with y = m = 1, and M noise words stand for the c·K noise
words of all of them: y = 0, m = c·K/M. These are taken in turn from a pool drawn for some words, which stays in the cache.
In CBOW the contexts predict the word: y = m = 1 for it, K noise words with m = 1. With hierarchical softmax targets are the
inner nodes on the ways to the words: m words pass a node, y of them to the left. Every row takes the whole step, as in the
original program: h, their mean, moves by just as much.

``take_turn`` trains on some words. ``train_lock_free`` has each thread do so in the parameters themselves, whatever the others
do (Hogwild, Niu et al. 2011). ``train_in_step`` (the default) goes in rounds: all shards look at parameters that stand still,
and write down who must move where; then every thread makes the moves of the rows that it owns, in the order of the shards: the
same bits for any number of threads. A round whose scores are beyond all sense is not applied.

Rows of ``parameters``: V words, their n-grams, V targets (or V − 1 inner nodes), and a spare row for each thread.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import inlined, kernel
from erya.parts.chance import AliasTable, below, draw, start_stream
from erya.parts.huffman import Paths
from erya.parts.lockstep import ABORT, atomic_load, atomic_store, barrier
from erya.parts.simd import (
    LANES,
    fma,
    load,
    minus,
    plus,
    prefetch,
    prefetch_to_write,
    spread,
    store,
    times,
    total,
    totals,
)
from erya.parts.squash import sigmoid

GROUP = 6  # targets that are multiplied at once
SHARDS = 8  # at most, of a round; the result depends on it, so it does not depend on the number of threads
OWNERS = 64  # rows are dealt to this many, whatever the number of threads; a power of two
LISTEN = 64  # the loss is measured at every 64th word of a turn: the first
LARGEST = 1e12  # of squared scores; training that works stays billions of times below
CLOCK = 1 << 20  # more than targets that a word can have

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]
Places = NDArray[np.int64]


class Settings(NamedTuple):
    """What does not change while training."""

    words: int  # V
    inputs: int  # words and n-grams: where the targets' rows begin
    window: int
    negative: int  # K
    noise: int  # M, noise words of a word; 0: hierarchical softmax
    pool: int  # noise words of a turn, which its words take in turn
    chunk: int  # words of a shard's turn
    shards: int  # S, turns of a round
    cbow: bool
    seed: int
    direct: bool  # training in the parameters themselves


class Pieces(NamedTuple):
    """The rows that each word owns, those of one owner side by side."""

    starts: Places  # (V + 1,)
    rows: Ids  # (P,) word w owns rows[starts[w]:starts[w + 1]]
    splits: Places  # (V, T + 1) and of these thread t, of T, moves rows[splits[w, t]:splits[w, t + 1]]


class Sampling(NamedTuple):
    """Where targets come from."""

    noise: AliasTable  # over V words
    paths: Paths  # hierarchical softmax, else empty


class Desks(NamedTuple):
    """Each shard's room. Z: seats, one for each word whose rows take part."""

    arena: Floats  # (S, 2 Z + C + 1, width) Z means or sums of rows, Z moves, C hidden vectors of CBOW, and a gradient
    words: Ids  # (S, Z) who sits there; −1: nobody whose rows move
    notes: Places  # (S, 16) seats in use, targets noted, 0 where a score is beyond all sense
    targets: Ids  # (S, E) rows that must move …
    places: Ids  # (S, E) … towards this row of the arena …
    errors: Floats  # (S, E) … by so much


class Hands(NamedTuple):
    """Each thread's room. G: target groups."""

    noise: Ids  # (pool,) noise words of a turn
    turn: Places  # (1,) which of them is next
    contexts: Places  # (2 window + 1,) places of the text
    targets: Places  # (6 G,) rows
    slots: Places  # (6 G,) each target's column of scores and goals
    scores: Floats  # (1, 16 G), then the errors times the rate
    goals: Floats  # (2, 16 G) y and m
    seen: Places  # (V,) when each word was a target, and which
    clock: Places  # (1,) goes on by CLOCK at every word
    owned: Places  # (E,)
    stream: NDArray[np.uint64]  # (1,)
    spare: int  # a row of zeros


# ---- a word's rows ------------------------------------------------------------------------------------------------


@inlined
def gather(parameters: Floats, rows: Ids, first: int, last: int, share: float, arena: Floats, place: int) -> None:
    """``arena[place]`` = share · Σ parameters[rows[first:last]], 64 columns at a time."""
    width, part = parameters.shape[1], spread(np.float32(share))
    wide = width - width % (4 * LANES)
    for k in range(0, wide, 4 * LANES):
        a0 = spread(np.float32(0))
        a1, a2, a3 = a0, a0, a0
        for i in range(first, last):
            row = rows[i]
            a0, a1 = plus(a0, load(parameters, row, k)), plus(a1, load(parameters, row, k + LANES))
            a2 = plus(a2, load(parameters, row, k + 2 * LANES))
            a3 = plus(a3, load(parameters, row, k + 3 * LANES))
        store(arena, place, k, times(a0, part))
        store(arena, place, k + LANES, times(a1, part))
        store(arena, place, k + 2 * LANES, times(a2, part))
        store(arena, place, k + 3 * LANES, times(a3, part))
    for k in range(wide, width, LANES):
        a0 = spread(np.float32(0))
        for i in range(first, last):
            a0 = plus(a0, load(parameters, rows[i], k))
        store(arena, place, k, times(a0, part))


@inlined
def scatter(parameters: Floats, rows: Ids, first: int, last: int, arena: Floats, place: int) -> None:
    """Add ``arena[place]`` to each of these rows."""
    for i in range(first, last):
        row = rows[i]
        for k in range(0, parameters.shape[1], LANES):
            store(parameters, row, k, plus(load(parameters, row, k), load(arena, place, k)))


@inlined
def ask_for(parameters: Floats, row: int, to_write: bool) -> None:
    """Ask for a row that will be needed soon."""
    if to_write:
        for k in range(0, parameters.shape[1], LANES):
            prefetch_to_write(parameters, row, k)
    else:
        for k in range(0, parameters.shape[1], LANES):
            prefetch(parameters, row, k)


@inlined
def ask_for_word(parameters: Floats, pieces: Pieces, word: int, to_write: bool) -> None:
    """Ask for all rows of a word; −1: nobody."""
    if word >= 0:
        for i in range(pieces.starts[word], pieces.starts[word + 1]):
            ask_for(parameters, pieces.rows[i], to_write)


# ---- one prediction -----------------------------------------------------------------------------------------------


@inlined
def score(arena: Floats, hidden: int, parameters: Floats, targets: Places, group: int, scores: Floats) -> None:
    """``scores[0, 16 group + j]`` = h · u of target 6 group + j, j < 6."""
    first = GROUP * group
    t0, t1, t2 = targets[first], targets[first + 1], targets[first + 2]
    t3, t4, t5 = targets[first + 3], targets[first + 4], targets[first + 5]
    s0 = spread(np.float32(0))
    s1, s2, s3, s4, s5 = s0, s0, s0, s0, s0
    for k in range(0, parameters.shape[1], LANES):
        h = load(arena, hidden, k)
        s0, s1 = fma(h, load(parameters, t0, k), s0), fma(h, load(parameters, t1, k), s1)
        s2, s3 = fma(h, load(parameters, t2, k), s2), fma(h, load(parameters, t3, k), s3)
        s4, s5 = fma(h, load(parameters, t4, k), s4), fma(h, load(parameters, t5, k), s5)
    store(scores, 0, LANES * group, totals(s0, s1, s2, s3, s4, s5))


@inlined
def gradient(
    arena: Floats, into: int, parameters: Floats, targets: Places, group: int, errors: Floats, fresh: bool
) -> None:
    """``arena[into]`` += Σ_t e u_t over six targets, which stand still; ``fresh``: = Σ_t e u_t."""
    first, column = GROUP * group, LANES * group
    t0, t1, t2 = targets[first], targets[first + 1], targets[first + 2]
    t3, t4, t5 = targets[first + 3], targets[first + 4], targets[first + 5]
    e0, e1, e2 = spread(errors[0, column]), spread(errors[0, column + 1]), spread(errors[0, column + 2])
    e3, e4, e5 = spread(errors[0, column + 3]), spread(errors[0, column + 4]), spread(errors[0, column + 5])
    for k in range(0, parameters.shape[1], LANES):
        before = spread(np.float32(0))
        if not fresh:
            before = load(arena, into, k)
        even = fma(e2, load(parameters, t2, k), fma(e0, load(parameters, t0, k), before))
        odd = fma(e3, load(parameters, t3, k), times(e1, load(parameters, t1, k)))
        even, odd = fma(e4, load(parameters, t4, k), even), fma(e5, load(parameters, t5, k), odd)
        store(arena, into, k, plus(even, odd))


@inlined
def step(
    arena: Floats, hidden: int, into: int, parameters: Floats, targets: Places, group: int, errors: Floats, fresh: bool
) -> None:
    """As ``gradient``, and each of the six targets moves at once: u_t += e h."""
    first, column = GROUP * group, LANES * group
    t0, t1, t2 = targets[first], targets[first + 1], targets[first + 2]
    t3, t4, t5 = targets[first + 3], targets[first + 4], targets[first + 5]
    e0, e1, e2 = spread(errors[0, column]), spread(errors[0, column + 1]), spread(errors[0, column + 2])
    e3, e4, e5 = spread(errors[0, column + 3]), spread(errors[0, column + 4]), spread(errors[0, column + 5])
    for k in range(0, parameters.shape[1], LANES):
        u0, u1, u2 = load(parameters, t0, k), load(parameters, t1, k), load(parameters, t2, k)
        u3, u4, u5 = load(parameters, t3, k), load(parameters, t4, k), load(parameters, t5, k)
        h, before = load(arena, hidden, k), spread(np.float32(0))
        if not fresh:
            before = load(arena, into, k)
        even = fma(e4, u4, fma(e2, u2, fma(e0, u0, before)))
        odd = fma(e5, u5, fma(e3, u3, times(e1, u1)))
        store(parameters, t0, k, fma(e0, h, u0))
        store(parameters, t1, k, fma(e1, h, u1))
        store(parameters, t2, k, fma(e2, h, u2))
        store(parameters, t3, k, fma(e3, h, u3))
        store(parameters, t4, k, fma(e4, h, u4))
        store(parameters, t5, k, fma(e5, h, u5))
        store(arena, into, k, plus(even, odd))


@inlined
def to_errors(hands: Hands, groups: int, rate: float) -> bool:
    """From scores to rate × (y − m σ(score)). False: a score is beyond all sense."""
    largest, factor = spread(np.float32(0)), spread(np.float32(rate))
    for group in range(groups):
        column = LANES * group
        found = load(hands.scores, 0, column)
        largest = fma(found, found, largest)
        wrong = minus(load(hands.goals, 0, column), times(load(hands.goals, 1, column), sigmoid(found)))
        store(hands.scores, 0, column, times(factor, wrong))
    return bool(total(largest) < LARGEST)  # false for nan, too


@inlined
def loss_of(hands: Hands, count: int) -> float:
    """−Σ (y ln σ(s) + (m − y) ln σ(−s)), in nats."""
    loss = 0.0
    for j in range(count):
        place = hands.slots[j]
        s = np.float64(hands.scores[0, place])
        softplus = max(-s, 0.0) + np.log1p(np.exp(-abs(s)))  # −ln σ(s)
        loss += hands.goals[0, place] * softplus + (hands.goals[1, place] - hands.goals[0, place]) * (softplus + s)
    return loss


@inlined
def predict(
    parameters: Floats, arena: Floats, hidden: int, into: int, hands: Hands, count: int, rate: float, direct: bool,
    listen: bool,
) -> float:  # fmt: skip
    """The hidden vector predicts ``count`` targets: its step goes to ``arena[into]``. Returns the loss where ``listen``; nan, and
    no step was taken, where a score is beyond all sense.
    """
    groups, loss = (count + GROUP - 1) // GROUP, 0.0
    for j in range(count, GROUP * groups):  # filled up with rows of zeros, which stay so
        hands.targets[j] = hands.spare
        hands.goals[0, hands.slots[j]] = 0
        hands.goals[1, hands.slots[j]] = 0
    for group in range(groups):
        score(arena, hidden, parameters, hands.targets, group, hands.scores)
    if listen:
        loss = loss_of(hands, count)
    if not to_errors(hands, groups, rate):
        return np.nan
    for group in range(groups):
        if direct:
            step(arena, hidden, into, parameters, hands.targets, group, hands.scores, group == 0)
        else:
            gradient(arena, into, parameters, hands.targets, group, hands.scores, group == 0)
    return loss


# ---- contexts and targets -----------------------------------------------------------------------------------------


@inlined
def find_contexts(kept: Ids, size: int, p: int, window: int, hands: Hands) -> int:
    """The places around ``p``, as far as a width that is drawn and no further than the line. Returns how many."""
    reach = 1 + below(hands.stream, window)
    count, near = 0, 1
    for q in range(p - 1, max(-1, p - 1 - reach), -1):  # counted without a branch, which could not be foreseen
        near = near & (kept[q] >= 0)
        hands.contexts[count] = q
        count += near
    near = 1
    for q in range(p + 1, min(size, p + 1 + reach)):
        near = near & (kept[q] >= 0)
        hands.contexts[count] = q
        count += near
    return count


@inlined
def add_target(hands: Hands, base: int, id: int, true: float, count: int) -> int:
    """One more prediction of target ``id``: true or not. Returns the number of different targets."""
    seen, now = hands.seen[id], hands.clock[0]
    if seen >= now:
        slot = hands.slots[seen - now]
        hands.goals[0, slot] += np.float32(true)
        hands.goals[1, slot] += np.float32(1)
        return count
    slot = hands.slots[count]
    hands.seen[id], hands.targets[count] = now + count, base + id
    hands.goals[0, slot], hands.goals[1, slot] = np.float32(true), np.float32(1)
    return count + 1


@inlined
def add_noise(hands: Hands, base: int, id: int, predictions: int, share: float, count: int) -> int:
    """A noise word that stands for ``share`` of those of ``predictions`` predictions; not of those where it is the answer."""
    seen, now = hands.seen[id], hands.clock[0]
    if seen >= now:
        slot = hands.slots[seen - now]
        hands.goals[1, slot] += np.float32(share * (predictions - hands.goals[0, slot]) / predictions)
        return count
    slot = hands.slots[count]
    hands.seen[id], hands.targets[count] = now + count, base + id
    hands.goals[0, slot], hands.goals[1, slot] = np.float32(0), np.float32(share)
    return count + 1


@inlined
def add_path(hands: Hands, base: int, paths: Paths, word: int, count: int) -> int:
    """The turns on a word's way."""
    for place in range(paths.starts[word], paths.starts[word + 1]):
        count = add_target(hands, base, paths.nodes[place], 1.0 - paths.turns[place], count)
    return count


@inlined
def find_targets(kept: Ids, p: int, around: int, settings: Settings, sampling: Sampling, hands: Hands) -> int:
    """What the hidden vector of place ``p`` must predict. Returns the number of different targets."""
    hands.clock[0] += CLOCK
    count, base = 0, settings.inputs
    predictions = 1 if settings.cbow else around
    for number in range(predictions):
        word = kept[p] if settings.cbow else kept[hands.contexts[number]]
        if settings.noise > 0:
            count = add_target(hands, base, word, 1.0, count)
        else:
            count = add_path(hands, base, sampling.paths, word, count)
    if settings.noise > 0:
        share = predictions * settings.negative / settings.noise
        turn = hands.turn[0]
        for _ in range(settings.noise):
            count = add_noise(hands, base, hands.noise[turn], predictions, share, count)
            turn = turn + 1 if turn + 1 < settings.pool else 0
        hands.turn[0] = turn
    return count


# ---- a turn -------------------------------------------------------------------------------------------------------


@inlined
def sit_down(
    kept: Ids, size: int, begin: int, end: int, settings: Settings, pieces: Pieces, parameters: Floats,
    arena: Floats, words: Ids, notes: Places,
) -> None:  # fmt: skip
    """CBOW: a seat for every word of the turn and around it, with the sum of its rows, and no move yet."""
    low, high, moves = max(0, begin - settings.window), min(size, end + settings.window), seats_of(settings)
    notes[0] = high - low
    for q in range(low, high):
        if q + 1 < high:
            ask_for_word(parameters, pieces, kept[q + 1], settings.direct)
        word, seat = kept[q], q - low
        words[seat] = word
        if word >= 0:
            gather(parameters, pieces.rows, pieces.starts[word], pieces.starts[word + 1], 1.0, arena, seat)
            for k in range(0, parameters.shape[1], LANES):
                store(arena, moves + seat, k, spread(np.float32(0)))


@inlined
def mean_of_seats(
    kept: Ids, around: int, low: int, pieces: Pieces, parameters: Floats, arena: Floats, hidden: int, hands: Hands
) -> None:
    """CBOW: the mean of all rows of all contexts."""
    rows = 0
    for number in range(around):
        word = kept[hands.contexts[number]]
        rows += pieces.starts[word + 1] - pieces.starts[word]
    share = spread(np.float32(1.0 / rows))
    for k in range(0, parameters.shape[1], LANES):
        gathered = spread(np.float32(0))
        for number in range(around):
            gathered = plus(gathered, load(arena, hands.contexts[number] - low, k))
        store(arena, hidden, k, times(gathered, share))


@inlined
def share_out(
    kept: Ids, around: int, low: int, moves: int, into: int, pieces: Pieces, parameters: Floats, arena: Floats,
    hands: Hands,
) -> None:  # fmt: skip
    """CBOW: all rows of all contexts take the step, so that a sum of n rows moves n times as far."""
    for number in range(around):
        seat, word = hands.contexts[number] - low, kept[hands.contexts[number]]
        rows = spread(np.float32(pieces.starts[word + 1] - pieces.starts[word]))
        for k in range(0, parameters.shape[1], LANES):
            moved = load(arena, into, k)
            store(arena, moves + seat, k, plus(load(arena, moves + seat, k), moved))
            store(arena, seat, k, fma(rows, moved, load(arena, seat, k)))


@inlined
def note(desks: Desks, shard: int, hands: Hands, count: int, hidden: int) -> None:
    """Write down which targets must move, to be done when all shards have looked."""
    noted = desks.notes[shard, 1]
    for j in range(count):
        desks.targets[shard, noted + j] = hands.targets[j]
        desks.places[shard, noted + j] = hidden
        desks.errors[shard, noted + j] = hands.scores[0, hands.slots[j]]
    desks.notes[shard, 1] = noted + count


@inlined
def ask_ahead(
    kept: Ids, size: int, p: int, begin: int, end: int, settings: Settings, pieces: Pieces, parameters: Floats,
    hands: Hands,
) -> None:  # fmt: skip
    """Ask for what the next word needs: its rows, its noise words, and the context that comes into sight."""
    asked = (p - begin) * 2 * settings.pool // settings.chunk
    if p + 1 >= end or kept[p + 1] < 0:
        return
    if not settings.cbow:
        ask_for_word(parameters, pieces, kept[p + 1], settings.direct)
        far = p + 1 + settings.window
        if far < size and kept[far] >= 0 and settings.noise > 0:
            ask_for(parameters, settings.inputs + kept[far], settings.direct)
    elif settings.noise > 0:
        ask_for(parameters, settings.inputs + kept[p + 1], settings.direct)
    for number in range(asked, min(settings.pool, asked + 2 * settings.pool // settings.chunk)):
        ask_for(parameters, settings.inputs + hands.noise[number], settings.direct)


@inlined
def seats_of(settings: Settings) -> int:
    """Z: the words of a turn, and for CBOW those around it."""
    return settings.chunk + (2 * settings.window if settings.cbow else 0)


@inlined
def begin_turn(
    kept: Ids, size: int, begin: int, end: int, settings: Settings, pieces: Pieces, sampling: Sampling,
    parameters: Floats, arena: Floats, words: Ids, notes: Places, hands: Hands,
) -> None:  # fmt: skip
    """Draw the noise words; seat everybody."""
    notes[0], notes[1], notes[2], hands.turn[0] = end - begin, 0, 1, 0
    for number in range(settings.pool):
        hands.noise[number] = draw(sampling.noise, hands.stream)
    if settings.cbow:
        sit_down(kept, size, begin, end, settings, pieces, parameters, arena, words, notes)
    else:
        words[: end - begin] = -1


@inlined
def make_own_moves(pieces: Pieces, parameters: Floats, arena: Floats, words: Ids, seats: int, moves: int) -> None:
    """CBOW in the parameters themselves: at the end of a turn, all rows of all words move."""
    for seat in range(seats):
        if words[seat] >= 0:
            first, last = pieces.starts[words[seat]], pieces.starts[words[seat] + 1]
            scatter(parameters, pieces.rows, first, last, arena, moves + seat)


@kernel
def take_turn(
    kept: Ids, size: int, begin: int, end: int, settings: Settings, pieces: Pieces, sampling: Sampling,
    parameters: Floats, desks: Desks, shard: int, hands: Hands, rate: float, listen: int,
    totals_: NDArray[np.float64],
) -> None:  # fmt: skip
    """Train on words ``kept[begin:end]``: what must move is noted, or moved at once where training is ``direct``."""
    arena, words, notes = desks.arena[shard], desks.words[shard], desks.notes[shard]
    moves = seats_of(settings)
    low = max(0, begin - settings.window)  # CBOW: who has the first seat
    begin_turn(kept, size, begin, end, settings, pieces, sampling, parameters, arena, words, notes, hands)
    for p in range(begin, end):
        ask_ahead(kept, size, p, begin, end, settings, pieces, parameters, hands)
        word, around, count = kept[p], 0, 0
        if word >= 0:
            around = find_contexts(kept, size, p, settings.window, hands)
        if around > 0:
            count = find_targets(kept, p, around, settings, sampling, hands)
        if count == 0:  # nobody around; or a tree of one word, which has no inner node
            continue
        first, last = pieces.starts[word], pieces.starts[word + 1]
        if settings.cbow:
            hidden, into = 2 * moves + p - begin, 2 * moves + settings.chunk
            mean_of_seats(kept, around, low, pieces, parameters, arena, hidden, hands)
        else:
            hidden, into = p - begin, moves + p - begin
            gather(parameters, pieces.rows, first, last, 1.0 / (last - first), arena, hidden)
        heard = (p - begin) % listen == 0
        loss = predict(parameters, arena, hidden, into, hands, count, rate, settings.direct, heard)
        if np.isnan(loss):
            notes[2] = 0
            break
        if heard:
            totals_[0] += loss / (1 if settings.cbow else around)
            totals_[1] += 1
        if settings.cbow:
            share_out(kept, around, low, moves, into, pieces, parameters, arena, hands)
        elif settings.direct:
            scatter(parameters, pieces.rows, first, last, arena, into)
        else:
            words[p - begin] = word
        if not settings.direct:
            note(desks, shard, hands, count, hidden)
    if settings.cbow and settings.direct:
        make_own_moves(pieces, parameters, arena, words, notes[0], moves)


@kernel
def make_moves(
    settings: Settings, pieces: Pieces, parameters: Floats, desks: Desks, shard: int, hands: Hands, thread: int,
    threads: int,
) -> None:  # fmt: skip
    """Of what a shard noted, the moves of the rows that the thread owns."""
    arena, words, notes = desks.arena[shard], desks.words[shard], desks.notes[shard]
    moves = seats_of(settings)
    for seat in range(notes[0]):
        word = words[seat]
        if word >= 0 and threads == 1:
            scatter(parameters, pieces.rows, pieces.starts[word], pieces.starts[word + 1], arena, moves + seat)
        elif word >= 0:
            first, last = pieces.splits[word, thread], pieces.splits[word, thread + 1]
            scatter(parameters, pieces.rows, first, last, arena, moves + seat)
    low, high, count = OWNERS * thread // threads, OWNERS * (thread + 1) // threads, 0
    for number in range(notes[1]):  # collected without a branch, which the processor could not foresee
        owner = desks.targets[shard, number] & (OWNERS - 1)
        hands.owned[count] = number
        count += (low <= owner) & (owner < high)
    for mine in range(count):
        number = hands.owned[mine]
        row, place, error = desks.targets[shard, number], desks.places[shard, number], desks.errors[shard, number]
        for k in range(0, parameters.shape[1], LANES):
            store(parameters, row, k, fma(spread(error), load(arena, place, k), load(parameters, row, k)))


# ---- a block ------------------------------------------------------------------------------------------------------


@kernel
def train_in_step(
    kept: Ids, size: int, block: int, rates: tuple[float, float], settings: Settings, pieces: Pieces,
    sampling: Sampling, parameters: Floats, desks: Desks, hands: Hands, totals_: NDArray[np.float64],
    control: NDArray[np.int64], thread: int, threads: int,
) -> int:  # fmt: skip
    """All of ``kept[:size]`` in rounds of S turns, together with the other threads; the rate goes from rates[0] to rates[1].

    ``totals_`` (S, 2): loss and how many words it was measured at, by shard. Returns the words done: fewer than ``size``
    where a round's scores are beyond all sense; nothing of that round was applied.
    """
    for begin in range(0, size, settings.shards * settings.chunk):
        rate = rates[0] + (rates[1] - rates[0]) * begin / size
        for shard in range(thread, settings.shards, threads):
            first = begin + shard * settings.chunk
            last = min(size, first + settings.chunk)
            desks.notes[shard, 0], desks.notes[shard, 1], desks.notes[shard, 2] = 0, 0, 1
            if first < last:
                start_stream(hands.stream, settings.seed, block, first)
                take_turn(
                    kept, size, first, last, settings, pieces, sampling, parameters, desks, shard, hands, rate, LISTEN,
                    totals_[shard],
                )  # fmt: skip
        if not barrier(control, threads):
            return begin
        for shard in range(settings.shards):  # every thread looks at all of them and comes to the same decision
            if desks.notes[shard, 2] == 0:
                return begin
        for shard in range(settings.shards):
            make_moves(settings, pieces, parameters, desks, shard, hands, thread, threads)
        if not barrier(control, threads):
            return begin
    return size


@kernel
def train_lock_free(
    kept: Ids, size: int, block: int, rates: tuple[float, float], settings: Settings, pieces: Pieces,
    sampling: Sampling, parameters: Floats, desks: Desks, hands: Hands, totals_: NDArray[np.float64],
    control: NDArray[np.int64], thread: int, threads: int,
) -> int:  # fmt: skip
    """Every ``threads``-th turn of ``kept[:size]``; in the parameters, whatever the others do meanwhile."""
    desks.notes[thread, 2] = 1
    for begin in range(thread * settings.chunk, size, threads * settings.chunk):
        rate = rates[0] + (rates[1] - rates[0]) * begin / size
        last = min(size, begin + settings.chunk)
        start_stream(hands.stream, settings.seed, block, begin)
        take_turn(
            kept, size, begin, last, settings, pieces, sampling, parameters, desks, thread, hands, rate, LISTEN,
            totals_[thread],
        )  # fmt: skip
        if desks.notes[thread, 2] == 0:
            atomic_store(control, ABORT, 1)
        if atomic_load(control, ABORT) != 0:
            return begin
    return size


@kernel
def measure(
    kept: Ids, size: int, settings: Settings, pieces: Pieces, sampling: Sampling, parameters: Floats, desks: Desks,
    hands: Hands, totals_: NDArray[np.float64],
) -> None:  # fmt: skip
    """The loss of ``kept[:size]`` at parameters that stand still, at every word; into ``totals_`` (2,)."""
    for begin in range(0, size, settings.chunk):
        start_stream(hands.stream, settings.seed, -1, begin)
        last = min(size, begin + settings.chunk)
        take_turn(kept, size, begin, last, settings, pieces, sampling, parameters, desks, 0, hands, 0.0, 1, totals_)


# ---- n-grams ------------------------------------------------------------------------------------------------------


@inlined
def _hashed(value: np.uint32, byte: np.uint8) -> np.uint32:
    signed = np.uint32(byte) | np.uint32(0xFFFFFF00) if byte >= 128 else np.uint32(byte)
    return np.uint32((value ^ signed) * np.uint32(16777619))


@kernel
def cut(
    data: NDArray[np.uint8], starts: Places, min_n: int, max_n: int, buckets: int, sizes: Places, found: Places
) -> None:
    """The buckets of the character n-grams of words that are marked, "<word>", as UTF-8 bytes.

    Cut by code point, as the original program does: all n-grams that begin with the first character, the shortest first, then
    the next one's; a mark is none by itself. Hashed by FNV-1a over bytes taken as signed.

    Args:
        data: all words, one after the other.
        starts: (V + 1,) word w is data[starts[w]:starts[w + 1]].
        min_n, max_n: fewest and most characters.
        buckets: the hash's numbers are below this.
        sizes: (V,) how many n-grams each word has: written.
        found: (P,) their buckets: written; (0,): only counted.
    """
    place = 0
    for word in range(len(starts) - 1):
        begin, end, count = starts[word], starts[word + 1], 0
        for i in range(begin, end):
            if (data[i] & 0xC0) == 0x80:  # not the first byte of a character
                continue
            value, j, n = np.uint32(2166136261), i, 1
            while j < end and n <= max_n:
                value = _hashed(value, data[j])
                j += 1
                while j < end and (data[j] & 0xC0) == 0x80:
                    value = _hashed(value, data[j])
                    j += 1
                if n >= min_n and not (n == 1 and (i == begin or j == end)):
                    if len(found) > 0:
                        found[place] = np.int64(value) % buckets
                    place += 1
                    count += 1
                n += 1
        sizes[word] = count


@kernel
def average(input: Floats, starts: Places, rows: Ids, found: Floats) -> None:
    """``found[w]`` = the mean of the rows of ``input`` that word w owns."""
    for word in range(len(starts) - 1):
        first, last = starts[word], starts[word + 1]
        found[word] = 0
        for i in range(first, last):
            for k in range(input.shape[1]):
                found[word, k] += input[rows[i], k]
        found[word] /= np.float32(last - first)


@kernel
def deal(starts: Places, rows: Ids) -> None:
    """Bring each word's rows into the order of their owners; those of one owner stay as they are."""
    ends = np.zeros(OWNERS + 1, dtype=np.int64)
    most = 0
    for word in range(len(starts) - 1):
        most = max(most, starts[word + 1] - starts[word])
    sorted_ = np.empty(most, dtype=np.int32)
    for word in range(len(starts) - 1):
        first, last = starts[word], starts[word + 1]
        ends[:] = 0
        for i in range(first, last):
            ends[(rows[i] & (OWNERS - 1)) + 1] += 1
        for owner in range(OWNERS):
            ends[owner + 1] += ends[owner]
        for i in range(first, last):
            owner = rows[i] & (OWNERS - 1)
            sorted_[ends[owner]] = rows[i]
            ends[owner] += 1
        for i in range(first, last):
            rows[i] = sorted_[i - first]


@kernel
def split(starts: Places, rows: Ids, splits: Places) -> None:
    """(V, T + 1) where the rows of each of T threads begin, of rows in the order of their owners."""
    threads = splits.shape[1] - 1
    for word in range(len(starts) - 1):
        place = starts[word]
        for thread in range(threads + 1):
            low = OWNERS * thread // threads
            while place < starts[word + 1] and (rows[place] & (OWNERS - 1)) < low:
                place += 1
            splits[word, thread] = place
