"""``show`` for word vectors: neighbours, analogies, a map, two files compared. Each is a trace, and a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from erya.cli import output
from erya.cli.reading import opened, shown_path
from erya.cli.words import example_word
from erya.errors import UsageError, quoted, typed
from erya.language import say
from erya.trace import Bars, Points, Table, Trace

if TYPE_CHECKING:
    from erya.cli.options import Manner

VIEWS = ("near", "analogy", "map", "compare")  # and whatever the model's own trace has
MAPPED = 100  # words of a map, where none are named
COMPARED = 20  # words listed where two files are compared
COMMON = 50_000  # shared words among which neighbours are looked for, the most frequent ones
SAMPLED = 1000  # of these, whose neighbours are compared
NEIGHBOURS = 10

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command's options ask of a view."""

    top: int = NEIGHBOURS
    method: str = "add"
    restrict: int | None = None
    words: tuple[str, ...] = ()


def view(name: str, model: Any, path: str, inputs: Sequence[str], wish: Wish) -> tuple[Trace, Document]:
    """One of ``VIEWS`` as a picture, and as the ``erya.show/1`` document.

    Raises:
        UsageError: a word that the vectors do not know, or too few or too many words.
    """
    trace, found = {"near": _near, "analogy": _analogy, "map": _map, "compare": _compare}[name](
        model, path, inputs, wish
    )
    return trace, {"schema": "erya.show/1", "model": model.id, "path": path, "view": name, **found}


def _needs(path: str, example: str, message: str) -> UsageError:
    return UsageError("missing-argument", message, help=f"erya show {shown_path(path)} {example}")


# ---- neighbours -----------------------------------------------------------------------------------------------


def _near(model: Any, path: str, inputs: Sequence[str], wish: Wish) -> tuple[Trace, Document]:
    if not inputs:
        raise _needs(path, f"near {example_word(model.words_)}", say("near which word?", "看哪个词的近邻？"))
    views: list[Bars] = []
    answers: list[Document] = []
    for word in inputs:
        found = model.most_similar(word, topn=wish.top, restrict_vocab=wish.restrict)
        views.append(_bars(word, found))
        answers.append({"word": word, "count": _count(model, word), "near": [[name, value] for name, value in found]})
    arrays = {
        word: np.array([value for _, value in entry["near"]]) for word, entry in zip(inputs, answers, strict=True)
    }
    return Trace(model.id, " ".join(inputs), arrays, [*views]), {"answers": answers}


def _bars(word: str, found: Sequence[tuple[str, float]]) -> Bars:
    title = say(f"The words nearest to {word}", f"与“{word}”最近的词")
    return Bars(title, [name for name, _ in found], [value for _, value in found], say("cosine", "余弦"))


def _count(model: Any, word: str) -> int | None:
    counts, row = model.counts_, model.key_to_index.get(word)
    return None if counts is None or row is None else int(counts[row])


# ---- analogies ------------------------------------------------------------------------------------------------


def _analogy(model: Any, path: str, inputs: Sequence[str], wish: Wish) -> tuple[Trace, Document]:
    if len(inputs) != 3:
        message = say("an analogy takes three words: a is to b as c is to …", "类比需要三个词：a 之于 b，如同 c 之于……")
        raise _needs(path, "analogy man king woman", message)
    a, b, c = inputs
    ask = model.most_similar if wish.method == "add" else model.most_similar_cosmul
    found = ask([b, c], [a], wish.top, wish.restrict)
    title = say(f"{a} is to {b} as {c} is to …", f"{a} 之于 {b}，如同 {c} 之于……")
    note = (
        say(f"nearest to {b} − {a} + {c} (3CosAdd)", f"最接近 {b} − {a} + {c} 的词（3CosAdd）")
        if wish.method == "add"
        else "3CosMul: cos(b)·cos(c) / cos(a)"
    )
    bars = Bars(title, [name for name, _ in found], [value for _, value in found], note)
    names = [a, b, c, *([found[0][0]] if found else [])]
    plane = model.project(names)
    arrows = [(0, 1), *([(2, 3)] if found else [])]
    picture = Points(say("In the plane", "平面图"), names, plane.points, arrows, _axes(plane), _axes_note())
    arrays = {"points": plane.points, "scores": np.array([value for _, value in found])}
    trace = Trace(model.id, f"{a} : {b} = {c} : ?", arrays, [bars, picture])
    return trace, {"input": [a, b, c], "method": wish.method, "answers": [[name, value] for name, value in found]}


