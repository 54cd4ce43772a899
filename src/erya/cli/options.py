"""The options that verbs share, as dataclasses: a verb takes ``columns: Columns`` and gets all of its options.

Values arrive as the user's strings; what they mean is checked here, so that every complaint is in the user's language.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from erya.cli import output
from erya.cli.values import chosen, whole
from erya.errors import UsageError, quoted
from erya.language import language, say


def option(flags: str, metavar: str, en: str, zh: str, *, panel: str | None = None, env: bool = False) -> Any:
    """A Typer option with help in the user's language; ``env``: ERYA_<NAME> is asked when the flag is not given."""
    names = flags.split()
    longest = max(names, key=len)
    return typer.Option(
        *names,
        metavar=metavar,
        help=zh if language() == "zh" else en,
        rich_help_panel=panel,
        envvar=f"ERYA_{longest.lstrip('-').replace('-', '_').upper()}" if env else None,
        show_default=False,
    )


def argument(metavar: str, en: str, zh: str, complete: Callable[[str], list[str]] | None = None) -> Any:
    """A positional argument with help in the user's language; ``complete`` gives what Tab offers."""
    return typer.Argument(
        metavar=metavar, help=zh if language() == "zh" else en, show_default=False, autocompletion=complete
    )


def complete_model(incomplete: str) -> list[str]:
    """Model ids that begin so."""
    from erya import catalog

    return [id for id in catalog.ids() if id.startswith(incomplete)]


def complete_data(incomplete: str) -> list[str]:
    """Bundled samples and files that begin so."""
    from erya.text.samples import sample_names

    samples = [f"sample:{name}" for name in sample_names()]
    files = [str(path) + ("/" if path.is_dir() else "") for path in sorted(Path().glob(f"{glob.escape(incomplete)}*"))]
    return [name for name in [*samples, *files] if name.startswith(incomplete)]


def _data() -> str:
    return say("Reading the data", "读取数据")


def _parts() -> str:
    return say("Train, validation and test", "训练、验证与测试")


def training_panel() -> str:
    """The heading under which options of training stand."""
    return say("Training", "训练")


@dataclass(frozen=True)
class Texts:
    """Where in a file the texts are, and how its bytes are read."""

    text: Annotated[
        str | None, option("--text", "COL", "column of the text", "文本所在的列", panel=_data(), env=True)
    ] = None
    text2: Annotated[
        str | None,
        option(
            "--text2",
            "COL",
            "column of the second text, for pairs",
            "第二段文本所在的列（文本对）",
            panel=_data(),
            env=True,
        ),
    ] = None
    tokens: Annotated[
        str | None,
        option(
            "--tokens",
            "COL",
            "tagging: column (a number) or JSON key of the tokens",
            "序列标注：词所在的列（序号）或 JSON 键",
            panel=_data(),
        ),
    ] = None
    no_header: Annotated[
        bool,
        option(
            "--no-header",
            "",
            "the first line is data; columns are 1, 2, …",
            "首行就是数据；列名为 1、2、…",
            panel=_data(),
        ),
    ] = False
    format: Annotated[
        str | None,
        option(
            "--format",
            "NAME",
            "csv tsv jsonl txt labels, of tags conll jsonl segmented brat; else told by the name and the first lines",
            "csv tsv jsonl txt labels，序列标注 conll jsonl segmented brat；不写则按文件名与开头几行判断",
            panel=_data(),
        ),
    ] = None
    encoding: Annotated[
        str | None,
        option(
            "--encoding",
            "NAME",
            "of files that are not UTF-8, e.g. gb18030",
            "非 UTF-8 文件的编码，如 gb18030",
            panel=_data(),
            env=True,
        ),
    ] = None
    bad_rows: Annotated[
        str | None,
        option(
            "--bad-rows",
            "stop|skip",
            "at a row that cannot be read: stop (default), or skip and count it",
            "遇到读不了的行：stop 停止（默认），或 skip 跳过并计数",
            panel=_data(),
            env=True,
        ),
    ] = None

    def bad_rows_policy(self) -> str:
        """``"stop"`` or ``"skip"``."""
        return chosen("--bad-rows", self.bad_rows or "stop", ["stop", "skip"])


@dataclass(frozen=True)
class Columns(Texts):
    """Where the labels are, too."""

    label: Annotated[
        str | None, option("--label", "COL", "column of the label", "标签所在的列", panel=_data(), env=True)
    ] = None
    tags: Annotated[
        str | None,
        option(
            "--tags",
            "COL",
            "tagging: column (a number) or JSON key of the tags or spans",
            "序列标注：标签所在的列（序号），或标签、片段的 JSON 键",
            panel=_data(),
        ),
    ] = None
    weight: Annotated[
        str | None, option("--weight", "COL", "column of the row's weight", "行权重所在的列", panel=_data(), env=True)
    ] = None
    label_separator: Annotated[
        str | None,
        option(
            "--label-separator",
            "TEXT",
            "what separates several labels in one field, e.g. ';'",
            "一格中有多个标签时的分隔符，如 ';'",
            panel=_data(),
        ),
    ] = None


