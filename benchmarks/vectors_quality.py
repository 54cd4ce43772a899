"""How good the vectors are: similarity and analogies, ours beside gensim's and GloVe's, same text, same settings.

    python -m benchmarks.vectors --quality --gensim-python PYTHON --glove-build FOLDER   # SGNS; GloVe; PPMI with SVD
    python -m benchmarks.vectors --quality --only sgns cbow sg_hs cbow_hs glove ppmi …    # the other losses, too

English: all of wiki_en's training shards, 3 epochs, 100 dimensions, seeds 0 1 2 (GloVe: 15 epochs; GloVe and PPMI one seed).
Every side writes its vectors to a file, and one scorer reads them all: ``erya.tasks.vectors``. Ours are called no worse where the
bootstrap interval of the difference, over seeds and items, lies above −0.01 with its lower end.

What each item scored is kept in ``--folder``, so that a run that was broken off goes on; ``results/vectors_quality.json`` holds
the scores. Chinese: vectors_chinese.py. No times are measured, so that a busy machine will do.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import results_file, vectors, vectors_peers
from benchmarks.vectors_corpus import english
from benchmarks.vectors_figures import Measure, difference, no_worse
from benchmarks.vectors_peers import Peers
from benchmarks.vectors_running import Stage, run
from erya.kernel_cache import source_hash
from erya.parts.keyed_vectors import KeyedVectors
from erya.scoring import Score, bootstrap, mean_of
from erya.tasks.vectors import bundled_analogies, read_analogies, read_pairs, solve, spearman_measure, unit_vectors

SEEDS = (0, 1, 2)
EPOCHS = 3
GLOVE_EPOCHS = 15
KINDS = ("sgns", "glove", "ppmi")  # unless --only says otherwise
PAIRS = {"wordsim353": "wordsim353", "simlex999": "simlex999", "men": "men3k", "rarewords": "rarewords2034"}
CHINESE_PAIRS = {"wordsim240": "wordsim-240", "wordsim297": "wordsim-297"}
DROPPED = ("OPEC", "石油")  # as the paper does

Items = dict[
    str, NDArray[np.float64]
]  # by set: (N,) cosines, or 1 where the answer is right; nan where a word is unknown


@dataclass(frozen=True, slots=True)
class Contender:
    """One kind of vectors with one seed."""

    group: str  # "sgns", …: what is compared with one another
    name: str
    seed: int
    settings: Mapping[str, Any]
    stages: Sequence[Stage]
    file: Path
    version: str  # of the program; of our own, the hash of its kernels


# ---- what is asked ----------------------------------------------------------------------------------------------------


@cache
def judgements(language: str) -> dict[str, list[Any]]:
    """Similarity sets by name."""
    folder = results_file.SHARED / "word_similarity" / language
    names = PAIRS if language == "en" else CHINESE_PAIRS
    found = {name: read_pairs(folder / f"{file}.tsv") for name, file in names.items()}
    return {
        name: [pair for pair in pairs if {pair.first, pair.second} != set(DROPPED)] for name, pairs in found.items()
    }


@cache
def questions(language: str) -> dict[str, list[Any]]:
    """Analogies by name."""
    if language == "en":
        return {"analogies": bundled_analogies("en")}
    folder = results_file.SHARED / "analogy" / "zh"
    return {
        f"ca8_{kind}": read_analogies(folder / f"ca8-{kind}.txt.gz", kind) for kind in ("morphological", "semantic")
    }


def items_of(table: KeyedVectors, language: str) -> Items:
    """What the vectors say to every pair and question."""
    found: Items = {}
    for name, pairs in judgements(language).items():
        unit = unit_vectors(table, [word for pair in pairs for word in pair[:2]], None, True)
        found[name] = np.array(
            [
                float(unit[pair.first] @ unit[pair.second]) if pair.first in unit and pair.second in unit else np.nan
                for pair in pairs
            ]
        )
    for name, asked in questions(language).items():
        solved = solve(table, asked, methods=("add",))
        found[name] = np.where(solved.known, solved.right["add"], np.nan).astype(np.float64)
    return found


def measures(name: str, several: Sequence[Items], known: NDArray[np.bool_], language: str) -> list[Measure]:
    """A measure a seed over the known items: Spearman's ρ with the judgements, or the share of right answers."""
    pairs = judgements(language).get(name)
    if pairs is None:
        return [partial(_share, one[name][known]) for one in several]
    judged = np.array([pair.score for pair in pairs])[known]
    return [spearman_measure(judged, one[name][known]) for one in several]


