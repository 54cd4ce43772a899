"""word2vec's training on a device of PyTorch's: the loop, blocks and checkpoints of ``loop.py``, other steps
(``parts/skip_gram_torch.py``).

The parameters stay on the device; they come back when they are looked at: for checkpoints, snapshots, the held-out loss, the end.
A run's checkpoint fits either device. PyTorch's random numbers, seeded by (seed, block), draw windows and noise, so that the
vectors are others than those of the kernels (how near: ``batch_words``). With ``deterministic`` the same device gives the same bits again.

Speed on a GPU, and from which size of a corpus on it pays, is not measured: no GPU was at hand.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import announce
from erya.models.word2vec import loop
from erya.models.word2vec import shard_kernels as shards
from erya.models.word2vec.loop import Floats, Ids, Plan, Run
from erya.parts.chance import start_stream
from erya.parts.skip_gram_torch import Shape, Trainer, running
from erya.parts.thinning import kept_shares, subsample
from erya.parts.torch_device import check_device
from erya.progress import Report
from erya.state import State

LARGEST_GROUP = 16  # centres that share noise
ROUNDS = 8  # of the kernels, that make a batch: see ``batch_words``


class TorchRun(Run):
    """A training whose steps are PyTorch's; not hierarchical softmax, whose paths are of all lengths. Arguments as ``Run``, and:

    Args:
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.

    Raises:
        UsageError: an unknown device.
        ResourceError: no such device.
    """

    def __init__(
        self,
        ids: Ids,
        counts: NDArray[np.int64],
        plan: Plan,
        watched: NDArray[np.int64],
        held_out: Ids | None = None,
        start: tuple[Floats, Floats] | None = None,
        *,
        device: str,
    ) -> None:
        check_device(device)
        super().__init__(ids, counts, plan, watched, held_out, start)
        words = batch_words(self.settings, len(ids))
        group = min(LARGEST_GROUP, words)
        batch = group * (words // group)
        shape = Shape(plan.window, plan.negative, max(plan.negative, group), group, plan.cbow, plan.mean)
        often = batch / loop.MOST_STEPS * kept_shares(counts, plan.sample)
        if plan.cbow and plan.mean:  # a window steps once; in skip-gram, once for each of its words
            often /= plan.window + 1 if plan.shrink else 2 * plan.window
        noise, offsets = self.sampling.noise, self.sampling.offsets
        self.trainer = Trainer(device, shape, batch, plan.shrink, noise, offsets, often.astype(np.float32))
        self.trainer.send(self.vectors, self.targets)

    def _fetch(self) -> None:
        """The parameters from the device."""
        self.vectors[...], self.targets[...] = self.trainer.fetch()

    def _steps(self, size: int, rates: tuple[float, float], threads: int = 1) -> NDArray[np.float64]:
        """``threads`` are the kernels'; a device has its own."""
        totals, sound = self.trainer.train(self.kept[:size], rates, self._block_seed())
        self.broken = not sound
        return totals

    def _block_seed(self) -> int:
        stream = np.zeros(1, dtype=np.uint64)
        start_stream(stream, self.plan.seed, self.done, -2)
        return int(stream[0] >> np.uint64(1))

    # ---- the whole: as ``Run``, with the parameters fetched where they are looked at ----------------------------

    def warm_up(self, report: Report) -> None:
        """Compile the kernel that subsamples, or fetch it from the cache."""
        announce(report, [subsample])

    def finish(self, report: Report) -> None:
        """See ``Run.finish``."""
        with running(same_bits=self.plan.deterministic):
            try:
                super().finish(report)
            finally:
                self._fetch()

    def loss(self, ids: Ids) -> float:
        """See ``Run.loss``: measured by the kernels on the CPU, the same task for every device."""
        self._fetch()
        return super().loss(ids)

    def _keep_snapshot(self) -> None:
        self.moments.append(self.done)
        self.snapshots.append(self.trainer.vectors_of(self.watched))

    def state(self) -> State:
        """See ``Run.state``."""
        self._fetch()
        return super().state()

    def resume(self, state: State) -> None:
        """See ``Run.resume``."""
        super().resume(state)
        self.trainer.send(self.vectors, self.targets)


def batch_words(settings: shards.Settings, tokens: int) -> int:
    """Centres of a batch: a function of settings, counts and the text's length, whatever the device.

    A round of the kernels bounds how far the most frequent word's row moves between two looks at the parameters
    (``loop._round``). Only large batches keep a GPU busy, so that a batch has ROUNDS times the words, and the words that are in
    it too often take smaller steps (``skip_gram_torch.take``): without that, four times the words diverge. It costs a
    little: on 120,000 made-up words (V = 2,000, five epochs at the usual rates) the loss ended 1.8 % above that of the kernels for
    skip-gram, 0.6 % for CBOW and 3.2 % for NCE; with half as many rounds it was 0.6 % for skip-gram.
    """
    return max(1, min(ROUNDS * settings.shards * settings.chunk, tokens))