# ---- the map --------------------------------------------------------------------------------------------------


def _map(model: Any, path: str, inputs: Sequence[str], wish: Wish) -> tuple[Trace, Document]:
    words = list(dict.fromkeys(inputs)) or _telling(model.words_, MAPPED)
    if len(words) == 1:  # one word alone is a point: its neighbourhood says more
        words += [name for name, _ in model.most_similar(words[0], topn=max(wish.top, 30))]
    plane = model.project(words)
    title = say(f"{len(words)} words in the plane", f"{len(words)} 个词的平面图")
    picture = Points(title, words, plane.points, (), _axes(plane), _axes_note())
    points = [{"word": word, "x": x, "y": y} for word, (x, y) in zip(words, plane.points.tolist(), strict=True)]
    shares = None if plane.share is None else plane.share.tolist()
    return Trace(model.id, title, {"points": plane.points}, [picture]), {"points": points, "variance": shares}


def _telling(words: Sequence[str], count: int) -> list[str]:
    """Frequent words that are not the most frequent ones, which mean little; letters only."""
    skipped = min(200, max(0, len(words) - count))
    chosen = [word for word in words[skipped : skipped + 20 * count] if word.isalpha()]
    return chosen[:count] or list(words[:count])


def _axes(plane: Any) -> tuple[str, str]:
    if plane.share is None:
        return "", ""
    across, up = (output.percent(float(share)) for share in plane.share)
    return say(f"PC 1 ({across})", f"主成分 1（{across}）"), say(f"PC 2 ({up})", f"主成分 2（{up}）")


def _axes_note() -> str:
    return say(
        "Principal components: the two directions in which these words differ most; the rest is not seen.",
        "主成分：这些词差别最大的两个方向；其余方向的差别看不到。",
    )


# ---- two files ------------------------------------------------------------------------------------------------


def _compare(model: Any, path: str, inputs: Sequence[str], wish: Wish) -> tuple[Trace, Document]:
    if len(inputs) != 1:
        raise _needs(path, "compare other.vec", say("compare with which file?", "与哪个文件比较？"))
    other, _ = opened(inputs[0])
    if not hasattr(other, "most_similar"):
        message = say(f"{quoted(inputs[0])} holds no word vectors", f"{quoted(inputs[0])} 里没有词向量")
        raise UsageError("other-task", message, help=f"erya check {typed(inputs[0])}")
    theirs = set(other.words_)
    shared = [word for word in model.words_ if word in theirs]
    if len(shared) < 2:
        raise UsageError("no-shared-words", say("the two files share no words", "两个文件没有共同的词"))
    common = list(dict.fromkeys([*(word for word in wish.words if word in theirs and word in model), *shared]))[:COMMON]
    asked = list(wish.words) or common[:SAMPLED]
    rows = _overlaps(_only(model, common), _only(other, common), asked, wish.top)
    mean = float(np.mean([row["overlap"] for row in rows]))
    facts = {
        "other": {"model": other.id, "path": inputs[0], "words": len(other.words_), "dim": other.vector_size},
        "words": len(model.words_),
        "dim": model.vector_size,
        "shared": len(shared),
        "compared": len(rows),
        "top": wish.top,
        "mean_overlap": mean,
    }
    listed = rows if wish.words else sorted(rows, key=lambda row: row["overlap"])[:COMPARED]
    summary = Table(
        say("Two sets of word vectors", "两套词向量"),
        ["", path, inputs[0]],
        [
            [say("model", "模型"), model.id, other.id],
            [say("words", "词数"), f"{len(model.words_):,}", f"{len(other.words_):,}"],
            [say("width", "维数"), f"{model.vector_size:,}", f"{other.vector_size:,}"],
            [say("shared words", "共同的词"), f"{len(shared):,}", f"{len(shared):,}"],
        ],
        say(
            f"Among the {len(common):,} words that both have, {mean:.0%} of the {wish.top} nearest are the same on average "
            f"(over {len(rows):,} words).",
            f"在两者共有的 {len(common):,} 个词中，最近的 {wish.top} 个词平均有 {mean:.0%} 相同（比较了 {len(rows):,} 个词）。",
        ),
    )
    title = (
        say("Neighbours of these words", "这些词的近邻")
        if wish.words
        else say("Words whose neighbours differ most", "近邻差别最大的词")
    )
    table = Table(
        title,
        [say("word", "词"), say("same", "相同"), say("only here", "仅在前者"), say("only there", "仅在后者")],
        [
            [row["word"], f"{row['overlap']:.0%}", " ".join(row["only_here"][:5]), " ".join(row["only_there"][:5])]
            for row in listed
        ],
    )
    arrays = {"overlap": np.array([row["overlap"] for row in rows])}
    return Trace(model.id, f"{path} – {inputs[0]}", arrays, [summary, table]), {**facts, "rows": listed}


