"""A comparison on rows with labels: what everybody answers, how answers come home, and what the document says of them."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from erya import catalog, error_rows
from erya.contestants import Contestant, write_json
from erya.contract import Model
from erya.errors import DataError, quoted
from erya.language import say
from erya.parts import label_thresholds
from erya.tasks import classify
from erya.tasks.classify import Run
from erya.text.dataset import Dataset, Part
from erya.trial_pairs import pairs

MISTAKES = 30


class RowsTrial:
    """Texts with labels; everybody answers the test rows.

    Args:
        dataset: all three parts.
    """

    task = "classify"
    takes_predictions = True

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.kind = dataset.kind
        # scores of the table, the one that ranks first
        self.columns = ("micro_f1", "macro_f1", "precision_at_1") if self.several else ("accuracy", "macro_f1")
        self.digest = dataset.digest
        self.tokenizer = dataset.tokenizer

    @property
    def several(self) -> bool:
        """Whether rows have several labels, or none."""
        return self.kind == "several"

    def refusal(self, id: str) -> str | None:
        """Why a model cannot learn from these rows; None where it can."""
        if catalog.card_of(id).tasks[self.task].takes(self.kind):
            return None
        takers = catalog.taking(self.kind)
        refused = classify.not_taken(self.kind, takers)
        return f"{refused.message} – {refused.help}" if takers else refused.message

    @property
    def test(self) -> Part:
        """The rows that everybody answers. Raises DataError where there are none."""
        if self.dataset.test is None or not len(self.dataset.test):
            raise DataError("no-test", say("there are no test rows", "没有测试数据"), help="--split 0.8/0.1/0.1")
        return self.dataset.test

    def facts(self) -> dict[str, Any]:
        """The document's ``"data"``."""
        dataset = self.dataset
        counts = dict(sorted(dataset.train.label_counts().items()))
        return {
            "source": dataset.source,
            "task": self.task,
            "target_kind": self.kind,
            "columns": dataset.columns,
            "rows": {
                "train": len(dataset.train),
                "dev": len(dataset.dev) if dataset.dev else 0,
                "test": len(self.test),
            },
            "labels": list(counts),
            "label_counts": counts,
            "languages": dataset.languages,
            "rejected": dataset.reading.rejected,
            "duplicates_across_splits": len(dataset.duplicates()),
            "digest": self.digest,
        }

    # ---- how they answer --------------------------------------------------------------------------------------

    def write(self, path: Path) -> None:
        """The parts as JSON, for the processes of the contestants."""
        dataset = self.dataset
        parts = (("train", dataset.train), ("dev", dataset.dev), ("test", self.test))
        write_json(
            path,
            {
                name: None
                if part is None
                else {"inputs": part.inputs, "targets": part.targets, "weights": part.weights}
                for name, part in parts
            },
        )

    def answers(self, job_folder: Path) -> Run:
        """What a contestant's process answered."""
        with np.load(job_folder / "answers.npz", allow_pickle=False) as arrays:
            probabilities, classes = arrays["probabilities"], arrays["classes"]
            thresholds = arrays.get("thresholds")
        if thresholds is not None:
            return Run(label_thresholds.answers(probabilities, thresholds, classes), probabilities, classes)
        return Run(classes[probabilities.argmax(axis=1)], probabilities, classes)

    def fit(self, estimator: Any) -> None:
        """Train a model or estimator object here.

        Raises:
            UsageError: an estimator of another library, where rows have several labels or shares of them.
        """
        if self.kind != "one" and not isinstance(estimator, Model):
            raise classify.not_taken(self.kind, catalog.taking(self.kind))
        estimator.fit(self.dataset.train.inputs, self.dataset.train.targets)

    def ask(self, estimator: Any) -> tuple[Run, int]:
        """Answers of a fitted model or estimator object, and how many there are."""
        test = self.test.inputs
        if hasattr(estimator, "predict_proba"):
            probabilities = np.asarray(estimator.predict_proba(test), dtype=np.float64)
            classes = np.asarray([str(label) for label in estimator.classes_])
            return Run(label_thresholds.decided(estimator, probabilities, classes), probabilities, classes), len(test)
        return Run(np.asarray([str(label) for label in estimator.predict(test)])), len(test)

    def predictions(self, path: Path) -> Run:
        """A file with one answer a test row: ``erya predict --jsonl`` lines (several labels: a list), or plain labels.

        Raises:
            DataError: another number of rows than the test part, or a line that is no answer.
        """
        answers = _read_predictions(path)
        expected = len(self.test)
        if len(answers) != expected:
            raise DataError(
                "predictions-differ",
                say(
                    f"{path} holds {len(answers)} answers, the test part has {expected} rows",
                    f"{path} 有 {len(answers)} 个回答，而测试集有 {expected} 行",
                ),
                help=say("one answer a test row, in order", "每个测试行一个回答，按顺序排列"),
            )
        if any(isinstance(answer, tuple) for answer in answers):
            boxed = np.empty(expected, dtype=object)
            boxed[:] = classify.sets(answers)
            return Run(boxed)
        return Run(np.asarray(answers))

    # ---- what becomes of the answers --------------------------------------------------------------------------

    def scores(self, contestant: Contestant) -> dict[str, Any]:
        """Every score of a contestant with its interval, the mean over seeds, and each seed's own."""
        targets = self.test.targets
        found: dict[str, dict[str, Any]] = {
            name: {**score.to_plain()} for name, score in classify.scores(targets, contestant.runs).items()
        }
        for name in found:
            found[name]["per_seed"] = [
                classify.scores(targets, [run], resamples=1)[name].value for run in contestant.runs
            ]
        return found

    def document(self, scored: list[Contestant], rows: list[dict[str, Any]]) -> dict[str, Any]:
        """What only this kind of comparison says: majority, pairs, confusion (of several labels: what is missed and added),
        mistakes, calibration.
        """
        targets = self.test.targets or []
        label, majority = classify.majority(self.dataset.train.targets or [], targets)
        found: dict[str, Any] = {
            "baseline": {"majority": majority, "label": label},
            "pairs": pairs(scored, partial(classify.paired_test, targets)),
            "confusion": {},
            "per_label": {},
            "calibration": {},
            "mistakes": self._mistakes(scored),
            "errors": self._errors(scored),
            "beats_chance": any(row["scores"] and row["scores"][self.columns[0]]["low"] > majority for row in rows),
        }
        if self.several:
            found["confused"] = {}
        for contestant in scored:
            run = contestant.runs[0]
            if self.several:
                found["confused"][contestant.model] = classify.confused(targets, run.predictions)
            else:
                labels, counts = classify.confusion(targets, run.predictions)
                found["confusion"][contestant.model] = {"labels": labels, "counts": counts.tolist()}
            found["per_label"][contestant.model] = [
                {
                    "label": one.label,
                    "precision": one.precision,
                    "recall": one.recall,
                    "f1": one.f1,
                    "support": one.support,
                }
                for one in classify.per_label(targets, run.predictions)
            ]
            if run.probabilities is not None and run.classes is not None:
                bins = classify.calibration_bins(targets, run.probabilities, run.classes)
                found["calibration"][contestant.model] = {"bins": bins}
        return found

    def _errors(self, scored: list[Contestant]) -> dict[str, Any]:
        """Rows worth reading: see ``error_rows``."""
        train, test = (
            error_rows.Rows(part.inputs, part.targets or [], part.rows or range(1, len(part) + 1))
            for part in (self.dataset.train, self.test)
        )
        return error_rows.document(test, {one.model: one.runs[0] for one in scored}, train)

    def _mistakes(self, scored: list[Contestant]) -> list[dict[str, Any]]:
        """The test rows that the models get most confidently wrong together: hard texts, or wrong labels."""
        test, wrongness = self.test, np.zeros(len(self.test))
        for contestant in scored:
            run = contestant.runs[0]
            sure = 1.0 if run.probabilities is None else run.probabilities.max(axis=1)
            wrongness += classify.row_errors(test.targets, run.predictions) * sure
        worst = [int(index) for index in np.argsort(-wrongness, kind="stable")[:MISTAKES] if wrongness[index] > 0]
        return [
            {
                "row": test.rows[index],
                "text": test.inputs[index] if isinstance(test.inputs[index], str) else " ⟂ ".join(test.inputs[index]),
                "label": _shown((test.targets or [])[index]),
                "answers": {contestant.model: _answer_of(contestant.runs[0], index) for contestant in scored},
            }
            for index in worst
        ]


