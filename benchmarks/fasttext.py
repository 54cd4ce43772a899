"""Erya's fastText beside the original's Python package: training and prediction speed, and how right the answers are.

    python -m benchmarks.fasttext --fasttext-python PYTHON
    python -m benchmarks.fasttext --only train --threads 2                # some cells
    python -m benchmarks.fasttext --only quality --data ag_news           # see fasttext_quality.py
    python -m benchmarks.fasttext --only vectors --fasttext-cli PATH      # see fasttext_vectors.py
    python -m benchmarks.fasttext --lines 2000 --rounds 1                 # does it run? such figures stay in --folder

``train`` is the whole job, from reading the file to the model in another file: paragraphs of English Wikipedia, ten labels by a
hash of the article's title, bigrams, two million buckets, 10 dimensions, 5 epochs. ``predict`` asks one model for the best label of
many documents at once, in one call: paragraphs, and their first twelve words (``predict_short``); loading is not counted.

Each job in a fresh process, in turns A B C A B C …, after every side has run once. Figures are seconds, peak memory, documents and
megabytes a second: medians over the rounds; ratios with the least and the greatest of a round. The original's package
predicts on one thread whatever it is given. Saved after every cell, to ``results/fasttext.json``; a cell that is there with the
same settings is skipped unless --again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import results_file
from benchmarks.fasttext_data import TASKS, Text, paragraphs
from benchmarks.vectors_running import Cell, Runner, Stage, measure, run
from erya.kernel_cache import source_hash

TRIAL = 100_000  # lines; a run on fewer leaves no results in the repository
TINY = 500  # lines that the peer reads once before the clock starts
KINDS = ("train", "predict", "predict_short")
PARTS = ("cells", "quality", "vectors", "vectors_quality")  # of the results
OTHERS = ("quality", "vectors")
MODES = {"erya lock-free": False, "erya deterministic": True}
PEER = "fasttext"
TRAINING = {"lr": 0.1, "dim": 10, "epoch": 5, "wordNgrams": 2, "bucket": 2_000_000, "loss": "softmax", "minCount": 1}
DOCUMENTS = 50_000
TOKENS = 4_000_000  # words that vectors are learned from; a run on fewer leaves no results in the repository
REPEATS = 3  # predictions in one process
# as text: beside this file, "import fasttext" would find this file
JOBS = (Path(__file__).parent / "fasttext_jobs.py").read_text(encoding="utf-8")

VERSION = "from importlib.metadata import version; import fasttext; print(version('fasttext'))"


def peer_version(python: str) -> str | None:
    """The version of the original's package; None where this Python cannot import it."""
    try:
        found = subprocess.run([python, "-c", VERSION], capture_output=True, text=True)
    except OSError:
        return None
    return found.stdout.strip() or None


def job(python: str, name: str, threads: int, /, **arguments: Any) -> Stage:
    """One of ``fasttext_jobs``."""
    return Stage([python, "-c", JOBS, json.dumps({"job": name, **arguments})], threads)


def our_training(text: Path, out: Path, threads: int, settings: dict[str, Any], deterministic: bool) -> Stage:
    """Erya's whole job."""
    settings = {**settings, "thread": threads, "verbose": 0, "deterministic": deterministic}
    return job(
        sys.executable, "train", threads, module="erya.fasttext", text=str(text), out=str(out), settings=settings
    )


def their_training(python: str, text: Path, out: Path, threads: int, settings: dict[str, Any]) -> Stage:
    """The original's whole job."""
    settings = {**settings, "thread": threads, "verbose": 0}
    return job(python, "train", threads, module="fasttext", text=str(text), out=str(out), settings=settings)


# ---- the cells --------------------------------------------------------------------------------------------------------


def training_runners(threads: int, peer: str | None, folder: Path, text: Path) -> list[Runner]:
    out = folder / "model.bin"
    found = [Runner(name, [our_training(text, out, threads, TRAINING, mode)]) for name, mode in MODES.items()]
    if peer:
        found.append(Runner(PEER, [their_training(peer, text, out, threads, TRAINING)]))
    return found


def predicting_runners(threads: int, short: bool, peer: str | None, folder: Path, text: Path) -> list[Runner]:
    """Both sides open the same model, which Erya has trained on this text."""
    model = folder / f"predicting-{text.stem}.bin"
    if not model.is_file():
        run(our_training(text, model, threads, TRAINING, True), folder)
    asked = {"model": str(model), "text": str(text), "lines": DOCUMENTS, "short": short, "repeats": REPEATS}
    found = [Runner("erya", [job(sys.executable, "predict", threads, module="erya.fasttext", **asked)])]
    if peer:
        found.append(Runner(PEER, [job(peer, "predict", threads, module="fasttext", **asked)]))
    return found


