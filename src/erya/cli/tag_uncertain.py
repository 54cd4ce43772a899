"""``show m.erya uncertain FILE``: which sentences to label next, those that a tagger is least sure of."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from erya.cli import output, tag_answers
from erya.cli.options import Columns, Manner
from erya.cli.reading import shown_path
from erya.errors import UsageError, quoted
from erya.language import say

CHUNK = 256  # sentences answered at once
SHOWN = 10

Found = dict[str, Any]


def show(path: str, model: Any, files: list[str], columns: Columns, top: int, manner: Manner) -> None:
    """Write the sentences whose tags are the least certain, in order.

    Raises:
        UsageError: a model without probabilities, or more than one file.
    """
    if not hasattr(model, "predict_marginals"):
        raise UsageError(
            "no-probabilities",
            say(f"{model.id} has no probabilities", f"{model.id} 没有概率"),
            help="erya train tag/crf DATA -o m.erya",
        )
    if len(files) > 1:
        raise UsageError(
            "extra-argument",
            say(
                f"one file at a time; what about: {quoted(' '.join(files[1:]))}",
                f"一次一个文件，多出了：{quoted(' '.join(files[1:]))}",
            ),
            help=f"erya show {shown_path(path)} uncertain {shown_path(files[0])}",
        )
    found = least_sure(model, files[0], columns, top)
    if manner.json:
        output.write_document({"schema": "erya.show/1", "model": model.id, "view": "uncertain", "rows": found})
        return
    rows = [
        (f"  {one['row']:,}", f"{one['uncertainty']:.3f}", quoted(one["least_sure"], 20), tag_answers.line(one))
        for one in found
    ]
    head = (say("  row", "  行"), say("entropy", "熵"), say("least sure of", "最没把握"), say("sentence", "句子"))
    for line in output.table(rows, head=head, right=[0, 1]):
        output.write(line)
    manner.next(f'erya show {shown_path(path)} lattice "…"', f"erya train {model.id} DATA -o {shown_path(path)}")


def least_sure(model: Any, source: str, columns: Columns, top: int) -> list[Found]:
    """The ``top`` sentences with the largest mean entropy (nats) of their tokens' marginals, the largest first.

    The mean, as the sum would only ever name long sentences (token entropy of Settles and Craven 2008, "An analysis of active
    learning strategies for sequence labeling tasks"). A sentence that stands there twice is named once; rows that cannot be
    read are left out.
    """
    kept: list[tuple[float, int, Found]] = []
    seen: set[tuple[str, ...]] = set()
    for chunk in _chunks(tag_answers.rows(Path(source).expanduser(), columns, columns.format)):
        answers = list(tag_answers.answers(model, chunk))
        for answer, marginals in zip(answers, model.predict_marginals([x for _, x in chunk]), strict=True):
            tokens = tuple(answer["tokens"])
            if not tokens or tokens in seen:
                continue
            entropies = -(marginals * np.log(np.maximum(marginals, 1e-300))).sum(axis=1)
            least = int(entropies.argmax())
            found = {
                **answer,
                "uncertainty": float(entropies.mean()),
                "least_sure": tokens[least],
                "entropies": entropies.tolist(),
            }
            heapq.heappush(kept, (found["uncertainty"], -found["row"], found))
            seen.add(tokens)
            if len(kept) > top:
                heapq.heappop(kept)
    return [found for _, _, found in sorted(kept, key=lambda one: (-one[0], -one[1]))]


def _chunks(rows: Iterator[Any]) -> Iterator[list[tuple[int, Any]]]:
    chunk: list[tuple[int, Any]] = []
    for row in rows:
        if isinstance(row, tuple):
            chunk.append(row)
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
