"""Counting n-grams by sorting, and walking through the tree of them.

An n-gram of order k is a node; its parent is the (k−1)-gram without its last word, its suffix the one without its first. Nodes of an
order are numbered in the order of their words from left to right, so that the children of a node lie side by side: ``begin[node]`` to
``begin[node + 1]`` in the next order. Nodes are found by halving that range; there is no hash table.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import inlined, kernel

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float64]
ROOT = -1


@kernel
def reach(ids: Ints, back: Ints) -> None:
    """How many units before each place belong to its document, the border before it counted: (L,)."""
    distance = 0
    for place in range(len(ids)):
        back[place] = distance
        distance = 1 if ids[place] == 0 else distance + 1


@kernel
def sort_by_word(ids: Ints, units: int, order: Ints) -> None:
    """The places 1 … L − 1 by their unit; those of one unit in the order of the text: (L − 1,)."""
    slots = np.zeros(units + 1, dtype=np.int64)
    for place in range(1, len(ids)):
        slots[ids[place] + 1] += 1
    for unit in range(units):
        slots[unit + 1] += slots[unit]
    for place in range(1, len(ids)):
        order[slots[ids[place]]] = place
        slots[ids[place]] += 1


@kernel
def sort_by_context(
    order: Ints, previous: Ints, back: Ints, length: int, held: Ints, nodes: Ints, starts: Longs, sorted_places: Ints
) -> None:
    """Places with ``length`` units before them by the node of those, then by their own unit.

    Args:
        order: (L − 1,) places by unit.
        previous: (L,) the node of the ``length`` units that end at a place.
        back: see ``reach``.
        held, nodes: (L − 1,) for scratch: the places that are long enough, and their contexts.
        starts: (contexts + 1,) zeros; filled with where the places of each context begin.
        sorted_places: (L − 1,) filled as far as ``starts`` says.
    """
    found = 0
    for place in order:
        if back[place] >= length:
            node = previous[place - 1]
            held[found] = place
            nodes[found] = node
            starts[node + 1] += 1
            found += 1
    for node in range(len(starts) - 1):
        starts[node + 1] += starts[node]
    slots = starts.copy()
    for at in range(found):
        node = nodes[at]
        sorted_places[slots[node]] = held[at]
        slots[node] += 1


@kernel
def nodes_of(
    ids: Ints,
    places: Ints,
    starts: Longs,
    previous: Ints,
    length: int,
    assigned: Ints,
    begin: Longs,
    word: Ints,
    count: Ints,
    suffix: Ints,
    first: NDArray[np.bool_],
) -> int:
    """The nodes of the next order, from places sorted by context and unit; how many there are.

    Args:
        places, starts: see ``sort_by_context``.
        length: of the contexts.
        assigned: (L,) filled with the node that ends at each place.
        begin: (contexts + 1,) filled with where the children of a context begin.
        word, count, suffix: filled for each node; the suffix is a node of the contexts' order.
        first: filled with whether a node begins with a border.
    """
    node = -1
    for context in range(len(starts) - 1):
        begin[context] = node + 1
        last = -1
        for at in range(starts[context], starts[context + 1]):
            place = places[at]
            unit = ids[place]
            if unit != last:
                last = unit
                node += 1
                word[node] = unit
                count[node] = 0
                suffix[node] = previous[place]
                first[node] = ids[place - length] == 0
            count[node] += 1
            assigned[place] = node
    begin[len(starts) - 1] = node + 1
    return node + 1


# ---- smoothing ---------------------------------------------------------------------------------------------------


@kernel
def discount(
    count: Longs,
    adjusted: Longs,
    begin: Longs,
    suffix: Ints,
    lower: Floats,
    discounts: Floats,
    least: int,
    probability: Floats,
    back_off: Floats,
    kept: NDArray[np.bool_],
) -> None:
    """Interpolated Kneser-Ney of one order, from the order below; Chen and Goodman 1998, equation 4.

    What a context keeps for the shorter one is summed, not taken from 1: that would leave few digits of a small weight.

    Args:
        count: (N,) how often each n-gram was seen: this decides whether it stays.
        adjusted: (N,) what it counts for.
        begin: (M + 1,) where the n-grams of each context begin.
        suffix: (N,) the n-gram below, or −1: then ``lower`` is one number for all.
        lower: probabilities of the order below.
        discounts: (3,) what is taken from counts of one, two, three and more.
        least: n-grams seen no more often than this are left out.
        probability, back_off, kept: (N,), (M,), (N,), filled.
    """
    for context in range(len(begin) - 1):
        total, free = 0.0, 0.0
        for node in range(begin[context], begin[context + 1]):
            counts = adjusted[node]
            total += counts
            kept[node] = count[node] > least
            if not kept[node]:
                free += counts
            elif counts:
                free += discounts[min(counts, 3) - 1]
        weight = free / total if total > 0 else 1.0
        back_off[context] = weight
        for node in range(begin[context], begin[context + 1]):
            counts = adjusted[node]
            left = counts - discounts[min(counts, 3) - 1] if counts else 0.0
            own = left / total if total > 0 and kept[node] else 0.0
            probability[node] = own + weight * lower[max(suffix[node], 0)]


# ---- asking ------------------------------------------------------------------------------------------------------


@inlined
def child(node: int, unit: int, begin: Longs, word: Ints) -> int:
    """The node of ``unit`` behind ``node``, or −1. Of the root it is the unit's own."""
    if node == -1:
        return unit
    low, high = begin[node], begin[node + 1]
    while low < high:
        middle = (low + high) // 2
        if word[middle] < unit:
            low = middle + 1
        else:
            high = middle
    if low < begin[node + 1] and word[low] == unit:
        return int(low)
    return -1


