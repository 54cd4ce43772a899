"""Who takes part in a comparison, and how each is brought to answer the test rows.

A model id is trained in a process of its own (contest.py), one after the other, each with the whole machine. A trained
``.erya`` is only measured, a file of predictions only scored; a model object or a scikit-learn estimator runs here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from erya import artefact, catalog, tasks
from erya.contest_clock import Clock, Turn
from erya.errors import DataError, EryaError, Interrupted, ModelFileError, ResourceError, UsageError, quoted
from erya.language import say

Watch = Callable[[dict[str, Any]], None]
FIRST_ANSWERS = 2  # fresh processes that are timed for the first answer; the faster one counts
GRACE = 1.5  # a model that ignores its budget is stopped at this multiple of it, and 20 s


@dataclass(slots=True)
class Contestant:
    """One row of the table: what was asked for, and what came of it."""

    model: str  # an id, or a file's or estimator's name: unique in the table
    kind: str  # "id", "artefact", "estimator", "predictions"
    value: Any = None
    seeds: list[int] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)  # one a seed
    runs: list[Any] = field(default_factory=list)  # the answers, one a seed
    first_answer: float | None = None
    status: str = "ok"
    error: str | None = None
    row: dict[str, Any] = field(default_factory=dict)


def unwatched(event: dict[str, Any]) -> None:
    """Nobody looks on."""


class Trial(Protocol):
    """What is compared: on which data, by which questions. One kind for rows with labels, one for a corpus."""

    @property
    def task(self) -> str:
        """The task of the models."""

    @property
    def columns(self) -> Sequence[str]:
        """Scores that the table shows; the first one that a model has ranks it."""

    @property
    def digest(self) -> str:
        """Of the data."""

    @property
    def tokenizer(self) -> str | None:
        """What the data recommends."""

    @property
    def takes_predictions(self) -> bool:
        """Whether a file of answers can take part."""

    def refusal(self, id: str) -> str | None:
        """Why a model cannot learn from this data; None where it can."""

    def facts(self) -> dict[str, Any]:
        """The document's ``"data"``."""

    def write(self, path: Path) -> None:
        """The data as JSON, for the processes of the contestants."""

    def answers(self, job_folder: Path) -> Any:
        """What a contestant's process left there."""

    def fit(self, estimator: Any) -> None:
        """Train a model or estimator object here."""

    def ask(self, estimator: Any) -> tuple[Any, int]:
        """Answers of a fitted object, and how many there are."""

    def predictions(self, path: Path) -> Any:
        """Answers from a file."""

    def scores(self, contestant: Contestant) -> dict[str, Any]:
        """By name, with intervals."""

    def document(self, scored: list[Contestant], rows: list[dict[str, Any]]) -> dict[str, Any]:
        """What only this kind of comparison says."""


def write_json(path: Path, data: Any) -> None:
    """Data for another process of ours; lone surrogates survive."""
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8", errors="surrogatepass")


# ---- who takes part ---


def resolve(models: Sequence[Any] | None, trial: Trial, seeds: int, seed: int) -> list[Contestant]:
    """The contestants that ``models`` names; none: all models of the trial's task. No two of them have one name.

    Raises:
        UsageError: a bare string, or a name that is neither a model, a task nor a file; the message names the nearest.
    """
    if isinstance(models, str):
        raise UsageError(
            "bare-string", say("models is a list", "models 应为列表"), help=f"erya.compare([{models!r}], …)"
        )
    found: list[Contestant] = []
    for model in models if models else [trial.task]:
        found.extend(_each(model, trial.task, list(range(seed, seed + seeds))))
    _check_tasks(found, trial)
    for contestant in found:
        reason = trial.refusal(contestant.model) if contestant.kind == "id" and contestant.status == "ok" else None
        if reason is not None:
            contestant.status, contestant.error = "refused", reason
    seen: dict[str, int] = {}
    for contestant in found:  # two rows may not have one name
        seen[contestant.model] = seen.get(contestant.model, 0) + 1
        if seen[contestant.model] > 1:
            contestant.model += f" ({seen[contestant.model]})"
    return found


def _each(model: Any, task: str, seeds: list[int]) -> Iterator[Contestant]:
    if not isinstance(model, str | Path):
        name = getattr(model, "id", None) or type(model).__name__
        yield Contestant(str(name), "estimator", model, seeds[:1])
    elif isinstance(model, str) and model in tasks.names():
        for id in catalog.ids(model):
            yield _by_id(id, seeds)
    elif str(model).endswith(".erya") or catalog.is_artefact(Path(model)):
        yield Contestant(str(model), "artefact", Path(model), seeds[:1])
    elif isinstance(model, str) and model in catalog.ids():
        yield _by_id(model, seeds)
    elif Path(model).is_file():
        kind = "artefact" if catalog.foreign_task(model) else "predictions"
        yield Contestant(str(model), kind, Path(model), seeds[:1])
    else:
        catalog.card_of(str(model))  # raises, naming the nearest
        raise UsageError("unknown-model", say(f"'{model}' is no {task} model", f"'{model}' 不是 {task} 模型"))


