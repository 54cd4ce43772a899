"""fastText's word vectors: Erya's beside the original's, speed and quality.

    python -m benchmarks.fasttext --only vectors --fasttext-cli PATH             # whole jobs, then quality
    python -m benchmarks.fasttext --only vectors --tokens 20000 --rounds 1       # does it run? figures stay in --folder

Speed: skip-gram and CBOW with character n-grams of 3 to 6, 100 dimensions, one epoch, five noise words, from the file to the model
and the text of vectors written: the original's command line beside ours, lock-free and in step. Text: paragraphs of English
Wikipedia, lower case, without punctuation, so many words that a round of the original stays under a minute.

Quality: the same text, three epochs, seeds 0 1 2; rank correlation with people's judgements of WordSim, SimLex and RareWords, words
outside of the vocabulary by their n-grams. One scorer reads all files. Ours are called no worse where the bootstrap interval of the
difference, over seeds and pairs, lies above −0.01 with its lower end. What each pair scored is kept in ``--folder``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import fasttext, results_file, vectors_quality
from benchmarks.vectors_corpus import Corpus, english
from benchmarks.vectors_quality import Items
from benchmarks.vectors_running import Cell, Runner, Stage, measure, run
from erya.kernel_cache import source_hash

TINY = 20_000
KINDS = ("skipgram", "cbow")
SETTINGS = {
    "minn": 3,
    "maxn": 6,
    "dim": 100,
    "epoch": 1,
    "neg": 5,
    "minCount": 5,
    "bucket": 2_000_000,
    "t": 1e-4,
    "ws": 5,
}
EPOCHS = 3  # where quality is compared
SEEDS = (0, 1, 2)
SETS = ("wordsim353", "simlex999", "rarewords")


def options(settings: dict[str, Any]) -> list[str]:
    """As words of a command line."""
    return [word for name, value in settings.items() for word in (f"-{name}", str(value))]


def our_training(
    kind: str, text: Path, out: Path, threads: int, settings: dict[str, Any], deterministic: bool
) -> Stage:
    """Erya's command line."""
    asked = {"input": text, "output": out, **settings, "thread": threads, "verbose": 0}
    mode = ["-deterministic", str(deterministic).lower()]
    return Stage([sys.executable, "-m", "erya", "fasttext", kind, *options(asked), *mode], threads)


def their_training(program: str, kind: str, text: Path, out: Path, threads: int, settings: dict[str, Any]) -> Stage:
    """The original's command line."""
    asked = {"input": text, "output": out, **settings, "thread": threads, "verbose": 0}
    return Stage([program, kind, *options(asked)], threads)


def runners(kind: str, threads: int, program: str | None, folder: Path, text: Path) -> list[Runner]:
    out = folder / "vectors"
    found = [
        Runner(name, [our_training(kind, text, out, threads, SETTINGS, mode)]) for name, mode in fasttext.MODES.items()
    ]
    if program:
        found.append(Runner(fasttext.PEER, [their_training(program, kind, text, out, threads, SETTINGS)]))
    return found


def cells(threads: Sequence[int], program: str | None, folder: Path) -> Iterator[Cell]:
    """Every comparison of speed."""
    for kind in KINDS:
        for number in threads:
            yield Cell(
                f"{kind}_{number}", {"threads": number, **SETTINGS}, partial(runners, kind, number, program, folder)
            )


def compare(arguments: argparse.Namespace, version: str | None) -> None:
    """Speed, then quality; what is done is saved, and not measured again unless asked."""
    text, tiny = english(arguments.folder, arguments.tokens), english(arguments.folder, min(TINY, arguments.tokens))
    if text is None or tiny is None:
        print("vectors skipped: needs ../shared/data/wiki_en, which is not here")
        return
    program = arguments.fasttext_cli
    if program is None:
        print("without the original: --fasttext-cli PATH names its command line", flush=True)
    speed(arguments, text, tiny, program, version)
    quality(arguments, text, program, version)
    for path in arguments.folder.glob("vectors.*"):
        path.unlink()


# ---- speed ------------------------------------------------------------------------------------------------------------