@inlined
def after(found: int, inner: int, suffix: Ints) -> int:
    """The context behind a node: itself, where it has a place for children, else its longest suffix that has."""
    while found >= inner:
        found = suffix[found]
    return found


@kernel
def score(
    ids: Ints,
    begin: Longs,
    word: Ints,
    suffix: Ints,
    log_probability: Floats,
    log_back_off: Floats,
    inner: int,
    logs: Floats,
    said: Longs,
) -> None:
    """Ln p of every unit of a stream but its first border: (L − 1,), and the node that said it.

    Args:
        ids: (L,) documents with a border first and one behind each.
        begin: (inner + 1,)
        word, suffix, log_probability: (N,) of all nodes of all orders; the first V are the units.
        log_back_off: (inner,)
        inner: nodes below the highest order.
        logs, said: (L − 1,), filled.
    """
    state = after(0, inner, suffix)
    for place in range(1, len(ids)):
        unit = ids[place]
        total = 0.0
        found = child(state, unit, begin, word)
        while found < 0:
            total += log_back_off[state]
            state = suffix[state]
            found = child(state, unit, begin, word)
        logs[place - 1] = total + log_probability[found]
        said[place - 1] = found
        state = after(0 if unit == 0 else found, inner, suffix)


@kernel
def walk(ids: Ints, state: int, begin: Longs, word: Ints, suffix: Ints, inner: int) -> int:
    """The context behind some more units."""
    for unit in ids:
        found = child(state, unit, begin, word)
        while found < 0:
            state = suffix[state]
            found = child(state, unit, begin, word)
        state = after(0 if unit == 0 else found, inner, suffix)
    return int(state)


@kernel
def distribution(
    state: int,
    begin: Longs,
    word: Ints,
    suffix: Ints,
    log_probability: Floats,
    log_back_off: Floats,
    row: Floats,
) -> None:
    """Ln p of all V units behind a context: (V,). The shortest context first; longer ones overwrite."""
    chain = np.zeros(256, dtype=np.int64)
    length = 0
    rest = 0.0
    node = state
    while node != -1:
        chain[length] = node
        rest += log_back_off[node]
        length += 1
        node = suffix[node]
    for unit in range(len(row)):
        row[unit] = log_probability[unit] + rest
    for place in range(length - 1, -1, -1):
        node = chain[place]
        rest = 0.0
        for longer in range(place):
            rest += log_back_off[chain[longer]]
        for found in range(begin[node], begin[node + 1]):
            row[word[found]] = log_probability[found] + rest
