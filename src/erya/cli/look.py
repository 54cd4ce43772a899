"""``explain`` and ``show``: which words decided, and what happened inside the model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erya.cli import output
from erya.cli.check import file_facts, model_facts
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.language_model_check import language_facts, size_on_disk
from erya.cli.options import Columns, Manner, argument, option
from erya.cli.reading import opened, shown_path
from erya.cli.targets import PAGE, check_output
from erya.cli.values import chosen, whole
from erya.cli.views import OWN_VIEWS, choose_view, curve_view
from erya.errors import UsageError, nearest, quoted, typed
from erya.language import say

if TYPE_CHECKING:
    from erya.artefact import Content
    from erya.cli.word_views import Wish
    from erya.contract import Model
    from erya.trace import Trace


def register(app: typer.Typer) -> None:
    """Add the two verbs."""
    group = say("Use a model", "使用模型")
    add(
        app,
        "explain",
        flat(explain),
        group=group,
        summary=say("which words speak for an answer, and which against", "哪些词支持这个回答，哪些反对"),
        examples=[
            ('erya explain m.erya "play some jazz"', ""),
            (
                'erya explain m.erya "play some jazz" --label PlayMusic',
                say("why not that label?", "为什么不是这个标签？"),
            ),
            (
                'erya explain m.erya "play some jazz" --method integrated_gradients',
                say("networks: asked from inside", "神经网络：从内部求解"),
            ),
            ("erya explain m.erya 春眠不觉晓，处处闻啼鸟。 -o why.html", say("as a page", "存成网页")),
        ],
    )
    add(
        app,
        "show",
        flat(show),
        group=group,
        summary=say("what happens inside a model on one input", "模型内部对一条输入做了什么"),
        examples=[
            ("erya show m.erya", say("what can be shown; the card; the training curve", "能看什么；简介；训练曲线")),
            ('erya show m.erya "play some jazz"', say("every view of this input", "这条输入的所有视图")),
            ('erya show m.erya 2 "play some jazz"', say("the second view only", "只看第二个视图")),
            ('erya show m.erya "play some jazz" -o inside.html', say("as a page", "存成网页")),
            ("erya show m.erya reliability test.csv", say("can its probabilities be believed?", "它的概率可信吗？")),
            (
                'erya show t.erya lattice "book a table in Paris"',
                say("taggers: what it weighed up", "标注模型：如何权衡"),
            ),
            ("erya show t.erya uncertain texts.txt", say("taggers: what to label next", "标注模型：接下来标哪些句子")),
            ("erya show v.erya near king", say("word vectors: the nearest words", "词向量：最近的词")),
            ("erya show v.erya analogy man king woman", ""),
            ("erya show v.erya map -o map.html", say("words in the plane", "词的平面图")),
            ("erya show v.erya compare glove.txt", say("neighbours in two files", "比较两个文件里的近邻")),
        ],
    )


def explain(
    manner: Manner,
    model: Annotated[str, argument("m.erya", "a trained model", "训练好的模型")],
    text: Annotated[str, argument("TEXT", "the text; - reads it from stdin", "文本；- 表示从标准输入读取")],
    text2: Annotated[
        str | None, option("--text2", "TEXT", "the second text, for models of pairs", "第二段文本（文本对模型）")
    ] = None,
    label: Annotated[
        str | None,
        option("--label", "LABEL", "explain this label (default: the answer)", "解释这个标签（默认：模型的回答）"),
    ] = None,
    method: Annotated[
        str | None,
        option(
            "--method",
            "METHOD",
            "networks: occlusion (default) or integrated_gradients",
            "神经网络：occlusion（逐词遮挡，默认）或 integrated_gradients（积分梯度）",
        ),
    ] = None,
    out: Annotated[str | None, option("-o --output", "FILE", "write a page (.html)", "写成网页（.html）")] = None,
) -> None:
    """Draw which words decided."""
    from erya import catalog

    loaded: Any = catalog.load(model)
    if not hasattr(loaded, "explain"):
        words = f" near {shown_word(text)}" if loaded.task() == "vectors" else ""
        raise UsageError(
            "no-explanation",
            say(f"{loaded.id} does not explain its answers", f"{loaded.id} 不解释自己的回答"),
            help=f"erya show {shown_path(model)}{words}",
        )
    how = {} if method is None else {"method": _known_method(loaded, method)}
    trace = loaded.explain(_input(text, text2), _known_label(loaded, label), **how)
    _present(trace, out, manner)
    manner.next(f"erya show {shown_path(model)} {shown_text(text)}", f"erya about {loaded.id}")


def show(
    columns: Columns,
    manner: Manner,
    model: Annotated[
        str, argument("m.erya", "a trained model, or a file of word vectors", "训练好的模型，或词向量文件")
    ],
    rest: Annotated[
        list[str] | None,
        argument(
            "[VIEW] INPUT",
            "a view (number or name) and the text, or words; - reads stdin",
            "视图（序号或名称）和文本或词；- 表示标准输入",
        ),
    ] = None,
    top: Annotated[
        str | None, option("--top", "N", "word vectors: so many neighbours (default 10)", "词向量：近邻个数（默认 10）")
    ] = None,
    method: Annotated[
        str | None,
        option("--method", "add|mul", "analogy: 3CosAdd (default) or 3CosMul", "类比：3CosAdd（默认）或 3CosMul"),
    ] = None,
    restrict: Annotated[
        str | None,
        option(
            "--restrict", "N", "near, analogy: only the N most frequent words", "近邻、类比：只在最高频的 N 个词中找"
        ),
    ] = None,
    words: Annotated[str | None, option("--words", "A,B,…", "compare: these words", "compare：只比较这些词")] = None,
    out: Annotated[str | None, option("-o --output", "FILE", "write a page (.html)", "写成网页（.html）")] = None,
) -> None:
    """Draw the views of a trace; without input, say what can be shown."""
    inputs = list(rest or [])
    loaded, content = opened(model)
    if inputs and inputs[0].casefold() in OWN_VIEWS and content is not None:
        _own_view(inputs[0].casefold(), model, loaded, content, out, manner)
    elif loaded.task() == "vectors":
        from erya.cli.word_views import NEIGHBOURS, Wish

        wish = Wish(
            whole("--top", top, default=NEIGHBOURS, least=1),
            chosen("--method", method or "add", ["add", "mul"]),
            None if restrict is None else whole("--restrict", restrict, default=0, least=1),
            tuple(word.strip() for word in (words or "").split(",") if word.strip()),
        )
        _show_words(model, loaded, content, inputs, wish, out, manner)
    elif len(inputs) > 1 and inputs[0].casefold() == "reliability" and loaded.task() in ("classify", "tag"):
        _show_reliability(model, loaded, content, inputs[1:], columns, out, manner)
    elif len(inputs) > 1 and inputs[0].casefold() == "uncertain" and loaded.task() == "tag":
        from erya.cli import tag_uncertain

        most = whole("--top", top, default=tag_uncertain.SHOWN, least=1)
        tag_uncertain.show(model, loaded, inputs[1:], columns, most, manner)
    elif not inputs and not out:
        _overview(model, loaded, content, manner)
    else:
        _show_text(model, loaded, inputs, out, manner)


def _own_view(name: str, path: str, model: Model, content: Content, out: str | None, manner: Manner) -> None:
    """The card or the curve, which need no input."""
    from erya.trace import Trace

    if name == "card":
        output.write(content.card.rstrip("\n"))
        return
    curve = curve_view(content.training.get("curve") or [])
    if curve is None:
        raise UsageError(
            "no-curve",
            say(f"{model.id} was not trained in epochs: it has no curve", f"{model.id} 不是逐轮训练的，没有曲线"),
            help=f"erya show {shown_path(path)}",
        )
    _present(Trace(content.model, path, {}, [curve]), out, manner)


def _show_reliability(
    path: str, model: Model, content: Content | None, data: list[str], columns: Columns, out: str | None, manner: Manner
) -> None:
    """Whether the probabilities can be believed."""
    from erya.cli import reliability

    trace, document = reliability.picture(path, model, content, data, columns)
    _present(trace, out, manner, document)
    if model.task() == "classify" and model.id != "classify/calibrated":
        manner.next(f"erya calibrate {shown_path(path)} DEV -o calibrated.erya")


def _show_words(
    path: str, model: Model, content: Content | None, inputs: list[str], wish: Wish, out: str | None, manner: Manner
) -> None:
    """A view of word vectors by its name; ``trace WORD``, or a word alone, is the model's own trace."""
    from erya.cli import word_views

    if not inputs and not out:
        facts = [] if content is None else model_facts(content, Path(path).stat().st_size)[1:]
        more = {} if content is None else {"card": content.card, "curve": content.training.get("curve") or []}
        word_views.overview(path, model, manner, facts, more)
        return
    name, rest = (inputs[0].casefold(), inputs[1:]) if inputs else ("map", [])
    if name in word_views.VIEWS:
        trace, document = word_views.view(name, model, path, rest, wish)
        _present(trace, out, manner, document)
        return
    if name == "trace" and rest:
        inputs = rest
    trace = model.trace(inputs[-1])
    if len(inputs) > 1:
        trace.views = [choose_view(trace, inputs[0], (*word_views.VIEWS, "trace"))]
    _present(trace, out, manner)
    if not out:
        word = shown_word(inputs[-1])
        manner.next(f"erya show {shown_path(path)} near {word}", f"erya show {shown_path(path)} map {word} -o map.html")


