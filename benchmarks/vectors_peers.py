"""The other programs: how each is found, and the processes that do the same job as ours.

gensim may live in an environment of its own (its job is a short script for that Python). The C programs are built by hand, and
nothing of them is part of Erya: word2vec.c from github.com/tmikolov/word2vec (20c129a) and GloVe from
github.com/stanfordnlp/GloVe (52f7dbc), each by its own makefile: gcc, -O3 -march=native -funroll-loops.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.vectors_running import Stage

BUILT = "-O3 -march=native -funroll-loops"
GLOVE_MEMORY = "4.0"  # GB, of cooccur and shuffle

GENSIM = """
import json, sys
from gensim.models import Word2Vec
job = json.loads(sys.argv[1])
model = Word2Vec(corpus_file=job["corpus"], **job["settings"])
model.wv.save_word2vec_format(job["out"], binary=True)
"""


@dataclass(frozen=True, slots=True)
class Peers:
    """Which peers are here; ``missing`` says why one is not.

    Attributes:
        gensim: the Python that has it.
        word2vec: the program.
        glove: the folder of the four programs.
    """

    gensim: str | None
    word2vec: Path | None
    glove: Path | None
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def find(gensim_python: str, word2vec_program: Path | None, glove_build: Path | None) -> Peers:
    """Look for the peers; each that is not here is left out, with the reason."""
    versions, missing = {"scikit-learn": version("scikit-learn")}, {}
    question = "import gensim; print(gensim.__version__)"
    try:
        found = subprocess.run([gensim_python, "-c", question], capture_output=True, text=True).stdout.strip()
    except OSError:
        found = ""
    if found:
        versions["gensim"] = found
    else:
        missing["gensim"] = f"{gensim_python} cannot import gensim; --gensim-python PATH names a Python that can"
    if word2vec_program and word2vec_program.is_file():
        versions["word2vec.c"] = f"tmikolov/word2vec, {BUILT}"
    else:
        missing["word2vec.c"] = "--word2vec-program PATH was not given, or is not there"
    if glove_build and (glove_build / "glove").is_file():
        versions["GloVe C"] = f"stanfordnlp/GloVe, {BUILT}"
    else:
        missing["GloVe C"] = "--glove-build FOLDER was not given, or holds no program glove"
    return Peers(
        gensim_python if found else None,
        word2vec_program.resolve() if word2vec_program and "word2vec.c" in versions else None,
        glove_build.resolve() if glove_build and "GloVe C" in versions else None,
        versions,
        missing,
    )


def gensim(python: str, corpus: Path, out: Path, settings: dict[str, Any], threads: int) -> Stage:
    """Gensim's Word2Vec over ``corpus_file``, its fastest way; ``settings`` as the room ``word2vec`` names them."""
    tree = settings["loss"] == "hierarchical_softmax"
    theirs = {
        "vector_size": settings["dim"],
        "window": settings["window"],
        "min_count": settings["min_count"],
        "sample": settings["sample"],
        "sg": int(settings["algorithm"] == "skip_gram"),
        "hs": int(tree),
        "negative": 0 if tree else settings["negative"],
        "alpha": settings["learning_rate"],
        "min_alpha": 1e-4 * settings["learning_rate"],  # as ours and word2vec.c end
        "epochs": settings["epochs"],
        "seed": settings["seed"],
        "workers": threads,
    }
    job = {"corpus": str(corpus), "out": str(out), "settings": theirs}
    return Stage([python, "-c", GENSIM, json.dumps(job)], threads)


def word2vec_c(program: Path, corpus: Path, out: Path, settings: dict[str, Any], threads: int) -> Stage:
    """word2vec.c."""
    tree = settings["loss"] == "hierarchical_softmax"
    flags = {
        "-train": corpus,
        "-output": out,
        "-size": settings["dim"],
        "-window": settings["window"],
        "-min-count": settings["min_count"],
        "-sample": settings["sample"],
        "-cbow": int(settings["algorithm"] == "cbow"),
        "-hs": int(tree),
        "-negative": 0 if tree else settings["negative"],
        "-alpha": settings["learning_rate"],
        "-iter": settings["epochs"],
        "-threads": threads,
        "-binary": 1,
        "-debug": 0,
    }
    return Stage([str(program), *(str(part) for pair in flags.items() for part in pair)], threads)


def glove_counting(build: Path, corpus: Path, folder: Path, settings: dict[str, Any]) -> list[Stage]:
    """vocab_count and cooccur: from the file to the co-occurrence counts. Neither has threads."""
    words, counts = folder / "glove-words.txt", folder / "glove-counts.bin"
    least = str(settings["min_count"])
    count = [
        *("-memory", GLOVE_MEMORY, "-vocab-file", str(words), "-window-size", str(settings["window"])),
        *("-overflow-file", str(folder / "glove-overflow"), "-verbose", "0"),
    ]
    return [
        Stage([str(build / "vocab_count"), "-min-count", least, "-verbose", "0"], stdin=corpus, stdout=words),
        Stage([str(build / "cooccur"), *count], stdin=corpus, stdout=counts),
    ]


def glove_shuffling(build: Path, folder: Path) -> Stage:
    """shuffle: the counts in random order."""
    flags = ["-memory", GLOVE_MEMORY, "-temp-file", str(folder / "glove-temporary"), "-verbose", "0"]
    return Stage(
        [str(build / "shuffle"), *flags], stdin=folder / "glove-counts.bin", stdout=folder / "glove-shuffled.bin"
    )


def glove_training(build: Path, folder: Path, settings: dict[str, Any], threads: int, epochs: int) -> Stage:
    """glove: the training; writes ``glove-vectors.txt``."""
    flags = {
        "-input-file": folder / "glove-shuffled.bin",
        "-vocab-file": folder / "glove-words.txt",
        "-save-file": folder / "glove-vectors",
        "-vector-size": settings["dim"],
        "-x-max": settings["x_max"],
        "-eta": settings["learning_rate"],
        "-iter": epochs,
        "-threads": threads,
        "-seed": settings["seed"] + 1,  # 0 would mean the clock
        "-verbose": 0,
    }
    return Stage([str(build / "glove"), *(str(part) for pair in flags.items() for part in pair)], threads)