def _answer_of(run: Run, index: int) -> dict[str, Any]:
    probability = None if run.probabilities is None else float(run.probabilities[index].max())
    return {"label": _shown(run.predictions[index]), "probability": probability}


def _shown(target: Any) -> str:
    """A row's labels as one text; of shares the largest."""
    if isinstance(target, tuple):
        return ", ".join(sorted(target)) or say("(none)", "（无）")
    return str(classify.strings([target])[0])


# ---- a file of predictions ------------------------------------------------------------------------------------


def _read_predictions(path: Path) -> list[str | tuple[str, ...]]:
    answers: list[str | tuple[str, ...]] = []
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                if path.suffix in (".jsonl", ".json") or text.startswith("{"):
                    answers.append(_answer_in(text, path, number))
                else:
                    answers.append(text)
    except UnicodeDecodeError as error:
        raise DataError(
            "bad-encoding",
            say(f"{quoted(path)} is not UTF-8, as predictions are", f"{quoted(path)} 不是 UTF-8；预测文件应为 UTF-8"),
            where=f"{quoted(path)}:{len(answers) + 1}",
            help=say(
                "write them with: erya predict m.erya FILE --jsonl", "可这样生成：erya predict m.erya 文件 --jsonl"
            ),
        ) from error
    return answers


def _answer_in(line: str, path: Path, number: int) -> str | tuple[str, ...]:
    try:
        found = json.loads(line)
        for key in ("answer", "label", "prediction"):
            if isinstance(found, dict) and found.get(key) is not None:
                answer = found[key]
                return tuple(map(str, answer)) if isinstance(answer, list) else str(answer)
    except ValueError:
        pass
    raise DataError(
        "bad-prediction",
        say('this line has no "answer"', '这一行没有 "answer"'),
        where=f"{path}:{number}   {quoted(line)}",
        help='{"row": 1, "answer": "label"}',
    )