def _show_text(path: str, model: Model, words: list[str], out: str | None, manner: Manner) -> None:
    """What happens inside the model on a text."""
    view_name, inputs = (words[0], words[1:]) if len(words) > 1 else (None, words)
    if not inputs:
        raise UsageError(
            "missing-argument",
            say("which text should be shown?", "要展示哪条文本？"),
            help=f'erya show {shown_path(path)} "…"',
        )
    trace = model.trace(_input(inputs[0], inputs[1] if len(inputs) > 1 else None))
    if view_name is not None:
        trace.views = [choose_view(trace, view_name)]
    _present(trace, out, manner)
    manner.next(
        f"erya explain {shown_path(path)} {shown_text(inputs[0])}",
        f"erya show {shown_path(path)} … -o inside.html" if not out else "",
    )


def _overview(path: str, model: Any, content: Any, manner: Manner) -> None:
    """What this model can show, from a trace of a text that fits any of them, with its card and curve."""
    from erya.trace import Trace

    example = say("an example", "一个例子")
    trace = model.trace(example)
    training, card = ({}, "") if content is None else (content.training, content.card)  # a foreign file has neither
    curve = curve_view(training.get("curve") or [])
    arrays = {name: list(array.shape) for name, array in trace.arrays.items()}
    if manner.json:
        output.write_document(
            {
                "schema": "erya.show/1",
                "model": model.id,
                "views": [view.title for view in trace.views],
                "arrays": list(arrays),
                "card": card,
                "curve": training.get("curve") or [],
            }
        )
        return
    output.write(output.styled(model.id, "bold"))
    size = size_on_disk(Path(path))
    if content is not None:
        facts = model_facts(content, size)
    else:
        facts = language_facts(model, size) if model.task() == "generate" else file_facts(model, size)
    for line in output.label_column([fact for fact in facts[1:] if fact[1]]):
        output.write(line)
    output.write()
    if curve is not None:
        output.write(
            Trace(model.id, path, {}, [curve]).text(output.columns(), output.is_coloured(sys.stdout)).strip("\n")
        )
        output.write()
    output.write(output.styled(say("Views", "视图"), "bold") + f"   erya show {shown_path(path)} [VIEW] TEXT")
    for number, view in enumerate(trace.views, 1):
        output.write(f"  {number}  {view.title}")
    for name, shape in arrays.items():
        output.write(f"  {name}  " + output.styled(say("array ", "数组 ") + "×".join(map(str, shape)), "dim"))
    if content is not None:
        output.write("  card  curve  " + output.styled(say("without a text", "不需要文本"), "dim"))
    if model.task() == "classify" or hasattr(model, "predict_marginals"):
        output.write("  reliability DATA  " + output.styled(say("labelled rows", "带标签的数据"), "dim"))
    if hasattr(model, "predict_marginals"):
        output.write("  uncertain FILE  " + output.styled(say("sentences to label next", "接下来该标的句子"), "dim"))
    manner.next(f'erya show {shown_path(path)} "…"', f'erya explain {shown_path(path)} "…"')