@dataclass(frozen=True)
class Parts:
    """How rows become training, validation and test parts."""

    split: Annotated[
        str | None,
        option(
            "--split",
            "A/B/C",
            "shares of train/validation/test (default 0.8/0.1/0.1)",
            "训练/验证/测试的比例（默认 0.8/0.1/0.1）",
            panel=_parts(),
            env=True,
        ),
    ] = None
    validation: Annotated[
        str | None,
        option("--validation", "FILE", "validation rows from this file", "验证数据取自该文件", panel=_parts()),
    ] = None
    test: Annotated[
        str | None, option("--test", "FILE", "test rows from this file", "测试数据取自该文件", panel=_parts())
    ] = None
    seed: Annotated[
        str | None,
        option(
            "--seed",
            "N",
            "for the split and the model (default 0): same seed, same bits",
            "划分与模型的随机种子（默认 0）：种子相同，结果逐位相同",
            panel=_parts(),
            env=True,
        ),
    ] = None

    def shares(self) -> tuple[float, float, float]:
        """Shares of train, validation and test."""
        text = self.split or "0.8/0.1/0.1"
        try:
            shares = [float(piece) for piece in text.replace(",", "/").split("/")]
        except ValueError:
            shares = []
        if len(shares) == 2:
            shares = [shares[0], 0.0, shares[1]]
        total = sum(shares)
        if len(shares) != 3 or min(shares) < 0 or shares[0] <= 0 or not 0 < total < float("inf"):
            raise UsageError(
                "bad-split",
                say(
                    f"--split {quoted(text, 40)}: three shares are needed", f"--split {quoted(text, 40)}：需要三个比例"
                ),
                help="--split 0.8/0.1/0.1",
            )
        if not (abs(total - 1) < 1e-6 or abs(total - 100) < 1e-6):
            raise UsageError(
                "bad-split",
                say(
                    f"--split {quoted(text, 40)}: the shares add up to {total:g}, not to 1",
                    f"--split {quoted(text, 40)}：比例之和是 {total:g}，应为 1",
                ),
                help="--split 0.8/0.1/0.1",
            )
        return shares[0] / total, shares[1] / total, shares[2] / total

    def seed_number(self) -> int:
        return whole("--seed", self.seed, default=0, least=0)


@dataclass(frozen=True)
class Fitting:
    """How a model is set up and trained."""

    set: Annotated[
        list[str] | None,
        option(
            "--set",
            "NAME=VALUE",
            "one setting of the model; may be repeated (erya about TASK/MODEL lists them)",
            "模型的一项设置；可重复（erya about 任务/模型 列出全部）",
            panel=training_panel(),
        ),
    ] = None
    tokenizer: Annotated[
        str | None,
        option(
            "--tokenizer",
            "NAME|FILE",
            "words, characters, chinese_words, whitespace, or a trained tagger that finds words (seg.erya)",
            "words、characters、chinese_words、whitespace，或训练好的分词模型（seg.erya）",
            panel=training_panel(),
        ),
    ] = None
    config: Annotated[
        str | None,
        option(
            "--config",
            "FILE",
            "options and [settings] from a TOML file",
            "从 TOML 文件读取选项与 [settings]",
            panel=training_panel(),
        ),
    ] = None
    threads: Annotated[
        str | None,
        option(
            "--threads",
            "N",
            "processors to use (default: all)",
            "使用的处理器数（默认全部）",
            panel=training_panel(),
            env=True,
        ),
    ] = None
    device: Annotated[
        str | None,
        option(
            "--device",
            "NAME",
            "for neural models and word2vec: cpu (default), cuda",
            "神经模型与 word2vec 所用设备：cpu（默认）、cuda",
            panel=training_panel(),
            env=True,
        ),
    ] = None

    def pairs(self) -> list[str]:
        """What was set, as ``NAME=VALUE``."""
        return [*(self.set or []), *([] if self.tokenizer is None else [f"tokenizer={self.tokenizer}"])]

    def use_machine(self) -> None:
        """Let the models see what was asked of the machine."""
        if self.threads is not None:
            os.environ["ERYA_THREADS"] = str(whole("--threads", self.threads, default=1, least=1))
        if self.device is not None:
            os.environ["ERYA_DEVICE"] = self.device


@dataclass(frozen=True)
class Manner:
    """How the verb speaks."""

    json: Annotated[
        bool,
        option(
            "--json",
            "",
            "one versioned JSON document on stdout, errors included",
            "在标准输出给出一个带版本的 JSON 文档，出错时亦然",
        ),
    ] = False
    quiet: Annotated[bool, option("-q --quiet", "", "only the result and errors", "只输出结果与错误")] = False
    verbose: Annotated[bool, option("-v --verbose", "", "say more", "输出更多信息")] = False

    def talk(self, text: str) -> None:
        """A line to the person, unless they asked for quiet."""
        if not self.quiet:
            output.talk(text)

    def detail(self, text: str) -> None:
        """A line for those who asked for more."""
        if self.verbose and not self.quiet:
            output.talk(text)

    def next(self, *commands: str) -> None:
        """What to try now; for people only."""
        if not self.json:
            self.talk(output.next_commands([command for command in commands if command]))


def refuse_unused(task: str, given: Mapping[str, tuple[object, tuple[str, ...]]]) -> None:
    """Raises UsageError for an option of other tasks: to say nothing would look as if it had been followed.

    Args:
        task: of the model.
        given: by flag what was given, None, False or nothing at all where it was not, and the tasks it is for.
    """
    for flag, (value, tasks) in given.items():
        if value and task not in tasks:
            raise UsageError(
                "other-task",
                say(
                    f"{flag} is for {' and '.join(tasks)}; this is {task}",
                    f"{flag} 只用于 {'、'.join(tasks)}；这里是 {task}",
                ),
                help=say(f"leave out {flag}", f"去掉 {flag}"),
            )
