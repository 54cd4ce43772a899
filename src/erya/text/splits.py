"""Which row goes to training, validation or test: seeded, in proportion for every label, equal inputs together.

Groups of equal inputs are put in the order of a keyed hash of their text. So the answer needs no random generator of any
library, and a row's neighbours or its place in the file do not matter.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict

from erya.text.dataset import Input, Part, labels_of


def divide(part: Part, shares: dict[str, float], seed: int) -> dict[str, list[int]]:
    """0-based places of the rows of each new part and of what is left as ``"train"``, ascending.

    Args:
        part: the rows to share out.
        shares: share of the rows for each new part, together below 1.
        seed: another seed, another order.
    """
    groups: dict[Input, list[int]] = defaultdict(list)
    for place, document in enumerate(part.inputs):
        groups[document].append(place)
    ordered = sorted(groups.items(), key=lambda entry: _key(entry[0], seed))

    strata: dict[str, list[list[int]]] = defaultdict(list)
    rows = part.label_counts()
    for _, places in ordered:
        strata[_label(part, places, rows)].append(places)

    chosen: dict[str, list[int]] = {name: [] for name in (*shares, "train")}
    owed = dict.fromkeys(shares, 0.0)  # what rounding left over from the labels before
    for label in sorted(strata):
        _share_out(strata[label], shares, owed, chosen)
    _leave_none_empty(chosen, [places for _, places in ordered], list(shares))
    return {name: sorted(places) for name, places in chosen.items()}


def _share_out(
    groups: list[list[int]], shares: dict[str, float], owed: dict[str, float], chosen: dict[str, list[int]]
) -> None:
    """Give the groups of one label to the parts. Training keeps at least one group of every label."""
    rows = sum(map(len, groups))
    start = 0
    for name, share in shares.items():
        wish = rows * share + owed[name]
        given = 0
        while start < len(groups) - 1 and given + len(groups[start]) / 2 <= wish:
            chosen[name].extend(groups[start])
            given += len(groups[start])
            start += 1
        owed[name] = wish - given
    for places in groups[start:]:
        chosen["train"].extend(places)


def _leave_none_empty(chosen: dict[str, list[int]], ordered: list[list[int]], names: list[str]) -> None:
    """With few rows a part can come out empty: it then takes one group from training, while that has two."""
    for name in names:
        if chosen[name]:
            continue
        training = set(chosen["train"])
        left = [places for places in ordered if places[0] in training]
        if len(left) > 1:
            moved = set(left[-1])
            chosen[name].extend(left[-1])
            chosen["train"] = [place for place in chosen["train"] if place not in moved]


def _label(part: Part, places: list[int], rows: Counter[str]) -> str:
    """The label a group counts for: its most frequent one, the first by name of several.

    A row of several labels counts for its rarest (after Sechidis et al. 2011, "On the stratification of multi-label
    data", who also begin with the rarest): the frequent ones come out in proportion by themselves.
    """
    if part.targets is None:
        return ""
    counts: Counter[str] = Counter()
    for place in places:
        target = part.targets[place]
        if isinstance(target, dict):
            counts[max(sorted(target), key=lambda label: target[label])] += 1
        else:
            counts[min(sorted(labels_of(target)), key=lambda label: rows[label], default="")] += 1
    return min(counts, key=lambda label: (-counts[label], label))


def _key(document: Input, seed: int) -> bytes:
    digest = hashlib.blake2b(digest_size=16, key=str(seed).encode()[:64])
    for text in (document,) if isinstance(document, str) else document:
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    return digest.digest()
