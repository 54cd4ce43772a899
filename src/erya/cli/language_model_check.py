"""``check`` for language models of other programs: an ARPA file, a GPT-2 folder; read whole, so that every number was looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from erya.cli import output
from erya.cli.reading import shown_path
from erya.cli.settings import shown
from erya.errors import quoted
from erya.language import say

if TYPE_CHECKING:
    from erya.cli.options import Manner


def check_language_model(path: str, manner: Manner) -> None:
    """Open it and say what it is.

    Raises:
        ModelFileError: something in it makes no sense.
    """
    from erya import catalog

    model: Any = catalog.load(path)
    size, units = size_on_disk(Path(path)), len(model.vocabulary_)
    if manner.json:
        document = {"schema": "erya.check/1", "kind": "model", "model": model.id, "bytes": size, "units": units}
        output.write_document({**document, "settings": model.shown_params(), "fingerprint": model.fingerprint()})
        return
    whole = say("✓ whole: every size and number makes sense", "✓ 完好：大小与数值都合理")
    output.write(f"{output.styled(quoted(path), 'bold')}  {output.styled(whole, 'green')}")
    facts = [(say("fingerprint", "指纹"), model.fingerprint()[:16]), *language_facts(model, size)]
    for line in output.label_column(facts):
        output.write(line)
    name = shown_path(path)
    manner.next(f'erya predict {name} --input "…"', f"erya convert {name} m.erya")


def language_facts(model: Any, size: int) -> list[tuple[str, str]]:
    """What a language model of another program is."""
    settings = "  ".join(f"{name}={shown(value)}" for name, value in model.shown_params().items())
    return [
        (say("model", "模型"), model.id),
        (say("size", "大小"), output.size(size)),
        (say("units", "单元数"), f"{len(model.vocabulary_):,} ({model.units_.name})"),
        (say("settings", "设置"), settings),
    ]


def size_on_disk(path: Path) -> int:
    """Bytes of a file, or of the files in a folder."""
    files = [file for file in path.iterdir() if file.is_file()] if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)
