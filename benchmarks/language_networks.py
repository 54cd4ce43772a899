"""Networks that write, beside plain torch loops of the same sizes, and GPT beside nanoGPT; generation with and without a cache.

    python -m benchmarks.language_models --only networks [--nanogpt FOLDER] [--rounds 5] [--job NAME …]
    python -m benchmarks.language_models --only networks --whole --nanogpt FOLDER     # 2,000 steps of both on Shakespeare

One thread. Every job is a training of a few steps from ids on: a network is made, batches are drawn, gradients clipped, losses added up.
Contestants take turns; a round is one job of each; the first round is not counted. Figures are units a second, medians, by the wall
clock and by the processor's, which tell how fast one core is where others work on the machine. See ``plain_language.py`` for what
the others are. Writes ``results/language_networks.json``.
"""

from __future__ import annotations

import gzip
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks import results_file
from benchmarks.plain_language import Learned, NanoGPT, plain_lstm, plain_nnlm
from erya import catalog
from erya.models.gpt.asking import CachingDecoder
from erya.models.gpt.network import GPT, Form
from erya.parts import decoding
from erya.parts.torch_mode import torch_mode
from erya.progress import quiet
from erya.text import documents, unit_ids, units
from erya.text.samples import sample_card
from erya.text.unit_ids import BORDER, UNKNOWN

SHAKESPEARE = results_file.SHARED / "tiny_shakespeare" / "input.txt.gz"
PTB = results_file.SHARED / "ptb"
LEARNED = 0.9  # of Shakespeare, as nanoGPT has it
GENERATED = 256
Job = dict[str, Callable[[], Learned]]
JOBS = ("lstm_small", "lstm_medium", "gpt", "nnlm", "generation")


def _prepared(model: Any, source: Any, cutter: str) -> tuple[Any, unit_ids.Stream]:
    """A model with its vocabulary, and the stream that it is to learn."""
    model.units_ = units.make(cutter, [])
    model.vocabulary_, stream = unit_ids.learn(documents.pieces(source, model.documents), model.units_)
    return model, stream


def _ours(model: Any, stream: unit_ids.Stream) -> Callable[[], Learned]:
    def run() -> Learned:
        model._learn(stream, None, quiet)
        return Learned(model.steps * model.batch_size * model.context, model.curve_[-1]["loss"])

    return run


def lstm(preset: str, steps: int) -> Job:
    """A preset of ``lstm`` on the Penn Treebank, with our own cell, beside a plain loop with torch's."""
    made = catalog.model("generate/lstm", preset, {"steps": steps, "patience": None, "documents": "line"})
    model, stream = _prepared(made, PTB / "train.txt.gz", "whitespace")
    return {"erya": _ours(model, stream), "torch": lambda: plain_lstm(stream.ids, len(model.vocabulary_), model)}


def nnlm(steps: int) -> Job:
    """The default ``nnlm`` on the poems."""
    train = [piece.text for piece in documents.pieces(sample_card("poetry").folder / "tang.train.txt.gz")]
    made = catalog.model("generate/nnlm", "default", {"steps": steps, "patience": None})
    model, stream = _prepared(made, train, "characters")
    return {"erya": _ours(model, stream), "torch": lambda: plain_nnlm(stream.ids, len(model.vocabulary_), model)}


def shakespeare() -> tuple[str, str]:
    """The first nine tenths, and the rest."""
    with gzip.open(SHAKESPEARE, "rt", encoding="utf-8") as file:
        text = file.read()
    cut = int(len(text) * LEARNED)
    return text[:cut], text[cut:]


def nano(folder: Path) -> NanoGPT:
    """The peer, with its ids of the same text."""
    train, valid = shakespeare()
    letters = {letter: number for number, letter in enumerate(sorted(set(train + valid)))}
    ids = [torch.tensor([letters[letter] for letter in text], dtype=torch.int32).numpy() for text in (train, valid)]
    return NanoGPT(folder, ids[0], ids[1], len(letters))


