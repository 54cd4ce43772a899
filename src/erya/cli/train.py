"""``train`` and ``resume``: one model on one data set into one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erya.cli import output
from erya.cli.config import settings_in
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.options import (
    Columns,
    Fitting,
    Manner,
    Parts,
    argument,
    complete_data,
    complete_model,
    option,
    training_panel,
)
from erya.cli.reading import any_facts, any_line, how_to_read, shown_path, tell_notes
from erya.cli.settings import parse_settings, shown
from erya.cli.targets import MODEL_FILE, check_output, write_rejects
from erya.cli.values import seconds
from erya.cli.words import example_word
from erya.language import say

if TYPE_CHECKING:
    from erya.contract import Model
    from erya.run_corpus import Corpus
    from erya.runs import Trained
    from erya.text.dataset import Dataset


def register(app: typer.Typer) -> None:
    """Add the two verbs."""
    group = say("Train and compare", "训练与比较")
    add(
        app,
        "train",
        flat(train),
        group=group,
        summary=say("train one model and keep it in one file", "训练一个模型，存成一个文件"),
        examples=[
            ("erya train classify/fasttext reviews.csv -o m.erya", ""),
            (
                "erya train classify/lstm reviews.csv --text review --label stars -o m.erya",
                say("name the columns", "指明列名"),
            ),
            (
                "erya train classify/textcnn sample:poetry --preset tiny -o m.erya",
                say("quick, on bundled data", "用内置数据快速试一下"),
            ),
            ("erya train classify/fasttext reviews.csv --set dim=50 --set epochs=10 -o m.erya", ""),
            ("erya train tag/crf sample:snips -o t.erya", say("a tagger: slots of requests", "标注模型：请求里的槽位")),
            (
                "erya train vectors/word2vec corpus.txt -o v.erya",
                say("word vectors from running text", "从普通文本训练词向量"),
            ),
            (
                "erya train tag/crf segmented.txt -o seg.erya",
                say("a segmenter, from words with blanks between them", "分词模型：语料里的词以空格分开"),
            ),
            (
                "erya train tag/crf few.conll --unlabelled more.txt -o t.erya",
                say("few labelled sentences, many without tags", "标注的句子少，未标注的多"),
            ),
            ("erya train classify/naive_bayes news.csv --tokenizer seg.erya -o m.erya", say("and its use", "再拿来用")),
        ],
        more=say(
            "Ctrl-C stops and keeps what was learned so far; erya resume continues and ends with the same bits. "
            "--dry-run shows the configuration and trains nothing.",
            "Ctrl-C 会停下并保存进度；erya resume 接着训练，结果与从未中断逐位相同。--dry-run 只显示配置，不训练。",
        ),
    )
    add(
        app,
        "resume",
        flat(resume),
        group=group,
        summary=say("continue a training that was stopped or killed", "继续一次被中断的训练"),
        examples=[("erya resume m.erya", "")],
    )


def train(
    columns: Columns,
    parts: Parts,
    fitting: Fitting,
    manner: Manner,
    model: Annotated[
        str,
        argument(
            "TASK/MODEL",
            "e.g. classify/fasttext; erya list shows all",
            "如 classify/fasttext；erya list 列出全部",
            complete_model,
        ),
    ],
    data: Annotated[
        str,
        argument(
            "DATA", "a file, a folder, a pattern or sample:NAME", "文件、文件夹、通配符或 sample:名称", complete_data
        ),
    ],
    out: Annotated[
        str, option("-o --output", "FILE", "where to write the model, e.g. m.erya", "模型写到哪里，如 m.erya")
    ],
    preset: Annotated[
        str | None,
        option(
            "--preset",
            "tiny|default|paper",
            "a set of settings: fast to try, recommended, as published",
            "一组设置：快速试用、推荐、论文原样",
            panel=training_panel(),
            env=True,
        ),
    ] = None,
    budget: Annotated[
        str | None,
        option(
            "--budget",
            "TIME",
            "stop training after 90s, 5m, 1h",
            "训练到此时长即停：90s、5m、1h",
            panel=training_panel(),
        ),
    ] = None,
    unlabelled: Annotated[
        str | None,
        option(
            "--unlabelled",
            "FILE",
            "taggers: sentences without tags, to learn from the model's own sure answers, too",
            "序列标注：未标注的句子；模型把自己有把握的标注也拿来学",
            panel=training_panel(),
        ),
    ] = None,
    restart: Annotated[
        bool, option("--restart", "", "throw an unfinished training away", "放弃未完成的训练，重新开始")
    ] = False,
    dry_run: Annotated[
        bool, option("--dry-run", "", "show the configuration, train nothing", "只显示配置，不训练")
    ] = False,
) -> None:
    """Train one model."""
    from erya import catalog, runs, tasks
    from erya.run_documents import takes_documents

    preset = preset or "default"
    fitting.use_machine()
    kind = catalog.find(model)
    settings = parse_settings(kind, fitting.pairs(), settings_in(fitting.config))
    if parts.seed is not None and "seed" in kind.parameters():
        settings.setdefault("seed", parts.seed_number())
    budget_seconds = seconds("--budget", budget)
    catalog.model(model, preset, settings)  # a wrong preset is said before a long file is read
    inputs = [data, parts.validation, parts.test, fitting.config, unlabelled]
    check_output(Path(out), MODEL_FILE, inputs)
    how = {**how_to_read(data, kind.task(), columns, parts), **_unlabelled(kind, unlabelled)}
    if "documents" in kind.parameters():
        how["read"]["documents"] = settings.get("documents", "auto")
    dataset = runs.read_data(how)
    check_kind(model, dataset)
    wishes = catalog.card_of(model).tasks[kind.task()].presets[preset]
    if dataset.tokenizer and "tokenizer" in kind.parameters() and "tokenizer" not in wishes:
        settings.setdefault("tokenizer", dataset.tokenizer)
    built = catalog.model(model, preset, settings)
    manner.talk(output.fact(say("data", "数据"), any_line(dataset)))
    tell_notes(dataset.reading, manner)
    if tasks.find(kind.task()).INPUT == "corpus":
        _tell_unused(columns, parts, manner, held_out=takes_documents(kind.task()))
    if dry_run:
        _show_plan(built, dataset, out, preset, manner)
        return
    for name, value in built.get_params(deep=False).items():
        manner.detail(output.fact("", f"{name}={shown(value)}"))
    rejects = write_rejects(dataset.reading, Path(out), manner, inputs)
    manner.talk(output.fact(say("model", "模型"), f"{built!r}"))
    trained = runs.train(
        built, dataset, out, how=how, budget_seconds=budget_seconds, restart=restart, quiet=manner.quiet
    )
    _show_trained(trained, manner, data, {"data": any_facts(dataset), "rejects": str(rejects) if rejects else None})


def _unlabelled(kind: type[Model], path: str | None) -> dict[str, Any]:
    """The wish to learn from sentences without tags, too. Raises UsageError for a model that cannot."""
    if path is None:
        return {}
    from erya import self_training

    self_training.check_tagger(kind())
    return {"unlabelled": self_training.wish_of(path)}


def check_kind(model: str, dataset: Dataset | Corpus) -> None:
    """Refuse data that a model cannot learn from, naming those that can, before anything long begins.

    Raises:
        UsageError: rows of several labels, or of shares of labels, for a model of one label.
    """
    from erya import catalog
    from erya.tasks import classify
    from erya.text.dataset import Dataset

    task = model.split("/")[0]
    if (
        isinstance(dataset, Dataset)
        and dataset.kind != "tags"
        and not catalog.card_of(model).tasks[task].takes(dataset.kind)
    ):
        raise classify.not_taken(dataset.kind, catalog.taking(dataset.kind, task))


def resume(
    manner: Manner,
    model: Annotated[str, argument("m.erya", "the file that was to be written", "当初要写出的文件")],
) -> None:
    """Continue a training."""
    from erya import artefact, runs

    trained = runs.resume(model, quiet=manner.quiet)
    source = (artefact.load(trained.path).training.get("data") or {}).get("source")
    _show_trained(trained, manner, source, {})


def _tell_unused(columns: Columns, parts: Parts, manner: Manner, *, held_out: bool) -> None:
    """Which of the options given mean nothing where running text is learned from."""
    given = {
        "--label": columns.label,
        "--weight": columns.weight,
        "--text2": columns.text2,
    }
    if not held_out:
        given |= {"--split": parts.split, "--test": parts.test}
    unused = " ".join(name for name, value in given.items() if value is not None)
    if unused:
        manner.talk(
            output.fact(
                "",
                say(
                    f"not used: {unused} – running text is learned from, all of it",
                    f"未用到：{unused}——这里从整份文本学习",
                ),
            )
        )


# ---- what is shown --------------------------------------------------------------------------------------------


def _show_plan(model: Model, dataset: Dataset | Corpus, out: str, preset: str, manner: Manner) -> None:
    from erya import machine

    settings = {name: value for name, value in model.get_params(deep=False).items()}
    if manner.json:
        document = {
            "schema": "erya.plan/1",
            "model": model.id,
            "preset": preset,
            "settings": model.shown_params(),
            "data": any_facts(dataset),
            "threads": machine.threads(),
            "device": machine.device(),
            "output": out,
        }
        output.write_document(document)
        return
    output.write(output.styled(model.id, "bold") + f"  --preset {preset}")
    for line in output.table([(f"  {name}", shown(value)) for name, value in settings.items()]):
        output.write(line)
    output.write(
        say(
            f"threads {machine.threads()}, device {machine.device()}, output {out}",
            f"线程 {machine.threads()}，设备 {machine.device()}，输出 {out}",
        )
    )
    manner.talk(say("nothing was trained (--dry-run)", "没有训练（--dry-run）"))


def _show_trained(trained: Trained, manner: Manner, data: str | None, more: dict[str, Any]) -> None:
    from erya import tasks

    if manner.json:
        output.write_document(_document(trained) | more)
        return
    task, headline = tasks.find(trained.model.task()), next(iter(trained.scores), "")
    line = f"{trained.path}  {output.size(trained.size)}  {output.duration(trained.seconds)}"
    words = getattr(trained.model, "words_", None) if task.INPUT == "corpus" else None
    if words is not None:
        line += "   " + say(f"{len(words):,} words", f"{len(words):,} 个词")
    if trained.scores:
        score = trained.scores[headline]
        line += f"   {score_name(headline)} {score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"
    tagger = trained.model.task() == "tag"
    if trained.baseline:
        line += "   " + _rule(trained)
    output.write(output.fact(say("saved", "已保存"), line))
    for line in _rounds(trained.self_training):
        output.write(line)
    if trained.stopped_at_step is not None:
        manner.talk(
            output.fact(
                "",
                say(
                    f"stopped by the budget at step {trained.stopped_at_step:,}",
                    f"预算用完，停在第 {trained.stopped_at_step:,} 步",
                ),
            )
        )
    if _no_better(trained, headline):
        manner.talk(output.fact("", _advice(trained)))
    name = shown_path(trained.path)
    if words is not None:
        manner.next(f"erya show {name} near {example_word(words)}", f"erya evaluate {name}")
        return
    manner.next(
        f'erya predict {name} --input "…"',
        f'erya show {name} lattice "…"' if tagger else f'erya explain {name} "…"',
        f"erya evaluate {name} {shown_path(data or 'test.csv')}",
    )


def _rule(trained: Trained) -> str:
    """What the simplest rule scores."""
    assert trained.baseline is not None
    share = f"{trained.baseline[1]:.3f}"
    rules = {
        "tag": say(f"each token's most frequent tag {share}", f"每个词最常见的标签 {share}"),
        "generate": say(f"letters one by one {share}", f"逐字统计 {share}"),
    }
    return rules.get(trained.model.task(), say(f"majority baseline {share}", f"总猜最常见标签 {share}"))


def _no_better(trained: Trained, headline: str) -> bool:
    """Whether the score cannot be told from the rule's."""
    from erya import tasks

    if not trained.scores or trained.baseline is None:
        return False
    score, rule = trained.scores[headline], trained.baseline[1]
    less = headline in tasks.find(trained.model.task()).LOWER_IS_BETTER
    return score.high >= rule if less else score.low <= rule


