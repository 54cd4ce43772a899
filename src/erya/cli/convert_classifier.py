"""``convert`` for classifiers – between model files and the original fastText's ``.bin`` and ``.ftz``, and ONNX – and for taggers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from erya.cli import output
from erya.cli.reading import opened, shown_path
from erya.cli.targets import MODEL_FILE, Kind, check_output
from erya.errors import UsageError, quoted, typed
from erya.language import say

if TYPE_CHECKING:
    from erya.cli.options import Manner

FORMATS = {"classify": ("erya", "fasttext-bin", "onnx"), "tag": ("erya", "onnx")}
BY_ENDING = {".erya": "erya", ".bin": "fasttext-bin", ".ftz": "fasttext-bin", ".onnx": "onnx"}
ENDINGS = {"erya": (".erya",), "fasttext-bin": (".bin", ".ftz"), "onnx": (".onnx",)}
ONNX_FILE = Kind(("ONNX file", "ONNX 文件"), (".onnx",), (b"\x08",))
FASTTEXT_FILE = Kind(("fastText model", "fastText 模型"), (".bin", ".ftz"), (b"\xba\x16\x4f\x2f",))


def task_of(source: str) -> str | None:
    """The task of the model in a file: one of Erya's, or one of another program; None: none of both."""
    from erya import artefact, catalog

    path = Path(source)
    if path.suffix == ".erya" or catalog.is_artefact(path):
        return artefact.load(path).model.partition("/")[0]
    return catalog.foreign_task(path)


def convert(manner: Manner, task: str, source: str, target: str, to: str | None, asked: dict[str, Any]) -> None:
    """Write a classifier or a tagger anew.

    Args:
        manner: how to talk.
        task: ``"classify"`` or ``"tag"``.
        source: what is read.
        target: what is written.
        to: a format, or None: by the name.
        asked: options that only word vectors have, with their values.

    Raises:
        UsageError: such an option, a format that holds no such model, or a model that cannot be told in it.
        DataError: a word or label that the format cannot hold.
    """
    from erya.foreign_classifier import write_original

    for name, value in asked.items():
        if value is not None:
            raise UsageError(
                "other-task",
                say(
                    f"{name} is for word vectors; {quoted(source)} holds a {_noun(task)}",
                    f"{name} 只用于词向量；{quoted(source)} 是{_noun(task)}",
                ),
                help=f"erya convert {shown_path(source)} {shown_path(target)}",
            )
    path = Path(target)
    format = _format(path, task, to, source)
    check_output(path, {"erya": MODEL_FILE, "fasttext-bin": FASTTEXT_FILE, "onnx": ONNX_FILE}[format], [source])
    model, content = opened(source)
    if format == "erya":
        told = {} if content is None else content.training
        model.save(path, training=told, card="" if content is None else content.card)
        lost: list[str] = []
    elif format == "onnx":
        from erya.onnx_classifier import write as write_classifier
        from erya.parts.tagger_onnx import write as write_tagger

        (write_tagger if task == "tag" else write_classifier)(path, model)
        lost = [say("settings and training record", "设置与训练记录")]
    else:
        lost = write_original(path, model)
    size = path.stat().st_size
    if manner.json:
        output.write_document(
            {
                "schema": "erya.convert/1",
                "input": source,
                "output": target,
                "format": format,
                "model": model.id,
                "labels": len(model.classes_),
                "bytes": size,
                "lost": lost,
            }
        )
        return
    count = f"{len(model.classes_):,}"
    labels = (
        say(f"{count} labels", f"{count} 个标签") if task == "classify" else say(f"{count} tags", f"{count} 个标签")
    )
    output.write(output.fact(say("saved", "已保存"), f"{path}  {output.size(size)}  {format}  {labels}"))
    if lost:
        manner.talk(output.fact(say("lost", "舍去"), say("; ", "；").join(lost)))
    if task == "classify" or format != "onnx":  # an ONNX file of a tagger is for other programs
        manner.next(f'erya predict {shown_path(target)} --input "…"', f"erya evaluate {shown_path(target)} TEST")


def _noun(task: str) -> str:
    return say("tagger", "标注模型") if task == "tag" else say("classifier", "分类模型")


def _format(path: Path, task: str, to: str | None, source: str) -> str:
    format = to or BY_ENDING.get(path.suffix.lower())
    if format not in FORMATS[task]:
        endings = [ending for name in FORMATS[task] for ending in ENDINGS[name]]
        raise UsageError(
            "other-task",
            say(
                f"a {_noun(task)} is written as {' '.join(endings)}, not as {quoted(format or path.name)}",
                f"{_noun(task)}可写成 {' '.join(endings)}，不能写成 {quoted(format or path.name)}",
            ),
            help=f"erya convert {shown_path(source)} {typed(path.with_suffix(ENDINGS[FORMATS[task][1]][0]))}",
        )
    if path.suffix.lower() not in ENDINGS[format] and (
        format != "fasttext-bin" or path.suffix.lower() in (".erya", ".onnx")
    ):
        ending = ENDINGS[format][0]
        raise UsageError(
            "bad-ending",
            say(f"{format} is written to a name that ends in {ending}", f"{format} 的文件名应以 {ending} 结尾"),
            help=f"erya convert {shown_path(source)} {typed(path.with_suffix(ending))}",
        )
    return str(format)
