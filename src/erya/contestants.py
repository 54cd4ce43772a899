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
from typing import Any

import numpy as np

from erya import artefact, catalog, tasks
from erya.errors import DataError, EryaError, Interrupted, ModelFileError, ResourceError, UsageError, quoted
from erya.language import say
from erya.tasks.classify import Run
from erya.text.dataset import Dataset, Part

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
    runs: list[Run] = field(default_factory=list)
    first_answer: float | None = None
    status: str = "ok"
    error: str | None = None
    row: dict[str, Any] = field(default_factory=dict)


def unwatched(event: dict[str, Any]) -> None:
    """Nobody looks on."""


def test_part(dataset: Dataset) -> Part:
    """The rows that everybody answers. Raises DataError where there are none."""
    if dataset.test is None or not len(dataset.test):
        raise DataError("no-test", say("there are no test rows", "没有测试数据"), help="--split 0.8/0.1/0.1")
    return dataset.test


def write_data(dataset: Dataset, path: Path) -> None:
    """The parts as JSON, for the processes of the contestants."""
    _write_json(
        path,
        {
            name: None if part is None else {"inputs": part.inputs, "targets": part.targets, "weights": part.weights}
            for name, part in (("train", dataset.train), ("dev", dataset.dev), ("test", test_part(dataset)))
        },
    )


def _write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8", errors="surrogatepass")


# ---- who takes part ---


def resolve(models: Sequence[Any] | None, task: str, seeds: int, seed: int) -> list[Contestant]:
    """The contestants that ``models`` names; none: all models of the task. No two of them have one name.

    Raises:
        UsageError: a bare string, or a name that is neither a model, a task nor a file; the message names the nearest.
    """
    if isinstance(models, str):
        raise UsageError(
            "bare-string", say("models is a list", "models 应为列表"), help=f"erya.compare([{models!r}], …)"
        )
    found: list[Contestant] = []
    for model in models if models else [task]:
        found.extend(_each(model, task, list(range(seed, seed + seeds))))
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
    elif str(model).endswith(".erya") or _is_artefact(Path(model)):
        yield Contestant(str(model), "artefact", Path(model), seeds[:1])
    elif isinstance(model, str) and model in catalog.ids():
        yield _by_id(model, seeds)
    elif Path(model).is_file():
        yield Contestant(str(model), "predictions", Path(model), seeds[:1])
    else:
        catalog.card_of(str(model))  # raises, naming the nearest
        raise UsageError("unknown-model", say(f"'{model}' is no {task} model", f"'{model}' 不是 {task} 模型"))


def _is_artefact(path: Path) -> bool:
    """Whether a file is a model whatever its name: it begins like a zip, as no file of predictions does."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


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


class Budget:
    """Shares what is left of the budget equally among the trainings that are still to come."""

    def __init__(self, seconds: float | None, trainings: int) -> None:
        self.deadline = None if seconds is None else time.monotonic() + seconds
        self.left = trainings

    def share(self) -> float | None:
        """Seconds for the next model; None without a budget."""
        if self.deadline is None:
            return None
        share = max(0.0, self.deadline - time.monotonic()) / max(1, self.left)
        self.left -= 1
        return share


def take_part(
    contestant: Contestant, dataset: Dataset, settings: dict[str, Any], folder: Path, clock: Budget, watch: Watch
) -> None:
    """Let one contestant answer the test rows; what goes wrong with a model becomes its row, not an exception.

    Raises:
        EryaError: a file that the user named does not fit.
    """
    if contestant.status == "skipped":
        clock.share()
        return
    try:
        if contestant.kind == "predictions":
            contestant.runs = [_read_predictions(contestant.value, dataset)]
        elif contestant.kind == "estimator":
            _run_here(contestant, dataset)
        else:
            _run_apart(contestant, settings, folder, clock, watch, dataset.digest)
    except Interrupted:
        raise
    except EryaError as problem:
        if contestant.kind in ("predictions", "artefact"):
            raise  # the user named this file: that it does not fit is an error, not a result
        contestant.status, contestant.error = "failed", problem.message


def _run_apart(
    contestant: Contestant, settings: dict[str, Any], folder: Path, clock: Budget, watch: Watch, digest: str
) -> None:
    share = clock.share() if contestant.kind == "id" else None
    for seed in contestant.seeds:
        job_folder = Path(tempfile.mkdtemp(dir=folder))
        job: dict[str, Any] = {
            "digest": digest,
            "budget_seconds": None if share is None else share / len(contestant.seeds),
        }
        if contestant.kind == "artefact":
            job["artefact"] = str(Path(contestant.value).resolve())
        else:
            job |= {"id": contestant.model, "wishes": {**settings, "seed": seed}}
        _write_json(job_folder / "job.json", job)
        result = _run_process(contestant.model, job_folder, job["budget_seconds"], watch)
        contestant.results.append(result)
        if result["status"] == "failed":
            if result.get("code") and contestant.kind == "artefact":
                raise _as_error(result)
            contestant.status, contestant.error = "failed", result["error"]
            return
        contestant.status = result["status"] if contestant.status == "ok" else contestant.status
        contestant.runs.append(_read_answers(job_folder))
        if "seed" not in result["settings"]:
            break  # a model without a seed gives the same bits each time: once is enough
    path = Path(job["artefact"]) if contestant.kind == "artefact" else job_folder / "model.erya"
    contestant.first_answer = _first_answer(path, folder)


def _as_error(result: dict[str, Any]) -> EryaError:
    kind = ResourceError if result.get("exit") == ResourceError.exit else ModelFileError
    return kind(result["code"], result["error"], where=result.get("where"), help=result.get("help"))


def _run_process(model: str, job_folder: Path, budget: float | None, watch: Watch) -> dict[str, Any]:
    """One contestant's process; its JSON lines go to ``watch``, its stderr is kept for the case that it dies."""
    command = [sys.executable, "-m", "erya.contest", str(job_folder), str(job_folder.parent / "data.json")]
    with (job_folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, env=_environment())
        limit = None if budget is None else budget * GRACE + 20
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
        reason = say(f"stopped: it did not end within its {budget:.0f} s", f"已停止：未能在 {budget:.0f} 秒内结束")
        return {"status": "failed", "error": reason}
    last = (job_folder / "stderr").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    reason = say(f"its process ended with {process.returncode}", f"进程以 {process.returncode} 结束")
    return {"status": "failed", "error": f"{reason}: {quoted(last[0], 200) if last else ''}"}


