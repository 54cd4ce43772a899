"""Language networks as plain torch has them, in loops that somebody wrote who knows torch: what the language benchmarks compare with.

One layer call for all steps, ``cross_entropy`` on logits, fused optimizers, gradients set to None, ids laid out before the clock starts,
nothing copied that need not be, no determinism asked for. nanoGPT is its own ``model.py``, unchanged, in a loop like its ``train.py``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import math
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

Ids = NDArray[np.int32]


class Learned(NamedTuple):
    """What a training did.

    Attributes:
        units: that it learned from, over all steps.
        loss: nats a unit, mean over the steps.
    """

    units: int
    loss: float


def _fall(network: nn.Module, optimizer: torch.optim.Optimizer, loss: torch.Tensor, clip_norm: float) -> float:
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
    optimizer.step()
    return float(loss.detach())


class PlainLSTM(nn.Module):
    """``nn.Embedding``, ``nn.LSTM``, ``nn.Linear``; the sizes of an ``lstm`` that writes."""

    def __init__(self, vocabulary: int, like: Any) -> None:
        super().__init__()
        self.encoder = nn.Embedding(vocabulary, like.dim)
        self.lstm = nn.LSTM(like.dim, like.hidden_width, like.layers, dropout=like.dropout)
        self.dropout = nn.Dropout(like.dropout)
        self.decoder = nn.Linear(like.hidden_width, vocabulary)
        if like.tied:
            self.decoder.weight = self.encoder.weight
        scope = like.initial_range or 0.1
        for values in self.parameters():
            nn.init.uniform_(values, -scope, scope)

    def forward(self, inputs: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        hidden, state = self.lstm(self.dropout(self.encoder(inputs)), state)
        return self.decoder(self.dropout(hidden)), state


def plain_lstm(ids: Ids, vocabulary: int, like: Any) -> Learned:
    """Stochastic descent over rows that go on; ``like.steps`` steps."""
    torch.manual_seed(like.seed)
    network = PlainLSTM(vocabulary, like)
    optimizer = torch.optim.SGD(network.parameters(), like.learning_rate, fused=True)
    length = len(ids) // like.batch_size
    rows = (
        torch.from_numpy(ids[: length * like.batch_size].astype(np.int64)).view(like.batch_size, length).T.contiguous()
    )
    state, total, context = None, 0.0, like.context
    for step in range(like.steps):
        inputs, targets = (
            rows[step * context : (step + 1) * context],
            rows[step * context + 1 : (step + 1) * context + 1],
        )
        logits, state = network(inputs, state)
        state = tuple(part.detach() for part in state)
        total += _fall(
            network, optimizer, functional.cross_entropy(logits.flatten(0, 1), targets.flatten()), like.clip_norm
        )
    return Learned(like.steps * context * like.batch_size, total / like.steps)


class PlainNNLM(nn.Module):
    """Windows of vectors, ``nn.Linear``, tanh, ``nn.Linear``; the sizes of an ``nnlm``."""

    def __init__(self, vocabulary: int, like: Any) -> None:
        super().__init__()
        wide = (like.order - 1) * like.dim
        self.encoder = nn.Embedding(vocabulary, like.dim)
        self.hidden = nn.Linear(wide, like.hidden_width)
        self.dropout = nn.Dropout(like.dropout)
        into = like.dim if like.tied else like.hidden_width
        self.narrow = nn.Linear(like.hidden_width, like.dim, bias=False) if like.tied else nn.Identity()
        self.straight = nn.Linear(wide, like.dim if like.tied else vocabulary, bias=False) if like.direct else None
        self.decoder = nn.Linear(into, vocabulary)
        nn.init.normal_(self.encoder.weight, 0, 0.1)
        if like.tied:
            self.decoder.weight = self.encoder.weight
        self.tied = like.tied

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        vectors = self.dropout(self.encoder(windows).flatten(1))
        found = self.narrow(self.dropout(torch.tanh(self.hidden(vectors))))
        if self.straight is None:
            return self.decoder(found)
        if self.tied:
            return self.decoder(found + self.straight(vectors))
        return self.decoder(found) + self.straight(vectors)


def plain_nnlm(ids: Ids, vocabulary: int, like: Any) -> Learned:
    """Adam over windows in random order; ``like.steps`` steps."""
    torch.manual_seed(like.seed)
    network = PlainNNLM(vocabulary, like)
    optimizer = torch.optim.Adam(network.parameters(), like.learning_rate, fused=True)
    stream = torch.from_numpy(ids.astype(np.int64))
    windows = stream.unfold(0, like.order, 1)  # (N, n), a view
    size, total = like.batch_size * like.context, 0.0
    order = torch.randperm(len(windows))
    for step in range(like.steps):
        chosen = windows[order[step * size : (step + 1) * size]]
        loss = functional.cross_entropy(network(chosen[:, :-1]), chosen[:, -1])
        total += _fall(network, optimizer, loss, like.clip_norm)
    return Learned(like.steps * size, total / like.steps)


# ---- nanoGPT ------------------------------------------------------------------------------------------------------

NANO = {  # its README's command for a computer without a GPU, and config/train_shakespeare_char.py where that says nothing
    "batch_size": 12,
    "block_size": 64,
    "n_layer": 4,
    "n_head": 4,
    "n_embd": 128,
    "learning_rate": 1e-3,
    "min_lr": 1e-4,
    "warmup_iters": 100,
    "beta1": 0.9,
    "beta2": 0.99,
    "weight_decay": 0.1,
    "grad_clip": 1.0,
    "eval_interval": 250,
    "eval_iters": 20,
}


class NanoGPT:
    """nanoGPT's model and loop.

    Args:
        folder: its checkout.
        train: ids to learn from.
        valid: ids that it listens to.
        vocabulary: how many there are.
    """

    def __init__(self, folder: Path, train: Ids, valid: Ids, vocabulary: int) -> None:
        place = importlib.util.spec_from_file_location("nanogpt_model", folder / "model.py")
        if place is None or place.loader is None:
            raise FileNotFoundError(folder / "model.py")
        self.module = importlib.util.module_from_spec(place)
        sys.modules["nanogpt_model"] = self.module
        place.loader.exec_module(self.module)
        self.vocabulary, self.valid = vocabulary, valid
        self.kept = tempfile.TemporaryDirectory()  # its data are files
        for name, ids in (("train", train), ("val", valid)):
            ids.astype(np.uint16).tofile(Path(self.kept.name) / f"{name}.bin")

    def batch(self, split: str) -> tuple[torch.Tensor, torch.Tensor]:
        """As its ``get_batch``: the file is opened anew each time."""
        size, block = NANO["batch_size"], NANO["block_size"]
        data = np.memmap(Path(self.kept.name) / f"{split}.bin", dtype=np.uint16, mode="r")
        places = torch.randint(len(data) - block, (size,))
        inputs = torch.stack([torch.from_numpy(data[place : place + block].astype(np.int64)) for place in places])
        targets = torch.stack(
            [torch.from_numpy(data[place + 1 : place + 1 + block].astype(np.int64)) for place in places]
        )
        return inputs, targets

    def rate(self, step: int, steps: int) -> float:
        """As its ``get_lr``."""
        if step < NANO["warmup_iters"]:
            return NANO["learning_rate"] * (step + 1) / (NANO["warmup_iters"] + 1)
        done = (step - NANO["warmup_iters"]) / max(1, steps - NANO["warmup_iters"])
        share = 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        return NANO["min_lr"] + share * (NANO["learning_rate"] - NANO["min_lr"])

    @torch.no_grad()
    def listened(self, model: Any) -> float:
        """As its ``estimate_loss``: both splits, a few batches each."""
        model.eval()
        losses = {}
        for split in ("train", "val"):
            found = [model(*self.batch(split))[1].item() for _ in range(int(NANO["eval_iters"]))]
            losses[split] = sum(found) / len(found)
        model.train()
        return losses["val"]

    def learn(self, steps: int, seed: int, *, listen: bool = False) -> tuple[Learned, Any]:
        """``steps`` steps; with ``listen`` it stops to evaluate as often as its configuration says."""
        torch.manual_seed(1337 + seed)
        config = {name: NANO[name] for name in ("n_layer", "n_head", "n_embd", "block_size")}
        betas = (NANO["beta1"], NANO["beta2"])
        with contextlib.redirect_stdout(io.StringIO()):
            model = self.module.GPT(
                self.module.GPTConfig(**config, bias=False, vocab_size=self.vocabulary, dropout=0.0)
            )
            optimizer = model.configure_optimizers(NANO["weight_decay"], NANO["learning_rate"], betas, "cpu")
        total, (inputs, targets) = 0.0, self.batch("train")
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = self.rate(step, steps)
            if listen and step % NANO["eval_interval"] == 0:
                self.listened(model)
            _, loss = model(inputs, targets)
            inputs, targets = self.batch("train")
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), NANO["grad_clip"])
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            total += loss.item()
        if listen:
            self.listened(model)
        return Learned(int(steps * NANO["batch_size"] * NANO["block_size"]), total / steps), model

    @torch.no_grad()
    def whole(self, model: Any) -> float:
        """Nats a unit of all that it listens to, in blocks as long as its context."""
        model.eval()
        block, total, units = int(NANO["block_size"]), 0.0, 0
        ids = torch.from_numpy(self.valid.astype(np.int64))
        for start in range(0, len(ids) - 1, block):
            inputs = ids[start : min(start + block, len(ids) - 1)][None]
            targets = ids[start + 1 : start + 1 + inputs.shape[1]][None]
            total += model(inputs, targets)[1].item() * inputs.shape[1]
            units += inputs.shape[1]
        return total / units
