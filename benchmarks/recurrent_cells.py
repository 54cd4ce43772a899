"""Recurrent layers with our own steps and gradients beside torch's fused modules on packed sequences.

    python -m benchmarks.recurrent_cells

One pass forward and back of a bidirectional layer with max pooling, 128 texts, D = 256, H = 96, by processor time of one
thread, the best of several rounds: three mixtures of lengths, three cells. Prints ratios; below 1 our steps are slower.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from erya.models.rnn.network import ElmanCell
from erya.parts.gru_cell import GRUCell
from erya.parts.lstm_cell import LSTMCell
from erya.parts.recurrent_layers import Cell, Reading, read
from erya.parts.token_batches import Corpus, TokenBatch

TEXTS, DIM, HIDDEN, VOCABULARY, ROUNDS = 128, 256, 96, 3000, 4
CELLS: dict[str, tuple[Cell, Any]] = {
    "rnn": (ElmanCell(), torch.nn.RNN),
    "gru": (GRUCell(), torch.nn.GRU),
    "lstm": (LSTMCell(), torch.nn.LSTM),
}


def batches() -> dict[str, TokenBatch]:
    """Batches of texts with a word's frequency falling as a power of its rank."""
    generator = np.random.default_rng(0)
    lengths: dict[str, NDArray[np.int64]] = {
        "about 9 tokens": np.clip(generator.poisson(9, TEXTS), 2, 30),
        "about 40 tokens": np.clip(generator.poisson(40, TEXTS), 10, 80),
        "one of 600, 127 of 8": np.r_[[600], np.full(TEXTS - 1, 8)],
    }
    found = {}
    for name, sizes in lengths.items():
        texts = [(1 + generator.zipf(1.3, size) % (VOCABULARY - 1)).tolist() for size in sizes]
        found[name] = Corpus(texts, VOCABULARY).batch(np.arange(TEXTS))
    return found


def ours(cell: Cell, batch: TokenBatch) -> Callable[[], None]:
    """Forward and back by the brick."""
    generator, sums = torch.Generator().manual_seed(0), cell.blocks * HIDDEN
    shapes = ((DIM, 2, sums), (2, HIDDEN, sums), (2, sums))
    into, recurrent, bias = (torch.randn(shape, generator=generator).mul_(0.05).requires_grad_() for shape in shapes)
    vectors = torch.randn(len(batch.tokens), DIM, generator=generator).requires_grad_()

    def run() -> None:
        reading = Reading.of(batch.lengths, 2)
        packed = read(cell, vectors, batch.places, reading, (into, recurrent, bias))
        torch.autograd.backward(reading.pooled(packed, "max").sum())

    return run


def fused(kind: Any, batch: TokenBatch) -> Callable[[], None]:
    """The same by torch."""
    vectors = torch.randn(len(batch.tokens), DIM, generator=torch.Generator().manual_seed(0)).requires_grad_()
    module = kind(DIM, HIDDEN, bidirectional=True, batch_first=True)
    outside = torch.arange(batch.places.shape[1]) >= batch.lengths[:, None]

    def run() -> None:
        states, _ = module(pack_padded_sequence(vectors[batch.places], batch.lengths, batch_first=True))
        hidden, _ = pad_packed_sequence(states, batch_first=True)
        torch.autograd.backward(hidden.masked_fill(outside[..., None], -1.0).amax(dim=1).sum())

    return run


def best(run: Callable[[], None]) -> float:
    """Processor seconds of one pass."""
    run()
    found = []
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    torch.set_num_threads(1)
    print(f"{'lengths':22s} {'cell':5s} {'ours':>9s} {'torch':>9s} {'ratio':>6s}")
    for lengths, batch in batches().items():
        for name, (cell, kind) in CELLS.items():
            mine, theirs = best(ours(cell, batch)), best(fused(kind, batch))
            print(f"{lengths:22s} {name:5s} {mine * 1e3:6.1f} ms {theirs * 1e3:6.1f} ms {theirs / mine:6.2f}")


if __name__ == "__main__":
    main()