def _environment() -> dict[str, str]:
    """The child's environment: it must find this erya, and speak UTF-8 whatever the locale."""
    root = str(Path(artefact.__file__).resolve().parent.parent)
    paths = [root, *[path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1"}


def _first_answer(path: Path, folder: Path) -> float | None:
    """Seconds from nothing to the first answer: start Python, load the file, predict one text."""
    code = "import sys, erya; print(erya.load(sys.argv[1]).predict([sys.argv[2]])[0])"
    seconds = []
    for _ in range(FIRST_ANSWERS):
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


def _read_answers(job_folder: Path) -> Run:
    with np.load(job_folder / "answers.npz", allow_pickle=False) as arrays:
        probabilities, classes = arrays["probabilities"], arrays["classes"]
    return Run(classes[probabilities.argmax(axis=1)], probabilities, classes)


def _run_here(contestant: Contestant, dataset: Dataset) -> None:
    """A model or estimator object: fitted here unless it already is, so its peak memory is not known."""
    from erya.contract import Model

    estimator = contestant.value
    result: dict[str, Any] = {"status": "ok", "train_seconds": None, "peak_rss_bytes": None, "model_bytes": None}
    if not _is_fitted(estimator):
        from sklearn.base import clone

        estimator = clone(estimator)
        started = time.perf_counter()
        estimator.fit(dataset.train.inputs, dataset.train.targets)
        result["train_seconds"] = time.perf_counter() - started
    test = test_part(dataset).inputs
    started = time.perf_counter()
    if hasattr(estimator, "predict_proba"):
        probabilities = np.asarray(estimator.predict_proba(test), dtype=np.float64)
        classes = np.asarray([str(label) for label in estimator.classes_])
        run = Run(classes[probabilities.argmax(axis=1)], probabilities, classes)
    else:
        run = Run(np.asarray([str(label) for label in estimator.predict(test)]))
    result["predictions_per_second"] = len(test) / (time.perf_counter() - started)
    if isinstance(estimator, Model):
        with tempfile.TemporaryDirectory() as folder:
            path = estimator.save(Path(folder) / "model.erya")
            result |= {"model_bytes": path.stat().st_size, "settings": estimator.plain_params()}
            contestant.first_answer = _first_answer(path, Path(folder))
    contestant.results, contestant.runs = [result], [run]


def _is_fitted(estimator: Any) -> bool:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def _read_predictions(path: Path, dataset: Dataset) -> Run:
    """A file with one answer a test row: ``erya predict --jsonl`` lines, or plain labels.

    Raises:
        DataError: another number of rows than the test part, or a line that is no answer.
    """
    answers: list[str] = []
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
    expected = len(test_part(dataset))
    if len(answers) != expected:
        raise DataError(
            "predictions-differ",
            say(
                f"{path} holds {len(answers)} answers, the test part has {expected} rows",
                f"{path} 有 {len(answers)} 个回答，而测试集有 {expected} 行",
            ),
            help=say("one answer a test row, in order", "每个测试行一个回答，按顺序排列"),
        )
    return Run(np.asarray(answers))


def _answer_in(line: str, path: Path, number: int) -> str:
    try:
        found = json.loads(line)
        for key in ("answer", "label", "prediction"):
            if isinstance(found, dict) and found.get(key) is not None:
                return str(found[key])
    except ValueError:
        pass
    raise DataError(
        "bad-prediction",
        say('this line has no "answer"', '这一行没有 "answer"'),
        where=f"{path}:{number}   {quoted(line)}",
        help='{"row": 1, "answer": "label"}',
    )