def _share(right: NDArray[np.float64], rows: NDArray[Any]) -> float:
    return float(right[rows].mean())


def known_to(sides: Sequence[Items], name: str) -> NDArray[np.bool_]:
    """Which items all of them know."""
    return np.logical_and.reduce([~np.isnan(one[name]) for one in sides])


def summary(several: Sequence[Items], language: str) -> dict[str, Any]:
    """Each set's score, the mean over the seeds, with the interval over the items; and how many are known."""
    found = {}
    for name in several[0]:
        known = known_to(several, name)
        count = int(known.sum())
        if count < 2:
            continue
        each = measures(name, several, known, language)
        score: Score = bootstrap({"score": mean_of(each)}, count)["score"]
        seeds = [float(measure(np.arange(count))) for measure in each]
        found[name] = {**score.to_plain(), "seeds": seeds, "known": count, "items": len(known)}
    return found


def compared(ours: Sequence[Items], theirs: Sequence[Items], language: str) -> dict[str, Any]:
    """Each set's difference with its interval, and whether ours are no worse."""
    found = {}
    for name in ours[0]:
        known = known_to([*ours, *theirs], name)
        count = int(known.sum())
        if count < 2:
            continue
        sides = [measures(name, several, known, language) for several in (ours, theirs)]
        gap = difference(*sides, count)
        found[name] = {**gap, "no_worse": no_worse(gap)}
    return found


# ---- who is asked -----------------------------------------------------------------------------------------------------


def contenders(kinds: Sequence[str], threads: int, peers: Peers, folder: Path, corpus: Path) -> list[Contender]:
    """All kinds of vectors and seeds, our own first."""
    found = []
    for kind in kinds:
        if kind == "glove":
            found += _glove(threads, peers, folder, corpus)
        elif kind == "ppmi":
            out = folder / "ppmi.bin"
            stage = vectors.our_fit("cooccurrence", corpus, out, threads, vectors.PPMI | {"dim": 100, "seed": 0})
            found.append(Contender("ppmi", "erya", 0, {"dim": 100, **vectors.PPMI}, [stage], out, source_hash()))
        else:
            found += _word2vec(kind, threads, peers, folder, corpus)
    return found


def _word2vec(kind: str, threads: int, peers: Peers, folder: Path, corpus: Path) -> list[Contender]:
    found, out = [], folder / "quality.bin"
    for seed in SEEDS:
        settings = vectors.word2vec_settings(kind, EPOCHS, seed)
        for name, mode in vectors.MODES.items():
            stage = vectors.our_fit("word2vec", corpus, out, threads, {**settings, "deterministic": mode})
            found.append(Contender(kind, name, seed, settings, [stage], out, source_hash()))
        if peers.gensim:
            stage = vectors_peers.gensim(peers.gensim, corpus, out, settings, threads)
            found.append(Contender(kind, "gensim", seed, settings, [stage], out, peers.versions["gensim"]))
    return found


def _glove(threads: int, peers: Peers, folder: Path, corpus: Path) -> list[Contender]:
    settings = vectors.GLOVE | {"epochs": GLOVE_EPOCHS}
    found, out = [], folder / "quality.txt"
    for name, mode in vectors.MODES.items():
        stage = vectors.our_fit("glove", corpus, out, threads, {**settings, "deterministic": mode}, "glove")
        found.append(Contender("glove", name, 0, settings, [stage], out, source_hash()))
    if peers.glove:
        stages = [
            *vectors_peers.glove_counting(peers.glove, corpus, folder, vectors.GLOVE),
            vectors_peers.glove_shuffling(peers.glove, folder),
            vectors_peers.glove_training(peers.glove, folder, vectors.GLOVE, threads, GLOVE_EPOCHS),
        ]
        found.append(
            Contender("glove", "GloVe C", 0, settings, stages, folder / "glove-vectors.txt", peers.versions["GloVe C"])
        )
    return found


