"""The algebra of tag sequences with torch, on any device: the twin of ``crf.py``, for networks that end in a chain.

The same questions with the same arguments – emissions (L, C) one sentence after the other, ``starts`` (N + 1,), a chain of C
tags –, answered for all sentences at once: they are laid side by side, (N, T, C), and a loop over T steps of a few calls each walks through
all of them, from both ends at the same time. −inf is a prohibition, an empty sentence has one path, and numbers keep the
width of the emissions. Where there is no graphics processor ``crf.py`` is the faster one, so ``loss`` asks that one there.

``loss`` is what training needs, and it does not differentiate through time: the gradient of ln Z is the marginals, so both ways are walked
in the forward pass, and autograd only scales what was found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from erya.parts import crf

Semiring = Callable[[Tensor, int], Tensor]  # ⊕ along a dimension; ⊗ is + in both
LOG: Semiring = torch.logsumexp
BEST: Semiring = torch.amax


class Chain(NamedTuple):
    """Scores (C, C) from a tag (row) to the next (column), (C,) of beginning and (C,) of ending with a tag."""

    transitions: Tensor
    first: Tensor
    last: Tensor

    def held_to(self, first: ArrayLike, following: ArrayLike, last: ArrayLike) -> Chain:
        """The same, with −inf where a rule forbids; see ``crf.Chain.held_to``."""
        allowed = [torch.as_tensor(np.asarray(rule, dtype=bool)) for rule in (following, first, last)]
        return Chain(
            *(part.masked_fill(~rule.to(part.device), -torch.inf) for part, rule in zip(self, allowed, strict=True))
        )


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where N sentences of L tokens lie side by side.

    Attributes:
        lengths: (N,).
        places: (2, L) of each token in a table of N · T rows, its sentence read from the left and from the right.
        begins: (L,) whether a token is a sentence's first.
        ends: (L,) whether it is its last.
        owners: (L,) which sentence it is of.
        longest: T.
    """

    lengths: Tensor
    places: Tensor
    begins: Tensor
    ends: Tensor
    owners: Tensor
    longest: int

    @classmethod
    def of(cls, starts: ArrayLike, device: torch.device) -> Self:
        bounds = np.asarray(starts, dtype=np.int64)
        sizes = np.diff(bounds)
        longest, owners = int(sizes.max(initial=0)), np.repeat(np.arange(len(sizes)), sizes)
        left = np.arange(len(owners)) - bounds[owners]
        right = sizes[owners] - 1 - left
        places = np.stack([left, right]) + owners * longest

        def there(values: NDArray[Any]) -> Tensor:
            return torch.from_numpy(values).to(device)

        return cls(there(sizes), there(places), there(left == 0), there(right == 0), there(owners), longest)

    def side_by_side(self, values: Tensor, places: Tensor) -> Tensor:
        """(N, T, C) from (L, C); zeros behind a sentence's end."""
        table = values.new_zeros(len(self.lengths) * self.longest, values.shape[1])
        return table.index_copy(0, places, values).unflatten(0, (len(self.lengths), self.longest))  # type: ignore[no-untyped-call, no-any-return]

    def summed(self, values: Tensor) -> Tensor:
        """(N,) the sums over each sentence's tokens (L,)."""
        return values.new_zeros(len(self.lengths)).index_add(0, self.owners, values)


class Posterior(NamedTuple):
    """What all paths say, weighted by their probabilities: as ``crf.Posterior``."""

    tags: Tensor  # (L, C)
    pairs: Tensor  # (L, C, C), 0 at first tokens
    log_partition: Tensor  # (N,)


def log_partition(emissions: Tensor, starts: ArrayLike, chain: Chain) -> Tensor:
    """(N,) ln Z; −inf where every path is forbidden. Differentiable, through time; for training take ``loss``."""
    return _both_ways(emissions, _Layout.of(starts, emissions.device), chain, LOG)[2]


def through(emissions: Tensor, starts: ArrayLike, chain: Chain) -> Tensor:
    """(L, C) the score of the best path through each tag."""
    ahead, behind, _ = _both_ways(emissions, _Layout.of(starts, emissions.device), chain, BEST)
    return ahead + emissions + behind


def posterior(emissions: Tensor, starts: ArrayLike, chain: Chain) -> Posterior:
    """All marginals.

    Raises:
        DataError: a sentence without any path.
    """
    return _posterior(emissions, _Layout.of(starts, emissions.device), chain)


def entropy(emissions: Tensor, starts: ArrayLike, chain: Chain) -> Tensor:
    """(N,) −Σ p(y) ln p(y) over all paths, in nats.

    Raises:
        DataError: a sentence without any path.
    """
    layout = _Layout.of(starts, emissions.device)
    tags, pairs, total = _posterior(emissions, layout, chain)
    inside = _mean(tags, emissions) + _mean(pairs.flatten(1), chain.transitions.flatten())
    rim = layout.begins * _mean(tags, chain.first) + layout.ends * _mean(tags, chain.last)
    return (total - layout.summed(inside + rim)).clamp(min=0)


