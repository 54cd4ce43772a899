"""Train a model into a file, in a way that survives Ctrl-C, SIGTERM, ``kill -9`` and a full disk; and continue.

``train`` works in ``m.erya.run/`` (see run_folder.py) until ``m.erya`` stands; ``resume`` reads there what to do again,
refuses where the bits could differ, and ends with the very file that an uninterrupted training would have written.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from erya import artefact, catalog, machine, tasks
from erya.atomic import check_target
from erya.budget_plan import Plan
from erya.contract import Model
from erya.errors import DivergedError, EryaError, Interrupted, ResourceError, UsageError, quoted
from erya.language import say
from erya.run_corpus import Corpus
from erya.run_display import display
from erya.run_documents import LONGEST, digest_of, letters, takes_documents, texts_of
from erya.run_folder import RunFolder
from erya.run_recipe import (
    absolute_paths,
    check_versions,
    data_changed,
    name_only,
    plain_how,
    read_data,
    read_rows,
    running_as,
    versions,
)
from erya.run_report import RunReport
from erya.scoring import Score
from erya.text.dataset import Dataset, Part

__all__ = ["Trained", "read_data", "read_rows", "resume", "train"]

_DIVERGED = "diverged"


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training.

    Attributes:
        path: the artefact.
        size: its bytes.
        scored_on: ``"test"``, else ``"dev"``; None where there are no labelled rows but those of training.
        scores: by name, of that part.
        baseline: the most frequent training label and the accuracy (of several labels a row: the micro F1) of always
            answering it; of tags ``tag.BASELINE`` and what each token's most frequent tag scores. None where unknown.
        seconds: of fitting, all sessions of a resumed training together.
        stopped_at_step: where the budget ended training, or None.
        self_training: the rounds, where sentences without tags were learned from, too (``SelfTrained.to_plain``).
    """

    model: Model
    path: Path
    size: int
    scored_on: str | None
    scores: dict[str, Score]
    baseline: tuple[str, float] | None
    seconds: float
    stopped_at_step: int | None
    self_training: dict[str, Any] | None = None


def train(
    model: Model,
    dataset: Dataset | Corpus,
    path: str | Path,
    *,
    how: dict[str, Any],
    budget_seconds: float | None = None,
    budget_steps: int | None = None,
    budget_plan: Plan | None = None,
    restart: bool = False,
    quiet: bool = False,
    stream: TextIO | None = None,
) -> Trained:
    """Fit ``model``, score it, and write it to ``path``.

    Args:
        model: not yet fitted.
        dataset: what ``read_data(how)`` gave.
        path: the artefact; the run folder stands beside it until it is written.
        how: how to read the data again, see ``read_data``.
        budget_seconds: end training at the first step after so many seconds.
        budget_steps: end training at this step.
        budget_plan: what a training under ``budget_seconds`` had foreseen that this one repeats: the artefact says it.
        restart: throw away an unfinished training that could be resumed.
        quiet: show no progress.
        stream: where progress goes; stderr.

    Raises:
        UsageError: ``path`` is no file, or an unfinished training is there.
        ResourceError: another process trains it; no disk space, no memory.
        Interrupted: Ctrl-C or SIGTERM; ``help`` is the command that continues.
        DivergedError: the loss stopped being finite.
    """
    folder = RunFolder(path)
    check_target(folder.artefact)
    if isinstance(dataset, Corpus) and dataset.test:
        texts_of(
            dataset.test, getattr(model, "documents", "auto"), LONGEST
        )  # what cannot be scored is said before, not behind
    run = {
        "format": artefact.FORMAT,
        "id": model.id,
        "params": model.plain_params(),
        "how": plain_how(how),
        "absolute": absolute_paths(how),
        "digest": dataset.digest,
        "threads": machine.threads(),
        "device": machine.device(),
        "versions": versions(model.id),
        "budget_seconds": budget_seconds,
        "budget_steps": budget_steps,
        "budget_plan": None if budget_plan is None else list(budget_plan),
        "ended": None,
    }
    folder.acquire(create=True)
    try:
        if folder.checkpoint.exists() and not restart and folder.read()["ended"] != _DIVERGED:
            raise _unfinished(folder)
        folder.clear()
        try:
            folder.write(run)
        except EryaError:
            folder.remove()
            raise
        return _carry_out(folder, run, model, dataset, quiet, stream)
    finally:
        folder.release()


def resume(path: str | Path, *, quiet: bool = False, stream: TextIO | None = None) -> Trained:
    """Continue the training of ``path`` from its last checkpoint, or from the start where there is none.

    Args:
        path: ``m.erya`` or ``m.erya.run``.
        quiet: show no progress.
        stream: where progress goes; stderr.

    Raises:
        UsageError: nothing to resume, or a version differs from the one the training began with.
        DataError: the data differs from what the training began with, or is gone.
        ModelFileError: the run folder is damaged.
        ResourceError, Interrupted, DivergedError: as ``train``.
    """
    folder = RunFolder(path)
    folder.acquire(create=False)
    try:
        run = folder.read()
        check_versions(run["versions"], versions(run["id"]))
        dataset = read_data(run["how"], run["absolute"])
        if dataset.digest != run["digest"]:
            raise data_changed(run["how"]["source"])
        model = catalog.find(run["id"]).from_plain_params(run["params"])
        return _carry_out(folder, run, model, dataset, quiet, stream)
    finally:
        folder.release()


