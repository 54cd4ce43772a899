"""Which segmenter finds the Chinese words: rjieba (Rust) against jieba (Python), same dictionary and HMM.

    python -m benchmarks.segmenters

Speed on one thread, the time and memory of the first word in a fresh process, how far the two agree (F1 of the word
boundaries, share of equal texts), and whether a classifier notices the difference. The poems are bundled; modern text is
read from ../shared/data where that is there. Writes ``results/segmenters.json``.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks import results_file
from erya.text import read

FRESH = """
import json, pathlib, time


def resident():  # not ru_maxrss: that begins at what the parent process used
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


before, begin = resident(), time.perf_counter()
import NAME
CUT
seconds = time.perf_counter() - begin
print(json.dumps([seconds, resident() - before]))
"""


def corpora() -> dict[str, list[str]]:
    """Texts by kind: poems always, encyclopaedia and headlines where they are."""
    found = {"poems": read("sample:poetry").train.inputs[:6000]}
    wiki = results_file.SHARED / "wiki_zh" / "valid.txt.xz"
    if wiki.is_file():
        found["encyclopaedia"] = read(wiki, unlabelled=True).train.inputs
    headlines = results_file.SHARED / "thucnews" / "dev.jsonl.gz"
    if headlines.is_file():
        found["headlines"] = read(headlines).train.inputs
    return found


def characters_a_second(cut: Callable[[str], list[str]], texts: list[str]) -> float:
    """The median of three runs, the dictionary loaded."""
    cut(texts[0])
    runs = []
    for _ in range(3):
        begin = time.perf_counter()
        for text in texts:
            cut(text)
        runs.append(time.perf_counter() - begin)
    return sum(map(len, texts)) / statistics.median(runs)


def boundaries(words: list[str]) -> set[int]:
    places, end = set(), 0
    for word in words:
        end += len(word)
        places.add(end)
    return places


def agreement(
    first: Callable[[str], list[str]], second: Callable[[str], list[str]], texts: list[str]
) -> dict[str, float]:
    """F1 of the boundaries inside the texts, and the share of texts that are cut alike."""
    shared = total = equal = 0
    for text in texts:
        ours, theirs = boundaries(first(text)), boundaries(second(text))
        shared += 2 * len(ours & theirs)
        total += len(ours) + len(theirs)
        equal += ours == theirs
    return {"boundary_f1": shared / total, "equal_texts": equal / len(texts)}


def fresh(name: str, cut: str) -> list[float]:
    """Seconds and megabytes from import to the first word, in a process of its own; the fastest of three."""
    code = FRESH.replace("NAME", name).replace("CUT", cut)
    answers = [
        json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    return min(answers)


def accuracy(cut: Callable[[str], list[str]]) -> float | None:
    """Headlines by topic: naive Bayes over the words of either segmenter."""
    folder = results_file.SHARED / "thucnews"
    if not folder.is_dir():
        return None
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    train, test = read(folder / "dev.jsonl.gz").train, read(folder / "test.jsonl.gz").train
    model = make_pipeline(CountVectorizer(analyzer=cut), MultinomialNB(alpha=0.1))
    return float(model.fit(train.inputs, train.targets).score(test.inputs, test.targets))


def main() -> None:
    import jieba
    import rjieba

    jieba.setLogLevel(60)
    cuts: dict[str, Callable[[str], list[str]]] = {"rjieba": rjieba.Jieba().cut, "jieba": jieba.lcut}
    texts = corpora()
    document: dict[str, Any] = {
        "speed": {
            name: {kind: characters_a_second(cut, some) for kind, some in texts.items()} for name, cut in cuts.items()
        },
        "agreement": {kind: agreement(cuts["rjieba"], cuts["jieba"], some) for kind, some in texts.items()},
        "accuracy": {name: accuracy(cut) for name, cut in cuts.items()},
    }
    first = {"rjieba": fresh("rjieba", "rjieba.Jieba().cut('我们')"), "jieba": fresh("jieba", "jieba.lcut('我们')")}
    document["first_word_seconds"] = {name: figures[0] for name, figures in first.items()}
    document["dictionary_megabytes"] = {name: figures[1] for name, figures in first.items()}

    for kind in texts:
        speeds = [document["speed"][name][kind] for name in cuts]
        agreed = document["agreement"][kind]
        print(
            f"{kind:14s} rjieba {speeds[0] / 1e6:5.2f} M characters/s · jieba {speeds[1] / 1e6:5.2f} · ratio {speeds[0] / speeds[1]:5.1f}"
            f" · boundary F1 {agreed['boundary_f1']:.4f} · cut alike {agreed['equal_texts']:.1%}"
        )
    for key in ("first_word_seconds", "dictionary_megabytes", "accuracy"):
        print(
            f"{key:22s}", "  ".join(f"{name} {value:.3f}" for name, value in document[key].items() if value is not None)
        )
    results_file.write("segmenters", document)


if __name__ == "__main__":
    main()