def path_scores(emissions: Tensor, starts: ArrayLike, chain: Chain, tags: ArrayLike) -> Tensor:
    """(N,) s(y) of the paths that ``tags`` (L,) are. Differentiable."""
    path = torch.as_tensor(np.asarray(tags, dtype=np.int64)).to(emissions.device)
    return _path_scores(emissions, _Layout.of(starts, emissions.device), chain, path)


def viterbi(emissions: Tensor, starts: ArrayLike, chain: Chain) -> tuple[Tensor, Tensor]:
    """The best path of each sentence, (L,), and its score, (N,); of equals as ``crf.viterbi``.

    Raises:
        DataError: a sentence without any path.
    """
    paths, scores = n_best(emissions, starts, chain, 1)
    _possible(scores[:, 0])
    return paths[0], scores[:, 0]


def n_best(emissions: Tensor, starts: ArrayLike, chain: Chain, n: int) -> tuple[Tensor, Tensor]:
    """The n best paths of each sentence, (n, L), −1 where it has fewer, and their scores, (N, n), −inf likewise; the best first."""
    layout, count = _Layout.of(starts, emissions.device), emissions.shape[1]
    scores = layout.side_by_side(emissions, layout.places[0])  # (N, T, C)
    reached = emissions.new_full((len(scores), count, n), -torch.inf)  # of the n best ways to each tag
    if layout.longest:
        reached[:, :, 0] = chain.first + scores[:, 0]
    origins = []  # of each step (N, C · n): tag before · n + rank before
    for step in range(1, layout.longest):
        ways = reached[:, None] + chain.transitions.T[:, :, None]  # (N, C, C before, n)
        best, origin = _greatest(ways.flatten(2), n)
        going_on = (step < layout.lengths)[:, None, None]
        reached = torch.where(going_on, best + scores[:, step, :, None], reached)
        origins.append(origin.flatten(1))
    found, way = _greatest((reached + chain.last[:, None]).flatten(1), n)  # (N, n)
    paths = torch.empty(len(scores), layout.longest, n, dtype=torch.long, device=emissions.device)
    for step in range(layout.longest - 1, -1, -1):
        paths[:, step] = way // n
        if step:
            way = torch.where((step < layout.lengths)[:, None], origins[step - 1].gather(1, way), way)
    nothing = torch.where(torch.arange(n, device=emissions.device) == 0, 0.0, -torch.inf).to(found)
    found = torch.where((layout.lengths == 0)[:, None], nothing, found)
    ragged = paths.flatten(0, 1)[layout.places[0]]  # (L, n)
    return ragged.masked_fill(found[layout.owners] == -torch.inf, -1).T, found


# ---- training ---------------------------------------------------------------------------------------------------------


def loss(
    emissions: Tensor, starts: ArrayLike, chain: Chain, tags: ArrayLike, *, weights: ArrayLike | None = None
) -> Tensor:
    """Σ_n weight_n (ln Z_n − s(y_n)), a number; its gradient reaches the emissions and the chain.

    Args:
        emissions: (L, C).
        starts: (N + 1,).
        chain: of C tags.
        tags: (L,) the true ones.
        weights: (N,); None: 1 each.

    Raises:
        DataError: a sentence without any path, or whose true path is forbidden.
    """
    bounds, truth = np.asarray(starts, dtype=np.int64), np.asarray(tags, dtype=np.int64)
    counted = np.ones(len(bounds) - 1) if weights is None else np.asarray(weights, dtype=np.float64)
    found: Tensor = _Loss.apply(emissions, *chain, bounds, truth, counted)  # type: ignore[no-untyped-call]
    return found


class _Loss(torch.autograd.Function):
    """Loss and slope at once; the slope waits for ``backward``."""

    @staticmethod
    def forward(
        ctx: Any,
        emissions: Tensor,
        transitions: Tensor,
        first: Tensor,
        last: Tensor,
        starts: Any,
        tags: Any,
        weights: Any,
    ) -> Tensor:
        """Emissions (L, C), the chain, then starts (N + 1,), tags (L,) and weights (N,) as arrays."""
        slope = slope_compiled if emissions.device.type == "cpu" else slope_batched
        found, slopes = slope(emissions, starts, Chain(transitions, first, last), tags, weights)
        ctx.save_for_backward(*slopes)
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """What ``forward`` found, times what comes from above."""
        return *(slope * gradients[0] for slope in ctx.saved_tensors), None, None, None