def asked(contender: Contender, corpus: Path, folder: Path, *, again: bool) -> Items:
    """Train, unless it was done before with the same settings and the same program, and ask."""
    key = json.dumps(
        [contender.group, contender.name, contender.seed, dict(contender.settings), corpus.name, contender.version],
        sort_keys=True,
    )
    kept = folder / f"items-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
    what = f"  {contender.group:8s} {contender.name:20s} seed {contender.seed}"
    if not kept.is_file() or again:
        print(f"{what}  training", flush=True)
        seconds = sum(run(stage, folder).seconds for stage in contender.stages)
        form = "glove" if contender.file.suffix == ".txt" else "word2vec-bin"
        items = items_of(opened(contender.file, form), "en")
        save(kept, items)
        print(f"{what}  {seconds:.0f} s", flush=True)
    with np.load(kept) as file:
        found: Items = {name: file[name] for name in file.files}
    print(what, "  ".join(f"{name} {one['value']:.4f}" for name, one in summary([found], "en").items()), flush=True)
    return found


def save(path: Path, items: Items) -> None:
    """Whole or not at all."""
    part = path.with_suffix(".part.npz")
    np.savez(part, **items)  # type: ignore[arg-type]
    part.replace(path)


def opened(path: Path, form: str) -> KeyedVectors:
    from erya.text import vector_files

    return KeyedVectors().fit(vector_files.read(path, format=form, bad_utf8="skip"))


# ---- one run ----------------------------------------------------------------------------------------------------------


def measure(arguments: argparse.Namespace, peers: Peers) -> None:
    """All groups, each saved when it is done."""
    kinds, threads = arguments.only or KINDS, max(arguments.threads)
    unknown = set(kinds) - {*vectors.LOSSES, "glove", "ppmi"}
    if unknown:
        sys.exit(f"no such kind of vectors: {', '.join(sorted(unknown))}")
    corpus = english(arguments.folder, arguments.tokens)
    if corpus is None:
        sys.exit("skipped: needs ../shared/data/wiki_en, which is not here")
    print(f"{corpus.words:,} words; results in {results_file.FOLDER}", flush=True)
    groups: dict[str, Any] = (results_file.read("vectors_quality") or {}).get("groups", {})
    for kind in kinds:
        sides: dict[str, list[Items]] = {}
        settings: Mapping[str, Any] = {}
        for one in contenders([kind], threads, peers, arguments.folder, corpus.path):
            sides.setdefault(one.name, []).append(asked(one, corpus.path, arguments.folder, again=arguments.again))
            settings = one.settings
        groups[kind] = {
            "settings": {**settings, "threads": threads, "corpus": corpus.to_plain()},
            "scores": {name: summary(several, "en") for name, several in sides.items()},
            "difference": {
                name: {peer: compared(sides[name], sides[peer], "en") for peer in sides if not peer.startswith("erya")}
                for name in sides
                if name.startswith("erya")
            },
        }
        results_file.write(
            "vectors_quality", {"peers": peers.versions, "missing": sorted(peers.missing), "groups": groups}
        )
        show(kind, groups[kind])
    vectors.tidy(arguments.folder)


def show(kind: str, group: dict[str, Any]) -> None:
    for name, scores in group["scores"].items():
        print(f"{kind:8s} {name:20s}", "  ".join(f"{key} {one['value']:.4f}" for key, one in scores.items()))
    for name, peers in group["difference"].items():
        for peer, sets in peers.items():
            for key, gap in sets.items():
                verdict = "no worse" if gap["no_worse"] else "NOT SHOWN to be no worse"
                print(
                    f"  {name} − {peer}: {key:12s} {gap['value']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}] {verdict}"
                )
