"""``compare``: many models, one data set → a ranked table, what differs significantly, and what to do next.

Who takes part and how each answers is in contestants.py; this file scores the answers and makes of them one document,
from which the table, the report and ``--json`` are drawn.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from erya import artefact, catalog, tasks
from erya.advice import advise
from erya.contest_clock import Clock, in_turn
from erya.contestants import Contestant, Trial, Watch, needs, resolve, take_part, unwatched
from erya.errors import UsageError
from erya.language import language, say
from erya.run_corpus import Corpus, takes_corpus
from erya.run_documents import takes_documents
from erya.text.dataset import Dataset


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
    data: Dataset | Corpus | str | Path | list[str] | None = None,
    *,
    task: str | None = None,
    similarity: Sequence[str | Path] = (),
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
        data: a Dataset, or whatever ``erya.read`` takes. For word vectors a corpus: a file, a folder, a pattern, a list of
            texts.
        task: ``"classify"``, ``"tag"``, ``"vectors"``; None: that of the data or of the first model that tells.
        similarity: files of similarity judgements on which word vectors are scored, besides the bundled analogies.
        seeds: how often each model that has a ``seed`` is trained; scores are means over the seeds.
        seed: the first seed, and the one for the split and the bootstrap.
        budget: seconds for everything, shared as ``contest_clock`` says; a training that it stops is shown with the step at which it
            stopped, and a model for which no time was left says so.
        settings: for every model that has a setting of that name; a sample's own tokenization goes in here too.
        watch: called with each event, for a live table.

    Raises:
        DataError, UsageError: as ``erya.read``; an unknown model; predictions that do not fit the test rows.
    """
    started = time.perf_counter()
    trial = _trial(data, task or task_of(models or [], data), similarity, seed)
    settings = dict(settings or {})
    if trial.tokenizer and "tokenizer" not in settings:
        settings["tokenizer"] = trial.tokenizer
    contestants = resolve(models, trial, seeds, seed)
    names = [contestant.model for contestant in contestants]
    watch(
        {"event": "begin", "models": names, "data": trial.facts(), "columns": list(trial.columns), "task": trial.task}
    )
    with tempfile.TemporaryDirectory(prefix="erya-compare-", ignore_cleanup_errors=True) as folder:
        trial.write(Path(folder) / "data.json")
        kinds = [needs(contestant) for contestant in contestants]
        clock = Clock(budget, [kind for kind in kinds if kind is not None], contestants=len(contestants))
        for place in range(len(contestants)) if budget is None else in_turn(kinds):
            contestant = contestants[place]
            watch({"event": "start", "model": contestant.model})
            take_part(contestant, trial, settings, Path(folder), clock, watch)
            done = time.perf_counter()
            contestant.row = _row(contestant, trial)
            clock.scored_one(time.perf_counter() - done)
            watch({"event": "done", **contestant.row})
    document = _document(contestants, trial, settings)
    document["seconds"] = time.perf_counter() - started
    return Board(document)


def task_of(models: Sequence[Any], data: Any = None) -> str:
    """The task of the data, else of the first model that tells one: an id, an object, a file; else classify."""
    if isinstance(data, Dataset):
        return data.task
    for model in models:
        if not isinstance(model, str | Path):
            task = str(getattr(model, "id", "")).split("/")[0]
        elif catalog.is_artefact(Path(model)):
            task = artefact.load(model).model.split("/")[0]
        elif Path(model).is_file():
            task = catalog.foreign_task(model) or ""
        else:
            task = str(model).split("/")[0]
        if task in tasks.names():
            return task
    return "vectors" if isinstance(data, Corpus) else "classify"


def _trial(data: Any, task: str, similarity: Sequence[str | Path], seed: int) -> Trial:
    if data is None:
        raise UsageError(
            "no-data", say("compare needs data", "compare 需要数据"), help='erya.compare(data="sample:snips")'
        )
    if takes_documents(task):
        from erya.trial_texts import TextsTrial, documents_of

        return TextsTrial(documents_of(data))
    if takes_corpus(task):
        from erya.trial_words import WordsTrial, corpus_of

        return WordsTrial(corpus_of(data, task), similarity)
    from erya.text.read import read
    from erya.trial_rows import RowsTrial
    from erya.trial_tags import TagsTrial

    dataset = (data if isinstance(data, Dataset) else read(data, task=task)).split(seed=seed)
    return TagsTrial(dataset) if dataset.task == "tag" else RowsTrial(dataset)


# ---- the document ---------------------------------------------------------------------------------------------


def _row(contestant: Contestant, trial: Trial) -> dict[str, Any]:
    """One row of the table; None where something was not measured, never 0."""
    first = contestant.results[0] if contestant.results else {}
    return {
        "model": contestant.model,
        "name": _shown_name(contestant),
        "kind": contestant.kind,
        "status": contestant.status,
        "error": contestant.error,
        "seeds": contestant.seeds[: len(contestant.runs)],
        "scores": trial.scores(contestant) if contestant.runs else {},
        "first_answer_seconds": contestant.first_answer,
        **{
            name: _median(contestant, name)
            for name in ("train_seconds", "predictions_per_second", "model_bytes", "peak_rss_bytes", "parameters")
        },
        "settings": first.get("settings"),
        "stopped_at_step": first.get("stopped_at_step"),
        "curve": first.get("curve", []),
    }


def _shown_name(contestant: Contestant) -> str:
    if contestant.kind == "id":
        card = catalog.card_of(contestant.model)
        return card.said(card.title)
    return Path(contestant.model).name if contestant.kind in ("artefact", "predictions") else contestant.model


def _median(contestant: Contestant, name: str) -> float | None:
    values = [result[name] for result in contestant.results if result.get(name) is not None]
    return float(np.median(values)) if values else None


def _document(contestants: list[Contestant], trial: Trial, settings: dict[str, Any]) -> dict[str, Any]:
    less = tasks.find(trial.task).LOWER_IS_BETTER
    contestants = sorted(contestants, key=lambda contestant: _rank(contestant, trial.columns, less))
    rows = [contestant.row for contestant in contestants]
    document: dict[str, Any] = {
        "schema": "erya.compare/1",
        "language": language(),
        "task": trial.task,
        "columns": list(trial.columns),
        "data": trial.facts(),
        "settings": settings,
        "rows": rows,
        **trial.document([contestant for contestant in contestants if contestant.runs], rows),
        "environment": environment(),
    }
    document["advice"] = advise(document)
    return document


def _rank(contestant: Contestant, columns: Sequence[str], less: Sequence[str]) -> tuple[float, ...]:
    """What finished first, then by the scores of the table, the best first; of those in ``less`` the smallest is."""
    scores = contestant.row["scores"]
    signs = [1 if name in less else -1 for name in columns]
    values = [
        sign * scores[name]["value"] if name in scores else math.inf for sign, name in zip(signs, columns, strict=True)
    ]
    return (not contestant.runs, not scores, *values)


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