def gpt(steps: int, folder: Path | None) -> Job:
    """The preset ``shakespeare`` of ``gpt`` beside nanoGPT."""
    made = catalog.model("generate/gpt", "shakespeare", {"steps": steps, "patience": None})
    model, stream = _prepared(made, [shakespeare()[0]], "characters")
    found: Job = {"erya": _ours(model, stream)}
    if folder is not None:
        peer = nano(folder)
        found["nanoGPT"] = lambda: peer.learn(steps, 0)[0]
    return found


def generation(form: Form) -> Job:
    """256 units out of nothing, keys and values kept or everything read anew at every step; what is measured does not depend on weights."""
    network = GPT(67, form, torch.Generator().manual_seed(0))

    def written(keeping: bool) -> Learned:
        with torch_mode():
            told = decoding.write(
                CachingDecoder(network, keeping=keeping), [[]], length=GENERATED, end=BORDER, never=[BORDER, UNKNOWN]
            )
        return Learned(len(told[0].ids), -told[0].log_probability / len(told[0].ids))

    return {"erya": lambda: written(True), "without a cache": lambda: written(False)}


def rounds_of(job: Job, rounds: int) -> dict[str, Any]:
    """All contestants in turns; units a second of each by both clocks, ratios to the first."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in job}
    for number in range(rounds + 1):
        for name, run in job.items():
            begin = time.perf_counter(), time.process_time()
            told = run()
            took = time.perf_counter() - begin[0], time.process_time() - begin[1]
            if number:
                runs[name].append(
                    {
                        "units": told.units,
                        "wall": told.units / took[0],
                        "processor": told.units / took[1],
                        "loss": told.loss,
                    }
                )
    found: dict[str, Any] = {"rounds": rounds, "speed": {}, "ratio": {}, "runs": runs}
    first = next(iter(job))
    for name, rows in runs.items():
        found["speed"][name] = {clock: statistics.median(row[clock] for row in rows) for clock in ("wall", "processor")}
        found["ratio"][name] = {  # within a round: what the machine does besides changes from round to round
            clock: statistics.median(mine[clock] / row[clock] for mine, row in zip(runs[first], rows, strict=True))
            for clock in ("wall", "processor")
        }
        print(f"  {name:20s}", {clock: round(value) for clock, value in found["speed"][name].items()}, end=" ")
        print({clock: round(value, 3) for clock, value in found["ratio"][name].items()}, f"loss {rows[-1]['loss']:.3f}")
    return found


def measure(chosen: list[str], rounds: int, folder: Path | None) -> dict[str, Any]:
    """Every job that was asked for."""
    torch.set_num_threads(1)
    sizes = catalog.model("generate/gpt", "shakespeare", {})
    form = Form(sizes.dim, sizes.layers, sizes.heads, 4 * sizes.dim, GENERATED + 1)
    made: dict[str, Callable[[], Job]] = {
        "lstm_small": lambda: lstm("small", 12),
        "lstm_medium": lambda: lstm("medium", 3),
        "gpt": lambda: gpt(25, folder),
        "nnlm": lambda: nnlm(12),
        "generation": lambda: generation(form),
    }
    found = {}
    for name in chosen:
        print(name)
        found[name] = {"seed": 0, **rounds_of(made[name](), rounds)}
    return found


def whole(folder: Path) -> dict[str, Any]:
    """2,000 steps of both, from the text on; minutes, and nats a character of the text that was held out."""
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    begin = time.perf_counter(), time.process_time()
    train, valid = shakespeare()
    model = catalog.model("generate/gpt", "shakespeare", {})
    model.fit([train], validation=[valid])
    found["erya"] = _took(begin) | {"steps": model.curve_[-1]["step"], "loss": model.curve_[-1]["validation_loss"]}
    print("erya", found["erya"])
    begin = time.perf_counter(), time.process_time()
    peer = nano(folder)
    _, network = peer.learn(model.steps, 0, listen=True)
    found["nanoGPT"] = _took(begin) | {"steps": model.steps, "loss": peer.whole(network)}
    print("nanoGPT", found["nanoGPT"])
    return {"seed": 0, **found}


def _took(begin: tuple[float, float]) -> dict[str, float]:
    return {
        "minutes": (time.perf_counter() - begin[0]) / 60,
        "processor_minutes": (time.process_time() - begin[1]) / 60,
    }