def cells(kinds: Sequence[str], threads: Sequence[int], peer: str | None, folder: Path) -> Iterator[Cell]:
    """Every comparison, with what must be the same for its figures to be the same."""
    for kind in kinds:
        for number in threads:
            name, settings = f"{kind}_{number}", {"threads": number, **TRAINING}
            if kind == "train":
                yield Cell(name, settings, partial(training_runners, number, peer, folder))
            else:
                short = kind == "predict_short"
                settings |= {"documents": DOCUMENTS, "repeats": REPEATS}
                runners = partial(predicting_runners, number, short, peer, folder)
                yield Cell(name, settings, runners, ["predict_seconds"])


# ---- one run ----------------------------------------------------------------------------------------------------------


def speed(arguments: argparse.Namespace, kinds: Sequence[str], version: str | None) -> None:
    text, tiny = paragraphs(arguments.folder, arguments.lines), paragraphs(arguments.folder, TINY)
    if text is None or tiny is None:
        print("speed skipped: needs ../shared/data/wiki_en, which is not here")
        return
    print(f"{text.lines:,} lines, {text.words:,} words; results in {results_file.FOLDER}", flush=True)
    document = results_file.read("fasttext") or {}
    done: dict[str, Any] = document.get("cells", {})
    peer = arguments.fasttext_python if version else None
    for cell in cells(kinds, arguments.threads, peer, arguments.folder):
        wanted = settings_of(cell, text, arguments.rounds, version)
        known = done.get(cell.name, {})
        if not arguments.again and known.get("settings") == wanted and "failed" not in known:
            changed = "" if known.get("kernels") == source_hash() else ", of other kernels than today's"
            print(f"{cell.name}: measured {known['measured']}{changed}; --again measures anew", flush=True)
            continue
        print(cell.name, flush=True)
        found = measure(cell, text.path, tiny.path, arguments.rounds, arguments.folder)
        if not found["runs"]:
            continue
        today = datetime.now(UTC).date().isoformat()
        done[cell.name] = found | {"settings": wanted, "measured": today, "kernels": source_hash()}
        save("cells", done, version)
    for path in arguments.folder.glob("predicting-*.bin"):
        path.unlink()
    show(done)


def save(part: str, figures: dict[str, Any], version: str | None) -> None:
    """Put one part of the results in place, the others stay."""
    known = results_file.read("fasttext") or {}
    parts = {name: known[name] for name in PARTS if name in known} | {part: figures}
    peers = {PEER: version} if version else known.get("peers", {})
    results_file.write("fasttext", {"peers": peers, **parts})


def settings_of(cell: Cell, text: Text, rounds: int, version: str | None) -> dict[str, Any]:
    """What a cell's figures depend on, besides the code: a cell that has the same is not measured again."""
    return {**cell.settings, "rounds": rounds, "text": text.to_plain(), "peers": {PEER: version} if version else {}}


def show(done: dict[str, Any]) -> None:
    """All cells, one line a runner."""
    for name, cell in done.items():
        for runner, figures in cell["median"].items():
            line = f"{name:16s} {runner:20s} {figures['peak_rss_bytes'] / 2**20:6.0f} MiB"
            if "documents_per_second" in figures:
                line += f" {figures['documents_per_second']:11,.0f} documents/s"
                line += f" {figures['megabytes_per_second']:7.1f} MB/s"
            else:
                line += f" {figures['seconds']:8.2f} s"
            for figure, table in cell["ratio"].items():
                for peer, one in table.get(runner, {}).items():
                    line += f"  {peer} × {one['value']:.2f} [{one['low']:.2f}, {one['high']:.2f}] ({figure})"
            print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[*KINDS, *OTHERS], default=[*KINDS, *OTHERS])
    parser.add_argument("--data", nargs="+", choices=list(TASKS), default=list(TASKS), help="of the quality")
    parser.add_argument("--seeds", type=int, default=5, help="of the quality; of vectors 3 at most")
    parser.add_argument("--lines", type=int, help="of the text for speed; all, if not given")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--again", action="store_true", help="measure what has been measured, too")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "erya-benchmarks")
    parser.add_argument("--fasttext-python", default=sys.executable)
    parser.add_argument("--fasttext-cli", help="the original's command line; of vectors")
    parser.add_argument("--tokens", type=int, default=TOKENS, help="of the text for vectors")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    arguments.folder = arguments.folder.resolve()
    if (arguments.lines is not None and arguments.lines < TRIAL) or arguments.tokens < TOKENS:
        results_file.FOLDER = arguments.folder / "results"
    version = peer_version(arguments.fasttext_python)
    if version is None:
        python = arguments.fasttext_python
        print(f"without {PEER}: {python} cannot import it; --fasttext-python PATH names a Python that can", flush=True)
    kinds = [kind for kind in arguments.only if kind not in OTHERS]
    if kinds:
        speed(arguments, kinds, version)
    if "quality" in arguments.only:
        from benchmarks import fasttext_quality

        fasttext_quality.compare(arguments, version)
    if "vectors" in arguments.only:
        from benchmarks import fasttext_vectors

        fasttext_vectors.compare(arguments, version)


if __name__ == "__main__":
    main()
