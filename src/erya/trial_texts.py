"""A comparison of language models: everybody says how probable the same documents are, and writes a little.

Models may cut text into other units; what they share is the characters. So bits per character rank them, perplexity stands beside it
with the units that it is of, and only whole documents are compared in pairs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from erya import artefact
from erya.contestants import Contestant, write_json
from erya.errors import DataError, UsageError
from erya.language import say
from erya.run_corpus import Corpus
from erya.run_documents import LONGEST, SPLIT, letters, read_documents, texts_of
from erya.tasks import generate
from erya.tasks.generate import Surprisal
from erya.text.tokenizers import HAN
from erya.trial_pairs import pairs

PROMPTS = 2  # beginnings of test documents that everybody continues, besides nothing at all
BEGINNING = 12  # characters of such a beginning, at most; a first word may be twice as long
WRITTEN = 60  # units


class Told:
    """What one trained model said: of each document, and what it wrote.

    Attributes:
        predictions: N documents, see ``generate.Surprisal``.
        written: beginning and text, by the model.
        units: the name of its units, and how many there are.
    """

    def __init__(self, found: Sequence[Surprisal], written: list[list[str]], units: tuple[str, int]) -> None:
        self.predictions = list(found)
        self.written = written
        self.units = units


class TextsTrial:
    """Documents to learn from, and others to be scored on.

    Args:
        corpus: with a test part.
        kind: what a document of a file is, see ``documents.pieces``.

    Raises:
        DataError: there is no test part.
    """

    task = "generate"
    takes_predictions = False

    def __init__(self, corpus: Corpus, kind: str = "auto") -> None:
        if not corpus.test:
            raise DataError(
                "no-test",
                say("there are no documents to score on", "没有可供评分的文档"),
                help="--test FILE",
            )
        self.corpus = corpus
        self.digest = corpus.digest
        self.tokenizer = corpus.tokenizer
        self.kind = kind
        self.test = texts_of(corpus.test, kind, LONGEST)
        self.columns = generate.SCORE_NAMES[:2]
        self.letters = letters(corpus.inputs, kind, self.test)
        self._told: dict[str, Told] = {}

    def refusal(self, id: str) -> str | None:
        """Every language model learns from any text: None."""
        return None

    def facts(self) -> dict[str, Any]:
        """The document's ``"data"``."""
        return {
            "source": self.corpus.source,
            "task": self.task,
            **self.corpus.facts(),
            "test": {"documents": len(self.test), "characters": sum(len(text) + 1 for text in self.test)},
            "rejected": self.corpus.reading.rejected,
        }

    # ---- how they answer --------------------------------------------------------------------------------------

    def write(self, path: Path) -> None:
        """The parts, for the processes of the contestants: paths where there are files, else the texts."""
        write_json(
            path,
            {
                "train": _plain(self.corpus.inputs),
                "dev": None if self.corpus.validation is None else _plain(self.corpus.validation),
                "test": self.test,
                "prompts": self.prompts(),
            },
        )

    def prompts(self) -> list[str]:
        """Nothing, and the beginnings of some test documents."""
        long = [text for text in self.test if len(text) >= 4] or self.test
        chosen = [long[place * len(long) // (PROMPTS + 1)] for place in range(1, PROMPTS + 1)]
        return ["", *dict.fromkeys(_beginning(text) for text in chosen)]

    def answers(self, job_folder: Path) -> Told:
        """What a contestant's process left there."""
        return read_told(job_folder, self.test)

    def fit(self, estimator: Any) -> None:
        """Train a model object here."""
        estimator.fit(self.corpus.inputs, validation=self.corpus.validation)

    def ask(self, estimator: Any) -> tuple[Any, int]:
        """What it says of the test documents, and how many these are."""
        return told_by(estimator, estimator.surprisals(self.test), self.prompts()), len(self.test)

    def predictions(self, path: Path) -> Any:
        """Probabilities are no answers in a file. Raises UsageError."""
        raise UsageError("other-task", say(f"{path} holds no language model", f"{path} 里没有语言模型"))

    # ---- what becomes of the answers --------------------------------------------------------------------------

    def scores(self, contestant: Contestant) -> dict[str, Any]:
        """Every score with its interval, the mean over seeds, and each seed's own."""
        runs = [run.predictions for run in contestant.runs]
        each = [generate.scores([run], resamples=100) for run in runs]
        self._told[contestant.model] = contestant.runs[0]
        return {
            name: {**score.to_plain(), "per_seed": [one[name].value for one in each]}
            for name, score in generate.scores(runs).items()
        }

    def document(self, scored: list[Contestant], rows: list[dict[str, Any]]) -> dict[str, Any]:
        """What only this kind of comparison says: pairs, units, what each wrote, and where they differ most."""
        ranked = [row for row in rows if row["scores"]]
        return {
            "baseline": {"label": generate.BASELINE, "majority": self.letters},
            "beats_chance": bool(ranked) and ranked[0]["scores"][generate.HEADLINE]["high"] < self.letters,
            "texts": {
                contestant.model: {
                    "units": contestant.runs[0].units[0],
                    "vocabulary": contestant.runs[0].units[1],
                    "written": contestant.runs[0].written,
                }
                for contestant in scored
            },
            "pairs": pairs(scored, generate.paired_test),
        }


def _beginning(text: str) -> str:
    """The first characters, of words with blanks between them only whole ones."""
    end = min(BEGINNING, max(1, len(text) // 3))
    around = text[end - 1 : end + 1]
    if len(around) == 2 and not re.search(rf"[\s{HAN}]", around):  # it would end inside a word
        blanks = [found.start() for found in re.finditer(r"(?<=\S)\s", text[: 2 * BEGINNING])]
        end = max((blank for blank in blanks if blank < end), default=min(blanks, default=end))
    return text[:end].rstrip()


def _plain(inputs: list[Any]) -> dict[str, Any]:
    if inputs and isinstance(inputs[0], Path):
        return {"files": [str(path.expanduser().resolve()) for path in inputs]}
    return {"texts": list(inputs)}


def inputs_of(part: dict[str, Any] | None) -> list[Any] | None:
    """The inverse of how ``write`` tells a part."""
    if part is None:
        return None
    return [Path(file) for file in part["files"]] if "files" in part else list(part["texts"])


def told_by(model: Any, found: Sequence[Surprisal], prompts: Sequence[str]) -> Told:
    """What a model said of the test documents, and what it writes behind ``prompts``."""
    written = [[prompt, text] for prompt, text in zip(prompts, model.write(prompts, length=WRITTEN), strict=True)]
    return Told(found, written, (model.units_.name, len(model.vocabulary_)))


# ---- between processes ------------------------------------------------------------------------------------------------


def keep_told(told: Told, folder: Path) -> None:
    """Write down what was said; the units themselves are not needed."""
    found = told.predictions
    arrays = {
        "lengths": np.array([len(one.bits) for one in found], dtype=np.int64),
        "bits": np.concatenate([one.bits for one in found]),
        "unknown": np.concatenate([one.unknown for one in found]),
        "spelling": np.concatenate([one.spelling for one in found]),
    }

    def write(file: Any) -> None:
        np.savez(file, allow_pickle=False, **arrays)

    artefact.atomic_write(folder / "answers.npz", write)
    write_json(folder / "answers.json", {"written": told.written, "units": list(told.units)})


def read_told(folder: Path, texts: Sequence[str]) -> Told:
    """The inverse, for the documents that were asked about."""
    import json

    with np.load(folder / "answers.npz", allow_pickle=False) as arrays:
        lengths, bits, unknown, spelling = (arrays[name] for name in ("lengths", "bits", "unknown", "spelling"))
    rest = json.loads((folder / "answers.json").read_bytes().decode("utf-8", "surrogatepass"))
    found, place, inner = [], 0, 0
    for text, length in zip(texts, lengths.tolist(), strict=True):
        units = length - 1
        found.append(
            Surprisal(
                [],
                bits[place : place + length],
                unknown[inner : inner + units],
                spelling[inner : inner + units],
                len(text) + 1,
            )
        )
        place, inner = place + length, inner + units
    return Told(found, rest["written"], (rest["units"][0], rest["units"][1]))


def documents_of(data: Any) -> Corpus:
    """A corpus with parts, from whatever names or holds one.

    Raises:
        DataError: a file that is missing or empty.
    """
    if isinstance(data, Corpus):
        return data
    if isinstance(data, str | Path):
        return read_documents(str(data), {"task": "generate"}, SPLIT)
    from erya.run_documents import cut_texts

    return cut_texts(list(data), SPLIT)
