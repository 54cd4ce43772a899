"""``compare``: many models, one data set → a ranked table, what differs significantly, and what to do next.

Who takes part and how each answers is in contestants.py; this file scores the answers and makes of them one document,
from which the table, the report and ``--json`` are drawn.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from erya import artefact, catalog
from erya.advice import advise
from erya.contestants import Budget, Contestant, Watch, resolve, take_part, test_part, unwatched, write_data
from erya.errors import UsageError
from erya.language import language, say
from erya.scoring import holm
from erya.tasks import classify
from erya.tasks.classify import Run
from erya.text.dataset import Dataset

MISTAKES = 30


@dataclass(slots=True)
class Board:
    """What a comparison found. ``document`` is the ``erya.compare/1`` document that everything else is drawn from."""

    document: dict[str, Any]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The ranked rows."""
        found: list[dict[str, Any]] = self.document["rows"]
        return found

    def table(self, width: int | None = None) -> str:
        """The ranked table as plain text; in ``width`` terminal cells, where that is given."""
        from erya.board_table import plain_table

        return plain_table(self.document, width)

    def html(self) -> str:
        """The self-contained report."""
        from erya import report_page

        page: str = report_page.render(self.document)
        return page

    def save(self, path: str | Path) -> Path:
        """Write the report (``.html``) or the document (``.json``), atomically.

        Raises:
            ResourceError: the disk is full or the folder read-only.
        """
        path = Path(path)
        text = json.dumps(self.document, ensure_ascii=False, indent=1) if path.suffix == ".json" else self.html()
        artefact.atomic_write(path, lambda file: file.write(text.encode("utf-8")))
        return path

    def _repr_html_(self) -> str:
        import html

        return f'<iframe srcdoc="{html.escape(self.html(), quote=True)}" width="100%" height="900"></iframe>'


def compare(
    models: Sequence[Any] | None = None,
    data: Dataset | str | Path | None = None,
    *,
    seeds: int = 1,
    seed: int = 0,
    budget: float | None = None,
    settings: dict[str, Any] | None = None,
    watch: Watch = unwatched,
) -> Board:
    """Train and compare models on one data set.

    Args:
        models: ids, tasks (all their models), paths of trained ``.erya`` files or of prediction files, fitted or new model
            objects, scikit-learn estimators. Default: all models of the data's task.
        data: a Dataset, or whatever ``erya.read`` takes.
        seeds: how often each model that has a ``seed`` is trained; scores are means over the seeds.
        seed: the first seed, and the one for the split and the bootstrap.
        budget: seconds for all training together; what is stopped by it is shown with the step at which it stopped.
        settings: for every model that has a setting of that name; a sample's own tokenization goes in here too.
        watch: called with each event, for a live table.

    Raises:
        DataError, UsageError: as ``erya.read``; an unknown model; predictions that do not fit the test rows.
    """
    started = time.perf_counter()
    dataset = _dataset(data, seed)
    settings = dict(settings or {})
    if dataset.tokenizer and "tokenizer" not in settings:
        settings["tokenizer"] = dataset.tokenizer
    contestants = resolve(models, dataset.task, seeds, seed)
    watch({"event": "begin", "models": [contestant.model for contestant in contestants], "data": _data_facts(dataset)})
    with tempfile.TemporaryDirectory(prefix="erya-compare-") as folder:
        write_data(dataset, Path(folder) / "data.json")
        clock = Budget(budget, sum(contestant.kind == "id" for contestant in contestants))
        for contestant in contestants:
            watch({"event": "start", "model": contestant.model})
            take_part(contestant, dataset, settings, Path(folder), clock, watch)
            contestant.row = _row(contestant, dataset)
            watch({"event": "done", **contestant.row})
    document = _document(contestants, dataset, settings)
    document["seconds"] = time.perf_counter() - started
    return Board(document)


def _dataset(data: Dataset | str | Path | None, seed: int) -> Dataset:
    if data is None:
        raise UsageError(
            "no-data", say("compare needs data", "compare 需要数据"), help='erya.compare(data="sample:snips")'
        )
    if isinstance(data, Dataset):
        return data.split(seed=seed)
    from erya.text.read import read

    return read(data).split(seed=seed)


# ---- the document ---------------------------------------------------------------------------------------------


def _data_facts(dataset: Dataset) -> dict[str, Any]:
    labels, counts = np.unique([str(label) for label in dataset.train.targets or []], return_counts=True)
    return {
        "source": dataset.source,
        "task": dataset.task,
        "columns": dataset.columns,
        "rows": {
            "train": len(dataset.train),
            "dev": len(dataset.dev) if dataset.dev else 0,
            "test": len(test_part(dataset)),
        },
        "labels": labels.tolist(),
        "label_counts": dict(zip(labels.tolist(), counts.tolist(), strict=True)),
        "languages": dataset.languages,
        "rejected": dataset.reading.rejected,
        "duplicates_across_splits": len(dataset.duplicates()),
        "digest": dataset.digest,
    }


