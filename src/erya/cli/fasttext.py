"""``fasttext``: the original program's command line, verb for verb and option for option, with its text on standard output.

So that a script that calls ``fasttext`` calls ``erya fasttext`` instead and reads the same lines. Everything is done by
``erya.fasttext``; the options are read in ``fasttext_options.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import typer

from erya.cli import fasttext_options as options
from erya.cli import output
from erya.cli.frame import add
from erya.errors import UsageError, nearest, quoted
from erya.language import say

AT_ONCE = 10_000  # lines


def register(app: typer.Typer) -> None:
    """Add the verb, which takes its arguments as they are."""
    add(
        app,
        "fasttext",
        fasttext,
        group=say("Use a model", "使用模型"),
        summary=say("fastText's own command line, option for option", "fastText 原有的命令行，逐项兼容"),
        examples=[
            ("erya fasttext supervised -input train.txt -output model", say("writes model.bin", "得到 model.bin")),
            ("erya fasttext test model.bin test.txt", "N, P@1, R@1"),
            ("erya fasttext predict-prob model.bin - 3", say("from standard input", "从标准输入读取")),
            ("erya fasttext quantize -input train.txt -output model -qnorm -retrain -cutoff 100000", "model.ftz"),
        ],
    )
    command = app.registered_commands[-1]
    command.context_settings = {"ignore_unknown_options": True, "allow_extra_args": True}


def fasttext(context: typer.Context) -> None:
    """Run one of the original's verbs."""
    verb, *rest = [*context.args, ""][: len(context.args) or 1]
    if verb in ("", "-h", "-help", "--help"):
        output.write(options.usage())
        return
    if verb not in options.VERBS:
        guess = nearest(verb, list(options.VERBS))
        raise UsageError(
            "unknown-command",
            say(f"fasttext has no command {quoted(verb, 40)}", f"fasttext 没有命令 {quoted(verb, 40)}"),
            help=say(f"did you mean '{guess}'?", f"是不是 '{guess}'？") if guess else "erya fasttext",
        )
    if verb in (*options.INPUT_VERBS, "quantize"):
        if not rest or rest[0] in ("-h", "-help", "--help"):
            output.write(options.usage(verb))
            return
        chosen = options.parse(verb, rest)
        try:
            _quantize(chosen) if verb == "quantize" else _train(verb, chosen)
        except UsageError as error:
            error.help = options.as_flag(error.help)
            raise
    else:
        _VERBS[verb](rest)


def _tell_what_was_found(model: Any) -> None:
    found = " ".join(f"-{name} {value}" for name, value in model.best_params_.items())
    output.talk(say(f"best of {len(model.trials_)} trials: {found}", f"{len(model.trials_)} 次尝试中最好的：{found}"))
    shares = ", ".join(f"{name} {share:.0%}" for name, share in model.what_mattered_[:3])
    if shares:
        output.talk(
            say(f"what mattered (share of the scores' variance): {shares}", f"起作用的设置（占得分方差）：{shares}")
        )


# ---- making models ------------------------------------------------------------------------------------------------


def _train(verb: str, chosen: options.Options) -> None:
    import erya.fasttext as module

    values = chosen.values
    shared = chosen.chosen(
        ["input", "lr", "dim", "ws", "epoch", "minCount", "minCountLabel", "minn", "maxn", "neg", "wordNgrams", "loss",
         "bucket", "thread", "lrUpdateRate", "t", "label", "verbose", "pretrainedVectors", "seed"]
    )  # fmt: skip
    if verb == "supervised":
        model = module.train_supervised(
            **shared,
            autotuneValidationFile=values["autotune-validation"],
            autotuneMetric=values["autotune-metric"],
            autotunePredictions=values["autotune-predictions"],
            autotuneDuration=values["autotune-duration"],
            autotuneModelSize=values["autotune-modelsize"],
            autotuneJournal=values["autotune-journal"] or None,
            deterministic=values["deterministic"],
            by_hand=chosen.by_hand,
        )
    else:
        del shared["label"], shared["minCountLabel"]
        model = module.train_unsupervised(model=verb, **shared, deterministic=values["deterministic"])
    if values["autotune-validation"] and values["verbose"] > 0:
        _tell_what_was_found(model)
    quantized = bool(values["autotune-modelsize"])
    model.save_model(values["output"] + (".ftz" if quantized else ".bin"))
    if not quantized:
        model.save_vectors(values["output"] + ".vec")
        if values["saveOutput"]:
            model.save_output(values["output"] + ".output")


