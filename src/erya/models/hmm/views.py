"""The trace of the hidden Markov model: the lattice, and for each word where its probabilities come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from erya.language import say
from erya.parts.crf import Chain
from erya.parts.lattice_views import lattice_trace
from erya.tasks import tag
from erya.trace import Table, Trace

if TYPE_CHECKING:
    from erya.models.hmm.estimator import HMM

Floats = NDArray[np.float64]
SHOWN = 60  # words of the table


def trace(model: HMM, sentence: tag.Sentence, emissions: Floats, chain: Chain, answer: Sequence[str]) -> Trace:
    """See ``HMM.trace``. The last array is the path that ``predict`` gives, in the scheme learned in."""
    note = say(
        "scores are ln p(word | tag): the word is said by the tag",
        "得分是 ln p(词 | 标签)：词由标签“说出”",
    )
    names = model.classes_.tolist()
    found = lattice_trace(
        model.id, sentence, sentence.text, names, emissions, chain, views=[_evidence(model, sentence)], note=note
    )
    if model.decoding == "posterior" and len(sentence):
        found.arrays["path"] = np.asarray(found.arrays["marginals"]).argmax(axis=1)
    return found


def _evidence(model: HMM, sentence: Sequence[str]) -> Table:
    """How often each word was seen with its tags; of unknown words the looks that its guess rests on."""
    rows: list[list[Any]] = []
    names = model.classes_.tolist()
    for word in sentence[:SHOWN]:
        counts = model.tag_counts(word)
        if counts is None or not counts.any():
            shares, source = model.guess_(word), say("never seen; by shape and ending", "没见过；按形状和词尾猜")
            best = [f"{names[tag]} {shares[tag]:.0%}" for tag in np.argsort(-shares, kind="stable")[:3]]
        else:
            source = say(f"seen {counts.sum():,.4g} times", f"见过 {counts.sum():,.4g} 次")
            best = [
                f"{names[tag]} {counts[tag]:,.4g}" for tag in np.argsort(-counts, kind="stable")[:3] if counts[tag] > 0
            ]
        rows.append([str(word), source, ", ".join(best)])
    return Table(
        say("what is known of the words", "对每个词知道些什么"),
        [say("word", "词"), say("how", "依据"), say("with the tags", "标签")],
        rows,
    )
