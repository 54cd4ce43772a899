"""A comparison on sentences with tags: everybody answers the same tokens, and what the document says of the answers."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from erya.contestants import Contestant, write_json
from erya.errors import DataError, quoted
from erya.language import say
from erya.tasks import tag
from erya.tasks.tag import TagRun
from erya.text.dataset import Dataset, Part
from erya.text.read import read
from erya.trial_pairs import pairs

MISTAKES = 30
LONGEST = 200  # tokens of a sentence that the document carries


class TagsTrial:
    """Sentences with tags; everybody answers the test sentences, given as tokens.

    Args:
        dataset: all three parts.
    """

    task = "tag"
    tokenizer: str | None = None
    takes_predictions = True

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.digest = dataset.digest
        self.scheme = tag.scheme_of(dataset.train.targets or [])
        self.columns = ("accuracy",) if self.scheme == "none" else ("f1", "precision", "recall", "accuracy")

    def refusal(self, id: str) -> str | None:
        """Every tagger learns from any tags: None."""
        return None

    @property
    def test(self) -> Part:
        """The sentences that everybody answers. Raises DataError where there are none."""
        if self.dataset.test is None or not len(self.dataset.test):
            raise DataError("no-test", say("there are no test sentences", "没有测试句子"), help="--split 0.8/0.1/0.1")
        return self.dataset.test

    @property
    def targets(self) -> list[Any]:
        return self.test.targets or []

    def facts(self) -> dict[str, Any]:
        """The document's ``"data"``."""
        dataset = self.dataset
        parts = {"train": dataset.train, "dev": dataset.dev, "test": self.test}
        counts = label_counts(dataset.train.targets or [], self.scheme)
        return {
            "source": dataset.source,
            "task": self.task,
            "target_kind": dataset.kind,
            "scheme": self.scheme,
            "columns": dataset.columns,
            "rows": {name: len(part) if part else 0 for name, part in parts.items()},
            "tokens": {name: sum(map(len, part.inputs)) if part else 0 for name, part in parts.items()},
            "labels": list(counts),
            "label_counts": counts,
            "languages": dataset.languages,
            "rejected": dataset.reading.rejected,
            "duplicates_across_splits": len(dataset.duplicates()),
            "digest": self.digest,
        }

    # ---- how they answer --------------------------------------------------------------------------------------

    def write(self, path: Path) -> None:
        """The parts as JSON, for the processes of the contestants: tokens and tags."""
        parts = (("train", self.dataset.train), ("dev", self.dataset.dev), ("test", self.test))
        write_json(
            path,
            {
                name: None
                if part is None
                else {"inputs": part.inputs, "targets": part.targets, "weights": part.weights}
                for name, part in parts
            },
        )

    def answers(self, job_folder: Path) -> TagRun:
        """What a contestant's process answered."""
        return TagRun(json.loads((job_folder / "answers.json").read_bytes().decode("utf-8", "surrogatepass")))

    def fit(self, estimator: Any) -> None:
        """Train a model or estimator object here, on lists of tokens and lists of tags."""
        train = self.dataset.train
        estimator.fit([list(tokens) for tokens in train.inputs], [list(tags) for tags in train.targets or []])

    def ask(self, estimator: Any) -> tuple[TagRun, int]:
        """Answers of a fitted model or estimator object, and how many there are."""
        inputs = [list(tokens) for tokens in self.test.inputs]
        return TagRun([[str(name) for name in tags] for tags in estimator.predict(inputs)]), len(inputs)

    def predictions(self, path: Path) -> TagRun:
        """A file of answers: lines of ``erya predict --jsonl`` with ``"tags"``, or a CoNLL file whose last column they are.

        Raises:
            DataError: other sentences than the test part, or a line that is no answer.
        """
        found = _read_predictions(path)
        expected = [len(tokens) for tokens in self.test.inputs]
        if [len(tags) for tags in found] != expected:
            raise _other_sentences(path, [len(tags) for tags in found], expected)
        return TagRun(found)

    # ---- what becomes of the answers --------------------------------------------------------------------------

    def scores(self, contestant: Contestant) -> dict[str, Any]:
        """Every score of a contestant with its interval, the mean over seeds, and each seed's own."""
        found: dict[str, dict[str, Any]] = {
            name: {**score.to_plain()} for name, score in tag.scores(self.targets, contestant.runs).items()
        }
        each = [tag.scores(self.targets, [run], resamples=1) for run in contestant.runs]
        for name in found:
            found[name]["per_seed"] = [scores[name].value for scores in each]
        return found

    def document(self, scored: list[Contestant], rows: list[dict[str, Any]]) -> dict[str, Any]:
        """What only this kind of comparison says: the rule without context, pairs, types of spans, kinds of mistakes."""
        train = self.dataset.train
        rule = tag.most_frequent(train.inputs, train.targets or [], self.test.inputs)
        without = tag.headline(self.targets, rule)
        runs = {one.model: one.runs[0].predictions for one in scored}
        return {
            "baseline": {
                "label": None,
                "majority": without,
                "scores": {
                    name: score.value for name, score in tag.scores(self.targets, [TagRun(rule)], resamples=1).items()
                },
            },
            "pairs": pairs(scored, partial(tag.paired_test, self.targets)),
            "per_label": {model: per_label(self.targets, answers) for model, answers in runs.items()},
            "kinds": {model: tag.mistakes(self.targets, answers).to_plain() for model, answers in runs.items()}
            if self.scheme != "none"
            else {},
            "broken": {model: tag.compare(self.targets, answers).broken for model, answers in runs.items()},
            "mistakes": self._mistakes(runs),
            "beats_chance": any(row["scores"] and row["scores"][self.columns[0]]["low"] > without for row in rows),
        }

    def _mistakes(self, runs: dict[str, Any]) -> list[dict[str, Any]]:
        """The test sentences that the models get most wrong together: hard sentences, or wrong tags."""
        if not runs:
            return []
        wrong = np.sum([tag.row_errors(self.targets, answers) for answers in runs.values()], axis=0)
        test, order = self.test, sorted(range(len(self.test)), key=lambda place: (-wrong[place], place))
        return [
            {
                "row": test.rows[place],
                "text": " ".join(test.inputs[place][:LONGEST]),
                "tokens": list(test.inputs[place][:LONGEST]),
                "tags": list(self.targets[place][:LONGEST]),
                "answers": {model: list(answers[place][:LONGEST]) for model, answers in runs.items()},
            }
            for place in order[:MISTAKES]
            if wrong[place] > 0
        ]


