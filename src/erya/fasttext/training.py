"""``train_supervised`` and ``train_unsupervised``: the original's arguments and defaults, and a few of Erya's own.

The training is ``erya.models.fasttext.making``'s, the search for settings ``tuning``'s.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from erya import machine
from erya.errors import DataError, UsageError
from erya.fasttext.model import FastTextModel, bytes_of_file
from erya.fasttext.progress import Progress, Within
from erya.language import say
from erya.models.fasttext import making
from erya.models.fasttext.arguments import Arguments
from erya.models.fasttext.making import How
from erya.models.fasttext.original import Original
from erya.progress import Report

_SUPERVISED = {"lr": 0.1, "minCount": 1, "minn": 0, "maxn": 0, "loss": "softmax"}
_UNSUPERVISED = {"lr": 0.05, "minCount": 5, "minn": 3, "maxn": 6, "loss": "ns"}
_SHARED = {
    "dim": 100,
    "ws": 5,
    "epoch": 5,
    "minCountLabel": 0,
    "neg": 5,
    "wordNgrams": 1,
    "bucket": 2_000_000,
    "thread": None,
    "lrUpdateRate": 100,
    "t": 1e-4,
    "label": "__label__",
    "verbose": 2,
    "pretrainedVectors": "",
    "seed": 0,
}
_LOSSES = {"ns": "ns", "hs": "hs", "softmax": "softmax", "ova": "ova", "one-vs-all": "ova"}


def train_supervised(
    input: str | Path,
    lr: float | None = None,
    dim: int | None = None,
    ws: int | None = None,
    epoch: int | None = None,
    minCount: int | None = None,
    minCountLabel: int | None = None,
    minn: int | None = None,
    maxn: int | None = None,
    neg: int | None = None,
    wordNgrams: int | None = None,
    loss: str | None = None,
    bucket: int | None = None,
    thread: int | None = None,
    lrUpdateRate: int | None = None,
    t: float | None = None,
    label: str | None = None,
    verbose: int | None = None,
    pretrainedVectors: str | Path | None = None,
    seed: int | None = None,
    autotuneValidationFile: str | Path = "",
    autotuneMetric: str = "f1",
    autotunePredictions: int = 1,
    autotuneDuration: float = 300,
    autotuneModelSize: str | int = "",
    autotuneJournal: str | Path | None = None,
    *,
    min_count: int | None = None,
    min_count_label: int | None = None,
    word_ngrams: int | None = None,
    lr_update_rate: int | None = None,
    label_prefix: str | None = None,
    pretrained_vectors: str | Path | None = None,
    freeze: bool = False,
    deterministic: bool = True,
    by_hand: Collection[str] | None = None,
    report: Report | None = None,
) -> FastTextModel:
    """Train a classifier on a file with a line for each text, labels among its words.

    The arguments are the original's, with its defaults. Beyond them: ``pretrainedVectors`` in any format, whose width is taken
    over; ``freeze`` keeps these vectors; ``autotuneJournal`` is a file of trials, from which a search that was broken off goes on (what
    was found stands in ``best_params_``, ``trials_`` and ``what_mattered_``); ``deterministic=False`` lets threads write without
    waiting; ``by_hand`` names the arguments that autotuning leaves alone (None: those that are given); ``report`` is told about
    progress (None: shown on standard error as ``verbose`` says; 0: nothing, 1: notes, 2: the original's line).

    Raises:
        ValueError: a setting out of its range, a file that cannot be read, or nothing in it to learn.
    """
    given = _given(
        lr=lr, dim=dim, ws=ws, epoch=epoch, minCount=_one(minCount, min_count, "minCount"),
        minCountLabel=_one(minCountLabel, min_count_label, "minCountLabel"), minn=minn, maxn=maxn, neg=neg,
        wordNgrams=_one(wordNgrams, word_ngrams, "wordNgrams"), loss=loss, bucket=bucket, thread=thread,
        lrUpdateRate=_one(lrUpdateRate, lr_update_rate, "lrUpdateRate"), t=t, label=_one(label, label_prefix, "label"),
        verbose=verbose, pretrainedVectors=_one(pretrainedVectors, pretrained_vectors, "pretrainedVectors"), seed=seed,
    )  # fmt: skip
    settings: dict[str, Any] = _SHARED | _SUPERVISED | given
    if not autotuneValidationFile:
        with _shown(report, settings["verbose"], tuning=False) as shown:
            return _trained(Path(input), "supervised", settings, shown, freeze=freeze, deterministic=deterministic)
    names = set(given if by_hand is None else by_hand) & set(settings)

    with _shown(report, settings["verbose"], tuning=True) as shown:
        within = Within(shown)

        def make(tried: Mapping[str, Any]) -> Original:
            some: dict[str, Any] = settings | {
                name: tried[name] for name in tried if name in settings and name not in names
            }
            if "minn" in tried and "maxn" not in names and "minn" not in names:
                some["maxn"] = some["minn"] + 3 if some["minn"] else 0  # as the original tunes both
            return _trained(
                Path(input), "supervised", some, within, freeze=freeze, deterministic=deterministic
            ).original

        return _tuned(
            make,
            Path(input),
            settings,
            names,
            (autotuneValidationFile, autotuneMetric, autotunePredictions, autotuneDuration, str(autotuneModelSize)),
            None if autotuneJournal is None else Path(autotuneJournal),
            shown,
        )


@contextmanager
def _shown(report: Report | None, verbose: int, *, tuning: bool) -> Iterator[Report]:
    """The report that was given, or one that shows what ``verbose`` asks for."""
    if report is not None:
        yield report
        return
    progress = Progress(verbose, tuning=tuning)
    try:
        yield progress
    finally:
        progress.close()


def train_unsupervised(
    input: str | Path,
    model: str = "skipgram",
    lr: float | None = None,
    dim: int | None = None,
    ws: int | None = None,
    epoch: int | None = None,
    minCount: int | None = None,
    minCountLabel: int | None = None,
    minn: int | None = None,
    maxn: int | None = None,
    neg: int | None = None,
    wordNgrams: int | None = None,
    loss: str | None = None,
    bucket: int | None = None,
    thread: int | None = None,
    lrUpdateRate: int | None = None,
    t: float | None = None,
    label: str | None = None,
    verbose: int | None = None,
    pretrainedVectors: str | Path | None = None,
    seed: int | None = None,
    *,
    min_count: int | None = None,
    min_count_label: int | None = None,
    word_ngrams: int | None = None,
    lr_update_rate: int | None = None,
    label_prefix: str | None = None,
    pretrained_vectors: str | Path | None = None,
    deterministic: bool = True,
    report: Report | None = None,
) -> FastTextModel:
    """Train word vectors on a file of text: ``model`` is "skipgram" or "cbow". See ``train_supervised``.

    ``pretrainedVectors`` are what their words begin with; words that the text does not have are kept, too.

    Raises:
        ValueError: as there.
    """
    given = _given(
        lr=lr, dim=dim, ws=ws, epoch=epoch, minCount=_one(minCount, min_count, "minCount"),
        minCountLabel=_one(minCountLabel, min_count_label, "minCountLabel"), minn=minn, maxn=maxn, neg=neg,
        wordNgrams=_one(wordNgrams, word_ngrams, "wordNgrams"), loss=loss, bucket=bucket, thread=thread,
        lrUpdateRate=_one(lrUpdateRate, lr_update_rate, "lrUpdateRate"), t=t, label=_one(label, label_prefix, "label"),
        verbose=verbose, pretrainedVectors=_one(pretrainedVectors, pretrained_vectors, "pretrainedVectors"), seed=seed,
    )  # fmt: skip
    if model not in ("skipgram", "cbow"):
        raise UsageError("bad-setting", say("Unrecognized model name", "无法识别的模型名"), help="skipgram | cbow")
    settings: dict[str, Any] = _SHARED | _UNSUPERVISED | given
    with _shown(report, settings["verbose"], tuning=False) as shown:
        return _trained(Path(input), model, settings, shown, freeze=False, deterministic=deterministic)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _one(original: Any, ours: Any, name: str) -> Any:
    if original is not None and ours is not None:
        raise TypeError(f"multiple values for argument {name!r}")
    return ours if original is None else original


def _trained(
    path: Path, model: str, settings: Mapping[str, Any], report: Report, *, freeze: bool, deterministic: bool
) -> FastTextModel:
    """Train with the original's settings."""
    loss = _LOSSES.get(str(settings["loss"]))
    if loss is None:
        raise UsageError(
            "bad-setting", say("Unrecognized loss name", "无法识别的损失函数"), help="ns | hs | softmax | ova"
        )
    plain = settings["wordNgrams"] <= 1 and settings["maxn"] == 0
    arguments = Arguments(
        dim=settings["dim"],
        window=settings["ws"],
        epochs=settings["epoch"],
        min_count=settings["minCount"],
        negative=settings["neg"],
        word_ngrams=settings["wordNgrams"],
        loss=loss,
        model=model,
        buckets=0 if plain else settings["bucket"],
        min_n=settings["minn"],
        max_n=settings["maxn"],
        update_rate=settings["lrUpdateRate"],
        sample=float(settings["t"]),
    )
    vectors = settings["pretrainedVectors"]
    how = How(
        learning_rate=float(settings["lr"]),
        min_count_label=settings["minCountLabel"],
        label_prefix=settings["label"],
        seed=settings["seed"],
        threads=settings["thread"],
        deterministic=deterministic,
        pretrained=Path(vectors) if vectors else None,
        freeze=freeze,
    )
    if path.is_file() and not path.stat().st_size:
        raise DataError("empty-file", say(f"{path} is empty", f"{path} 是空文件"), where=str(path))
    made = making.train(path, arguments, how, report)
    if vectors and made.arguments.dim != settings["dim"]:
        report.note(
            say(
                f"dim is {made.arguments.dim}, as in {vectors}, not {settings['dim']}",
                f"维数取 {vectors} 的 {made.arguments.dim}，而不是 {settings['dim']}",
            )
        )
    kept = dict(settings) | {"thread": settings["thread"] or machine.threads(), "bucket": arguments.buckets}
    return FastTextModel(original=made, settings=kept | {"dim": made.arguments.dim})


def _tuned(
    make: Any,
    path: Path,
    settings: Mapping[str, Any],
    names: Collection[str],
    asked: tuple[Any, ...],
    journal: Path | None,
    report: Report,
) -> FastTextModel:
    """The best of many trainings."""
    from erya.models.fasttext.tuning import bytes_of, tuned

    validation, metric, predictions, seconds, size = asked
    found = tuned(
        make,
        Path(validation),
        {name: settings[name] for name in names},
        metric=metric,
        predictions=predictions,
        seconds=float(seconds),
        max_bytes=bytes_of(size),
        text=lambda: bytes_of_file(path),
        seed=settings["seed"],
        journal=journal,
        report=report,
    )
    made = FastTextModel(original=found.model, settings=dict(settings) | dict(found.best.settings))
    made.best_params_, made.trials_ = dict(found.best.settings), list(found.search.trials)
    made.what_mattered_ = found.search.what_mattered()
    return made
