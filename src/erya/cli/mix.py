"""``mix``: several language models as one, each believed as far as held-out text says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erya.cli import output
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.options import Manner, Texts, argument, option
from erya.cli.reading import how_to_read, opened, shown_path
from erya.cli.targets import MODEL_FILE, check_output
from erya.cli.values import number
from erya.errors import UsageError
from erya.language import say

if TYPE_CHECKING:
    from erya.run_corpus import Corpus


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add(
        app,
        "mix",
        flat(mix),
        group=say("Use a model", "使用模型"),
        summary=say(
            "several language models as one, weighted on held-out text", "把几个语言模型混成一个，权重由留出文本求得"
        ),
        examples=[
            ("erya mix nnlm.erya trigram.erya --on sample:poetry -o both.erya", ""),
            ("erya mix a.erya b.erya --weights 0.7,0.3 -o both.erya", say("weights that are known", "已知权重")),
        ],
        more=say(
            "The models must know the same units: trained on the same text with the same tokenizer. --on takes the dev part of a folder or "
            "sample; of a file that they were trained on, what that training held out; else all of a file.",
            "各模型的单元必须相同：用同一份文本、同一种切分训练。--on 取文件夹或样本的验证部分；若是训练过它们的文件，"
            "则取那次训练留出的部分；其他单个文件取全部。",
        ),
    )


def mix(
    columns: Texts,
    manner: Manner,
    models: Annotated[list[str], argument("m.erya", "trained language models", "训练好的语言模型")],
    out: Annotated[str, option("-o --output", "FILE", "the new model (.erya)", "新的模型文件（.erya）")],
    on: Annotated[
        str | None, option("--on", "DATA", "held-out text that finds the weights", "用来求权重的留出文本")
    ] = None,
    weights: Annotated[str | None, option("--weights", "A,B,…", "known weights instead", "直接给出权重")] = None,
) -> None:
    """Mix language models."""
    from erya.cli.text_scores import trained_on
    from erya.mixture import Mixture
    from erya.run_documents import LONGEST, read_documents, texts_of

    if (on is None) == (weights is None):
        raise UsageError(
            "missing-option",
            say(
                "--on DATA finds the weights, or --weights names them: one of the two",
                "--on 求权重，或用 --weights 给出：二选一",
            ),
            help="--on dev.txt",
        )
    check_output(Path(out), MODEL_FILE, [*models, on])
    read = [opened(path) for path in models]
    loaded, trainings = [model for model, _ in read], [trained_on(content) for _, content in read]
    texts: list[str] = []
    part, notes = None, _twice(models, loaded)
    if on is not None:
        how = how_to_read(on, "generate", columns, None)
        corpus = read_documents(how["source"], how["read"])
        kinds = [getattr(model, "documents", "auto") for model in loaded]
        part, inputs, seen = _held_out(corpus, models, trainings, kinds)
        notes += seen
        texts = texts_of(inputs, "auto", LONGEST)
    given = None if weights is None else [number("--weights", piece) for piece in weights.split(",")]
    mixed = Mixture.of(loaded, texts, weights=given)
    path = mixed.save(Path(out), training={"inside": _different([data for each in trainings for data in each])})
    shares = mixed.weights_.tolist()
    if manner.json:
        output.write_document(
            {
                "schema": "erya.mix/1",
                "path": str(path),
                "models": [
                    {"model": model.id, "weight": share} for model, share in zip(mixed.models_, shares, strict=True)
                ],
                "bits_per_unit": mixed.curve_,
                "on": None if on is None else {"source": on, "part": part, "documents": len(texts)},
                "notes": notes,
            }
        )
        return
    if part is not None:
        manner.talk(output.fact(say("weights", "权重"), _on_what(part, len(texts))))
    for note in notes:
        manner.talk(output.fact(say("note", "注意"), note))
    for line in output.table([(f"{share:.4f}", model.id) for model, share in zip(mixed.models_, shares, strict=True)]):
        output.write(line)
    output.write(output.fact(say("saved", "已保存"), f"{path}  {output.size(path.stat().st_size)}"))
    manner.next(f"erya evaluate {shown_path(path)} DATA", f"erya predict {shown_path(path)} --input …")


def _held_out(
    corpus: Corpus, models: list[str], trainings: list[list[dict[str, Any]]], kinds: list[str]
) -> tuple[str, list[Any], list[str]]:
    """Where the weights are found: the part's name, its texts or files, and what must be said of it."""
    from erya.run_documents import as_trained

    if corpus.validation:
        return "dev", corpus.validation, []
    known = [
        (path, again)
        for path, each, kind in zip(models, trainings, kinds, strict=True)
        for data in each
        if (again := as_trained(corpus, data, kind)) is not None
    ]
    if len({again.digest for _, again in known}) == 1:
        for name, part in (("dev", known[0][1].validation), ("test", known[0][1].test)):
            if part:
                return name, part, []
    if not known:
        return "all", corpus.inputs, []
    readers = ", ".join(dict.fromkeys(shown_path(path) for path, _ in known))
    return (
        "all",
        corpus.inputs,
        [
            say(
                f"trained on this text: {readers}. The weights favour whoever has read it; --on a text that none has read",
                f"用这份文本训练过：{readers}。权重会偏向读过它的模型；--on 应为都没读过的文本",
            )
        ],
    )


def _twice(models: list[str], loaded: list[Any]) -> list[str]:
    """A note for each model that is there already."""
    first: dict[str, str] = {}
    notes = []
    for path, model in zip(models, loaded, strict=True):
        mark = model.fingerprint()
        if mark in first:
            one, other = shown_path(first[mark]), shown_path(path)
            notes.append(say(f"the same model twice: {one} and {other}", f"同一个模型给了两次：{one} 与 {other}"))
        else:
            first[mark] = path
    return notes


def _different(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [data for place, data in enumerate(found) if data not in found[:place]]


def _on_what(part: str, documents: int) -> str:
    names = {
        "dev": say("dev part", "验证部分"),
        "test": say("test part", "测试部分"),
        "all": say("all of the data", "全部数据"),
    }
    return say(f"found on {documents:,} documents, {names[part]}", f"由 {documents:,} 篇文档求得，{names[part]}")