def _only(model: Any, words: Sequence[str]) -> Any:
    """These words alone, so that both files answer from the same ones."""
    from erya.parts.keyed_vectors import KeyedVectors

    return KeyedVectors.of(list(words), model.transform(list(words)))


def _overlaps(mine: Any, theirs: Any, words: Sequence[str], top: int) -> list[dict[str, Any]]:
    """For each word, which of its nearest words both have."""
    rows = []
    for word, here, there in zip(
        words, mine.most_similar_batch(words, top), theirs.most_similar_batch(words, top), strict=True
    ):
        names_here, names_there = [name for name, _ in here], [name for name, _ in there]
        both = set(names_here) & set(names_there)
        rows.append(
            {
                "word": word,
                "overlap": len(both) / max(1, len(names_here)),
                "only_here": [name for name in names_here if name not in both],
                "only_there": [name for name in names_there if name not in both],
            }
        )
    return rows


# ---- without a view -------------------------------------------------------------------------------------------


def overview(path: str, model: Any, manner: Manner, facts: Sequence[tuple[str, str]], more: Document) -> None:
    """What this file is and what can be asked of it.

    Args:
        facts: names and texts, of a model file.
        more: of a model file, its card and curve, for ``--json``.
    """
    word = example_word(model.words_)
    if manner.json:
        output.write_document(
            {
                "schema": "erya.show/1",
                "model": model.id,
                "path": path,
                "words": len(model.words_),
                "dim": model.vector_size,
                "views": list(VIEWS) + (["trace"] if len(model.words_) else []),
                "frequent": list(model.words_[:20]),
                **more,
            }
        )
        return
    output.write(output.styled(model.id, "bold"))
    known = [
        (say("words", "词数"), f"{len(model.words_):,} × {model.vector_size}"),
        (say("frequent", "高频词"), " ".join(quoted(name, 20) for name in model.words_[:12])),
    ]
    for line in output.label_column([fact for fact in [*facts, *known] if fact[1]]):
        output.write(line)
    output.write()
    name = shown_path(path)
    output.write(output.styled(say("Views", "视图"), "bold") + f"   erya show {name} VIEW …")
    for line in output.label_column(
        [
            (f"near {word}", say("the nearest words", "最近的词")),
            ("analogy man king woman", say("man is to king as woman is to …", "man 之于 king，如同 woman 之于……")),
            (f"map {word}", say("words in the plane; several words, or none", "词的平面图；可给多个词，也可不给")),
            ("compare other.vec", say("neighbours here and there", "与另一个文件比较近邻")),
            (f"trace {word}", say("what happens inside the model", "模型内部的过程")),
        ]
    ):
        output.write(line)
    manner.next(f"erya show {name} near {word}", f"erya evaluate {name}")
