"""Looking inside a network that tags: the lattice of one sentence, and why a span was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import UsageError, quoted
from erya.language import say
from erya.parts import crf
from erya.parts.lattice_views import lattice_trace
from erya.parts.tag_batches import TagCorpus
from erya.parts.tagger_answers import emissions, marginals
from erya.tasks import tag
from erya.text.sentences import Sentence
from erya.trace import Lattice, Table, TokenHeat, Trace, View

if TYPE_CHECKING:
    from erya.parts.network_tagger import NetworkTagger

RUNNERS_UP = 3
MOST_HIDDEN = 400  # of a longer sentence, runs of tokens are hidden together
TOKENS_HIDDEN = 400_000  # read at most, in all these copies of the sentence
MOST_SPANS = 8  # that are drawn
HIDDEN = "\ufffd"  # what stands for a token that is hidden: no word, no known letter
STRONGEST = 12  # rows of a table

Floats = NDArray[np.float64]


def trace(model: NetworkTagger, sentence: Sentence) -> Trace:
    """Emissions, the way through them, its runners-up.

    Returns:
        Of a network that ends in a chain what ``lattice_views.lattice_trace`` gives. Of one that asks each token by itself:
        emissions (T, C), marginals (T, C), runners_up (n, T), runner_up_scores (n,), path (T,).
    """
    network = model.network_
    corpus = TagCorpus([sentence], model.lexicon_)
    scores, starts = emissions(network, corpus), corpus.starts
    names = [str(name) for name in model.classes_.tolist()]
    if hasattr(network, "chain"):
        return lattice_trace(model.id, sentence, sentence.text, names, scores, network.chain())
    path, shares = network.decoded(scores, starts), network.marginals(scores, starts)
    alone = crf.Chain(np.zeros((len(names), len(names))))
    ways, values = crf.n_best(scores, starts, alone, RUNNERS_UP + 1)
    found = [(float(value), way) for value, way in zip(values[0], ways, strict=True) if value > -np.inf]
    found = [one for one in found if (one[1] != path).any()][:RUNNERS_UP]
    arrays = {
        "emissions": scores,
        "marginals": shares,
        "runners_up": np.array([way for _, way in found], dtype=np.int64).reshape(len(found), len(sentence)),
        "runner_up_scores": np.array([value for value, _ in found]),
        "path": path,
    }
    title = say("every tag at every token; each token answers by itself", "每个词的所有标签；各词独立作答")
    lattice = Lattice(title, list(sentence), names, scores, path, shares, None, found)
    total = float(crf.log_partition(scores, starts, alone)[0])
    best = float(crf.path_scores(scores, starts, alone, path)[0])
    return Trace(model.id, sentence.text, arrays, [lattice, _ways(names, sentence, [(best, path), *found], total)])


def _ways(names: Sequence[str], sentence: Sentence, ways: Sequence[tuple[float, Any]], total: float) -> Table:
    """The best paths, each with its score, its probability and the tokens at which it differs from the first."""
    rows = []
    for value, way in ways:
        apart = [f"{sentence[t]}/{names[way[t]]}" for t in np.flatnonzero(way != ways[0][1])]
        rows.append([value, f"{np.exp(value - total):.2%}", " ".join(apart)])
    columns = [say("score", "得分"), say("probability", "概率"), say("other than the best", "与最优路径不同之处")]
    return Table(say("the best paths", "最优的几条路径"), columns, rows)


# ---- why -------------------------------------------------------------------------------------------------------------


def explain(model: NetworkTagger, sentence: Sentence, label: Any) -> Trace:
    """What each token adds to the log odds of the tags of a span, the mean over its tokens: the odds as they are less those
    of the sentence in which the token is hidden (an unknown word of unknown letters in its place).

    Args:
        model: a fitted one.
        sentence: T tokens.
        label: a type of span, or where tags tell no spans a tag; None: whatever was found.

    Returns:
        Arrays: spans (S, 2) in tokens, contributions (S, T), path (T,) – the answered tags.

    Raises:
        UsageError: no such label.
    """
    if label is not None and str(label) not in _labels(model):
        raise UsageError(
            "unknown-label",
            say(f"there is no label '{quoted(label, 40)}'", f"没有标签“{quoted(label, 40)}”"),
            help=" · ".join(quoted(name, 30) for name in _labels(model)[:20]),
        )
    tokens, count = list(sentence), len(sentence)
    most = max(1, min(count, MOST_HIDDEN, TOKENS_HIDDEN // max(1, count)))
    pieces = np.array_split(np.arange(count), most) if count else []
    hidden = [[*tokens[: piece[0]], *[HIDDEN] * len(piece), *tokens[piece[-1] + 1 :]] for piece in pieces]
    shares = np.array(marginals(model.network_, [tokens, *hidden], model.lexicon_))  # (1 + pieces, T, C)
    corpus = TagCorpus([sentence], model.lexicon_)
    path = model.network_.decoded(emissions(model.network_, corpus), corpus.starts)
    targets = _targets(model, sentence, path, shares[0] if count else np.zeros((0, len(model.classes_))), label)
    values = np.zeros((len(targets), count))
    for row, (first, end, _) in enumerate(targets):
        places = np.arange(first, end)
        inside = np.clip(shares[:, places, path[places]], 1e-15, 1 - 1e-15)
        odds = (np.log(inside) - np.log1p(-inside)).mean(axis=1)
        for piece, lost in zip(pieces, (odds[0] - odds[1:]).tolist(), strict=True):
            values[row, piece] = lost / len(piece)
    arrays = {
        "spans": np.array([(first, end) for first, end, _ in targets], dtype=np.int64).reshape(-1, 2),
        "contributions": values,
        "path": path,
    }
    return Trace(model.id, sentence.text, arrays, _drawn(sentence, targets, values))


def _drawn(sentence: Sentence, targets: Sequence[tuple[int, int, str]], values: Floats) -> list[View]:
    """Of each span the sentence, coloured by what its tokens add; of the first one the strongest tokens as a table."""
    note = say("log odds of its tags lost when the token is hidden", "遮住该词后，这些标签的对数几率减少多少")
    views: list[View] = []
    for (first, end, name), row in list(zip(targets, values, strict=True))[:MOST_SPANS]:
        offsets = sentence.offsets
        what = sentence.text[offsets[first][0] : offsets[end - 1][1]]
        title = say(f"why “{quoted(what, 40)}” is {name}", f"“{quoted(what, 40)}”为何是 {name}")
        views.append(TokenHeat(title, sentence.text, offsets, row, note))
    if not targets:
        return [
            TokenHeat(
                say("no span was found", "没有找到片段"), sentence.text, sentence.offsets, np.zeros(len(sentence))
            )
        ]
    order = np.argsort(-np.abs(values[0]), kind="stable")[:STRONGEST].tolist()
    rows = [[sentence[place], float(values[0, place])] for place in order]
    views.append(
        Table(say("strongest tokens", "影响最大的词"), [say("token", "词"), say("log odds", "对数几率")], rows)
    )
    return views


def _labels(model: NetworkTagger) -> list[str]:
    """What can be asked for: types of spans, or tags."""
    names = [str(name) for name in model.classes_.tolist()]
    if model.scheme_ == "none":
        return names
    return sorted({name.partition("-")[2] for name in names if name != "O"})


def _targets(
    model: NetworkTagger, sentence: Sentence, path: NDArray[np.int64], shares: Floats, label: Any
) -> list[tuple[int, int, str]]:
    """What is to be explained, ``(first, end, name)``: the spans found, or those of a label; of tags that tell no spans the token
    that is least sure, or those that have the tag.
    """
    names = model.classes_.tolist()
    if model.scheme_ == "none":
        chosen = [t for t in range(len(path)) if label is None or names[path[t]] == str(label)]
        if label is None and chosen:
            chosen = [min(chosen, key=lambda t: shares[t, path[t]])]
        return [(t, t + 1, names[path[t]]) for t in chosen]
    found = tag.token_spans([[names[code] for code in path]], model.scheme_)[0]
    return [(first, end, name or say("a word", "词")) for first, end, name in found if label in (None, name)]
