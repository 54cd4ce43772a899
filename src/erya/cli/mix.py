"""``mix``: several language models as one, each believed as far as held-out text says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from erya.cli import output
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.options import Columns, Manner, argument, option
from erya.cli.reading import how_to_read, shown_path
from erya.cli.targets import MODEL_FILE, check_output
from erya.cli.values import number
from erya.errors import UsageError
from erya.language import say


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
            "sample, else all of a file that none of them has read.",
            "各模型的单元必须相同：用同一份文本、同一种切分训练。--on 取文件夹或样本的验证部分；单个文件则取全部，应是它们没读过的。",
        ),
    )


def mix(
    columns: Columns,
    manner: Manner,
    models: Annotated[list[str], argument("m.erya", "trained language models", "训练好的语言模型")],
    out: Annotated[str, option("-o --output", "FILE", "the new model (.erya)", "新的模型文件（.erya）")],
    on: Annotated[
        str | None, option("--on", "DATA", "held-out text that finds the weights", "用来求权重的留出文本")
    ] = None,
    weights: Annotated[str | None, option("--weights", "A,B,…", "known weights instead", "直接给出权重")] = None,
) -> None:
    """Mix language models."""
    from erya import catalog
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
    loaded = [catalog.load(path) for path in models]
    texts: list[str] = []
    if on is not None:
        how = how_to_read(on, "generate", columns, None)
        corpus = read_documents(how["source"], how["read"])
        texts = texts_of(corpus.validation or corpus.inputs, "auto", LONGEST)
    given = None if weights is None else [number("--weights", piece) for piece in weights.split(",")]
    mixed = Mixture.of(loaded, texts, weights=given)
    path = mixed.save(Path(out))
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
            }
        )
        return
    for line in output.table([(f"{share:.4f}", model.id) for model, share in zip(mixed.models_, shares, strict=True)]):
        output.write(line)
    output.write(output.fact(say("saved", "已保存"), f"{path}  {output.size(path.stat().st_size)}"))
    manner.next(f"erya evaluate {shown_path(path)} DATA", f"erya predict {shown_path(path)} --input …")