def _advice(trained: Trained) -> str:
    """What to do about a model that is no better than the rule."""
    sentences = {
        "tag": say(
            "no better than each token's most frequent tag; try erya check DATA --task tag",
            "不比给每个词最常见的标签好；先用 erya check --task tag 检查数据",
        ),
        "generate": say(
            "no better than letters counted one by one: more text, or more training",
            "不比逐字统计好：需要更多文本，或训练更久",
        ),
    }
    return sentences.get(
        trained.model.task(),
        say(
            "no better than always answering the most frequent label; try erya check DATA",
            "不比总猜最常见的标签好；先用 erya check 检查数据",
        ),
    )


def _rounds(taught: dict[str, Any] | None) -> list[str]:
    """The rounds of a tagger that taught itself, the one that stays marked."""
    if taught is None:
        return []
    head = [say("  round", "  轮"), say("sentences tagged by itself", "自己标注的句子"), say("held-out", "留出集")]
    rows = [
        (
            f"  {one['round']}" + (" *" if one["round"] == taught["best"] else ""),
            f"{one['kept']:,}",
            "–" if one["score"] is None else f"{score_name(taught['metric'])} {one['score']:.3f}",
        )
        for one in taught["rounds"]
    ]
    return output.table(rows, head=head, right=[1, 2])