# ---- in and out -----------------------------------------------------------------------------------------------


def _input(text: str, second: str | None) -> Any:
    if text == "-":
        text = sys.stdin.read().rstrip("\n")
    return text if second is None else (text, second)


def _known_label(model: Any, label: str | None) -> Any:
    """The model's own label (a number, perhaps) that the user typed. Raises UsageError with the nearest."""
    if label is None:
        return None
    if model.task() == "generate":
        raise UsageError(
            "other-task",
            say("a language model has no labels; --label is for classifiers", "语言模型没有标签；--label 用于分类模型"),
            help="erya explain MODEL TEXT",
        )
    known = {str(one): one for one in model.classes_.tolist()}
    if label in known:
        return known[label]
    guess = nearest(label, known)
    raise UsageError(
        "unknown-label",
        say(f"the model has no label '{quoted(label, 40)}'", f"模型没有标签 '{quoted(label, 40)}'"),
        help=say(f"did you mean '{guess}'?", f"是不是 '{guess}'？")
        if guess
        else ", ".join(quoted(one, 20) for one in list(known)[:8]),
    )


def _known_method(model: Any, method: str) -> str:
    """A way of explaining that this model has. Raises UsageError with those it has."""
    known = getattr(model, "explain_methods", ())
    name = method.replace("-", "_")
    if name in known:
        return name
    sentence = (
        say(f"there is no method '{quoted(method, 40)}'", f"没有名为“{quoted(method, 40)}”的方法")
        if known
        else say(f"{model.id} explains itself in one way only", f"{model.id} 只有一种解释方法")
    )
    raise UsageError("unknown-method", sentence, help=" · ".join(f"--method {one}" for one in known) or None)


def _present(trace: Trace, out: str | None, manner: Manner, document: dict[str, Any] | None = None) -> None:
    """The trace as JSON (or its own document), as a page, or drawn here."""
    if out is not None:
        from erya.atomic import atomic_write

        check_output(Path(out), PAGE)
        page = trace.html().encode("utf-8")
        atomic_write(Path(out), lambda file: file.write(page) and None)
        manner.talk(output.fact(say("saved", "已保存"), out))
    if manner.json:
        output.write_document(trace.to_plain() if document is None else document)
    elif out is None:
        output.write(trace.text(output.columns(), output.is_coloured(sys.stdout)).rstrip("\n"))


def shown_text(text: str) -> str:
    """A text as one would quote it on a command line, cut where it is long."""
    return f'"{output.cut(quoted(text, 40), 40)}"' if text != "-" else "-"


def shown_word(word: str) -> str:
    """A word as one types it behind a verb."""
    return typed(quoted(word, 40))
