"""Which way of finding Chinese words agrees with people: dictionary and HMM (ours in Rust, jieba in Python), or taggers trained here.

    python -m benchmarks.segmentation train FOLDER NAME…     FOLDER/NAME.train.txt and NAME.test.txt: words with blanks between them;
                                                             NAME=hmm,perceptron: only these taggers
    python -m benchmarks.segmentation taught FOLDER NAME…    a CRF that learned from the dictionary's own answers, on the same tests
    python -m benchmarks.segmentation speed FOLDER NAME      characters a second of processor time, all in turn on one thread

Words are compared as spans of the text, which is cut from scratch; intervals come from resampled sentences; words that training never
showed are counted by themselves. A dictionary has a convention of its own (is 第一 one word?), which is not the corpus's: what it loses
by that is no mistake, and what a trained tagger wins by it is the point of training one. A model taught by the dictionary has no other
truth than the dictionary. Writes ``results/segmentation.json``, part by part.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import erya
from benchmarks import results_file
from erya.tasks import tag
from erya.text.tokenizers import ChineseWords, Tokenizer, make, token_lists

Places = list[tuple[int, int]]
TAGGERS = ("hmm", "perceptron", "crf")
TAUGHT_CHARACTERS = 150_000
RESAMPLED = 1000


def words_of(path: Path) -> list[list[str]]:
    """The words of each sentence."""
    return [words for line in path.read_text(encoding="utf-8").splitlines() if (words := line.split())]


def cuts() -> dict[str, Callable[[Sequence[str]], list[list[str]]]]:
    """The segmenters that need no training, from texts to words."""
    import jieba

    jieba.setLogLevel(60)
    return {
        "chinese_words": asked(ChineseWords(lower=False)),
        "jieba": lambda texts: [jieba.lcut(one) for one in texts],
    }


def asked(tokenizer: Tokenizer) -> Callable[[Sequence[str]], list[list[str]]]:
    """A tokenizer of ours, given many texts at once."""
    return lambda texts: list(token_lists(tokenizer, texts))


def segmenter(model: Any) -> Callable[[Sequence[str]], list[list[str]]]:
    """A trained tagger, as other models use it."""
    return asked(make(model))


def places(words: Sequence[str], text: str) -> Places:
    """Where words stand in their text, white space left out."""
    found, end = [], 0
    for word in words:
        if word.strip():
            start = text.lower().index(word.lower(), end)
            end = start + len(word)
            found.append((start, end))
    return found


def scores(gold: list[list[str]], cut: Callable[[Sequence[str]], list[list[str]]], known: set[str]) -> dict[str, Any]:
    """Precision, recall and F1 of words, with an interval of F1; recall of words that ``known`` does not have."""
    texts = [tag.joined(words) for words in gold]
    counts, new = np.zeros((len(gold), 3)), np.zeros(2)
    for row, (words, (text, true), answer) in enumerate(
        zip(gold, texts, cut([text for text, _ in texts]), strict=True)
    ):
        told = set(places(answer, text))
        counts[row] = len(told & set(true)), len(told), len(true)
        unknown = [place for word, place in zip(words, true, strict=True) if word not in known]
        new += len(told & set(unknown)), len(unknown)
    right, told_in_all, true_in_all = counts.sum(axis=0)
    drawn = np.random.default_rng(0).integers(0, len(gold), (RESAMPLED, len(gold)))
    again = counts[drawn].sum(axis=1)
    low, high = np.quantile(2 * again[:, 0] / (again[:, 1] + again[:, 2]), (0.025, 0.975))
    return {
        "precision": right / told_in_all,
        "recall": right / true_in_all,
        "f1": {"value": 2 * right / (told_in_all + true_in_all), "low": float(low), "high": float(high)},
        "new_words_recall": float(new[0] / new[1]) if new[1] else None,
    }


def train(folder: Path, name: str, taggers: Sequence[str]) -> dict[str, Any]:
    """All rows of one data set."""
    gold = {part: words_of(folder / f"{name}.{part}.txt") for part in ("train", "test")}
    known = {word for words in gold["train"] for word in words}
    tested = [word for words in gold["test"] for word in words]
    rows: dict[str, Any] = {id: scores(gold["test"], cut, known) for id, cut in cuts().items()}
    X, y = tag.from_words(gold["train"])
    for id in (f"tag/{room}" for room in taggers):
        begin = time.perf_counter()
        model = erya.model(id).fit(X, y)
        seconds = time.perf_counter() - begin
        path = model.save(folder / f"{name}.{id.split('/')[1]}.erya")
        rows[id] = scores(gold["test"], segmenter(model), known)
        rows[id] |= {"train_seconds": seconds, "model_bytes": path.stat().st_size}
        print(name, id, f"{rows[id]['f1']['value']:.4f}", f"{seconds:.1f} s", flush=True)
    size = {part: {"sentences": len(gold[part]), "words": sum(map(len, gold[part]))} for part in gold}
    return {"data": size, "new_words_in_test": sum(word not in known for word in tested) / len(tested), "rows": rows}


def taught(folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """A CRF that learned the dictionary's answers about running text: how far it follows its teacher, and what the tests say."""
    text, held_out = (
        erya.read(results_file.SHARED / "wiki_zh" / f"{part}.txt.xz", unlabelled=True).train.inputs
        for part in ("train-0", "valid")
    )
    teacher, sentences, size = ChineseWords(lower=False), [], 0
    for line in text:
        sentences.append(teacher.tokens(line))
        size += len(line)
        if size > TAUGHT_CHARACTERS:
            break
    begin = time.perf_counter()
    model = erya.model("tag/crf").fit(*tag.from_words(sentences))
    seconds = time.perf_counter() - begin
    model.save(folder / "taught.erya")
    found: dict[str, Any] = {"characters": size, "train_seconds": seconds}
    found["agreement"] = scores([teacher.tokens(line) for line in held_out[:500]], segmenter(model), set())["f1"]
    for name in names:
        found[name] = scores(
            words_of(folder / f"{name}.test.txt"), segmenter(model), {word for one in sentences for word in one}
        )
    return found


