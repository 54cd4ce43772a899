"""Compare documents as the leaderboard writes them, from simulated models: real scores, tests and advice, no training."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np

from erya.scoring import holm
from erya.tasks import classify
from erya.tasks.classify import Run


@dataclass(frozen=True)
class Player:
    """One simulated model: how good, how costly, how sure of itself."""

    id: str
    name: str
    accuracy: float
    train: float
    first: float
    speed: float
    size: float
    memory: float
    sureness: float = 1.0
    epochs: int = 0


ENGLISH = (
    Player("classify/logistic_regression", "Logistic regression", 0.984, 6.3, 0.31, 41_200, 9.8e6, 412e6, 0.8),
    Player("classify/fasttext", "fastText classifier", 0.981, 4.1, 0.28, 98_700, 8.1e6, 388e6, 1.0, 10),
    Player("classify/lstm", "Bidirectional LSTM", 0.977, 31.0, 2.4, 3_100, 5.4e6, 702e6, 1.6, 8),
    Player("classify/textcnn", "TextCNN", 0.974, 22.4, 2.3, 7_900, 4.6e6, 655e6, 1.5, 8),
    Player("classify/naive_bayes", "Naive Bayes", 0.972, 0.4, 0.22, 121_000, 1.1e6, 180e6, 2.4),
)
CHINESE = (
    Player("classify/fasttext", "fastText 分类器", 0.824, 9.8, 0.29, 61_000, 21.4e6, 455e6, 1.0, 10),
    Player("classify/logistic_regression", "逻辑回归", 0.806, 12.4, 0.35, 23_000, 18.2e6, 530e6, 0.8),
    Player("classify/lstm", "双向 LSTM", 0.768, 66.0, 2.5, 1_200, 6.6e6, 812e6, 1.7, 8),
    Player("classify/naive_bayes", "朴素贝叶斯", 0.764, 0.6, 0.21, 88_000, 2.2e6, 210e6, 2.6),
    Player("classify/textcnn", "文本卷积网络 TextCNN", 0.713, 41.0, 2.4, 4_300, 5.9e6, 760e6, 1.6, 8),
)
INTENTS = [
    "AddToPlaylist",
    "BookRestaurant",
    "GetWeather",
    "PlayMusic",
    "RateBook",
    "SearchCreativeWork",
    "SearchScreeningEvent",
]
POEMS = ["元曲", "唐诗", "宋词", "宋诗"]
NATIONS = [
    "Arabic",
    "Chinese",
    "Czech",
    "Dutch",
    "English",
    "French",
    "German",
    "Greek",
    "Irish",
    "Italian",
    "Japanese",
    "Korean",
    "Polish",
    "Portuguese",
    "Russian",
    "Scottish",
    "Spanish",
    "Vietnamese",
]
SENTENCES = [
    "Please search the An Introduction to Karl Marx painting.",
    "Where can I see The Prime Ministers: The Pioneers?",
    "Give 0 rating to In the Heart of the Country",
    "Add a song to this is racionais mc's",
    "play the discography The Heart of Saturday Night, then add it to my summer list and tell me whether it rains in Lisbon",
    "what's the <b>weather</b> \u202egnirts \u0000 like & where",
]
VERSES = [
    "些儿起，住时节早些儿住。茶饭上无人将你顾觑，睡卧处无人将你盖覆，你是必早寻一个着实店房里宿。",
    "休论今昨总皆非，世味诚甘与我违。蜀道虽如履平地，杜鹃终劝不如归。三冬自苦坐毛颖，一梦微官陪螱飞。",
    "左右行列昭穆，定亲疏，追思这祖考音容，洋洋乎在生规模。再拜虔诚告祝，保护一家儿上下无虞。",
    "春眠不觉晓，处处闻啼鸟。",
]


def answers(players: tuple[Player, ...], truth: np.ndarray, labels: list[str], seed: int) -> list[Run]:
    """Answers with the wanted accuracies, whose errors partly fall on the same rows and on confusable labels."""
    generator = np.random.default_rng(seed)
    rows, columns = len(truth), len(labels)
    own = np.zeros((rows, columns))
    own[np.arange(rows), truth] = 1.0
    hard = generator.normal(size=(rows, columns)) + 0.8 * np.roll(own, 1, axis=1)
    runs = []
    for player in players:
        noise = 0.75 * hard + 0.65 * generator.normal(size=(rows, columns))
        low, high = 0.0, 12.0
        for _ in range(30):
            strength = (low + high) / 2
            right = ((noise + strength * own).argmax(axis=1) == truth).mean()
            low, high = (strength, high) if right < player.accuracy else (low, strength)
        logits = (noise + high * own) * 2.2 * player.sureness
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = odds / odds.sum(axis=1, keepdims=True)
        classes = np.array(labels)
        runs.append(Run(classes[probabilities.argmax(axis=1)], probabilities, classes))
    return runs


def row_of(player: Player, run: Run, targets: list[str]) -> dict[str, Any]:
    scores = {name: score.to_plain() for name, score in classify.scores(targets, [run], resamples=200).items()}
    for score in scores.values():
        score["per_seed"] = [score["value"]]
    curve = [
        {
            "epoch": epoch,
            "loss": 1.6 * np.exp(-0.5 * epoch) + 0.02,
            "validation_loss": 1.5 * np.exp(-0.5 * epoch) + 0.09 + 0.004 * epoch,
            "validation_accuracy": player.accuracy - 0.3 * np.exp(-0.8 * epoch),
        }
        for epoch in range(1, player.epochs + 1)
    ]
    return {
        "model": player.id,
        "name": player.name,
        "kind": "id",
        "status": "ok",
        "error": None,
        "seeds": [0],
        "scores": scores,
        "train_seconds": player.train,
        "first_answer_seconds": player.first,
        "predictions_per_second": player.speed,
        "model_bytes": player.size,
        "peak_rss_bytes": player.memory,
        "parameters": int(player.size / 4),
        "settings": {"dim": 50, "epochs": player.epochs, "seed": 0, "tokenizer": "auto"},
        "stopped_at_step": None,
        "curve": curve,
    }


def document(
    players: tuple[Player, ...],
    labels: list[str],
    texts: list[str],
    source: str,
    language: str,
    rows: int,
    seed: int = 0,
) -> dict[str, Any]:
    """A whole document; ``advice`` must be filled in the wanted language by the caller (see ``advised``)."""
    generator = np.random.default_rng(seed)
    shares = generator.dirichlet(np.full(len(labels), 8.0))
    truth = generator.choice(len(labels), size=rows, p=shares)
    truth[: len(labels)] = np.arange(len(labels))
    targets = [labels[number] for number in truth.tolist()]
    runs = answers(players, truth, labels, seed + 1)
    order = sorted(range(len(players)), key=lambda index: -float((runs[index].predictions == np.array(targets)).mean()))
    players, runs = tuple(players[index] for index in order), [runs[index] for index in order]
    ids = [player.id for player in players]
    both = list(combinations(range(len(players)), 2))
    tests = [classify.paired_test(targets, runs[a].predictions, runs[b].predictions) for a, b in both]
    significant = holm([test.p_value for test in tests])
    confusions = [classify.confusion(targets, run.predictions) for run in runs]
    wrongness = sum((run.predictions != np.array(targets)) * run.probabilities.max(axis=1) for run in runs)
    worst = [int(index) for index in np.argsort(-wrongness, kind="stable")[:30] if wrongness[index] > 0]
    label, majority = classify.majority([labels[i] for i in truth], targets)
    return {
        "schema": "erya.compare/1",
        "language": language,
        "data": {
            "source": source,
            "task": "classify",
            "columns": {"text": "text", "label": "label"},
            "rows": {"train": rows * 18, "dev": rows, "test": rows},
            "labels": labels,
            "label_counts": {name: int(share * rows * 18) for name, share in zip(labels, shares, strict=True)},
            "languages": {"zh": 0.97, "en": 0.02, "other": 0.01} if language == "zh" else {"en": 0.99, "other": 0.01},
            "rejected": 3,
            "duplicates_across_splits": 2,
            "digest": "3f" * 32,
        },
        "settings": {"tokenizer": "auto"},
        "baseline": {"majority": majority, "label": label},
        "rows": [row_of(player, run, targets) for player, run in zip(players, runs, strict=True)],
        "pairs": [
            {
                "a": ids[a],
                "b": ids[b],
                "difference": test.difference,
                "low": test.low,
                "high": test.high,
                "p_value": test.p_value,
                "significant": bool(is_significant),
            }
            for (a, b), test, is_significant in zip(both, tests, significant, strict=True)
        ],
        "confusion": {
            id: {"labels": names, "counts": counts.tolist()}
            for id, (names, counts) in zip(ids, confusions, strict=True)
        },
        "per_label": {
            id: [
                {key: getattr(one, key) for key in ("label", "precision", "recall", "f1", "support")}
                for one in classify.per_label(targets, run.predictions)
            ]
            for id, run in zip(ids, runs, strict=True)
        },
        "mistakes": [
            {
                "row": index + 2,
                "text": texts[place % len(texts)],
                "label": targets[index],
                "answers": {
                    id: {"label": str(run.predictions[index]), "probability": float(run.probabilities[index].max())}
                    for id, run in zip(ids, runs, strict=True)
                },
            }
            for place, index in enumerate(worst)
        ],
        "calibration": {
            id: {"bins": classify.calibration_bins(targets, run.probabilities, run.classes)}
            for id, run in zip(ids, runs, strict=True)
        },
        "beats_chance": True,
        "environment": {
            "erya": "0.1.0",
            "python": "3.11.9",
            "numpy": "2.4.0",
            "torch": "2.13.0",
            "processor": "A processor @ 2.5 GHz",
            "threads": 2,
            "platform": "Linux x86_64",
        },
        "seconds": 83.2,
    }


def several(
    players: tuple[Player, ...], labels: list[str], texts: list[str], source: str, language: str, rows: int
) -> dict[str, Any]:
    """A document on rows of several labels: simulated answers, everything else as the leaderboard writes it."""
    from erya.contestants import Contestant
    from erya.text.dataset import Dataset, Part
    from erya.trial_rows import RowsTrial

    generator = np.random.default_rng(5)
    truth = generator.random((rows, len(labels))) < 0.3
    names = np.array(labels)
    targets = [tuple(names[row].tolist()) for row in truth]
    part = Part([texts[row % len(texts)] for row in range(rows)], targets, rows=list(range(2, rows + 2)))
    trial = RowsTrial(Dataset(part, part, part, source=source))
    scored = []
    for player in players:
        logits = (truth - 0.5) * 14 * (player.accuracy - 0.5) + generator.normal(size=truth.shape) * 2.5
        probabilities = 1 / (1 + np.exp(-logits))
        predictions = np.empty(rows, dtype=object)
        predictions[:] = [tuple(names[row].tolist()) for row in probabilities > 0.5]
        scored.append(Contestant(player.id, "id", runs=[Run(predictions, probabilities, names)]))
    base = document(players, labels, texts, source, language, rows)
    lines = {line["model"]: line for line in base["rows"]}
    for contestant in scored:
        lines[contestant.model] |= {"scores": trial.scores(contestant)}
    scored.sort(key=lambda contestant: -lines[contestant.model]["scores"]["micro_f1"]["value"])
    base["rows"] = [lines[contestant.model] for contestant in scored]
    base["columns"] = list(trial.columns)
    base["data"] |= {"target_kind": "several", "label_counts": trial.facts()["label_counts"]}
    return base | trial.document(scored, base["rows"])


def advised(found: dict[str, Any], monkeypatch: Any = None) -> dict[str, Any]:
    """The document with the advice that the leaderboard would give, in the document's language."""
    from erya.advice import advise

    if monkeypatch is not None:
        monkeypatch.setenv("ERYA_LANG", found["language"])
    found["beats_chance"] = any(
        row["scores"] and row["scores"][found.get("columns", ["accuracy"])[0]]["low"] > found["baseline"]["majority"]
        for row in found["rows"]
    )
    found["advice"] = advise(found)
    return found


