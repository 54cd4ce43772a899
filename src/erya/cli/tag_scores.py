"""``evaluate`` for a tagger: spans by type, what kind of mistakes, and what is left of the score on raw text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from erya.cli import output
from erya.cli.reading import data_facts, data_line, part_name, shown_path, tell_notes
from erya.cli.train import score_name
from erya.errors import DataError, quoted
from erya.language import say
from erya.trial_tags import label_counts, per_label

if TYPE_CHECKING:
    from erya.cli.options import Manner
    from erya.text.dataset import Dataset, Part

CHUNK = 2048  # sentences answered at once
LABELS, CONFUSED = 40, 8  # in sight

Document = dict[str, Any]


def evaluate(path: str, model: Any, dataset: Dataset, name: str, part: Part, strict: bool, manner: Manner) -> None:
    """Score a tagger on the tokens of the data, and on its texts.

    Raises:
        DataError: types that the model has never seen, where ``strict``.
    """
    from erya.tasks import tag

    targets = part.targets or []
    scheme = tag.scheme_of(targets)
    unseen = unseen_types(model, targets, scheme)
    if unseen and strict:
        raise DataError(
            "unseen-labels",
            say(
                f"the model has never seen: {_listed(unseen)}",
                f"模型没见过这些类型：{_listed(unseen)}",
            ),
            where=dataset.source,
            help=say("leave out --strict: they count as wrong", "去掉 --strict，它们按答错计"),
        )
    answers = _answers(model, part.inputs)
    document = {
        "schema": "erya.evaluate/1",
        "model": model.id,
        "path": path,
        "data": {**data_facts(dataset), "part": name},
        "rows": len(part),
        "tokens": sum(map(len, part.inputs)),
        "scheme": scheme,
        **scored(targets, answers),
        "raw_text": _raw(model, part, scheme),
        "unseen_labels": unseen,
    }
    if manner.json:
        output.write_document(document)
        return
    manner.talk(output.fact(say("data", "数据"), data_line(dataset)))
    tell_notes(dataset.reading, manner)
    for line in report(document):
        output.write(line)
    data = shown_path(dataset.source)
    manner.next(f'erya show {shown_path(path)} lattice "…"', f"erya compare {data} {shown_path(path)} tag --task tag")


def _answers(model: Any, inputs: list[Any]) -> list[Any]:
    found: list[Any] = []
    for start in range(0, len(inputs), CHUNK):
        found += model.predict(inputs[start : start + CHUNK])
    return found


def unseen_types(model: Any, targets: Any, scheme: str) -> dict[str, int]:
    """Types of spans (or tags without spans) that the model does not have, with their number; the most frequent first."""
    known = set(label_counts([[str(name)] for name in model.classes_.tolist()], scheme))
    counts = {label: count for label, count in label_counts(targets, scheme).items() if label not in known}
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


def scored(targets: Any, answers: Any) -> Document:
    """Scores, the baseline, types and mistakes of answers on the tokens of the data."""
    from erya.tasks import tag

    found = tag.compare(targets, answers)
    label, share = tag.majority(targets, targets)
    document: Document = {
        "scores": {name: score.to_plain() for name, score in tag.scores(targets, [tag.TagRun(answers)]).items()},
        "baseline": {"label": label, "accuracy": share},
        "per_label": per_label(targets, answers),
        "broken_tags": found.broken,
    }
    if found.scheme != "none":
        document["mistakes"] = tag.mistakes(targets, answers).to_plain()
    if found.broken:
        document["strict_f1"] = tag.strict_f1(targets, answers)
    return document


def _raw(model: Any, part: Part, scheme: str) -> Document:
    """The same sentences as text, cut by the model's own tokenizer."""
    from erya.tasks import tag

    truth = tag.tagged(part.inputs, part.targets or [], scheme)
    return tag.raw_score(truth, _answers(model, [one.text for one in truth])).to_plain()


def _listed(counts: dict[str, int]) -> str:
    shown = [f"{quoted(label, 20)} ×{count:,}" for label, count in list(counts.items())[:5]]
    return say(", ", "、").join(shown) + (" …" if len(counts) > 5 else "")


# ---- in the terminal ------------------------------------------------------------------------------------------


