"""``evaluate`` for word vectors: the bundled analogies, or similarity sets and questions of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erya.cli import output
from erya.cli.reading import shown_path
from erya.cli.words import example_word, listed
from erya.errors import quoted
from erya.language import say

if TYPE_CHECKING:
    from erya.cli.options import Manner
    from erya.tasks.vectors import AnalogyReport, AnalogyScore, Question, SimilarityScore

MISSING_SHOWN = 20
METHODS = {"add": "3CosAdd", "mul": "3CosMul"}

Document = dict[str, Any]


def evaluate(
    path: str, model: Any, files: Sequence[str], methods: Sequence[str], restrict: int | None, manner: Manner
) -> None:
    """Score word vectors.

    Args:
        files: similarity sets and files of questions; none: the bundled analogies.
        methods: how analogies are answered, of ``METHODS``.
        restrict: among how many of the most frequent words; None: all.

    Raises:
        DataError: a file that is neither.
    """
    from erya.tasks import vectors

    sets = {name: Path(name) for name in files if not _has_questions(Path(name))}
    asked = {name: vectors.read_analogies(name) for name in files if name not in sets}
    found = [
        vectors.similarity_score(model, vectors.read_pairs(place), name=vectors.set_name(place))
        for place in sets.values()
    ]
    if not files:
        language, questions = _bundled(model)
        asked = {f"bundled:{language}": questions}
    reports = {
        name: vectors.analogy_scores(model, questions, restrict=restrict, methods=methods)
        for name, questions in asked.items()
    }
    document = _document(path, model, found, reports)
    if manner.json:
        output.write_document(document)
        return
    output.write(
        output.styled(model.id, "bold")
        + say(
            f"  {len(model.words_):,} words × {model.vector_size}",
            f"  {len(model.words_):,} 个词 × {model.vector_size}",
        )
    )
    for line in [*_similarity_lines(found), *_analogy_lines(reports)]:
        output.write(line)
    _tell_unknown(found, reports, manner)
    name = shown_path(path)
    first = shown_path(next(iter(sets), "ws353.tsv"))
    manner.next(
        f"erya show {name} near {example_word(model.words_)}",
        "" if sets else f"erya evaluate {name} {first}",
        f"erya compare corpus.txt vectors {name}",
    )


def _has_questions(path: Path) -> bool:
    """Whether a file holds analogy questions: they begin with a section, or have four words a line and no number."""
    from erya.text import files

    for line in files.lines(files.blocks(path), limit=10_000):
        text = line.raw.decode("utf-8", "replace").strip().removeprefix("\ufeff")
        if text and not text.startswith("#"):
            return text.startswith(":") or ("\t" not in text and len(text.split()) == 4)
    return False


def _bundled(model: Any) -> tuple[str, list[Question]]:
    """The bundled questions in the language of the vocabulary; in the other one, where it knows more of these."""
    from erya.tasks import vectors

    known = {word.upper() for word in model.words_[: vectors.RESTRICT]}
    first = vectors.language_of(model)
    asked = {language: vectors.bundled_analogies(language) for language in (first, "en" if first == "zh" else "zh")}
    shares = {
        language: sum(all(word.upper() in known for word in question[2:]) for question in questions) / len(questions)
        for language, questions in asked.items()
    }
    language = max(shares, key=lambda name: shares[name])  # the first, where both are the same
    return language, asked[language]


# ---- the document ---------------------------------------------------------------------------------------------


def _document(
    path: str, model: Any, found: Sequence[SimilarityScore], reports: dict[str, dict[str, AnalogyReport]]
) -> Document:
    from erya.tasks.vectors import HEADLINE

    scores: Document = {}
    for report in (report for methods in reports.values() for report in methods.values()):
        name = HEADLINE if report.method == "add" else f"{HEADLINE}_{report.method}"
        if report.total.accuracy is not None:
            scores[name] = report.total.accuracy.to_plain()
    for score in found:
        if score.spearman is not None:
            scores[f"spearman_{score.name}"] = score.spearman.to_plain()
        scores[f"spearman_{score.name}_all"] = score.spearman_all.to_plain()
    questions = [next(iter(methods.values())).total for methods in reports.values()]
    return {
        "schema": "erya.evaluate/1",
        "model": model.id,
        "path": path,
        "data": {"analogies": list(reports), "similarity": [score.name for score in found]},
        "vocabulary": len(model.words_),
        "dim": model.vector_size,
        "rows": sum(score.pairs for score in found) + sum(total.asked for total in questions),
        "known": sum(score.known for score in found) + sum(total.known for total in questions),
        "unknown": sum(score.pairs - score.known for score in found)
        + sum(total.asked - total.known for total in questions),
        "scores": scores,
        "similarity": [score.to_plain() for score in found],
        "analogies": {
            name: {method: report.to_plain() for method, report in methods.items()} for name, methods in reports.items()
        },
    }


# ---- in the terminal ------------------------------------------------------------------------------------------


def _similarity_lines(found: Sequence[SimilarityScore]) -> list[str]:
    if not found:
        return []
    rows = [
        (
            f"  {quoted(score.name, 30)}",
            *_value(score.spearman),
            f"{score.spearman_all.value:.3f}",
            f"{score.known:,} / {score.pairs:,}",
        )
        for score in found
    ]
    head = (
        say("  similarity", "  相似度"),
        "Spearman",
        say("95 % interval", "95% 区间"),
        say("unknown as 0", "未知计 0"),
        say("known pairs", "已知词对"),
    )
    return ["", *output.table(rows, head=head, right=[1, 3, 4])]


def _value(score: Any) -> tuple[str, str]:
    return ("–", "") if score is None else (f"{score.value:.3f}", f"[{score.low:.3f}, {score.high:.3f}]")


def _analogy_lines(reports: dict[str, dict[str, AnalogyReport]]) -> list[str]:
    lines: list[str] = []
    for name, methods in reports.items():
        every = list(methods.values())
        head = (
            "  " + say("analogies", "类比") + f" ({quoted(name, 30)})",
            *(cell for method in methods for cell in (METHODS[method], say("95 % interval", "95% 区间"))),
            say("unknown as wrong", "未知计错"),
            say("known", "已知"),
        )
        rows = [
            _row(f"  {quoted(scores[0].name, 32)}", scores)
            for scores in zip(*(one.sections for one in every), strict=True)
            if every[0].total.known
        ]
        groups = list(zip(*(one.groups for one in every), strict=True))
        if len(groups) > 1 and every[0].total.known:
            rows.append(tuple("" for _ in head))
            rows += [_row(f"  {_group(scores[0].name)}", scores) for scores in groups]
        rows.append(_row(say("  total", "  合计"), [one.total for one in every]))
        right = [*range(1, 2 * len(every) + 1, 2), len(head) - 2, len(head) - 1]
        lines += ["", *output.table(rows, head=head, right=right)]
    return lines


def _row(name: str, scores: Sequence[AnalogyScore]) -> tuple[str, ...]:
    first = scores[0]
    values = [cell for score in scores for cell in _value(score.accuracy)]
    return name, *values, f"{first.accuracy_all.value:.3f}", f"{first.known:,} / {first.asked:,}"


def _group(name: str) -> str:
    return {
        "semantic": say("semantic", "语义"),
        "syntactic": say("syntactic", "句法"),
        "morphological": say("morphological", "构词"),
        "translated": say("translated", "译自英文"),
    }.get(name, name)


def _tell_unknown(
    found: Sequence[SimilarityScore], reports: dict[str, dict[str, AnalogyReport]], manner: Manner
) -> None:
    """Which words were not known, and whether anything was."""
    missing = list(dict.fromkeys(word for score in found for word in score.missing))
    if missing:
        words = listed(missing, MISSING_SHOWN)
        manner.talk(
            output.fact(say("unknown", "未知"), say(f"{len(missing):,}: {words}", f"{len(missing):,} 个词：{words}"))
        )
    for methods in reports.values():
        report = next(iter(methods.values()))
        if report.restrict is not None:
            manner.detail(
                output.fact(
                    "",
                    say(
                        f"analogies are answered among the {report.restrict:,} most frequent words (--restrict)",
                        f"类比只在最高频的 {report.restrict:,} 个词中作答（--restrict）",
                    ),
                )
            )
        if not report.total.known:
            manner.talk(
                output.fact(
                    "",
                    say(
                        "none of these questions is about words of this vocabulary",
                        "这些题里没有一道的词全在词表中",
                    ),
                )
            )