def _quantize(chosen: options.Options) -> None:
    import erya.fasttext as module

    values = chosen.values
    model = module.load_model(values["output"] + ".bin")
    if values["max-size"]:
        for one in model.quantize_under(
            values["max-size"], values["autotune-validation"] or None, values["input"] or None
        ):
            if values["verbose"] > 0:
                output.talk(f"{one.bytes:>12,}  {one.score:.4f}  {_flags(one)}")
        model.save_model(values["output"] + ".ftz")
        return
    same = chosen.chosen(["cutoff", "retrain", "epoch", "lr", "thread", "verbose", "dsub", "qnorm", "qout"])
    for name in ("epoch", "lr"):
        if name not in chosen.by_hand:  # as it was trained
            same[name] = None
    model.quantize(input=values["input"] or None, **same)
    model.save_model(values["output"] + ".ftz")


def _flags(one: Any) -> str:
    """A try as options of the command line."""
    if one.settings is None:
        return say("as it is", "原样")
    flags = f"-dsub {one.settings.dsub}"
    for name in ("qnorm", "qout"):
        flags += f" -{name}" if getattr(one.settings, name) else ""
    flags += f" -cutoff {one.settings.cutoff}" if one.settings.cutoff else ""
    return flags + (" -retrain" if one.retrained else "")


# ---- asking models ------------------------------------------------------------------------------------------------


def _test(arguments: Sequence[str]) -> None:
    model, path, k, threshold = _asked("test", arguments)
    output.write(model.test_text(_labelled(path), k, threshold))


def _test_label(arguments: Sequence[str]) -> None:
    model, path, k, threshold = _asked("test-label", arguments)
    for line in model.test_label_lines(_labelled(path), k, threshold):
        output.write(line)


def _predict(arguments: Sequence[str]) -> None:
    _answers("predict", arguments, with_probabilities=False)


def _predict_prob(arguments: Sequence[str]) -> None:
    _answers("predict-prob", arguments, with_probabilities=True)


def _answers(verb: str, arguments: Sequence[str], *, with_probabilities: bool) -> None:
    model, path, k, threshold = _asked(verb, arguments)
    for lines in _batches(_raw_lines(path)):
        labels, probabilities = model.predict_bytes(lines, k, threshold)
        for some, shares in zip(labels, probabilities, strict=True):
            if with_probabilities:
                pairs = (f"{label} {_number(share)}" for label, share in zip(some, shares, strict=True))
                output.write(" ".join(pairs))
            else:
                output.write(" ".join(some))


def _word_vectors(arguments: Sequence[str]) -> None:
    model = _load("print-word-vectors", arguments, 1)
    for line in _raw_lines("-"):
        for word in line.split():
            output.write(f"{word.decode('utf-8', 'replace')} {_row(model.original.word_vector(word))}")


def _sentence_vectors(arguments: Sequence[str]) -> None:
    model = _load("print-sentence-vectors", arguments, 1)
    for line in _raw_lines("-"):
        output.write(_row(model.original.sentence_vector(line)))


def _ngrams(arguments: Sequence[str]) -> None:
    model = _load("print-ngrams", arguments, 2)
    names, rows = model.get_subwords(arguments[1])
    for name, row in zip(names, rows, strict=True):
        output.write(f"{name} {_row(model.get_input_vector(int(row)))}")


def _neighbours(arguments: Sequence[str]) -> None:
    model = _load("nn", arguments, 1, 2)
    k = _whole(arguments[1]) if len(arguments) > 1 else 10
    for line in _questions("Query word? "):
        for word in line.split():
            for score, found in model.get_nearest_neighbors(word, k):
                output.write(f"{found} {_number(score)}")


def _analogies(arguments: Sequence[str]) -> None:
    model = _load("analogies", arguments, 1, 2)
    k = _whole(arguments[1]) if len(arguments) > 1 else 10
    words: list[str] = []
    for line in _questions("Query triplet (A - B + C)? "):
        words += line.split()
        while len(words) >= 3:
            first, second, third, *words = words
            for score, found in model.get_analogies(first, second, third, k):
                output.write(f"{found} {_number(score)}")