def slope_compiled(
    emissions: Tensor, starts: crf.Ints, chain: Chain, tags: crf.Ints, weights: crf.Floats
) -> tuple[Tensor, list[Tensor]]:
    """The loss, and its derivatives by emissions, transitions, first and last: by ``crf.slope``, on the CPU."""
    scores, *parts = (part.detach().numpy() for part in (emissions, *chain))
    found = crf.slope(scores, starts, crf.Chain(*parts), tags, weights=weights)
    slopes = found.emissions, found.transitions, found.first, found.last
    return emissions.new_tensor(found.loss), [torch.from_numpy(slope).to(emissions.dtype) for slope in slopes]


def slope_batched(
    emissions: Tensor, starts: crf.Ints, chain: Chain, tags: crf.Ints, weights: crf.Floats
) -> tuple[Tensor, list[Tensor]]:
    """The same on any device."""
    device, count = emissions.device, emissions.shape[1]
    layout, path = _Layout.of(starts, device), torch.from_numpy(tags).to(device)
    counted = torch.from_numpy(weights).to(emissions)
    truth = _path_scores(emissions, layout, chain, path)
    _possible(truth)
    expected = _posterior(emissions, layout, chain)
    each = counted[layout.owners]  # (L,)
    wrong = (expected.tags - torch.nn.functional.one_hot(path, count)) * each[:, None]
    steps = torch.einsum("l,lbc->bc", each, expected.pairs)
    places = (path.roll(1) * count + path)[~layout.begins]
    steps = steps.flatten().index_add(0, places, -each[~layout.begins]).view(count, count)
    total = counted @ (expected.log_partition - truth)
    return total, [wrong, steps, wrong[layout.begins].sum(dim=0), wrong[layout.ends].sum(dim=0)]


# ---- inside -----------------------------------------------------------------------------------------------------------


def _both_ways(emissions: Tensor, layout: _Layout, chain: Chain, semiring: Semiring) -> tuple[Tensor, Tensor, Tensor]:
    """What all paths bring to every tag of every token from the left and from the right, (L, C) each, without its own emission; and ⊕
    over all paths, (N,). One loop for both: sentence and chain turned round lie beside them as they are.
    """
    sides = torch.stack([layout.side_by_side(emissions, places) for places in layout.places])  # (2, N, T, C)
    into = torch.stack([chain.transitions, chain.transitions.T])[:, None]  # (2, 1, C, C)
    begin = torch.stack([chain.first, chain.last])[:, None]  # (2, 1, C)
    arrived = [begin.expand(2, len(layout.lengths), -1)][: layout.longest]
    for step in range(1, layout.longest):
        left = arrived[-1] + sides[:, :, step - 1]
        arrived.append(semiring(left[..., None] + into, -2))
    table = torch.stack(arrived, dim=2).flatten(1, 2) if arrived else sides.flatten(1, 2)  # (2, N · T, C)
    ahead, behind = (side[places] for side, places in zip(table, layout.places, strict=True))
    whole = semiring((ahead + emissions + chain.last)[layout.ends], -1)  # of the sentences that have tokens
    totals = emissions.new_zeros(len(layout.lengths))
    return ahead, behind, totals.masked_scatter(layout.lengths > 0, whole)


def _posterior(emissions: Tensor, layout: _Layout, chain: Chain) -> Posterior:
    ahead, behind, totals = _both_ways(emissions, layout, chain, LOG)
    _possible(totals)
    tags = torch.softmax(ahead + emissions + behind, dim=-1)
    before = (ahead + emissions).roll(1, 0)  # of the token to the left
    both = before[:, :, None] + chain.transitions + (emissions + behind)[:, None, :]
    both = both.masked_fill(layout.begins[:, None, None], 0.0)
    pairs = torch.softmax(both.flatten(1), dim=-1).view_as(both)
    return Posterior(tags, pairs.masked_fill(layout.begins[:, None, None], 0.0), totals)


def _path_scores(emissions: Tensor, layout: _Layout, chain: Chain, path: Tensor) -> Tensor:
    single = emissions.gather(1, path[:, None])[:, 0]
    into = torch.where(layout.begins, chain.first[path], chain.transitions[path.roll(1), path])
    return layout.summed(single + into + torch.where(layout.ends, chain.last[path], 0.0))


def _greatest(values: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """The n greatest of the last dimension in order, and their places: of equals the first."""
    if n == 1:
        best, place = values.max(dim=-1, keepdim=True)
        return best, place
    best, place = values.sort(dim=-1, descending=True, stable=True)
    return best[..., :n], place[..., :n]


def _mean(shares: Tensor, scores: Tensor) -> Tensor:
    """Σ share · score along the last dimension, where what never happens counts nothing, even if its score is −inf."""
    return (shares * torch.where(torch.isfinite(scores), scores, 0.0)).sum(dim=-1)


def _possible(scores: Tensor) -> None:
    """Raises DataError where a sentence has a score of −inf or NaN."""
    crf.possible(scores.detach().cpu().numpy())