# ---- the training itself ------------------------------------------------------------------------------------------


def _carry_out(
    folder: RunFolder, run: dict[str, Any], model: Model, dataset: Dataset | Corpus, quiet: bool, stream: TextIO | None
) -> Trained:
    def remember(said: dict[str, Any]) -> None:
        run.update(said)
        folder.write(run)

    report = RunReport(
        folder,
        run["id"],
        run["params"],
        display(stream, quiet=quiet),
        budget_seconds=run["budget_seconds"],
        budget_steps=run["budget_steps"],
        plan=Plan(*run["budget_plan"]) if run.get("budget_plan") else None,
        remember=remember,
    )
    try:
        with running_as(run["threads"], run["device"]), report:
            taught = _fit(model, dataset, report, run["how"].get("unlabelled"))
            return _finish(folder, run, model, dataset, report, taught)
    except BaseException as error:
        told = _told(folder, run, error)
        if told is error:
            raise
        raise told from error


def _fit(
    model: Model, dataset: Dataset | Corpus, report: RunReport, unlabelled: dict[str, str] | None
) -> dict[str, Any] | None:
    """Fit; what came of it where the model taught itself on ``unlabelled`` sentences."""
    if isinstance(dataset, Corpus):
        model.fit(dataset.inputs, validation=dataset.validation, report=report)
        return None
    if unlabelled is not None:
        from erya import self_training

        return self_training.learn(model, dataset, unlabelled, report)
    train, dev = dataset.train, dataset.dev
    model.fit(
        train.inputs,
        train.targets,
        sample_weight=train.weights,
        validation=(dev.inputs, dev.targets) if dev is not None and len(dev) else None,
        report=report,
    )
    return None


def _finish(
    folder: RunFolder,
    run: dict[str, Any],
    model: Model,
    dataset: Dataset | Corpus,
    report: RunReport,
    taught: dict[str, Any] | None,
) -> Trained:
    """Score where there are labelled rows, write the artefact, and only then take the run away."""
    seconds = report.seconds()
    scored_on, part, baseline = None, None, None
    scores: dict[str, Score] = {}
    data: dict[str, Any] = {"source": name_only(run["how"]["source"]), "digest": run["digest"]}
    if isinstance(dataset, Corpus):
        data |= dataset.facts()
        if takes_documents(model.task()):  # by which the held-out part is found again
            data |= {"split": run["how"]["split"], "train_digest": digest_of(dataset.inputs)}
        if dataset.test:
            scored_on, scores, baseline = _documents_scored(model, dataset)
    else:
        scored_on, part = _scored_part(dataset)
        scores = _scores(model, part) if part is not None else {}
        baseline = _baseline(model, dataset, part)
        data |= {"rows": {name: len(part) for name, part in dataset.parts()}, "split": run["how"]["split"]}
        if dataset.kind != "one":
            data["target_kind"] = dataset.kind
    training = {
        "seed": run["params"].get("seed"),
        "data": data,
        "threads": run["threads"],
        "device": run["device"],
        "versions": run["versions"],
        "stopped_at_step": report.stopped_at,
        **({"budget_plan": list(report.foreseen.followed)} if report.foreseen.followed else {}),
        "scored_on": scored_on,
        "scores": {name: score.to_plain() for name, score in scores.items()},
        "baseline": baseline_facts(baseline, scores),
        "curve": report.curve,
        **({"self_training": taught} if taught is not None else {}),
    }
    path = model.save(folder.artefact, training=training, card=_card(model.id, training))
    folder.remove()
    return Trained(model, path, path.stat().st_size, scored_on, scores, baseline, seconds, report.stopped_at, taught)


def _documents_scored(model: Model, corpus: Corpus) -> tuple[str, dict[str, Score], tuple[str, float]]:
    """What a language model says of the test documents, and what letters counted one by one would."""
    task, kind = tasks.find(model.task()), getattr(model, "documents", "auto")
    test = texts_of(corpus.test or [], kind)
    scores: dict[str, Score] = task.scores([model.surprisals(test)])
    return "test", scores, (task.BASELINE, letters(corpus.inputs, kind, test))


def _scored_part(dataset: Dataset) -> tuple[str | None, Part | None]:
    for name, part in (("test", dataset.test), ("dev", dataset.dev)):
        if part is not None and len(part) and part.targets is not None:
            return name, part
    return None, None