def report(document: Document) -> list[str]:
    """The scores, the types and the mistakes as lines."""
    part = document["data"]["part"]
    where = (
        say("all sentences", "全部句子") if part == "all" else say(f"{part_name(part)} part", f"{part_name(part)}部分")
    )
    head = say(
        f"  {document['rows']:,} sentences, {document['tokens']:,} tokens, {where}",
        f"  {document['rows']:,} 个句子，{document['tokens']:,} 个词，{where}",
    )
    rows = [
        (f"  {score_name(name)}", f"{score['value']:.4f}", f"[{score['low']:.4f}, {score['high']:.4f}]")
        for name, score in document["scores"].items()
    ]
    raw = document["raw_text"]
    rows.append(
        (say("  from raw text", "  直接读文本"), f"{raw['value']:.4f}", f"[{raw['low']:.4f}, {raw['high']:.4f}]")
    )
    label = quoted(document["baseline"]["label"], 20)
    told = say(f"  accuracy of always answering “{label}”", f"  总是回答“{label}”的准确率")
    rows.append((told, f"{document['baseline']['accuracy']:.4f}", ""))
    lines = [output.styled(document["model"], "bold") + head, ""]
    lines += output.table(rows, head=("", "", say("95 % interval", "95% 区间")), right=[1])
    lines += ["", *(f"  {sentence}" for sentence in _sentences(document)), ""]
    lines += _label_lines(document["per_label"], document["scheme"])
    return [*lines, "", *_mistake_lines(document["mistakes"])] if "mistakes" in document else lines


def _sentences(document: Document) -> list[str]:
    raw, first = document["raw_text"], next(iter(document["scores"].values()))["value"]
    text = say("the texts of the data", "数据里的原文")
    if raw["texts_given"] < 1:
        text = say("texts joined from the tokens by rule", "按规则由词拼成的文本")
    gap = raw["value"] - first
    found = [
        say(
            f"On {text}, cut by the model's own tokenizer: {gap:+.4f}; it cuts {output.percent(raw['tokens_cut_alike'])} of the "
            "tokens as the data does.",
            f"读{text}、由模型自己切词：{gap:+.4f}；与数据切得一致的词占 {output.percent(raw['tokens_cut_alike'])}。",
        )
    ]
    if document["broken_tags"]:
        found.append(
            say(
                f"{document['broken_tags']:,} answered tags break the rules and were read as conlleval does; "
                f"taking nothing from them F1 is {document['strict_f1']:.4f}.",
                f"有 {document['broken_tags']:,} 个回答的标签不合规则，按 conlleval 的读法处理；"
                f"若一概不算，F1 为 {document['strict_f1']:.4f}。",
            )
        )
    if document["unseen_labels"]:
        found.append(
            say(
                f"Never seen in training, counted as wrong: {_listed(document['unseen_labels'])}.",
                f"训练时没见过、按答错计：{_listed(document['unseen_labels'])}。",
            )
        )
    return found


def _label_lines(labels: list[Document], scheme: str) -> list[str]:
    shown = labels if len(labels) <= LABELS else sorted(labels, key=lambda one: one["f1"])[:LABELS]
    rows = [
        (
            f"  {quoted(one['label'], 30) or say('(words)', '（词）')}",
            *(f"{one[name]:.3f}" for name in ("precision", "recall", "f1")),
            f"{one['support']:,}",
        )
        for one in shown
    ]
    unit = say("tokens", "词数") if scheme == "none" else say("spans", "片段数")
    head = (say("  type", "  类型"), say("precision", "精确率"), say("recall", "召回率"), "F1", unit)
    lines = output.table(rows, head=head, right=[1, 2, 3, 4])
    if len(shown) < len(labels):
        count, total = len(shown), len(labels)
        lines.append(say(f"  … the {count} worst of {total} types", f"  ……共 {total} 类，只列最差的 {count} 类"))
    return lines


def _mistake_lines(found: Document) -> list[str]:
    kinds = [
        ("type", say("  right place, wrong type", "  位置对、类型错")),
        ("boundary", say("  right type, wrong boundary", "  类型对、边界错")),
        ("both", say("  overlapping, both wrong", "  有重叠，位置与类型都错")),
        ("added", say("  nothing there", "  无中生有")),
        ("missed", say("  missed altogether", "  完全漏掉")),
    ]
    rows = [(words, f"{found[name]:,}") for name, words in kinds if found[name]]
    if not rows:
        return [say("  no mistakes", "  没有答错")]
    lines = output.table(rows, head=(say("  mistakes", "  错误"), say("spans", "片段数")), right=[1])
    pairs = [
        (f"  {quoted(one['label'], 30)}", f"→ {quoted(one['answer'], 30)}", f"{one['count']:,}")
        for one in found["confused"][:CONFUSED]
    ]
    if not pairs:
        return lines
    head = (say("  true type", "  实际类型"), say("→ answered", "→ 回答"), say("spans", "片段数"))
    return [*lines, "", *output.table(pairs, head=head, right=[2])]
