"""One contestant of a comparison, in a process of its own: train, answer the test rows, be measured.

``python -m erya.contest JOB DATA`` reads ``JOB/job.json`` and the data, writes ``model.erya``, ``answers.npz`` and
``result.json`` into the folder ``JOB``, and prints one JSON line whenever there is progress. A process of its own gives
each model its own peak memory, and none another's warm caches.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from erya import artefact, catalog, machine
from erya.budget_plan import Foreseen
from erya.contract import Model
from erya.errors import EryaError, UsageError
from erya.language import say
from erya.progress import Report
from erya.run_corpus import takes_corpus
from erya.run_documents import takes_documents

PREDICTION_SECONDS = 0.4  # answering is repeated until it took this long, so that a fast model is timed too
SLOW_PREDICTION_SECONDS = 10.0  # no compilation takes as long


class ContestReport(Report):
    """Passes progress on as JSON lines, keeps the curve, and ends training at a deadline or at a recorded step."""

    def __init__(self, seconds: float | None, steps: int | None) -> None:
        self.deadline = None if seconds is None else time.monotonic() + seconds
        self.steps = steps
        self.asked = 0
        self._began = time.monotonic()
        self.foreseen = Foreseen(seconds)
        self.stopped_at: int | None = None
        self.curve: list[dict[str, Any]] = []
        self._spoken = 0.0

    def note(self, sentence: str) -> None:
        _speak({"event": "note", "sentence": sentence})

    def progress(
        self,
        *,
        epoch: int,
        epochs: int,
        done: float,
        loss: float | None = None,
        tokens_per_second: float | None = None,
        score: float | None = None,
    ) -> None:
        if time.monotonic() - self._spoken > 0.2:
            self._spoken = time.monotonic()
            _speak({"event": "progress", "epoch": epoch, "epochs": epochs, "done": done, "loss": loss, "score": score})

    def record(self, row: dict[str, Any]) -> None:
        self.curve.append(row)

    def stopping(self) -> Literal["interrupt", "budget"] | None:
        self.asked += 1
        self.foreseen.count(self.asked, time.monotonic() - self._began)
        late = self.deadline is not None and time.monotonic() > self.deadline
        if late or self.foreseen.over(self.asked) or (self.steps is not None and self.asked >= self.steps):
            self.stopped_at = self.asked
            return "budget"
        return None

    def planned_steps(self) -> int | None:
        return self.foreseen.steps(self.asked)


def run(folder: Path, data_path: Path) -> None:
    """Do the job that lies in ``folder``; a foreseen error becomes a result, too."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    data = json.loads(data_path.read_bytes().decode("utf-8", "surrogatepass"))
    try:
        result = _contest(job, data, folder)
    except EryaError as problem:
        result = {"status": "failed", "error": problem.message, "code": problem.code, "exit": problem.exit}
        result |= {"where": problem.where, "help": problem.help}
    except MemoryError:
        result = {"status": "failed", "error": "out of memory", "code": "memory", "help": None}
    text = json.dumps(result, ensure_ascii=False).encode("utf-8")
    artefact.atomic_write(folder / "result.json", lambda file: file.write(text))


def _contest(job: dict[str, Any], data: dict[str, Any], folder: Path) -> dict[str, Any]:
    report = ContestReport(job.get("budget_seconds"), job.get("budget_steps"))
    result: dict[str, Any] = {"status": "ok", "error": None, "threads": machine.threads()}
    path = folder / "model.erya"
    if job.get("artefact"):
        path = Path(job["artefact"])
        model = catalog.load(path)
        if model.task() != job["task"]:
            raise _other_task(model, job["task"])
        result |= {"train_seconds": None, "model_bytes": Path(job["artefact"]).stat().st_size}
    else:
        known = catalog.find(job["id"]).parameters()
        wishes = {name: value for name, value in job["wishes"].items() if name in known}
        model = catalog.model(job["id"], settings=wishes)
        started, compiling = time.perf_counter(), _seconds_compiling()
        _fit(model, data, report)
        # kernels are compiled once per machine: no part of what training takes
        result["compile_seconds"] = _seconds_compiling() - compiling
        result["train_seconds"] = time.perf_counter() - started - result["compile_seconds"]
        model.save(path, training={"data": job.get("digest"), "curve": report.curve})
        result["model_bytes"] = path.stat().st_size
    if takes_documents(model.task()):
        result["predictions_per_second"] = _answer_texts(model, data, folder)
    elif takes_corpus(model.task()):
        from erya.trial_words import queries_per_second

        (folder / "opened").write_text(str(path), encoding="utf-8")
        result["peak_rss_bytes"] = peak_rss()  # of training; what the questions take is another matter
        result["predictions_per_second"] = queries_per_second(model)
    elif model.task() == "tag":
        result["predictions_per_second"] = _answer_tags(model, _inputs(data["test"]), folder)
    else:
        result["predictions_per_second"] = _answer(model, _inputs(data["test"]), folder)
    result |= {
        "id": model.id,
        "settings": model.shown_params(),
        "parameters": _parameters(model),
        "curve": report.curve,
        "stopped_at_step": report.stopped_at,
        "peak_rss_bytes": result.get("peak_rss_bytes", peak_rss()),
    }
    if report.stopped_at is not None:
        result["status"] = "budget"
    return result


