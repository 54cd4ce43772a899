"""BiLSTM-CRF beside pytorch-crf: loss and decode of the chain, a whole training step, and sentences a second when answering.

    python -m benchmarks.tagging --only network        # with the other claims on taggers; writes results/tagging.json
    python -m benchmarks.tagging_network --pytorch-crf FOLDER              # this one alone, printed
    python -m benchmarks.tagging_network --sentences 200 --rounds 1         # does it run?

Peer: pytorch-crf 0.7.2, one file. Where ``import torchcrf`` does not find it, the folder that holds it is named by ``--pytorch-crf`` or the
environment's PYTORCH_CRF. All in one process with the same torch and threads, A B A B; figures are medians over rounds, by the clock –
or, with ERYA_THREADS=1, by processor time, which is the same on a machine that does nothing else and fair on any other.

*Chain*: 32 sentences, 40 tokens, 9 tags, the same scores on both sides – once all of 40 tokens, once of 5 to 40 –, which must give the same
loss and the same paths. *Training step*: the default ``bilstm_crf`` on the first sentences of CoNLL-2003, batches of 16, beside the same
body with pytorch-crf on top, and beside what one writes first: ``nn.Embedding``, ``nn.Conv1d`` over the letters of every token, ``nn.LSTM``
on a packed batch, pytorch-crf, Adam in its fused form; its padded batches are there before the clock starts. *Answers*: tokens in, tags
out, on the test parts of CoNLL-2003 and MSRA (tokens are characters); how long the training was does not matter there.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.results_file import SHARED
from erya import catalog, machine, read
from erya.parts import crf, crf_torch
from erya.parts.adam import Adam
from erya.parts.tag_batches import TagBatch, TagCorpus
from erya.parts.torch_mode import torch_mode
from erya.tasks import tag
from erya.training import descend

SENTENCES, TOKENS, TAGS = 32, 40, 9
CHAIN_FLOOR, ANSWERS_FLOOR = 3.0, 2000.0
REPEATS = 10  # of a walk through a chain, in one round
LEARNED = 1600  # sentences of a round of training steps
Run = Callable[[], Any]


def pytorch_crf() -> Any:
    """The class ``torchcrf.CRF``, or None where it is not to be had."""
    folder = os.environ.get("PYTORCH_CRF")
    if find_spec("torchcrf") is None and folder:
        sys.path.append(folder)
        try:
            return import_module("torchcrf").CRF
        finally:
            sys.path.remove(folder)
    return import_module("torchcrf").CRF if find_spec("torchcrf") else None


def medians(runs: dict[str, Run], rounds: int, repeats: int) -> dict[str, float]:
    """Seconds of one run of each, taken in turns."""
    clock = process_time if machine.threads() == 1 else perf_counter
    found: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()  # compiles, allocates
    for _ in range(rounds):
        for name, run in runs.items():
            began = clock()
            for _ in range(repeats):
                run()
            found[name].append((clock() - began) / repeats)
    return {name: statistics.median(seconds) for name, seconds in found.items()}


# ---- the chain ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chains:
    """The same scores for both: emissions (32, 40, 9) with a mask, and the rows under it."""

    peer: Any
    emissions: torch.Tensor
    mask: torch.Tensor
    tags: torch.Tensor
    rows: torch.Tensor
    starts: crf.Ints
    truth: crf.Ints

    @classmethod
    def of(cls, peer_class: Any, lengths: torch.Tensor) -> Chains:
        generator = torch.Generator().manual_seed(0)
        emissions = torch.randn(SENTENCES, TOKENS, TAGS, generator=generator)
        tags = torch.randint(0, TAGS, (SENTENCES, TOKENS), generator=generator)
        mask = torch.arange(TOKENS) < lengths[:, None]
        starts = np.concatenate([[0], np.cumsum(lengths.numpy())])
        rows = emissions[mask].clone().requires_grad_()
        return cls(
            peer_class(TAGS, batch_first=True), emissions.requires_grad_(), mask, tags, rows, starts, tags[mask].numpy()
        )

    def our_loss(self) -> torch.Tensor:
        self.rows.grad = None
        self.peer.zero_grad()
        chain = crf_torch.Chain(self.peer.transitions, self.peer.start_transitions, self.peer.end_transitions)
        loss = crf_torch.loss(self.rows, self.starts, chain, self.truth)
        torch.autograd.backward(loss)
        return loss.detach()

    def peer_loss(self) -> torch.Tensor:
        self.emissions.grad = None
        self.peer.zero_grad()
        loss = -self.peer(self.emissions, self.tags, mask=self.mask, reduction="sum")
        torch.autograd.backward(loss)
        return loss.detach()

    def our_paths(self) -> list[int]:
        parts = self.peer.transitions, self.peer.start_transitions, self.peer.end_transitions
        chain = crf.Chain(*(part.detach().double().numpy() for part in parts))
        return crf.viterbi(self.rows.detach().double().numpy(), self.starts, chain)[0].tolist()

    @torch.no_grad()
    def peer_paths(self) -> list[int]:
        return [tag for path in self.peer.decode(self.emissions, mask=self.mask) for tag in path]

    def check(self) -> None:
        """Raises AssertionError where the two do not say the same."""
        assert torch.allclose(self.our_loss(), self.peer_loss(), rtol=1e-4)
        assert torch.allclose(self.rows.grad, self.emissions.grad[self.mask], atol=1e-4)
        assert self.our_paths() == self.peer_paths()


def chains(peer_class: Any, rounds: int) -> list[dict[str, Any]]:
    """Loss with gradient, decode, and both, of the chain alone."""
    found = []
    mixed = torch.randint(5, TOKENS + 1, (SENTENCES,), generator=torch.Generator().manual_seed(1))
    for name, lengths in (("40 tokens each", torch.full((SENTENCES,), TOKENS)), ("5 to 40 tokens", mixed)):
        pair = Chains.of(peer_class, lengths)
        pair.check()
        loss = medians({"erya": pair.our_loss, "pytorch-crf": pair.peer_loss}, 3 * rounds, REPEATS)
        paths = medians({"erya": pair.our_paths, "pytorch-crf": pair.peer_paths}, 3 * rounds, REPEATS)
        both = {who: loss[who] + paths[who] for who in loss}
        for what, seconds in (("loss and gradient", loss), ("decode", paths), ("both", both)):
            found.append(row_of("chain", f"{what}, {name}", seconds, CHAIN_FLOOR))
    return found


def row_of(claim: str, what: str, seconds: dict[str, float], floor: float | None = None) -> dict[str, Any]:
    """Of one comparison, printed."""
    ratios = {who: spent / seconds["erya"] for who, spent in seconds.items() if who != "erya"}
    shown = "  ".join(f"{who} {1e3 * spent:8.2f} ms" for who, spent in seconds.items())
    times = "  ".join(f"{ratio:.1f}x" for ratio in ratios.values())
    print(f"{claim:9s} {what:34s} {shown}  {times}", flush=True)
    return {"claim": claim, "what": what, "seconds": seconds, "ratio": ratios, "floor": floor}


# ---- a training step ------------------------------------------------------------------------------------------------


class Plain(nn.Module):
    """The same sizes as a network of ours, of torch's own modules, on padded tensors."""

    def __init__(self, peer_class: Any, network: Any) -> None:
        super().__init__()
        body = network.body
        self.words, self.cases = nn.Embedding(body.words, body.dim), nn.Embedding(*network.case_embedding.shape)
        self.letters = nn.Embedding(body.letters, body.character_dim)
        window = body.character_window
        self.filters = nn.Conv1d(body.character_dim, body.character_width, window, padding=window // 2)
        width = body.dim + body.character_width + network.case_embedding.shape[1]
        self.lstm = nn.LSTM(width, body.hidden_width, bidirectional=True, batch_first=True)
        self.dropout = nn.Dropout(body.dropout)
        self.output = nn.Linear(2 * body.hidden_width, body.classes)
        self.crf = peer_class(body.classes, batch_first=True)

    def loss(self, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Of words and cases (B, T), characters (B, T, W), tags and mask (B, T), lengths (B,)."""
        words, cases, characters, tags, mask, lengths = batch
        letters = self.letters(characters).flatten(0, 1).transpose(1, 2)  # (B · T, E, W)
        spelling = torch.tanh(self.filters(letters).amax(dim=2)).unflatten(0, words.shape)
        told = self.dropout(torch.cat([self.words(words), spelling, self.cases(cases)], dim=2))
        packed = pack_padded_sequence(told, lengths, batch_first=True)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return -self.crf(self.output(self.dropout(states)), tags, mask=mask, reduction="mean")


def padded(batch: TagBatch) -> tuple[torch.Tensor, ...]:
    """A batch of ours as ``Plain`` takes it."""
    mask = torch.arange(batch.places.shape[1]) < batch.lengths[:, None]
    tags = torch.zeros(mask.shape, dtype=torch.long)
    tags[mask] = torch.from_numpy(batch.tags)
    columns = (column[batch.places] for column in (batch.words, batch.cases, batch.characters))
    return *columns, tags, mask, batch.lengths


def with_peer(network: Any, layer: Any) -> Any:
    """``network`` with pytorch-crf in place of its chain."""

    def loss(batch: TagBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        scores = network(batch, generator)
        mask = torch.arange(batch.places.shape[1]) < batch.lengths[:, None]
        emissions = scores.new_zeros(*mask.shape, scores.shape[1]).masked_scatter(mask[..., None], scores)
        tags = torch.zeros(mask.shape, dtype=torch.long).masked_scatter(mask, torch.from_numpy(batch.tags))
        return -layer(emissions, tags, mask=mask, reduction="mean")

    network.peer, network.loss = layer, loss
    return network


def steps(peer_class: Any, sentences: int | None, rounds: int) -> list[dict[str, Any]]:
    """One training step, the mean over an epoch of the first sentences of CoNLL-2003."""
    model = catalog.model("tag/bilstm_crf")
    part = read(SHARED / "conll2003", task="tag").train
    count = min(sentences or LEARNED, LEARNED)
    X, y = part.inputs[:count], part.targets[:count]
    examples = tag.examples(X, y, tokenizer=tag.tokenizer_for("auto", X), scheme=model.scheme)
    lexicon = lexicon_of(model, examples)
    corpus = TagCorpus(examples.sentences, lexicon, examples.tags, examples.weights, model.word_dropout)

    def network() -> Any:
        generator = torch.Generator().manual_seed(0)
        return model._built(lexicon, model.default_dim, examples.classes, examples.scheme, generator)

    order = corpus.shuffled(model.batch_size, [0, 0])
    ours, mixed = network(), with_peer(network(), peer_class(len(examples.classes), batch_first=True))
    plain = Plain(peer_class, ours)
    ready = [padded(corpus.batch(rows)) for rows in order]
    fused = torch.optim.Adam(plain.parameters(), model.learning_rate, fused=True)

    def learned(network: Any) -> Run:
        generator, optimizer = torch.Generator().manual_seed(0), Adam(network.parameters(), model.learning_rate)

        def run() -> None:
            batches = (corpus.batch(rows) for rows in order)
            for _ in descend(network, optimizer, batches, clip_norm=model.clip_norm, generator=generator):
                pass

        return run

    def written_first() -> None:
        for batch in ready:
            fused.zero_grad()
            torch.autograd.backward(plain.loss(batch))
            nn.utils.clip_grad_norm_(plain.parameters(), model.clip_norm)
            fused.step()

    runs = {
        "erya": learned(ours),
        "erya's body, pytorch-crf": learned(mixed),
        "plain torch, pytorch-crf": written_first,
    }
    found = medians(runs, rounds, 1)
    seconds = {who: spent / len(order) for who, spent in found.items()}
    row = row_of("training", f"a step of {model.batch_size} sentences", seconds)
    row["tokens_per_second"] = {who: len(examples.tags) / spent for who, spent in found.items()}
    return [row]


def lexicon_of(model: Any, examples: Any) -> Any:
    """Of all training sentences, as ``fit`` makes it."""
    from erya.parts.token_units import Lexicon

    return Lexicon.of(
        examples.sentences, min_count=model.min_count, lower_case=model.lower_case, paired=False, spelled=True
    )


# ---- answers --------------------------------------------------------------------------------------------------------


def answers(sentences: int | None, rounds: int) -> list[dict[str, Any]]:
    """Sentences a second, tokens in and tags out."""
    found = []
    for name, preset, unit in (("conll2003", "default", "tokens"), ("msra", "chinese", "characters")):
        data = read(SHARED / name, task="tag")
        train, test = data.train, data.test
        model = catalog.model("tag/bilstm_crf", preset, {"epochs": 1, "patience": None})
        count = min(sentences or 1000, 1000)
        model.fit(train.inputs[:count], train.targets[:count])
        asked = test.inputs[:sentences]
        seconds = medians({"erya": lambda model=model, asked=asked: model.predict(asked)}, rounds, 1)["erya"]
        size = sum(len(one) for one in asked)
        row = {
            "claim": "answers",
            "what": name,
            "sentences": len(asked),
            unit: size,
            "sentences_per_second": len(asked) / seconds,
            f"{unit}_per_second": size / seconds,
            "floor": ANSWERS_FLOOR if name == "conll2003" else None,
        }
        print(
            f"answers   {name:34s} {len(asked) / seconds:9,.0f} sentences/s {size / seconds:11,.0f} {unit}/s",
            flush=True,
        )
        found.append(row)
    return found


# ---- all ------------------------------------------------------------------------------------------------------------


def measure(sentences: int | None, rounds: int) -> dict[str, Any]:
    """All claims, printed.

    Args:
        sentences: of each data set; None: as many as the figures want.
        rounds: of each.
    """
    peer_class = pytorch_crf()
    with torch_mode():
        torch.set_deterministic_debug_mode("default")  # the peer knows nothing of it
        rows = answers(sentences, rounds)
        if peer_class is None:
            print("pytorch-crf is not there: pip install pytorch-crf==0.7.2, or PYTORCH_CRF=FOLDER", file=sys.stderr)
        else:
            rows = [*chains(peer_class, rounds), *steps(peer_class, sentences, rounds), *rows]
    for row in rows:
        reached = row["ratio"]["pytorch-crf"] if row["claim"] == "chain" else row.get("sentences_per_second")
        if row["floor"] and reached < row["floor"]:
            print(f"below the floor of {row['floor']:g}: {row['what']}", flush=True)
    clock = "processor" if machine.threads() == 1 else "wall"
    return {
        "threads": machine.threads(),
        "clock": clock,
        "peer": "pytorch-crf 0.7.2",
        "torch": torch.__version__,
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, help="of each data set, for a trial")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pytorch-crf", help="the folder that holds torchcrf")
    arguments = parser.parse_args()
    if arguments.pytorch_crf:
        os.environ["PYTORCH_CRF"] = arguments.pytorch_crf
    measure(arguments.sentences, arguments.rounds)


if __name__ == "__main__":
    main()