def _check_tasks(contestants: list[Contestant], trial: Trial) -> None:
    """One comparison asks one kind of question. Raises UsageError for a model of another task."""
    for contestant in contestants:
        other = contestant.kind == "id" and not contestant.model.startswith(f"{trial.task}/")
        if other or (contestant.kind == "predictions" and not trial.takes_predictions):
            name = quoted(contestant.model)
            raise UsageError(
                "other-task",
                say(f"'{name}' is no model for the task {trial.task}", f"'{name}' 不是 {trial.task} 任务的模型"),
                help=f"erya list {trial.task}",
            )


def _by_id(id: str, seeds: list[int]) -> Contestant:
    card = catalog.card_of(id)
    if not card.installed:
        needs = catalog.EXTRA_MODULE.get(str(card.extra), card.extra)
        reason = say(
            f"needs {needs}: pip install 'erya[{card.extra}]'", f"需要 {needs}：pip install 'erya[{card.extra}]'"
        )
        return Contestant(id, "id", None, [], status="skipped", error=reason)
    return Contestant(id, "id", None, seeds)


# ---- how they answer ---


def needs(contestant: Contestant) -> str | None:
    """What its training needs: "" or the name of an extra; None where it is not trained in a process of its own."""
    if contestant.kind != "id" or contestant.status in ("skipped", "refused"):
        return None
    return catalog.card_of(contestant.model).extra or ""


def take_part(
    contestant: Contestant, trial: Trial, settings: dict[str, Any], folder: Path, clock: Clock, watch: Watch
) -> None:
    """Let one contestant answer; what goes wrong with a model becomes its row, not an exception.

    Raises:
        EryaError: a file that the user named does not fit.
    """
    if contestant.status in ("skipped", "refused"):
        return
    try:
        if contestant.kind == "predictions":
            contestant.runs = [trial.predictions(contestant.value)]
        elif contestant.kind == "estimator":
            _run_here(contestant, trial)
        else:
            _run_apart(contestant, trial, settings, folder, clock, watch)
    except Interrupted:
        raise
    except EryaError as problem:
        if contestant.kind in ("predictions", "artefact"):
            raise  # the user named this file: that it does not fit is an error, not a result
        refused = problem.code in ("several-labels", "soft-labels")
        contestant.status, contestant.error = "refused" if refused else "failed", problem.message


def _run_apart(
    contestant: Contestant, trial: Trial, settings: dict[str, Any], folder: Path, clock: Clock, watch: Watch
) -> None:
    kind, began = needs(contestant), time.monotonic()
    turn: Turn | None = Turn(None, None, FIRST_ANSWERS)
    if kind is not None:
        turn = clock.turn(kind, len(contestant.seeds))
    if turn is None:
        contestant.status, contestant.error = "skipped", _no_time(clock, kind or "")
        return
    _trained(contestant, trial, settings, folder, turn, watch)
    training = [seconds for result in contestant.results if (seconds := result.get("train_seconds")) is not None]
    if kind is not None and training and len(training) == len(contestant.results):
        clock.took(kind, (time.monotonic() - began) / len(training), sum(training) / len(training))


def _no_time(clock: Clock, kind: str) -> str:
    """Why a contestant has no turn: whatever was done before it, or the budget alone."""
    least = clock.least(kind)
    if clock.budget is not None and clock.budget < least:
        given = f"{clock.budget:.3g}"
        return say(
            f"a budget of {given} s is too small for it: at least {least} s, with starting and scoring",
            f"{given} 秒的预算对它太少：连同启动与评分，至少要 {least} 秒",
        )
    return say("the budget was spent before its turn", "轮到它时预算已用完")


def _trained(
    contestant: Contestant, trial: Trial, settings: dict[str, Any], folder: Path, turn: Turn, watch: Watch
) -> None:
    for seed in contestant.seeds:
        job_folder = Path(tempfile.mkdtemp(dir=folder))
        job: dict[str, Any] = {
            "digest": trial.digest,
            "task": trial.task,
            "budget_seconds": turn.seconds,
        }
        if contestant.kind == "artefact":
            job["artefact"] = str(Path(contestant.value).resolve())
        else:
            job |= {"id": contestant.model, "wishes": {**settings, "seed": seed}}
        write_json(job_folder / "job.json", job)
        result = run_process(contestant.model, job_folder, turn.seconds, watch, limit=turn.limit)
        contestant.results.append(result)
        if result["status"] == "failed":
            if result.get("code") and contestant.kind == "artefact":
                raise _as_error(result)
            contestant.status, contestant.error = "failed", result["error"]
            return
        contestant.status = result["status"] if contestant.status == "ok" else contestant.status
        contestant.runs.append(trial.answers(job_folder))
        if "seed" not in result["settings"]:
            break  # a model without a seed gives the same bits each time: once is enough
    path = Path(job["artefact"]) if contestant.kind == "artefact" else job_folder / "model.erya"
    contestant.first_answer = _first_answer(path, folder, turn.first_answers)


