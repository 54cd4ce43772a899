"""Skip-gram and CBOW against noise as PyTorch tensor operations, for any device: the twin of word2vec's Numba kernels.

A batch is cut into groups of g centres that stand side by side. A group's places, those of the centres and ``window`` more on both
sides, and R noise words that all its centres share become three small matrices; then everything is a product of matrices:

    scores   S = U Hᵀ (g, P) of centres against places       Z = H Nᵀ (P, R) of places against noise
    errors   E = M ∘ (1 − σ(S − o))                          F = −(K/R) C ∘ σ(Z − o')
    steps    U += η E H       H += η (Eᵀ U + F N)            N += η Fᵀ H

M (g, P) is 1 where a place is in a centre's window, C (P, R) counts the windows in which a place stands whose centre is not that
noise word itself. Each noise word weighs K/R, so that the step's mean is that of K words drawn for each centre, and R > K only makes
it less noisy. With CBOW, h = W H (g, D) predicts, W being M divided by the windows' sizes; the errors go back through Wᵀ. All steps
of a batch are taken from the same parameters and added. Mikolov et al. 2013; Gutmann & Hyvärinen 2012 for the offsets o.

On a GPU all of it is float32 without TF32. Speed there is not measured: no GPU was at hand.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from erya.parts.chance import AliasTable
from erya.parts.torch_mode import torch_mode

# cuBLAS gives the same bits again only with a workspace of fixed size; read when the device is first used
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

LARGEST = 1e12  # squared length of a step; training that works stays billions of times below

Floats = NDArray[np.float32]


class Noise(NamedTuple):
    """The noise words' distribution on the device: ``parts.chance.AliasTable`` as tensors.

    Attributes:
        keep: (V,) int64, of 2³².
        other: (V,) int64.
        offsets: (V,) float32, ln(K q(w)); (0,) where the loss is not noise-contrastive.
    """

    keep: Tensor
    other: Tensor
    offsets: Tensor


class Shape(NamedTuple):
    """What does not change while training."""

    window: int
    negative: int  # K
    shared: int  # R, noise words of a group
    group: int  # g, centres of a group
    cbow: bool
    mean: bool


class Parameters(NamedTuple):
    """On the device, float32.

    Attributes:
        vectors: (V, D).
        targets: (V, D).
        sound: (), bool: every step so far was finite and of any sense. Once false, nothing is changed any more.
    """

    vectors: Tensor
    targets: Tensor
    sound: Tensor


class Batch(NamedTuple):
    """n groups of text with all that was drawn for them. P = g + 2 window.

    Attributes:
        places: (n, P) int64 words, −1 where there is none; the centres are places ``window`` … ``window`` + g − 1.
        inside: (n, g, P) bool, which places are in each centre's window.
        noise: (n, R) int64 words.
    """

    places: Tensor
    inside: Tensor
    noise: Tensor


class Steps(NamedTuple):
    """What a batch changes: rows of ``vectors`` and ``targets``.

    Attributes:
        vectors: (n P, D), for the words ``places``.
        targets: (n g, D), for the words that are centres.
        noise: (n R, D), for the words ``noise``.
        loss: () float64, of the mean context of each word (CBOW: of each word), summed.
        words: () float64, that have any context.
    """

    vectors: Tensor
    targets: Tensor
    noise: Tensor
    loss: Tensor
    words: Tensor


# ---- what is drawn ------------------------------------------------------------------------------------------------


def draw_noise(noise: Noise, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """(n, R) words from the noise distribution, by the alias method."""
    device = noise.keep.device
    column = torch.randint(len(noise.keep), size, generator=generator, device=device)
    coin = torch.randint(2**32, size, generator=generator, device=device)
    return torch.where(coin < noise.keep[column], column, noise.other[column])


def draw_reach(centres: int, window: int, shrink: bool, device: torch.device, generator: torch.Generator) -> Tensor:
    """(centres,) how far each window reaches, from 1 to ``window``; always ``window`` unless ``shrink``."""
    if not shrink:
        return torch.full((centres,), window, device=device)
    return torch.randint(1, window + 1, (centres,), generator=generator, device=device)


def cut(padded: Tensor, lines: Tensor, reach: Tensor, noise: Tensor, shape: Shape) -> Batch:
    """The batch of a stretch of text.

    Args:
        padded: (n g + 2 window,) int64 words, −1 between lines and beyond the text's ends.
        lines: the same shape, a number for each line.
        reach: (n g,) of each centre.
        noise: (n, R).
        shape: g and the greatest window.
    """
    width = shape.group + 2 * shape.window
    places, line = padded.unfold(0, width, shape.group), lines.unfold(0, width, shape.group)  # (n, P)
    middle = slice(shape.window, shape.window + shape.group)
    here = torch.arange(width, device=padded.device)
    away = (here[None, :] - here[middle][:, None]).abs()  # (g, P)
    inside = (away > 0) & (away <= reach.view(-1, shape.group, 1))
    inside &= (line[:, None, :] == line[:, middle, None]) & (places[:, None, :] >= 0) & (places[:, middle, None] >= 0)
    return Batch(places, inside, noise)


# ---- the mathematics ----------------------------------------------------------------------------------------------


def steps(batch: Batch, parameters: Parameters, offsets: Tensor, shape: Shape) -> Steps:
    """What the batch adds to the parameters at a rate of 1: the loss's negative gradient, at parameters that stand still."""
    middle = slice(shape.window, shape.window + shape.group)
    places = batch.places.clamp(min=0)
    centres = places[:, middle]
    h, u, z = parameters.vectors[places], parameters.targets[centres], parameters.targets[batch.noise]
    own, others = _offsets(offsets, centres, batch.noise)
    strangers = (centres[:, :, None] != batch.noise[:, None, :]).float()  # (n, g, R)
    return (_cbow if shape.cbow else _skip_gram)(batch.inside.float(), strangers, h, u, z, own, others, shape)


