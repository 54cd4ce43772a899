"""``convert`` for classifiers: between model files and the original fastText's ``.bin`` and ``.ftz``, and ONNX."""

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

FORMATS = ("erya", "fasttext-bin", "onnx")
BY_ENDING = {".erya": "erya", ".bin": "fasttext-bin", ".ftz": "fasttext-bin", ".onnx": "onnx"}
ENDINGS = {"erya": (".erya",), "fasttext-bin": (".bin", ".ftz"), "onnx": (".onnx",)}
ONNX_FILE = Kind(("ONNX file", "ONNX 文件"), (".onnx",), (b"\x08",))
FASTTEXT_FILE = Kind(("fastText model", "fastText 模型"), (".bin", ".ftz"), (b"\xba\x16\x4f\x2f",))


def is_classifier(source: str) -> bool:
    """Whether a file holds a classifier: one of Erya's, or one of the original fastText."""
    from erya import artefact, catalog

    path = Path(source)
    if path.suffix == ".erya" or catalog.is_artefact(path):
        return artefact.load(path).model.startswith("classify/")
    return catalog.foreign_task(path) == "classify"


def convert(manner: Manner, source: str, target: str, to: str | None, asked: dict[str, Any]) -> None:
    """Write a classifier anew.

    Args:
        manner: how to talk.
        source: what is read.
        target: what is written.
        to: a format, or None: by the name.
        asked: options that only word vectors have, with their values.

    Raises:
        UsageError: such an option, a format that holds no classifier, or a model that cannot be told in it.
        DataError: a word or label that the format cannot hold.
    """
    from erya.foreign_classifier import write_original

    for name, value in asked.items():
        if value is not None:
            raise UsageError(
                "other-task",
                say(
                    f"{name} is for word vectors; {quoted(source)} holds a classifier",
                    f"{name} 只用于词向量；{quoted(source)} 是分类模型",
                ),
                help=f"erya convert {shown_path(source)} {shown_path(target)}",
            )
    path = Path(target)
    format = _format(path, to, source)
    check_output(path, {"erya": MODEL_FILE, "fasttext-bin": FASTTEXT_FILE, "onnx": ONNX_FILE}[format], [source])
    model, content = opened(source)
    if format == "erya":
        told = {} if content is None else content.training
        model.save(path, training=told, card="" if content is None else content.card)
        lost: list[str] = []
    elif format == "onnx":
        from erya import onnx_classifier

        onnx_classifier.write(path, model)
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
    labels = say(f"{len(model.classes_):,} labels", f"{len(model.classes_):,} 个标签")
    output.write(output.fact(say("saved", "已保存"), f"{path}  {output.size(size)}  {format}  {labels}"))
    if lost:
        manner.talk(output.fact(say("lost", "舍去"), say("; ", "；").join(lost)))
    manner.next(f'erya predict {shown_path(target)} --input "…"', f"erya evaluate {shown_path(target)} TEST")


def _format(path: Path, to: str | None, source: str) -> str:
    format = to or BY_ENDING.get(path.suffix.lower())
    if format not in FORMATS:
        raise UsageError(
            "other-task",
            say(
                f"a classifier is written as .erya, .onnx, .bin or .ftz, not as {quoted(format or path.name)}",
                f"分类模型可写成 .erya、.onnx、.bin 或 .ftz，不能写成 {quoted(format or path.name)}",
            ),
            help=f"erya convert {shown_path(source)} {typed(path.with_suffix('.bin'))}",
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