def label_counts(targets: Any, scheme: str) -> dict[str, int]:
    """How many spans there are of each type, in their order; of tags without spans tokens of each tag."""
    if scheme == "none":
        counts = Counter(name for tags in targets for name in tags)
    else:
        counts = Counter(label for spans in tag.token_spans(targets, scheme) for _, _, label in spans)
    return dict(sorted(counts.items()))


def per_label(targets: Any, answers: Any) -> list[dict[str, Any]]:
    """``tag.per_label`` as JSON data."""
    return [
        {"label": one.label, "precision": one.precision, "recall": one.recall, "f1": one.f1, "support": one.support}
        for one in tag.per_label(targets, answers)
    ]


# ---- a file of predictions ------------------------------------------------------------------------------------


def _read_predictions(path: Path) -> list[list[str]]:
    try:
        with path.open("rb") as file:
            begins = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    except OSError as error:
        from erya.text.files import unreadable

        raise unreadable(path, error) from error
    if begins != b"{":
        part = read(path, task="tag", check=False, format="conll").train
        return [list(tags) for tags in part.targets or []]
    found: list[list[str]] = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                tags = json.loads(line)["tags"]
                found.append([str(name) for name in tags])
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    "bad-prediction",
                    say('this line has no "tags"', '这一行没有 "tags"'),
                    where=f"{path}:{number}   {quoted(line.decode('utf-8', 'replace'))}",
                    help='{"row": 1, "tags": ["O", "B-city"]}',
                ) from error
    return found


def _other_sentences(path: Path, found: list[int], expected: list[int]) -> DataError:
    place = next(
        (place for place, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]), len(found)
    )
    if len(found) != len(expected):
        what = say(
            f"{path} holds {len(found)} answers, the test part has {len(expected)} sentences",
            f"{path} 有 {len(found)} 个回答，而测试集有 {len(expected)} 个句子",
        )
    else:
        what = say(
            f"answer {place + 1} of {path} has {found[place]} tags, the sentence has {expected[place]} tokens",
            f"{path} 的第 {place + 1} 个回答有 {found[place]} 个标签，而句子有 {expected[place]} 个词",
        )
    return DataError(
        "predictions-differ",
        what,
        help=say("one answer a test sentence, in order, on the tokens of the data", "按顺序回答测试句子，用数据里的词"),
    )