def _scores(model: Model, part: Part) -> dict[str, Score]:
    task = tasks.find(model.task())
    if model.task() == "tag":
        tagged: dict[str, Score] = task.scores(part.targets, [task.TagRun(model.predict(part.inputs))])
        return tagged
    answers = task.Run(
        model.predict(part.inputs),
        model.predict_proba(part.inputs) if hasattr(model, "predict_proba") else None,
        getattr(model, "classes_", None),
    )
    found: dict[str, Score] = task.scores(part.targets, [answers])
    return found


def _baseline(model: Model, dataset: Dataset, part: Part | None) -> tuple[str, float] | None:
    if part is None or part.targets is None or not dataset.train.targets:
        return None
    task = tasks.find(model.task())
    if model.task() == "tag":
        rule = task.most_frequent(dataset.train.inputs, dataset.train.targets, part.inputs)
        return task.BASELINE, task.headline(part.targets, rule)
    label, share = task.majority(dataset.train.targets, part.targets)
    return str(label), float(share)


def baseline_facts(baseline: tuple[str, float] | None, scores: dict[str, Score]) -> dict[str, Any] | None:
    """The baseline of JSON documents: the label, and what always answering it scores, by the name of the score that ranks."""
    if baseline is None:
        return None
    return {"label": baseline[0], next(iter(scores), "accuracy"): baseline[1]}


def _card(model: str, training: dict[str, Any]) -> str:
    """The page inside the file. Both languages, since the same training gives the same bytes everywhere."""
    data = training["data"]
    rows = " · ".join(f"{name} {count:,}" for name, count in data.get("rows", {}).items()) or f"{data['bytes']:,} B"
    lines = [f"# {model}", "", f"Data 数据: {training['data']['source']} ({rows})", ""]
    if training["scores"]:
        lines += [f"| {training['scored_on']} | | 95 % |", "|---|---|---|"]
        for name, score in training["scores"].items():
            lines.append(f"| {name} | {score['value']:.4f} | {score['low']:.4f} – {score['high']:.4f} |")
        lines.append("")
    first = getattr(tasks.find(model.split("/")[0]), "FIRST_USE", "erya predict FILE.erya --input TEXT")
    lines.append(f"Written by Erya 由尔雅写成: `{first}`")
    return "\n".join(lines) + "\n"


# ---- how it may end -----------------------------------------------------------------------------------------------


def _told(folder: RunFolder, run: dict[str, Any], error: BaseException) -> BaseException:
    """The error as the user should read it. A run that cannot be continued, or need not be, is taken away."""
    saved = folder.checkpoint.exists()
    if isinstance(error, Interrupted):
        return _interrupted(folder, run["id"], saved)
    if isinstance(error, MemoryError) or _out_of_memory(error):
        return ResourceError(
            "out-of-memory",
            say(f"{run['id']} ran out of memory", f"{run['id']} 内存不足"),
            help=folder.resume_command
            if saved
            else say("a smaller model: --preset tiny", "用更小的模型：--preset tiny"),
        )
    if isinstance(error, ResourceError) and error.code == "disk-full" and saved:
        resume = folder.resume_command
        error.help = say(f"free some space, then: {resume}", f"腾出空间，然后：{resume}")
    if isinstance(error, UsageError) and error.code == "bad-setting" and error.help and error.help.endswith("=…"):
        name = error.help.removeprefix("--set ").removesuffix("=…")
        parameter = catalog.find(run["id"]).parameters().get(name)
        if parameter is not None and isinstance(parameter.default, int | float | str | None):
            error.help = f"--set {name}={'none' if parameter.default is None else parameter.default}"
    if isinstance(error, DivergedError) and saved:
        with contextlib.suppress(EryaError):
            folder.write({**run, "ended": _DIVERGED})
    elif isinstance(error, Exception) and not isinstance(error, ResourceError) and not saved:
        folder.remove()
    return error


def _out_of_memory(error: BaseException) -> bool:
    """Torch raises RuntimeErrors, on a CPU without a type of their own; NumPy ValueErrors for what no memory could hold."""
    text = str(error)
    if isinstance(error, ValueError):
        return "array is too big" in text or "Maximum allowed dimension exceeded" in text
    return isinstance(error, RuntimeError) and (
        type(error).__name__ == "OutOfMemoryError" or "allocate memory" in text or "not enough memory" in text
    )


def _interrupted(folder: RunFolder, id: str, saved: bool) -> Interrupted:
    message = (
        say("stopped; the training is saved", "已停止；训练进度已保存")
        if saved
        else say(f"stopped; {id} has no checkpoint yet and will start over", f"已停止；{id} 还没有检查点，将从头开始")
    )
    return Interrupted("interrupted", message, help=folder.resume_command)


def _unfinished(folder: RunFolder) -> UsageError:
    name = quoted(folder.artefact)
    return UsageError(
        "unfinished-training",
        say(f"an unfinished training of {name} is there", f"{name} 有一次未完成的训练"),
        where=quoted(folder.path),
        help=say(
            f"continue it: {folder.resume_command}   throw it away: erya train … --restart",
            f"继续：{folder.resume_command}   放弃它：erya train … --restart",
        ),
    )
