"""What makes two trainings the same: the data, read again in the same way, versions, threads and device."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from erya import artefact, catalog
from erya.errors import DataError, UsageError, quoted, typed
from erya.language import say
from erya.run_corpus import Corpus, read_corpus, takes_corpus
from erya.run_documents import read_documents, takes_documents
from erya.text.dataset import Dataset

# Another version of one of these may change bits: of the arithmetic, or of the tokens.
_VERSIONED = ("numpy", "scipy", "numba", "tokenizers", "rjieba")


def read_data(how: dict[str, Any], absolute: dict[str, str] | None = None) -> Dataset | Corpus:
    """The data that ``how`` describes: ``{"source": …, "read": {arguments of erya.read}, "split": {…} or None}``.

    Args:
        how: as given to ``train``.
        absolute: paths to use in place of those in ``how``, where they still exist.

    Returns:
        A ``Corpus`` where ``how["read"]["task"]`` is a task that takes one, else a ``Dataset``.
    """
    task = how.get("read", {}).get("task", "classify")
    if takes_documents(task):
        return read_documents(*_where(how, absolute), how.get("split"))
    if takes_corpus(task):
        return read_corpus(*_where(how, absolute))
    return read_rows(how, absolute)


def _where(how: dict[str, Any], absolute: dict[str, str] | None) -> tuple[str, dict[str, Any]]:
    """The source and the arguments of ``erya.read``, with those paths that still lead somewhere."""
    source, options = str(how["source"]), dict(how.get("read", {}))
    for name, path in (absolute or {}).items():
        if name == "source":
            source = path
        elif Path(path).exists():
            options[name] = path
    return source, options


def read_rows(how: dict[str, Any], absolute: dict[str, str] | None = None) -> Dataset:
    """As ``read_data``, for tasks that take rows."""
    from erya.text.read import read

    source, options = _where(how, absolute)
    dataset: Dataset = read(source, **options)
    if not how.get("split"):
        return dataset
    dataset = dataset.split(**how["split"])
    if options.get("check", True) and dataset.train.targets is not None and len(dataset.labels) < 2:
        raise _one_class_left(dataset)
    return dataset


def _one_class_left(dataset: Dataset) -> DataError:
    """Equal texts stay in one part, so where there are only a few different ones a whole label may go to the test part."""
    rows, texts = len(dataset.train), len(set(dataset.train.inputs))
    label, source = quoted((dataset.labels or ["–"])[0], 40), quoted(dataset.source, 200)
    return DataError(
        "one-class",
        say(
            f"the split leaves {rows:,} rows to train on (different texts: {texts:,}), all with the label '{label}'",
            f"划分后只剩 {rows:,} 行可训练（{texts:,} 条不同的文本），标签都是“{label}”",
        ),
        where=source,
        help=f"erya check {typed(dataset.source)}",
    )


def plain_how(how: dict[str, Any]) -> dict[str, Any]:
    """``how`` as JSON data: paths become strings."""
    options = {name: str(value) if isinstance(value, Path) else value for name, value in how.get("read", {}).items()}
    more = {"unlabelled": how["unlabelled"]} if how.get("unlabelled") else {}
    return {"source": str(how["source"]), "read": options, "split": how.get("split"), **more}


def absolute_paths(how: dict[str, Any]) -> dict[str, str]:
    """Where the data is, for a resume from another folder."""
    named = {"source": how["source"], **{name: how.get("read", {}).get(name) for name in ("validation", "test")}}
    return {
        name: str(value) if str(value).startswith("sample:") else str(Path(value).expanduser().absolute())
        for name, value in named.items()
        if value is not None
    }


def name_only(source: str) -> str:
    """What the artefact says of the source: no folder of this machine."""
    return source if source.startswith("sample:") else Path(source).name


def versions(id: str) -> dict[str, str]:
    """The versions that a training's bits may depend on."""
    names = list(_VERSIONED)
    with contextlib.suppress(UsageError):  # a class that is in no catalog
        extra = catalog.card_of(id).extra
        names += [catalog.EXTRA_MODULE.get(extra, extra)] if extra else []
    found = {"erya": artefact.erya_version(), "python": ".".join(platform.python_version_tuple()[:2])}
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def check_versions(recorded: dict[str, str], here: dict[str, str]) -> None:
    """Raises UsageError, code ``versions-differ``, for the first one that is another here than when training began."""
    for name in sorted(set(recorded) | set(here)):
        then, now = quoted(recorded.get(name, "–"), 40), here.get(name, "–")
        if then == now:
            continue
        mend = f"pip install {name}=={then}"
        if name == "python":
            mend = say(f"run it with Python {then}", f"请用 Python {then} 运行")
        elif then == "–":
            mend = f"pip uninstall {name}"
        raise UsageError(
            "versions-differ",
            say(
                f"this training began with {name} {then}, here is {now}: the result would not be the same",
                f"这次训练开始时用的是 {name} {then}，现在是 {now}：结果会不同",
            ),
            help=mend,
        )


@contextlib.contextmanager
def running_as(threads: int, device: str) -> Iterator[None]:
    """The number of threads and the device that were recorded, for as long as the training lasts."""
    wanted = {"ERYA_THREADS": str(threads), "ERYA_DEVICE": device}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def data_changed(source: str) -> DataError:
    """The error for a digest that is not the recorded one."""
    name = quoted(source)
    return DataError(
        "data-changed",
        say(f"{name} is not the data that this training began with", f"{name} 与训练开始时的数据不同"),
        help=say(
            "bring the file back, or start over: erya train … --restart",
            "恢复原文件，或重新开始：erya train … --restart",
        ),
    )
