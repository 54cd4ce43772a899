"""Tiny models trained by the original program, and what it answers with them.

Run with a Python that has ``fasttext`` and NumPy 1:  python make.py FOLDER
"""

from __future__ import annotations

import json
import math
import random
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import fasttext

QUERIES = [
    "",
    "cat",
    "the wolf and the dog",
    "米饭 面条 very unknown été",
    "zzz qqq",
    "chess\tmusic  song \x0b the",
    "soup </s> chess ball",
    "__label__food bread of __label__nobody rice",
    "a a a a",
    "löwen wolfe noodle",
    "x" * 60,
]
WORDS = ["cat", "été", "</s>", "unseen", "米", "音乐", "a", "the", "löwen", ""]
GROUPS = {
    "animal": ["cat", "dog", "horse", "cow", "wolf", "fuchs", "löwe", "été"],
    "food": ["soup", "bread", "rice", "noodles", "米饭", "面条", "茶", "tofu"],
    "play": ["ball", "chess", "music", "音乐", "guitar", "drum", "game", "song"],
}
COMMON = ["the", "a", "of", "is", "and", "with", "very", "in"]


def rounded(value):
    """Nine digits, enough for a float32; nan as a word."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else float(f"{value:.9g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, (list, tuple)) else value


def floats(values):
    return [float(value) for value in values]


def answers(model, test):
    buckets = model.f.getArgs().bucket
    told = {
        "words": [model.get_words(), [int(count) for count in model.get_words(True)[1]]],
        "labels": [model.get_labels(), [int(count) for count in model.get_labels(True)[1]]],
        "line": [model.get_line(query) for query in QUERIES],
        "vectors": [floats(model.get_word_vector(word)) for word in WORDS],
        "sentences": [floats(model.get_sentence_vector(query)) for query in QUERIES],
        "ids": [[model.get_word_id(word), model.get_label_id(word)] for word in [*WORDS, "__label__food"]],
        "subword_ids": [model.get_subword_id(word) for word in WORDS] if buckets else None,
        "nearest": model.get_nearest_neighbors("cat", 5),
        "analogies": model.get_analogies("cat", "dog", "soup", 4),
    }
    if not model.is_quantized():
        told["subwords"] = [[pieces, [int(row) for row in rows]] for pieces, rows in map(model.get_subwords, WORDS)]
    if model.f.getArgs().model == fasttext.FastText.model_name.supervised:
        told |= classifier(model, test)
    return told


def classifier(model, test):
    def predicted(k, threshold):
        return [[labels, floats(p)] for labels, p in (model.predict(query, k, threshold) for query in QUERIES)]

    settings = [(1, 0.0), (20, 0.0), (2, 0.3), (100, 0.05)]
    meter = model.get_meter(test, 3)
    return {
        "predict": {f"{k} {threshold}": predicted(k, threshold) for k, threshold in settings},
        "all": predicted(-1, 0.0)[1:3],
        "test": {
            f"{k} {threshold}": model.test(test, k, threshold) for k, threshold in [(1, 0.0), (3, 0.1), (-1, 0.0)]
        },
        "test_label": dict(list(model.test_label(test, 2, 0.2).items())[:8]),
        "curve": [floats(side) for side in meter.precision_recall_curve()],
        "curve_food": [floats(side) for side in meter.precision_recall_curve("__label__food")],
        "at": [
            meter.precision_at_recall(0.5),
            meter.recall_at_precision(0.5),
            meter.precision_at_recall(0.5, "__label__food"),
            meter.recall_at_precision(0.5, "__label__food"),
        ],
        "scores": [floats(side) for side in meter.score_vs_true("__label__daily")],
    }


def texts(folder):
    chance = random.Random(5)
    lines = []
    for _ in range(240):
        name = chance.choice(list(GROUPS))
        words = [chance.choice(GROUPS[name] if chance.random() < 0.5 else COMMON) for _ in range(chance.randint(2, 9))]
        labels = (
            [f"__label__{name}"]
            + ["__label__daily"] * (chance.random() < 0.3)
            + ["__label__多"] * (chance.random() < 0.1)
        )
        place = chance.randint(0, len(words))
        lines.append(" ".join([*words[:place], *labels, *words[place:]]))
    (folder / "train.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    plain = [" ".join(word for word in line.split() if not word.startswith("__")) for line in lines]
    (folder / "plain.txt").write_text("\n".join(plain) + "\n", encoding="utf-8")
    many = [f"__label__{i % 300} w{i % 300} {chance.choice(COMMON)} w{i * 7 % 300}" for i in range(900)]
    (folder / "many.txt").write_text("\n".join(many) + "\n", encoding="utf-8")
    return "\n".join([*lines[::7], "", "__label__food", "bread rice", "__label__play 音乐 song"])


def models(folder):
    # with fewer than ten threads the original leaves nine tenths of its first matrix as it finds the memory
    common = {"thread": 12, "verbose": 0}
    train = str(folder / "train.txt")
    for loss in ("softmax", "hs", "ns", "ova"):
        some = {"loss": loss, "dim": 5, "epoch": 30, "lr": 0.5, "bucket": 97, **common}
        yield f"{loss}-bigrams.bin", fasttext.train_supervised(train, wordNgrams=2, **some)
        yield f"{loss}-pieces.bin", fasttext.train_supervised(train, minn=2, maxn=4, minCount=25, **some)
    yield "softmax-plain.bin", fasttext.train_supervised(train, dim=3, **common)
    for name, loss in (("skipgram", "ns"), ("cbow", "hs")):
        some = {"dim": 5, "bucket": 53, "minn": 2, "maxn": 3, "minCount": 25, **common}
        yield f"{name}.bin", fasttext.train_unsupervised(str(folder / "plain.txt"), model=name, loss=loss, **some)
    for name, loss, how in (
        ("plain", "softmax", {"dsub": 2}),
        ("cutoff", "softmax", {"cutoff": 260}),
        ("qnorm", "hs", {"qnorm": True, "dsub": 3}),
    ):
        some = {"loss": loss, "dim": 5, "epoch": 30, "lr": 0.5, "bucket": 400, "wordNgrams": 2, "minn": 2, "maxn": 3}
        model = fasttext.train_supervised(train, **some, **common)
        model.quantize(**how)
        yield f"{name}.ftz", model
    model = fasttext.train_supervised(str(folder / "many.txt"), dim=4, lr=0.5, **common)
    model.quantize(qout=True, qnorm=True, cutoff=290)
    yield "qout.ftz", model


def main():
    out = Path(sys.argv[1])
    test = out / "test.txt"
    with TemporaryDirectory() as folder:
        test.write_text(texts(Path(folder)), encoding="utf-8")
        for name, model in models(Path(folder)):
            model.save_model(str(out / name))
            told = rounded(answers(fasttext.load_model(str(out / name)), str(test)))
            (out / f"{name}.json").write_text(
                json.dumps(told, ensure_ascii=False, separators=(",", ":")), encoding="utf-8"
            )
    asked = {"queries": QUERIES, "words": WORDS}
    (out / "queries.json").write_text(json.dumps(asked, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