def score_name(name: str) -> str:
    """A score's name in the user's language."""
    return {
        "accuracy": say("accuracy", "准确率"),
        "macro_f1": say("macro F1", "宏平均 F1"),
        "micro_f1": say("micro F1", "微平均 F1"),
        "log_loss": say("log loss", "对数损失"),
        "calibration_error": say("calibration error", "校准误差"),
        "exact_match": say("exact match", "完全匹配"),
        "precision_at_1": say("precision at 1", "首选精确率"),
        "recall_at_1": say("recall at 1", "首选召回率"),
        "analogy_accuracy": say("analogies", "类比"),
        "f1": "F1",
        "precision": say("precision", "精确率"),
        "recall": say("recall", "召回率"),
        "bits_per_character": say("bits a character", "每字符比特"),
        "perplexity": say("perplexity", "困惑度"),
        "unknown": say("unknown units", "未知单元占比"),
    }.get(name, name)


def _document(trained: Trained) -> dict[str, Any]:
    from erya.runs import baseline_facts

    return {
        "schema": "erya.train/1",
        "model": trained.model.id,
        "path": str(trained.path),
        "bytes": trained.size,
        "seconds": trained.seconds,
        "settings": trained.model.shown_params(),
        "scored_on": trained.scored_on,
        "scores": {name: score.to_plain() for name, score in trained.scores.items()},
        "baseline": baseline_facts(trained.baseline, trained.scores),
        "stopped_at_step": trained.stopped_at_step,
        **({"self_training": trained.self_training} if trained.self_training is not None else {}),
    }
