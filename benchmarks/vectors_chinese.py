"""Chinese vectors: of words, and of words put together from characters; similarity and analogies.

    python -m benchmarks.vectors --chinese

wiki_zh, skip-gram, 5 epochs, once over words (``chinese_words``) and once over characters. Characters have no words: there a
word is the mean of its characters' vectors, for the words that the first model knows, so that both answer the same questions
with the same candidates. Morphological questions (天 → 天天) then answer themselves. Writes ``results/vectors_chinese.json``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from benchmarks import results_file, vectors
from benchmarks.vectors_quality import items_of, opened, summary
from benchmarks.vectors_running import run
from erya.parts.keyed_vectors import KeyedVectors

CHINESE = {"dim": 100, "window": 5, "negative": 5, "sample": 1e-3, "min_count": 5, "epochs": 5, "learning_rate": 0.025}


def measure(arguments: argparse.Namespace) -> None:
    """Train both, put words together from characters, score, save."""
    shards = sorted((results_file.SHARED / "wiki_zh").glob("train-*.txt.xz"))
    if not shards:
        sys.exit("skipped: needs ../shared/data/wiki_zh, which is not here")
    if arguments.tokens is not None and arguments.tokens < vectors.TRIAL:
        shards = [results_file.SHARED / "wiki_zh" / "valid.txt.xz"]
    tables, said = {}, {}
    for unit, tokenizer in (("words", "chinese_words"), ("characters", "characters")):
        out = arguments.folder / f"chinese-{unit}.bin"
        settings = {**CHINESE, "seed": 0, "tokenizer": tokenizer}
        print(f"  {unit}: training", flush=True)
        corpus = [str(shard) for shard in shards]
        stage = vectors.job(
            "fit", max(arguments.threads), model="word2vec", corpus=corpus, out=str(out), settings=settings
        )
        said[unit] = run(stage, arguments.folder).said
        tables[unit] = opened(out, "word2vec-bin")
    words = tables["words"]
    tables["characters"] = composed(words.words_, tables["characters"])
    rows = {unit: summary([items_of(table, "zh")], "zh") for unit, table in tables.items()}
    for unit, scores in rows.items():
        shown = (f"{name} {one['value']:.4f} ({one['known']}/{one['items']})" for name, one in scores.items())
        print(f"{unit:12s}", "  ".join(shown), flush=True)
    document = {"settings": CHINESE, "vectors": {unit: one["words"] for unit, one in said.items()}, "scores": rows}
    results_file.write("vectors_chinese", document)


def composed(words: Sequence[str], characters: KeyedVectors) -> KeyedVectors:
    """Words as the means of their characters' vectors, each at length 1; words with an unknown character are left out."""
    kept = [word for word in words if all(character in characters for character in word)]
    unit = characters.vectors / np.linalg.norm(characters.vectors, axis=1, keepdims=True)
    rows = [unit[[characters.get_index(character) for character in word]].mean(axis=0) for word in kept]
    return KeyedVectors.of(kept, np.array(rows, dtype=np.float32))