def speed(arguments: argparse.Namespace, text: Corpus, tiny: Corpus, program: str | None, version: str | None) -> None:
    done: dict[str, Any] = (results_file.read("fasttext") or {}).get("vectors", {})
    for cell in cells(arguments.threads, program, arguments.folder):
        wanted = {**cell.settings, "rounds": arguments.rounds, "text": text.to_plain(), "peer": bool(program)}
        known = done.get(cell.name, {})
        if not arguments.again and known.get("settings") == wanted and "failed" not in known:
            print(f"{cell.name}: measured {known['measured']}; --again measures anew", flush=True)
            continue
        print(cell.name, flush=True)
        found = measure(cell, text.path, tiny.path, arguments.rounds, arguments.folder)
        if not found["runs"]:
            continue
        today = datetime.now(UTC).date().isoformat()
        done[cell.name] = found | {"settings": wanted, "measured": today, "kernels": source_hash()}
        fasttext.save("vectors", done, version)
    fasttext.show(done)


# ---- quality ----------------------------------------------------------------------------------------------------------


def quality(arguments: argparse.Namespace, text: Corpus, program: str | None, version: str | None) -> None:
    found: dict[str, Any] = (results_file.read("fasttext") or {}).get("vectors_quality", {})
    threads = max(arguments.threads)
    for kind in KINDS:
        sides: dict[str, list[Items]] = {}
        for seed in SEEDS[: arguments.seeds]:
            for side, stage, made_by in trainings(kind, seed, threads, text.path, arguments, program):
                sides.setdefault(side, []).append(asked(kind, side, seed, stage, made_by, text.path, arguments))
        found[kind] = {
            "settings": {
                **SETTINGS,
                "epoch": EPOCHS,
                "threads": threads,
                "seeds": len(SEEDS[: arguments.seeds]),
                "text": text.to_plain(),
            },
            "scores": {side: vectors_quality.summary(several, "en") for side, several in sides.items()},
            "difference": {
                side: {fasttext.PEER: vectors_quality.compared(several, sides[fasttext.PEER], "en")}
                for side, several in sides.items()
                if side != fasttext.PEER and fasttext.PEER in sides
            },
        }
        fasttext.save("vectors_quality", found, version)
        vectors_quality.show(kind, found[kind])


def trainings(
    kind: str, seed: int, threads: int, text: Path, arguments: argparse.Namespace, program: str | None
) -> list[tuple[str, Stage, str]]:
    """Each side's name, its process, and what made it."""
    settings, out = {**SETTINGS, "epoch": EPOCHS, "seed": seed}, arguments.folder / "vectors"
    found = [
        (side, our_training(kind, text, out, threads, settings, mode), source_hash())
        for side, mode in fasttext.MODES.items()
    ]
    if program:
        found.append((fasttext.PEER, their_training(program, kind, text, out, threads, settings), "original"))
    return found


def asked(
    kind: str, side: str, seed: int, stage: Stage, made_by: str, text: Path, arguments: argparse.Namespace
) -> Items:
    """Train, unless it was done before with the same settings and the same program, and ask."""
    key = json.dumps([kind, side, seed, SETTINGS, EPOCHS, stage.threads, text.name, made_by], sort_keys=True)
    kept = arguments.folder / f"words-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
    if not kept.is_file() or arguments.again:
        run(stage, arguments.folder)
        vectors_quality.save(kept, items_of(arguments.folder / "vectors.bin"))
    with np.load(kept) as file:
        found: Items = {name: file[name] for name in file.files}
    scores = vectors_quality.summary([found], "en")
    print(
        f"  {kind:8s} {side:20s} seed {seed} ",
        "  ".join(f"{name} {one['value']:.4f}" for name, one in scores.items()),
        flush=True,
    )
    return found


def items_of(model: Path) -> Items:
    """The cosine of every pair of every set; nan where a word has no vector."""
    from erya.models.fasttext.binary import read

    known, found = read(model), Items()
    for name in SETS:
        pairs = vectors_quality.judgements("en")[name]
        sides = [known.word_vectors([pair[side].lower() for pair in pairs]).astype(np.float64) for side in (0, 1)]
        lengths = np.prod([np.sqrt((side * side).sum(axis=1)) for side in sides], axis=0)
        products = (sides[0] * sides[1]).sum(axis=1)
        found[name] = np.divide(products, lengths, out=np.full(len(pairs), np.nan), where=lengths > 0)
    return found