def _as_error(result: dict[str, Any]) -> EryaError:
    kinds = (ResourceError, UsageError, DataError)
    kind = next((kind for kind in kinds if result.get("exit") == kind.exit), ModelFileError)
    return kind(result["code"], result["error"], where=result.get("where"), help=result.get("help"))


def run_process(
    model: str, job_folder: Path, budget: float | None, watch: Watch, *, limit: float | None = None
) -> dict[str, Any]:
    """One contestant's process, and its ``result.json``; what it dies of is a result, too.

    Args:
        model: what its events are called by.
        job_folder: with ``job.json`` in it; ``data.json`` lies beside the folder.
        budget: seconds of training that the job was given; None: as many as it takes.
        watch: gets its JSON lines.
        limit: seconds after which the process is killed; None: somewhat more than the budget, where there is one.
    """
    command = [sys.executable, "-m", "erya.contest", str(job_folder), str(job_folder.parent / "data.json")]
    with (job_folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, env=_environment())
        given = budget if limit is None else limit
        if limit is None and budget is not None:
            limit = budget * GRACE + 20
        killer = threading.Timer(limit or 0, process.kill) if limit is not None else None
        if killer:
            killer.daemon = True
            killer.start()
        try:
            for line in process.stdout or ():
                watch({**json.loads(line), "model": model})
            process.wait()
        finally:
            if killer:
                killer.cancel()
            if process.poll() is None:
                process.kill()
                process.wait()
    if (job_folder / "result.json").is_file():
        result: dict[str, Any] = json.loads((job_folder / "result.json").read_text(encoding="utf-8"))
        return result
    if limit is not None and process.returncode == -9:
        reason = say(f"stopped: it did not end within its {given:.0f} s", f"已停止：未能在 {given:.0f} 秒内结束")
        return {"status": "failed", "error": reason}
    last = (job_folder / "stderr").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    reason = say(f"its process ended with {process.returncode}", f"进程以 {process.returncode} 结束")
    return {"status": "failed", "error": f"{reason}: {quoted(last[0], 200) if last else ''}"}


def _environment() -> dict[str, str]:
    """The child's environment: it must find this erya, and speak UTF-8 whatever the locale."""
    root = str(Path(artefact.__file__).resolve().parent.parent)
    paths = [root, *[path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1"}


def _first_answer(path: Path, folder: Path, times: int = FIRST_ANSWERS) -> float | None:
    """Seconds from nothing to the first answer: start Python, load the file, predict one text; the fastest of several ``times``."""
    code = (
        "import sys, erya; model = erya.load(sys.argv[1])\n"
        "asked = not hasattr(model, 'most_similar') or hasattr(model, 'predict_proba')\n"
        "print(model.predict([sys.argv[2]])[0] if asked else model.most_similar(model.words_[0]))"
    )
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code, str(path), "hello 你好"],
            env=_environment(),
            capture_output=True,
            check=False,
            cwd=folder,
        )
        if done.returncode == 0:
            seconds.append(time.perf_counter() - started)
    return min(seconds) if seconds else None


def _run_here(contestant: Contestant, trial: Trial) -> None:
    """A model or estimator object: fitted here unless it already is, so its peak memory is not known."""
    from erya.contract import Model

    estimator = contestant.value
    result: dict[str, Any] = {"status": "ok", "train_seconds": None, "peak_rss_bytes": None, "model_bytes": None}
    if not _is_fitted(estimator):
        from sklearn.base import clone

        estimator = clone(estimator)
        started = time.perf_counter()
        trial.fit(estimator)
        result["train_seconds"] = time.perf_counter() - started
    started = time.perf_counter()
    answers, count = trial.ask(estimator)
    result["predictions_per_second"] = count / (time.perf_counter() - started) if count else None
    if isinstance(estimator, Model):
        with tempfile.TemporaryDirectory() as folder:
            path = estimator.save(Path(folder) / "model.erya")
            result |= {"model_bytes": path.stat().st_size, "settings": estimator.shown_params()}
            contestant.first_answer = _first_answer(path, Path(folder))
    contestant.results, contestant.runs = [result], [answers]


def _is_fitted(estimator: Any) -> bool:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True
