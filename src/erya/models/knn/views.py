"""What a neighbour looks like: the texts that voted, what they have in common with the question, and where in it that stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from erya.language import say
from erya.models.knn.search import nearest, unit
from erya.parts.ngram_evidence import Evidence, class_number, laid_out
from erya.parts.ngrams import Tokens
from erya.text.tokenizers import located
from erya.trace import Bars, Table, TokenHeat, Trace, View

if TYPE_CHECKING:
    from erya.models.knn.estimator import KNN
    from erya.tasks.classify import Document

Floats = NDArray[np.float64]

SHARED = 6  # n-grams listed for a neighbour
LONGEST = 160  # characters of its text


def trace(model: KNN, document: Document) -> Trace:
    """Question → cosines → votes → shares; see ``KNN.trace``."""
    evidence, rows, cosines, common = _asked(model, document)
    arrays = _arrays(model, evidence, rows, cosines)
    return Trace(model.id, evidence.shown, arrays, [_table(model, evidence, arrays, common), *_bars(model, arrays)])


def explain(model: KNN, document: Document, label: Any) -> Trace:
    """Why this label: of the votes' mean cosine with those that have the label, less that with the others, each n-gram's part."""
    evidence, rows, cosines, common = _asked(model, document)
    arrays = _arrays(model, evidence, rows, cosines)
    names = [str(name) for name in model.classes_.tolist()]
    chosen = int(arrays["probabilities"].argmax()) if label is None else class_number(model.classes_, label)
    has = arrays["labels"][:, chosen]  # (k,)
    parts = evidence.values * ((has - (1.0 - has)) @ common) / max(1, len(rows))  # (m,)
    by_token, spans, by_character = laid_out(evidence, parts)
    note = say(
        "what each n-gram adds to the cosine with neighbours that have the label (blue: with those that have not)",
        "每个 n 元组给与“有此标签的近邻”的余弦加了多少（反色：与没有此标签的近邻）",
    )
    title = say(f"{names[chosen]}: what is shared", f"{names[chosen]}：与近邻共有的部分")
    views: list[View] = [TokenHeat(title, evidence.shown, evidence.spans, by_token, note=note)]
    if any(one.characters for one in evidence.occurrences):
        views.append(TokenHeat(say("the same by character", "同上，细到字符"), evidence.shown, spans, by_character))
    views += [_table(model, evidence, arrays, common), *_bars(model, arrays)]
    probabilities = arrays.pop("probabilities")
    return Trace(
        model.id,
        evidence.shown,
        {**arrays, "parts": parts, "token_parts": by_token, "probabilities": probabilities},
        views,
    )


def _asked(model: KNN, document: Document) -> tuple[Evidence, NDArray[np.int64], Floats, Floats]:
    """The document taken apart; its neighbours (k,), their cosines (k,), and what they have of its features (k, m)."""
    shown, tokens, spans = located(model.tokenizer_, document)
    ngrams = model.features_.ngrams
    counts = ngrams.count(Tokens.of([tokens]))
    values = unit(counts, model.features_.values(counts))
    cosines = model.index_.cosines(counts.features, values)
    rows = nearest(cosines, model.neighbors_)
    evidence = Evidence(
        shown=shown,
        tokens=tokens,
        spans=spans,
        occurrences=ngrams.occurrences(tokens),
        features=counts.features,
        names=[ngrams.name(feature) for feature in counts.features.tolist()],
        counts=counts.counts,
        values=values,
        weights=np.zeros((len(values), len(model.classes_))),
        bias=model.prior_,
    )
    common = np.zeros((len(rows), len(values)))
    for place, row in enumerate(rows.tolist()):
        common[place] = model.index_.vector(row, counts.features)
    return evidence, rows, cosines[rows], common


def _arrays(model: KNN, evidence: Evidence, rows: NDArray[np.int64], cosines: Floats) -> dict[str, NDArray[Any]]:
    votes = model.votes(rows, cosines)
    labels = np.zeros((len(rows), len(model.classes_)))
    for place, row in enumerate(rows.tolist()):
        labels[place] = model.members(row)
    total, smoothing = votes.sum(), model.smoothing_
    probabilities = model.prior_.copy()
    if total > 0:
        shares = (votes[:, None] * labels).sum(axis=0) / total
        probabilities = (len(rows) * shares + smoothing * model.prior_) / (len(rows) + smoothing)
    return {
        "features": evidence.features,  # (m,)
        "values": evidence.values,  # (m,)
        "neighbors": rows,  # (k,)
        "cosines": cosines,  # (k,)
        "votes": votes / total if total > 0 else votes,  # (k,)
        "labels": labels,  # (k, C)
        "probabilities": probabilities,  # (C,)
    }


def _table(model: KNN, evidence: Evidence, arrays: dict[str, NDArray[Any]], common: Floats) -> Table:
    """A row a neighbour: its text, its labels, its cosine, its vote, and the n-grams that make most of the cosine."""
    names = [str(name) for name in model.classes_.tolist()]
    lines: list[list[Any]] = []
    for place, row in enumerate(arrays["neighbors"].tolist()):
        parts = evidence.values * common[place]
        strongest = np.argsort(-parts, kind="stable")[:SHARED]
        shared = " · ".join(evidence.names[at] for at in strongest.tolist() if parts[at] > 0)
        labels = ", ".join(names[at] for at in np.flatnonzero(arrays["labels"][place]).tolist())
        lines.append(
            [_shown(model, row), labels or "–", float(arrays["cosines"][place]), float(arrays["votes"][place]), shared]
        )
    columns = [
        say("training text", "训练文本"),
        say("label", "标签"),
        say("cosine", "余弦"),
        say("vote", "票"),
        say("in common", "共有"),
    ]
    note = "" if lines else say("no training text shares anything with it", "没有任何训练文本与它有共同之处")
    return Table(say("the neighbours", "近邻"), columns, lines, note=note)


def _shown(model: KNN, row: int) -> str:
    if not model.texts_:
        return say(f"row {row + 1} (texts are not kept)", f"第 {row + 1} 行（未保留文本）")
    text = model.texts_[row]
    whole = text if isinstance(text, str) else " ‖ ".join(text)
    return whole if len(whole) <= LONGEST else whole[: LONGEST - 1] + "…"


def _bars(model: KNN, arrays: dict[str, NDArray[Any]]) -> list[View]:
    names = [str(name) for name in model.classes_.tolist()]
    return [Bars(say("probabilities", "概率"), names, arrays["probabilities"], percent=True)]