def _offsets(offsets: Tensor, centres: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """(n, g, 1) of the centres and (n, 1, R) of the noise; zeros without noise-contrastive estimation."""
    if not len(offsets):
        zero = torch.zeros((1, 1, 1), device=centres.device)
        return zero, zero
    return offsets[centres][:, :, None], offsets[noise][:, None, :]


def _skip_gram(
    inside: Tensor, strangers: Tensor, h: Tensor, u: Tensor, z: Tensor, own: Tensor, others: Tensor, shape: Shape
) -> Steps:
    """Each context predicts by itself."""
    scores = torch.bmm(u, h.mT) - own  # (n, g, P)
    against = torch.bmm(h, z.mT) - others  # (n, P, R)
    weight = shape.negative / shape.shared
    error = inside * torch.sigmoid(-scores)  # 1 − σ(s) = σ(−s)
    seen = torch.bmm(inside.mT, strangers)  # (n, P, R) in how many windows the two meet
    noise_error = seen * torch.sigmoid(against) * -weight
    sizes = inside.sum(dim=2, keepdim=True)
    shares = inside / sizes.clamp(min=1)
    loss = _sum(shares * _softplus(-scores)) + weight * _sum(torch.bmm(shares.mT, strangers) * _softplus(against))
    return Steps(
        vectors=(torch.bmm(error.mT, u) + torch.bmm(noise_error, z)).flatten(0, 1),
        targets=torch.bmm(error, h).flatten(0, 1),
        noise=torch.bmm(noise_error.mT, h).flatten(0, 1),
        loss=loss,
        words=_sum(sizes > 0),
    )


def _cbow(
    inside: Tensor, strangers: Tensor, h: Tensor, u: Tensor, z: Tensor, own: Tensor, others: Tensor, shape: Shape
) -> Steps:
    """A window's contexts predict together, by their mean or their sum."""
    sizes = inside.sum(dim=2, keepdim=True)  # (n, g, 1)
    some = (sizes > 0).float()
    shares = inside / sizes.clamp(min=1) if shape.mean else inside
    hidden = torch.bmm(shares, h)  # (n, g, D)
    scores = (hidden * u).sum(dim=2, keepdim=True) - own  # (n, g, 1)
    against = torch.bmm(hidden, z.mT) - others  # (n, g, R)
    weight = shape.negative / shape.shared
    error = some * torch.sigmoid(-scores)
    noise_error = some * strangers * torch.sigmoid(against) * -weight
    loss = _sum(some * _softplus(-scores)) + weight * _sum(some * strangers * _softplus(against))
    return Steps(
        vectors=torch.bmm(shares.mT, error * u + torch.bmm(noise_error, z)).flatten(0, 1),
        targets=(error * hidden).flatten(0, 1),
        noise=torch.bmm(noise_error.mT, hidden).flatten(0, 1),
        loss=loss,
        words=_sum(some),
    )


def _softplus(x: Tensor) -> Tensor:
    """ln(1 + eˣ) = −ln σ(−x)."""
    return torch.nn.functional.softplus(x)


def _sum(x: Tensor) -> Tensor:
    return x.sum(dtype=torch.float64)


# ---- the steps are taken ------------------------------------------------------------------------------------------


def take(batch: Batch, found: Steps, parameters: Parameters, rate: float, often: Tensor, shape: Shape) -> None:
    """Add ``rate`` times the steps to the parameters, unless one of them is not finite or larger than any sense.

    All of a batch's steps for one word are added, so that a word that is often there would be thrown far. Its steps are made
    smaller, to what it may move between two looks at the parameters; as the rate falls, fewer words are slowed down.

    Nothing waits for the device: whether all is well stays there, in ``parameters.sound``.

    Args:
        batch: where the steps belong.
        found: the steps.
        parameters: changed in place.
        rate: the learning rate.
        often: (V,) occurrences of each word that are expected in a batch, divided by those that a rate of 1 would allow.
        shape: where the centres are.
    """
    places = batch.places.clamp(min=0)  # a place without a word has a step of zeros
    centres = places[:, shape.window : shape.window + shape.group]
    changes = []
    for matrix, rows, change in (
        (parameters.vectors, places.flatten(), found.vectors),
        (parameters.targets, centres.flatten(), found.targets),
        (parameters.targets, batch.noise.flatten(), found.noise),
    ):
        changes.append((matrix, rows, change * (rate / (rate * often[rows]).clamp(min=1))[:, None]))
    largest = torch.stack([change.square().sum(dim=1).amax() for _, _, change in changes])
    parameters.sound.logical_and_((largest < LARGEST).all())  # no comparison holds for what is not a number
    for matrix, rows, change in changes:
        matrix.index_add_(0, rows, torch.where(parameters.sound, change, 0.0))


# ---- a stretch of text --------------------------------------------------------------------------------------------


class Trainer:
    """Parameters on a device, and their training on stretches of text. Arrays in, arrays out.

    Args:
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        shape: the settings.
        batch: centres of a batch, a multiple of g.
        shrink: whether windows' widths are drawn.
        noise: the noise words' distribution, over V words.
        offsets: (V,) of noise-contrastive estimation, else (0,).
        often: (V,) as ``take`` has it.
    """

    def __init__(
        self, device: str, shape: Shape, batch: int, shrink: bool, noise: AliasTable, offsets: Floats, often: Floats
    ) -> None:
        self.device, self.shape, self.batch, self.shrink = torch.device(device), shape, batch, shrink
        self.noise = Noise(
            keep=torch.from_numpy(noise.keep.astype(np.int64)).to(self.device),
            other=torch.from_numpy(noise.other.astype(np.int64)).to(self.device),
            offsets=torch.from_numpy(offsets).to(self.device),
        )
        self.often = torch.from_numpy(often).to(self.device)

    def send(self, vectors: Floats, targets: Floats) -> None:
        """Parameters (V, D) and (V, D) to the device, as a copy even where it is the CPU."""
        self.parameters = Parameters(
            vectors=torch.tensor(vectors, device=self.device),
            targets=torch.tensor(targets, device=self.device),
            sound=torch.tensor(True, device=self.device),
        )

    def fetch(self) -> tuple[Floats, Floats]:
        """Both from the device. A step that was not finite was not taken there, so they are always those of a good step."""
        return self.parameters.vectors.cpu().numpy(), self.parameters.targets.cpu().numpy()

    def vectors_of(self, rows: NDArray[np.int64]) -> Floats:
        """(n, D) some words' vectors."""
        found: Floats = self.parameters.vectors[torch.from_numpy(rows).to(self.device)].cpu().numpy()
        return found

    @torch.no_grad()
    def train(self, kept: NDArray[np.int32], rates: tuple[float, float], seed: int) -> tuple[NDArray[np.float64], bool]:
        """Train on a stretch of text.

        Args:
            kept: (T,) words after subsampling, −1 between lines.
            rates: the learning rate at its beginning and at its end.
            seed: of windows and noise.

        Returns:
            The summed loss and the words that it was measured at (2,); whether all steps were taken.
        """
        shape, window, size = self.shape, self.shape.window, len(kept)
        generator = torch.Generator(self.device)
        generator.manual_seed(seed)
        end = -(-size // shape.group) * shape.group  # of the last group
        padded = np.full(end + 2 * window, -1, dtype=np.int64)
        padded[window : window + size] = kept
        text = torch.from_numpy(padded).to(self.device)
        lines = (text < 0).cumsum(0)
        totals = torch.zeros(2, dtype=torch.float64, device=self.device)
        for begin in range(0, end, self.batch):
            centres = min(self.batch, end - begin)
            stretch = slice(begin, begin + centres + 2 * window)
            noise = draw_noise(self.noise, (centres // shape.group, shape.shared), generator)
            reach = draw_reach(centres, window, self.shrink, self.device, generator)
            batch = cut(text[stretch], lines[stretch], reach, noise, shape)
            found = steps(batch, self.parameters, self.noise.offsets, shape)
            rate = rates[0] + (rates[1] - rates[0]) * begin / size
            take(batch, found, self.parameters, rate, self.often, shape)
            totals += torch.stack([found.loss, found.words])
        sound = bool(self.parameters.sound)  # here Python waits for the device
        summed: NDArray[np.float64] = totals.cpu().numpy()
        return summed, sound


@contextmanager
def running(*, same_bits: bool) -> Iterator[None]:
    """``torch_mode``; without ``same_bits``, with the faster operations whose sums have no fixed order."""
    with torch_mode():
        if not same_bits:
            torch.set_deterministic_debug_mode("default")
        yield
