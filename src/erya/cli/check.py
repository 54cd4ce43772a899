"""``check``: is this data fit to train on, and is this model file whole?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erya.cli import output
from erya.cli.data_check import UNLEARNABLE, examine
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.options import Columns, Manner, Parts, argument, complete_data, option
from erya.cli.reading import data_facts, data_line, how_to_read, part_name, shown_path, tell_notes
from erya.cli.settings import shown
from erya.cli.train import score_name
from erya.cli.words import example_word
from erya.errors import DataError, quoted
from erya.language import say

if TYPE_CHECKING:
    from erya.artefact import Content

LABELS_SHOWN = 20
BAR = 24  # cells of the longest bar
MARKS = {"error": ("✗", "red"), "warning": ("!", "yellow"), "note": ("·", "dim")}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add(
        app,
        "check",
        flat(check),
        group=say("Train and compare", "训练与比较"),
        summary=say("look for trouble in data, or verify a model file", "检查数据有没有问题，或核验模型文件"),
        examples=[
            ("erya check reviews.csv", say("labels, lengths, duplicates, broken rows", "标签、长度、重复、坏行")),
            ("erya check train.csv --test test.csv", say("leaks between the two", "两者之间有无泄漏")),
            ("erya check m.erya", say("every hash, and what is inside", "逐一核对哈希，并列出内容")),
            ("erya check corpus.txt --task vectors", say("a text to learn words from", "用来学词向量的语料")),
            ("erya check glove.txt", say("a file of word vectors", "词向量文件")),
        ],
    )


def check(
    columns: Columns,
    parts: Parts,
    manner: Manner,
    what: Annotated[
        str,
        argument(
            "DATA|m.erya",
            "a file, a folder, a pattern, sample:NAME, or a model file",
            "文件、文件夹、通配符、sample:名称，或模型文件",
            complete_data,
        ),
    ],
    task: Annotated[
        str | None,
        option(
            "--task",
            "TASK",
            "what the data is for: classify (default), tag, vectors, generate",
            "数据的用途：classify（默认）、tag、vectors、generate",
        ),
    ] = None,
) -> None:
    """Examine data, or verify a model file."""
    from erya import catalog, runs, tasks
    from erya.run_corpus import Corpus, takes_corpus

    if what.endswith(".erya") or catalog.is_artefact(Path(what)):
        _check_model(what, manner)
    elif catalog.fasttext_task(what) == "classify":
        _check_classifier(what, manner)
    elif task is None and catalog.foreign_task(what) == "generate":
        from erya.cli.language_model_check import check_language_model

        check_language_model(what, manner)
    elif task is None and catalog.foreign_format(what) is not None:
        _check_vectors(what, manner)
    elif task is not None and takes_corpus(tasks.find(task).__name__.rpartition(".")[2]):
        from erya.cli.corpus_check import check_corpus
        from erya.cli.text_check import check_text
        from erya.run_documents import takes_documents

        whole = not takes_documents(task)
        corpus = runs.read_data(how_to_read(what, task, columns, None if whole else parts))
        assert isinstance(corpus, Corpus)
        (check_corpus if whole else check_text)(what, corpus, manner)
    else:
        _check_data(what, task or "classify", columns, parts, manner)


# ---- data -----------------------------------------------------------------------------------------------------


def _check_data(source: str, task: str, columns: Columns, parts: Parts, manner: Manner) -> None:
    from erya import runs

    lenient = columns if columns.bad_rows is not None else replace(columns, bad_rows="skip")
    how = how_to_read(source, task, lenient, parts)
    if parts.split is None:
        how["split"] = None  # what the user's own files say, not what a split would make of them
    how["read"]["check"] = False  # what cannot be learned from is listed with the other problems
    dataset = runs.read_rows(how)
    if task == "tag":
        from erya.cli import tag_check

        _end(tag_check.check(source, dataset, manner))
        return
    found = examine(dataset)
    unlearnable = any(problem["code"] in UNLEARNABLE for problem in found["problems"])
    if manner.json:
        output.write_document({"schema": "erya.check/1", "kind": "data", "data": data_facts(dataset), **found})
        _end(unlearnable)
        return
    output.write(output.styled(quoted(source), "bold") + f"  {data_line(dataset)}")
    tell_notes(dataset.reading, manner)
    for line in [
        *_part_lines(found["parts"]),
        *_label_lines(found["labels"], found["parts"]),
        "",
        *problem_lines(sorted(found["problems"], key=lambda problem: list(MARKS).index(problem["severity"]))),
    ]:
        output.write(line)
    for reject in dataset.reading.rejects[:5] if not manner.verbose else dataset.reading.rejects:
        manner.talk(f"  {quoted(reject.file)}:{reject.line}  {reject.reason}  {quoted(reject.raw, 60)}")
    _end(unlearnable)
    manner.next(f"erya compare {shown_path(source)}", f"erya train classify/fasttext {shown_path(source)} -o m.erya")


def _end(unlearnable: bool) -> None:
    """Exit 3 where every training would refuse the data: a script must notice."""
    if unlearnable:
        raise typer.Exit(DataError.exit)


def _part_lines(parts: dict[str, Any]) -> list[str]:
    rows = [
        (
            f"  {part_name(name)}",
            f"{facts['rows']:,}",
            f"{facts['duplicates']:,}",
            *(f"{facts['characters'][key]:,}" if facts["characters"] else "–" for key in ("median", "p95", "longest")),
        )
        for name, facts in parts.items()
    ]
    head = (
        say("  part", "  部分"),
        say("rows", "行数"),
        say("repeated", "重复"),
        say("characters: median", "字符数：中位"),
        "95 %",
        say("longest", "最长"),
    )
    return ["", *output.table(rows, head=head, right=range(1, 6))]


def _label_lines(labels: dict[str, int] | None, parts: dict[str, Any]) -> list[str]:
    """The most frequent labels with their share of the rows."""
    if not labels:
        return []
    total, most = sum(facts["rows"] for facts in parts.values()), max(labels.values())
    rows = [
        (f"  {quoted(label, 30)}", f"{count:,}", f"{count / total:.1%}", "█" * max(1, round(BAR * count / most)))
        for label, count in list(labels.items())[:LABELS_SHOWN]
    ]
    lines = [
        "",
        *output.table(
            rows, head=(say("  label", "  标签"), say("rows", "行数"), say("share", "占比"), ""), right=[1, 2]
        ),
    ]
    if len(labels) > LABELS_SHOWN:
        lines.append(
            say(f"  … and {len(labels) - LABELS_SHOWN} more labels", f"  ……另有 {len(labels) - LABELS_SHOWN} 个标签")
        )
    return lines


def problem_lines(problems: list[dict[str, Any]]) -> list[str]:
    """What was found, in the order given, with its help; the same for rows and for running text."""
    if not problems:
        return [output.styled(say("✓ nothing to worry about", "✓ 没有发现问题"), "green")]
    lines = []
    for problem in problems:
        mark, colour = MARKS[problem["severity"]]
        rows = say("  rows ", "  行 ") + ", ".join(map(str, problem["rows"])) + " …" if problem.get("rows") else ""
        lines.append(f"{output.styled(mark, colour)} {problem['message']}{rows}")
        if problem["help"]:
            lines.append(output.styled(f"  {problem['help']}", "dim"))
    return lines


# ---- a model file ---------------------------------------------------------------------------------------------


def _check_model(path: str, manner: Manner) -> None:
    from erya import artefact, catalog, nested
    from erya.segmenter import tokenizer_facts

    content = artefact.load(path)
    model = catalog.load(path)  # its meaning, too: shapes, ids, finite numbers
    arrays = [
        {"name": name, "dtype": str(array.dtype), "shape": list(array.shape), "bytes": array.nbytes}
        for name, array in sorted(content.state.arrays.items())
    ]
    training = {name: value for name, value in content.training.items() if name != "curve"}
    size = Path(path).stat().st_size
    if manner.json:
        document = {
            "schema": "erya.check/1",
            "kind": "model",
            "model": content.model,
            "bytes": size,
            "erya": content.erya,
            "settings": nested.shortened(content.params),
            "tokenizer": tokenizer_facts(content.state.data.get("tokenizer")),
            "arrays": arrays,
            "training": training,
            "fingerprint": model.fingerprint(),
        }
        output.write_document(document)
        return
    whole = say("✓ whole: every hash matches, every value makes sense", "✓ 完好：哈希全部相符，内容合理")
    output.write(f"{output.styled(quoted(path), 'bold')}  {output.styled(whole, 'green')}")
    facts = [
        (say("fingerprint", "指纹"), model.fingerprint()[:16]),
        *model_facts(content, size),
        (say("arrays", "数组"), "  ".join(f"{array['name']} {array['dtype']}{array['shape']}" for array in arrays)),
    ]
    for line in output.label_column([(name, text) for name, text in facts if text]):
        output.write(line)
    name = shown_path(path)
    if model.task() == "vectors":
        manner.next(f"erya show {name}", f"erya evaluate {name}")
        return
    manner.next(f'erya predict {name} --input "…"', f"erya show {name}")


def _check_classifier(path: str, manner: Manner) -> None:
    """A classifier of the original fastText: read whole, so that every size and number was looked at."""
    from erya import catalog

    model: Any = catalog.load(path)
    size = Path(path).stat().st_size
    if manner.json:
        document = {"schema": "erya.check/1", "kind": "model", "model": model.id, "bytes": size}
        output.write_document({**document, "settings": model.facts(), "fingerprint": model.fingerprint()})
        return
    whole = say("✓ whole: every size and number makes sense", "✓ 完好：大小与数值都合理")
    output.write(f"{output.styled(quoted(path), 'bold')}  {output.styled(whole, 'green')}")
    for line in output.label_column([(say("fingerprint", "指纹"), model.fingerprint()[:16]), *file_facts(model, size)]):
        output.write(line)
    name = shown_path(path)
    manner.next(f'erya predict {name} --input "…"', f"erya convert {name} m.erya")


def file_facts(model: Any, size: int) -> list[tuple[str, str]]:
    """The same as ``model_facts`` of a classifier of the original fastText."""
    facts = model.facts()
    counts = say(
        f"{facts['words']:,} words, {facts['labels']:,} labels", f"{facts['words']:,} 个词，{facts['labels']:,} 个标签"
    )
    settings = {name: value for name, value in facts.items() if name not in ("words", "labels")}
    return [
        (say("model", "模型"), model.id),
        (say("size", "大小"), output.size(size)),
        (say("knows", "包含"), counts),
        (say("settings", "设置"), "  ".join(f"{name}={shown(value)}" for name, value in settings.items())),
    ]


def _check_vectors(path: str, manner: Manner) -> None:
    """A foreign file of word vectors: read whole, so that every row was looked at."""
    import numpy as np

    from erya import catalog

    model: Any = catalog.load(path)
    format, size = catalog.foreign_format(path), Path(path).stat().st_size
    lengths = np.sqrt(np.einsum("nd,nd->n", model.vectors, model.vectors, dtype=np.float64))
    zeros = int((lengths == 0).sum())
    facts = {"words": len(model.words_), "dim": model.vector_size, "bytes": size, "zero_vectors": zeros}
    if manner.json:
        document = {"schema": "erya.check/1", "kind": "vectors", "format": format, **facts}
        output.write_document({**document, "mean_length": float(lengths.mean()), "fingerprint": model.fingerprint()})
        return
    whole = say("✓ every row makes sense", "✓ 每一行都合理")
    output.write(f"{output.styled(quoted(path), 'bold')}  {output.styled(whole, 'green')}")
    lines = [
        (say("format", "格式"), f"{format}  {output.size(size)}"),
        (say("words", "词数"), f"{facts['words']:,} × {facts['dim']}"),
        (say("first", "开头"), " ".join(quoted(word, 20) for word in model.words_[:10])),
        (say("length", "向量长度"), say(f"{lengths.mean():.3g} on average", f"平均 {lengths.mean():.3g}")),
        (say("zeros", "零向量"), f"{zeros:,}" if zeros else ""),
    ]
    for line in output.label_column([line for line in lines if line[1]]):
        output.write(line)
    name = shown_path(path)
    manner.next(f"erya evaluate {name}", f"erya show {name} near {example_word(model.words_)}")


def model_facts(content: Content, size: int) -> list[tuple[str, str]]:
    """What a model file says of itself, as names and texts; an empty text where it does not say."""
    from erya.segmenter import described

    return [
        (say("model", "模型"), content.model),
        (say("size", "大小"), output.size(size)),
        (say("written by", "写入版本"), f"Erya {content.erya}"),
        (say("settings", "设置"), "  ".join(f"{name}={shown(value)}" for name, value in content.params.items())),
        (say("tokenizer", "分词"), described(content.state.data.get("tokenizer"))),
        *_training_facts(content.training),
    ]


def _training_facts(training: dict[str, Any]) -> list[tuple[str, str]]:
    data = training.get("data")
    scores = "  ".join(
        f"{score_name(name)} {score['value']:.4f}" for name, score in (training.get("scores") or {}).items()
    )
    return [
        (say("trained on", "训练数据"), _trained_on(data)),
        (say("scores", "分数"), f"{scores}  ({part_name(str(training.get('scored_on')))})" if scores else ""),
    ]


def _trained_on(data: Any) -> str:
    if not isinstance(data, dict):
        return ""
    rows = " ".join(f"{part_name(name)} {count:,}" for name, count in (data.get("rows") or {}).items())
    rows = rows or output.size(data.get("bytes") or 0)
    return quoted(f"{data.get('source', '')}  {rows}  digest {str(data.get('digest', ''))[:12]}", 120)