def _row(contestant: Contestant, dataset: Dataset) -> dict[str, Any]:
    """One row of the table; None where something was not measured, never 0."""
    targets = test_part(dataset).targets
    found: dict[str, Any] = {}
    if contestant.runs:
        found = {name: score.to_plain() for name, score in classify.scores(targets, contestant.runs).items()}
        for name in found:
            found[name]["per_seed"] = [
                classify.scores(targets, [run], resamples=1)[name].value for run in contestant.runs
            ]
    return {
        "model": contestant.model,
        "name": _shown_name(contestant),
        "kind": contestant.kind,
        "status": contestant.status,
        "error": contestant.error,
        "seeds": contestant.seeds[: len(contestant.runs)],
        "scores": found,
        "first_answer_seconds": contestant.first_answer,
        **{
            name: _median(contestant, name)
            for name in ("train_seconds", "predictions_per_second", "model_bytes", "peak_rss_bytes", "parameters")
        },
        "settings": contestant.results[0].get("settings") if contestant.results else None,
        "stopped_at_step": contestant.results[0].get("stopped_at_step") if contestant.results else None,
        "curve": contestant.results[0].get("curve", []) if contestant.results else [],
    }


def _shown_name(contestant: Contestant) -> str:
    if contestant.kind == "id":
        card = catalog.card_of(contestant.model)
        return card.said(card.title)
    return Path(contestant.model).name if contestant.kind in ("artefact", "predictions") else contestant.model


def _median(contestant: Contestant, name: str) -> float | None:
    values = [result[name] for result in contestant.results if result.get(name) is not None]
    return float(np.median(values)) if values else None


def _document(contestants: list[Contestant], dataset: Dataset, settings: dict[str, Any]) -> dict[str, Any]:
    targets = test_part(dataset).targets or []
    contestants = sorted(contestants, key=_rank)
    rows = [contestant.row for contestant in contestants]
    scored = [contestant for contestant in contestants if contestant.runs]
    label, majority = classify.majority(dataset.train.targets or [], targets)
    document: dict[str, Any] = {
        "schema": "erya.compare/1",
        "language": language(),
        "data": _data_facts(dataset),
        "settings": settings,
        "baseline": {"majority": majority, "label": label},
        "rows": rows,
        "pairs": _pairs(scored, targets),
        "confusion": {},
        "per_label": {},
        "calibration": {},
        "mistakes": _mistakes(scored, dataset),
        "environment": environment(),
    }
    for contestant in scored:
        run = contestant.runs[0]
        labels, counts = classify.confusion(targets, run.predictions)
        document["confusion"][contestant.model] = {"labels": labels, "counts": counts.tolist()}
        document["per_label"][contestant.model] = [
            {"label": one.label, "precision": one.precision, "recall": one.recall, "f1": one.f1, "support": one.support}
            for one in classify.per_label(targets, run.predictions)
        ]
        if run.probabilities is not None and run.classes is not None:
            bins = classify.calibration_bins(targets, run.probabilities, run.classes)
            document["calibration"][contestant.model] = {"bins": bins}
    document["beats_chance"] = any(row["scores"] and row["scores"][classify.HEADLINE]["low"] > majority for row in rows)
    document["advice"] = advise(document)
    return document


def _rank(contestant: Contestant) -> tuple[bool, float]:
    row = contestant.row
    return (not row["scores"], -row["scores"][classify.HEADLINE]["value"] if row["scores"] else 0.0)


def _pairs(scored: list[Contestant], targets: Any) -> list[dict[str, Any]]:
    """Every pair of models on the same rows (first seed); significant together, by Holm's correction."""
    both = list(combinations(scored, 2))
    tests = [classify.paired_test(targets, a.runs[0].predictions, b.runs[0].predictions) for a, b in both]
    return [
        {
            "a": a.model,
            "b": b.model,
            "difference": test.difference,
            "low": test.low,
            "high": test.high,
            "p_value": test.p_value,
            "significant": significant,
        }
        for (a, b), test, significant in zip(both, tests, holm([test.p_value for test in tests]), strict=True)
    ]


def _mistakes(scored: list[Contestant], dataset: Dataset) -> list[dict[str, Any]]:
    """The test rows that the models get most confidently wrong together: hard texts, or wrong labels."""
    test = test_part(dataset)
    targets = np.asarray([str(label) for label in test.targets or []])
    wrongness = np.zeros(len(targets))
    for contestant in scored:
        run = contestant.runs[0]
        wrong = np.asarray(run.predictions, dtype=np.str_) != targets
        wrongness += wrong * (1.0 if run.probabilities is None else run.probabilities.max(axis=1))
    worst = [int(index) for index in np.argsort(-wrongness, kind="stable")[:MISTAKES] if wrongness[index] > 0]
    return [
        {
            "row": test.rows[index],
            "text": test.inputs[index] if isinstance(test.inputs[index], str) else " ⟂ ".join(test.inputs[index]),
            "label": str(targets[index]),
            "answers": {contestant.model: _answer_of(contestant.runs[0], index) for contestant in scored},
        }
        for index in worst
    ]


def _answer_of(run: Run, index: int) -> dict[str, Any]:
    probability = None if run.probabilities is None else float(run.probabilities[index].max())
    return {"label": str(run.predictions[index]), "probability": probability}


def environment() -> dict[str, Any]:
    """Versions and machine: what a repetition must know."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    import erya
    from erya import machine

    try:
        torch: str | None = version("torch")
    except PackageNotFoundError:
        torch = None
    return {
        "erya": erya.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch,
        "processor": _processor(),
        "threads": machine.threads(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    import platform

    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