def _dump(arguments: Sequence[str]) -> None:
    model = _load("dump", arguments, 2)
    what = arguments[1]
    if what not in ("args", "dict", "input", "output"):
        raise UsageError(
            "bad-argument", say(f"dump {quoted(what, 20)}: unknown", f"dump {quoted(what, 20)}：无法识别"),
            help="erya fasttext dump MODEL args|dict|input|output",
        )  # fmt: skip
    for line in model.dump_lines(what):
        output.write(line)


_VERBS: dict[str, Callable[[Sequence[str]], None]] = {
    "test": _test,
    "test-label": _test_label,
    "predict": _predict,
    "predict-prob": _predict_prob,
    "print-word-vectors": _word_vectors,
    "print-sentence-vectors": _sentence_vectors,
    "print-ngrams": _ngrams,
    "nn": _neighbours,
    "analogies": _analogies,
    "dump": _dump,
}


# ---- arguments and lines ------------------------------------------------------------------------------------------


def _load(verb: str, arguments: Sequence[str], least: int, most: int | None = None) -> Any:
    if not least <= len(arguments) <= (most or least):
        number = f"{least}" if most is None else f"{least}–{most}"
        raise UsageError(
            "missing-argument",
            say(
                f"fasttext {verb} takes {number} arguments, not {len(arguments)}",
                f"fasttext {verb} 需要 {number} 个参数，给了 {len(arguments)} 个",
            ),
            help=f"erya fasttext {verb} {_ARGUMENTS[verb]}",
        )
    import erya.fasttext as module

    return module.load_model(arguments[0])


_ARGUMENTS = {
    **dict.fromkeys(("test", "test-label"), "MODEL DATA|- [K] [THRESHOLD]"),
    **dict.fromkeys(("predict", "predict-prob"), "MODEL DATA|- [K] [THRESHOLD]"),
    **dict.fromkeys(("print-word-vectors", "print-sentence-vectors"), "MODEL < TEXT"),
    "print-ngrams": "MODEL WORD",
    **dict.fromkeys(("nn", "analogies"), "MODEL [K]"),
    "dump": "MODEL args|dict|input|output",
}


def _asked(verb: str, arguments: Sequence[str]) -> tuple[Any, str, int, float]:
    model = _load(verb, arguments, 2, 4)
    k = _whole(arguments[2]) if len(arguments) > 2 else 1
    threshold = _share(arguments[3]) if len(arguments) > 3 else 0.0
    return model, arguments[1], k, threshold


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(
            "bad-argument", say(f"{quoted(text, 20)} is not a number", f"{quoted(text, 20)} 不是整数")
        ) from None


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            "bad-argument", say(f"{quoted(text, 20)} is not a number", f"{quoted(text, 20)} 不是数字")
        ) from None


def _labelled(path: str) -> Path | bytes:
    """Where labelled lines are: a file, or all of standard input."""
    return sys.stdin.buffer.read() if path == "-" else _there(path)


def _there(path: str) -> Path:
    if Path(path).is_dir():
        raise UsageError("no-file", say(f"{path} is a folder, not a file", f"{path} 是文件夹，不是文件"))
    if not Path(path).is_file():
        raise UsageError("no-file", say(f"there is no file {path}", f"没有文件 {path}"))
    return Path(path)


def _raw_lines(path: str) -> Iterator[bytes]:
    """Lines without their ends, of a file or of standard input."""
    if path == "-":
        yield from (line.rstrip(b"\r\n") for line in sys.stdin.buffer)
        return
    with _there(path).open("rb") as file:
        yield from (line.rstrip(b"\r\n") for line in file)


def _lines(path: str) -> Iterator[str]:
    """The same as text; bytes that are not UTF-8 are replaced."""
    yield from (line.decode("utf-8", "replace") for line in _raw_lines(path))


def _questions(prompt: str) -> Iterator[str]:
    """Lines of standard input, after a prompt on standard output as the original has it."""
    sys.stdout.write(prompt)
    sys.stdout.flush()
    for line in _lines("-"):
        yield line
        sys.stdout.write(prompt)
        sys.stdout.flush()


def _batches(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    lines = iter(lines)
    while some := list(islice(lines, AT_ONCE if not sys.stdin.isatty() else 1)):
        yield some


def _number(value: float) -> str:
    """As C++ streams print a float: six significant digits."""
    return f"{float(value):.6g}"


def _row(values: Iterable[float]) -> str:
    """As the original prints a vector: five digits, each number followed by a space."""
    return "".join(f"{float(value):.5g} " for value in values)
