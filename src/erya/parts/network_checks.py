"""What a network refuses before it learns: settings and labels that do not fit one another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from erya.errors import UsageError, quoted
from erya.language import say
from erya.tasks import classify
from erya.tasks._targets import is_several, listed

if TYPE_CHECKING:
    from erya.parts.network_classifier import NetworkClassifier
    from erya.parts.network_state import Learned
    from erya.parts.network_tagger import NetworkTagger


def check_vectors(model: NetworkClassifier | NetworkTagger) -> None:
    """Raises UsageError where vectors should be treated in a way and there are none."""
    if model.vectors is None and model.vectors_mode != "non-static":
        raise UsageError(
            "no-vectors",
            say(
                f"vectors_mode={model.vectors_mode} needs vectors to begin with",
                f"vectors_mode={model.vectors_mode} 需要预先给定词向量",
            ),
            help="--set vectors=vectors.vec",
        )


def check_labels(known: classify.Labels, y: Any, named: Iterable[Any] | None) -> None:
    """Raises UsageError where targets name a label that a fitted network does not know: it has as many outputs as it has."""
    names = {str(label) for label in known.tolist()}
    given = [label for target in ([] if y is None else listed(y)) for label in _labels(target)]
    new = next((label for label in [*given, *(named or ())] if str(label) not in names), None)
    if new is not None:
        raise UsageError(
            "unknown-label",
            say(
                f"this model has no label '{quoted(new, 30)}', and cannot grow one",
                f"这个模型没有标签“{quoted(new, 30)}”，也无法再添加",
            ),
            help=say("fit(X, y) with texts of all labels", "用包含全部标签的文本重新 fit(X, y)"),
        )


def _labels(target: Any) -> list[Any]:
    return list(target) if isinstance(target, dict) or is_several(target) else [target]


def check_unchanged(model: NetworkClassifier, before: Learned, examples: classify.Examples) -> None:
    """Raises UsageError where settings or targets are no longer of the kind that the network was made for."""
    import torch

    if before.several != (examples.kind == "several"):
        raise classify.not_taken("one" if before.several else "several")
    with torch.device("meta"):
        asked = model._network(len(before.vocabulary), before.dim, len(before.classes))
    shapes = [
        {name: tuple(one.shape) for name, one in network.named_parameters()} for network in (asked, before.network)
    ]
    if shapes[0] != shapes[1] or model.dim not in (None, before.dim):
        raise UsageError(
            "other-settings",
            say("the network's sizes cannot change once it is fitted", "模型训练之后，网络的大小不能再改"),
            help="fit(X, y)",
        )