def _seconds_compiling() -> float:
    """What kernels have cost so far; a model without any never imports their compiler."""
    kernels: Any = sys.modules.get("erya.kernel_cache")
    return 0.0 if kernels is None else float(kernels.seconds_compiling())


def _other_task(model: Model, task: str) -> UsageError:
    return UsageError(
        "other-task",
        say(f"this is a {model.id}, no model for the task {task}", f"这是 {model.id}，不是 {task} 任务的模型"),
        help=f"erya list {task}",
    )


def _fit(model: Model, data: dict[str, Any], report: ContestReport) -> None:
    if takes_documents(model.task()):
        from erya.trial_texts import inputs_of

        model.fit(inputs_of(data["train"]), validation=inputs_of(data["dev"]), report=report)
        return
    if takes_corpus(model.task()):
        model.fit([Path(file) for file in data["files"]] if data.get("files") else data["texts"], report=report)
        return
    train, dev = data["train"], data["dev"]
    model.fit(
        _inputs(train),
        train["targets"],
        sample_weight=train["weights"],
        validation=None if dev is None else (_inputs(dev), dev["targets"]),
        report=report,
    )


def _again(seconds: list[float]) -> bool:
    """Whether to answer once more: the first time may have compiled kernels, so there is a second unless it takes long."""
    if len(seconds) < 2:
        return not seconds or seconds[0] < SLOW_PREDICTION_SECONDS
    return sum(seconds) < PREDICTION_SECONDS and len(seconds) < 20


def _timed(answer: Callable[[list[Any]], Any], inputs: list[Any]) -> tuple[Any, float]:
    """The answers, and the seconds of the fastest time."""
    seconds: list[float] = []
    while _again(seconds):
        started = time.perf_counter()
        answers = answer(inputs)
        seconds.append(time.perf_counter() - started)
    return answers, min(seconds)


def _answer(model: Model, inputs: list[Any], folder: Path) -> float:
    """Answer the test rows, keep the answers, and return rows per second of the whole batch (the fastest of several)."""
    probabilities, seconds = _timed(model.predict_proba, inputs)
    classes = np.asarray([str(label) for label in model.classes_])
    arrays = {"probabilities": np.asarray(probabilities, dtype=np.float64), "classes": classes}
    if getattr(model, "several_", False):
        arrays["thresholds"] = np.asarray(model.thresholds_, dtype=np.float64)

    def write(file: Any) -> None:
        np.savez(file, allow_pickle=False, **arrays)

    artefact.atomic_write(folder / "answers.npz", write)
    return len(inputs) / seconds


def _answer_tags(model: Model, inputs: list[Any], folder: Path) -> float:
    """The same of a tagger, whose answers are lists of tags."""
    answers, seconds = _timed(model.predict, inputs)
    text = json.dumps([list(tags) for tags in answers], ensure_ascii=False).encode("utf-8", "surrogatepass")
    artefact.atomic_write(folder / "answers.json", lambda file: file.write(text))
    return len(inputs) / seconds


def _answer_texts(model: Any, data: dict[str, Any], folder: Path) -> float:
    """The same of a language model: how probable the documents are, and what it writes."""
    from erya.trial_texts import keep_told, told_by

    found, seconds = _timed(model.surprisals, data["test"])
    keep_told(told_by(model, found, data["prompts"]), folder)
    return len(data["test"]) / seconds


def _inputs(part: dict[str, Any]) -> list[Any]:
    """JSON knows no tuples: pairs, and sentences of tokens, come back as lists."""
    return [tuple(text) if isinstance(text, list) else text for text in part["inputs"]]


def _parameters(model: Model) -> int:
    """Learned numbers: the sizes of all floating-point arrays."""
    return int(sum(array.size for array in model.state().arrays.values() if array.dtype.kind == "f"))


def peak_rss() -> int | None:
    """This process's peak resident memory in bytes, where the system tells."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage would count what the parent process held when it started this one
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def _speak(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONIOENCODING", "utf-8")
    run(Path(sys.argv[1]), Path(sys.argv[2]))