def speed(folder: Path, name: str) -> dict[str, Any]:
    """Characters a second of processor time on the test texts, the median of three turns; and of one text at a time."""
    texts = [tag.joined(words)[0] for words in words_of(folder / f"{name}.test.txt")][:500]
    size = sum(map(len, texts))
    all_cuts = cuts() | {
        f"tag/{room}": segmenter(erya.load(folder / f"{name}.{room}.erya")) for room in ("hmm", "perceptron", "crf")
    }
    found: dict[str, Any] = {id: {"together": [], "one_by_one": []} for id in all_cuts}
    for cut in all_cuts.values():
        cut(texts[:20])
    for _ in range(3):
        for id, cut in all_cuts.items():
            begin = time.process_time()
            cut(texts)
            middle = time.process_time()
            for text in texts[:100]:
                cut([text])
            end = time.process_time()
            found[id]["together"].append(size / (middle - begin))
            found[id]["one_by_one"].append(sum(map(len, texts[:100])) / (end - middle))
    return {id: {way: statistics.median(runs) for way, runs in ways.items()} for id, ways in found.items()}


def main() -> None:
    job, folder, *names = sys.argv[1:]
    document = {
        key: value
        for key, value in (results_file.read("segmentation") or {}).items()
        if key not in ("measured", "environment")
    }
    if job == "train":
        for name in names:
            name, _, taggers = name.partition("=")
            document.setdefault("data", {})[name] = train(
                Path(folder), name, taggers.split(",") if taggers else TAGGERS
            )
    elif job == "taught":
        document["taught"] = taught(Path(folder), names)
    else:
        document["speed"] = speed(Path(folder), names[0])
        for id, row in document["speed"].items():
            print(
                f"{id:14s} {row['together'] / 1e3:8.0f} k characters/s together {row['one_by_one'] / 1e3:8.0f} k one by one"
            )
    results_file.write("segmentation", document)


if __name__ == "__main__":
    main()