@cache
def _cached(name: str) -> dict[str, Any]:
    if name == "english":
        return document(ENGLISH, INTENTS, SENTENCES, "sample:snips", "en", 700)
    if name == "chinese":
        return document(CHINESE, POEMS, VERSES, "sample:poetry", "zh", 1500)
    if name == "two":
        return document(ENGLISH[:3], ["negative", "positive"], SENTENCES, "my reviews/reviews 2024.csv", "en", 120)
    if name == "many":
        return document(ENGLISH, NATIONS, ["Zientek", "Adams", "Ó Súilleabháin"], "sample:names", "en", 2000)
    if name == "several":
        return several(ENGLISH, INTENTS, SENTENCES, "tags.jsonl", "en", 300)
    if name == "several-zh":
        return several(CHINESE, POEMS, VERSES, "标签.jsonl", "zh", 300)
    return document(ENGLISH[1:2], INTENTS, SENTENCES, "reviews.csv", "en", 300)


def make(name: str, monkeypatch: Any = None) -> dict[str, Any]:
    """``english`` ``chinese`` ``two`` ``many`` ``single`` ``several`` ``several-zh`` ``failed`` ``chance`` ``nothing``: a
    fresh document.
    """
    base = {"failed": "english", "chance": "two", "nothing": "english"}.get(name, name)
    found = copy.deepcopy(_cached(base))
    if name == "failed":
        _lose(found, found["rows"][3], "failed", "this model needs PyTorch, which is not installed here")
        _lose(found, found["rows"][4], "skipped", "the budget was spent before its turn")
        found["rows"][2]["status"], found["rows"][2]["stopped_at_step"] = "budget", 1240
        found["rows"].sort(key=lambda row: not row["scores"])
    if name == "nothing":
        for row in found["rows"]:
            _lose(found, row, "failed", "out of memory")
        found["mistakes"] = []
    if name == "chance":
        for row in found["rows"]:
            row["scores"]["accuracy"] |= {"value": 0.52, "low": 0.43, "high": 0.61}
        found["baseline"]["majority"] = 0.55
    return advised(found, monkeypatch)


def _lose(found: dict[str, Any], row: dict[str, Any], status: str, error: str) -> None:
    """What the leaderboard writes about a model that gave no answers."""
    row |= {"status": status, "error": error, "scores": {}, "curve": [], "seeds": []}
    row |= dict.fromkeys(
        ["train_seconds", "predictions_per_second", "first_answer_seconds", "model_bytes", "parameters"]
    )
    for part in ("confusion", "per_label", "calibration"):
        found[part].pop(row["model"], None)
    found["pairs"] = [pair for pair in found["pairs"] if row["model"] not in (pair["a"], pair["b"])]
    for one in found["mistakes"]:
        one["answers"].pop(row["model"], None)
