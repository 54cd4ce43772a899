"""What a classifier learns from: texts, and for each of them one label, several labels, or shares of labels.

A target is a label (``"food"``, ``3``), a list, tuple or set of labels (any number of them, none too), or a dict
``{label: share}``, what several people said of one text (Peterson et al. 2019, "Human uncertainty makes classification
more robust"). All kinds come out in one sparse form, so that a room which takes them all needs one loop; a room that
takes single labels only sees ``targets``, as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError, UsageError, quoted
from erya.language import say
from erya.text.dataset import Kind

Document = str | tuple[str, str]
Labels = NDArray[Any]


# ---- texts ----------------------------------------------------------------------------------------------------


def documents(X: Any) -> list[Document]:
    """``X`` as a list of texts or pairs of texts.

    Args:
        X: list, array, Series of str; or of pairs (tuple, list or array row of two str).

    Raises:
        UsageError: ``X`` is one bare string or a path, or an element is no text.
    """
    if isinstance(X, str | bytes | Path):
        raise UsageError(
            "bare-string",
            say(
                "X is one string; a classifier takes a list of texts",
                "X 是单个字符串；分类器需要的是文本列表",
            ),
            help=say(
                "predict([text]); a file: erya.read(path)",
                "predict([text])；文件请用 erya.read(path)",
            ),
        )
    rows = X.tolist() if hasattr(X, "tolist") else list(X)
    return [row if isinstance(row, str) else _pair(row, number) for number, row in enumerate(rows)]


def _pair(row: Any, number: int) -> Document:
    if isinstance(row, list | tuple) or (isinstance(row, np.ndarray) and row.ndim == 1):
        pair = tuple(row)
        if len(pair) == 2 and all(isinstance(text, str) for text in pair):
            return pair[0], pair[1]
    raise UsageError(
        "not-text",
        say(
            f"X[{number}] is {quoted(repr(row), 40)}, neither a text nor a pair of texts",
            f"X[{number}] 是 {quoted(repr(row), 40)}，既不是文本，也不是文本对",
        ),
    )


# ---- targets --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Examples:
    """Checked training data. N documents, C classes, L labels given in all.

    Attributes:
        documents: N texts or pairs.
        classes: (C,) sorted.
        targets: (N,) indices into ``classes``; (0,) unless ``kind`` is ``"one"``.
        weights: (N,) sample weight × class weight; of several labels the mean of their class weights by share.
        kind: ``"one"``, ``"several"`` or ``"soft"``.
        starts: (N+1,) document n has the entries ``starts[n]`` to ``starts[n + 1]`` of what follows.
        labels: (L,) indices into ``classes``, ascending and each once in a document.
        shares: (L,) 1 for given labels; of soft labels what sums to 1 in a document, none of them 0.
    """

    documents: list[Document]
    classes: Labels
    targets: NDArray[np.int64]
    weights: NDArray[np.float64]
    kind: Kind
    starts: NDArray[np.int64]
    labels: NDArray[np.int64]
    shares: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.documents)


def examples(
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    class_weight: str | dict[Any, float] | None = None,
    kinds: Sequence[Kind] = ("one",),
    classes: Any = None,
) -> Examples:
    """Check inputs, targets and weights, and number the labels.

    Args:
        X: N texts or pairs.
        y: N targets: labels (str or int), collections of labels, or dicts ``{label: share}``.
        sample_weight: N finite, non-negative weights; rows of weight 0 are left out.
        class_weight: None; ``"balanced"``: N / (C × the class's total weight); or ``{label: weight}``, 1 where absent.
        kinds: what the model takes.
        classes: the labels, where they are known already: these and no others, whether the rows show them or not.

    Raises:
        DataError: no rows, fewer than two classes, lengths that differ, or shares that are none.
        UsageError: a bare string; targets of a kind that the model does not take, or of kinds that do not mix; a
            negative, infinite or NaN weight; a class weight for an unknown label; a label that is not among ``classes``.
    """
    texts = documents(X)
    if y is None:
        raise UsageError("no-targets", say("a classifier needs labels: fit(X, y)", "分类器需要标签：fit(X, y)"))
    given = listed(y)
    kind = kind_of(given)
    if kind not in kinds:
        raise not_taken(kind)
    if len(texts) != len(given):
        raise DataError(
            "lengths-differ",
            say(f"{len(texts)} texts but {len(given)} labels", f"{len(texts)} 条文本，却有 {len(given)} 个标签"),
        )
    if not texts:
        raise DataError("no-rows", say("there is nothing to learn from: no rows", "没有可供学习的数据行"))
    weights = _weights(sample_weight, len(texts))
    kept = weights > 0
    if not kept.all():
        texts = [text for text, keep in zip(texts, kept.tolist(), strict=True) if keep]
        weights = weights[kept]
    if kind == "one":
        labels = np.asarray(given)[kept]
        found, numbers = np.unique(labels, return_inverse=True)
        starts, shares = np.arange(len(labels) + 1, dtype=np.int64), np.ones(len(labels))
    else:
        rows = [target for target, keep in zip(given, kept.tolist(), strict=True) if keep]
        found, numbers, starts, shares = _sparse(rows, kind, known=classes is not None)
    numbers = numbers.astype(np.int64)
    if classes is not None:
        known = np.unique(np.asarray(listed(classes)))
        numbers, found = _renumbered(found, known)[numbers], known
        order = np.lexsort((numbers, np.repeat(np.arange(len(texts)), np.diff(starts))))  # 2, 10 are "10", "2" as text
        numbers, shares = numbers[order], shares[order]
    _check_classes(found)
    factors = _class_weights(class_weight, found, numbers, np.repeat(weights, np.diff(starts)) * shares)
    if kind == "one":
        return Examples(texts, found, numbers, weights * factors[numbers], kind, starts, numbers, shares)
    weights = weights * _means(factors[numbers], starts, shares)
    return Examples(texts, found, np.zeros(0, dtype=np.int64), weights, kind, starts, numbers, shares)


def _renumbered(found: Labels, known: Labels) -> NDArray[np.int64]:
    """Of each label found its place among the known ones, compared as text: 1 and "1" are one label."""
    places = {str(label): place for place, label in enumerate(known.tolist())}
    numbers = [places.get(str(label), -1) for label in found.tolist()]
    if -1 in numbers:
        label = quoted(found[numbers.index(-1)], 30)
        raise UsageError(
            "unknown-label",
            say(f"the label '{label}' is not among the classes", f"标签“{label}”不在类别之中"),
            help="partial_fit(X, y, classes=[…])",
        )
    return np.array(numbers, dtype=np.int64)


def listed(y: Any) -> list[Any]:
    """Targets as a list.

    Raises:
        UsageError: a matrix of numbers: it does not say which labels its columns are.
    """
    if getattr(y, "ndim", 1) > 1 and np.asarray(y).dtype.kind in "biuf":
        raise UsageError(
            "label-matrix",
            say(
                f"y is a matrix of numbers of shape {y.shape}: which label is which column?",
                f"y 是形状为 {y.shape} 的数值矩阵：不知道哪一列是哪个标签",
            ),
            help='y = [["food", "music"], [], ["music"]]',
        )
    found: list[Any] = y.tolist() if hasattr(y, "tolist") else list(y)
    return found


def kind_of(y: Any) -> Kind:
    """What targets are: ``"soft"`` where one is a dict, else ``"several"`` where one is a list, tuple or set, else ``"one"``.

    Raises:
        UsageError: dicts and lists together.
    """
    given = listed(y)
    soft = next((number for number, target in enumerate(given) if isinstance(target, dict)), None)
    several = next((number for number, target in enumerate(given) if is_several(target)), None)
    if soft is not None and several is not None:
        raise UsageError(
            "mixed-targets",
            say(
                f"y[{soft}] is a dict of shares and y[{several}] a list of labels: one kind at a time",
                f"y[{soft}] 是“标签: 份额”字典，y[{several}] 却是标签列表：只能用一种",
            ),
            help='{"a": 0.5, "b": 0.5}',
        )
    return "soft" if soft is not None else "several" if several is not None else "one"


def is_several(target: Any) -> bool:
    """Whether a target is a collection of labels."""
    return isinstance(target, list | tuple | set | frozenset | np.ndarray)


def not_taken(kind: Kind, models: Sequence[str] = ()) -> UsageError:
    """The error for targets of a kind that a model does not take; ``models`` do."""
    names = ", ".join(models)
    help = (
        say(f"take one of: {names}", f"可改用：{names}")
        if names
        else say("erya compare DATA shows which models take them", "erya compare DATA 会列出哪些模型可用")
    )
    if kind == "one":
        return UsageError(
            "one-label", say("this model takes several labels a row", "这个模型需要每行多个标签"), help=help
        )
    if kind == "soft":
        return UsageError(
            "soft-labels",
            say("this model takes one label a row, not shares of labels", "这个模型每行只能有一个标签，不接受标签份额"),
            help=help,
        )
    return UsageError(
        "several-labels",
        say("this model takes one label a row, not several", "这个模型每行只能有一个标签，不能有多个"),
        help=help,
    )


Sparse = tuple[Labels, NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


def _sparse(rows: list[Any], kind: Kind, *, known: bool) -> Sparse:
    """Classes (C,), and of all rows one after the other the classes' numbers (L,), starts (N+1,) and shares (L,)."""
    each = [_shares(target, number) for number, target in enumerate(rows)]
    flat = [label for shares in each for label in shares]
    if not flat and not known:
        raise DataError("no-labels", say("not one row has a label", "没有一行有标签"))
    classes, numbers = np.unique(np.asarray(flat), return_inverse=True)
    parts = np.array([share for shares in each for share in shares.values()], dtype=np.float64)
    owners = np.repeat(np.arange(len(each)), [len(shares) for shares in each])
    # 1 and "1" became one label where the row also has text: what is left twice counts once
    pairs, places = np.unique(owners * len(classes) + numbers, return_inverse=True)
    summed = np.bincount(places, weights=parts, minlength=len(pairs))
    kept = summed > 0  # a share of 0 says that there is such a label, and that it is not this text's
    pairs, summed = pairs[kept], summed[kept]
    starts = np.searchsorted(pairs // len(classes), np.arange(len(each) + 1)).astype(np.int64)
    if kind == "several":
        return classes, (pairs % len(classes)).astype(np.int64), starts, np.ones(len(pairs))
    totals = np.add.reduceat(summed, starts[:-1])
    return classes, (pairs % len(classes)).astype(np.int64), starts, summed / np.repeat(totals, np.diff(starts))


def _shares(target: Any, number: int) -> dict[Any, float]:
    """One target as ``{label: share}``."""
    if not isinstance(target, dict):
        labels = (target.tolist() if hasattr(target, "tolist") else target) if is_several(target) else [target]
        return dict.fromkeys(labels, 1.0)
    try:
        shares = {label: float(share) for label, share in target.items()}
    except (TypeError, ValueError):
        shares = {}
    if not all(0 <= share < float("inf") for share in shares.values()) or not 0 < sum(shares.values()) < float("inf"):
        raise DataError(
            "bad-shares",
            say(
                f"y[{number}] is {quoted(repr(target), 40)}: shares are finite, not negative, and not all 0",
                f"y[{number}] 是 {quoted(repr(target), 40)}：份额必须有限、不为负，且不能全为 0",
            ),
            help='{"a": 0.7, "b": 0.3}',
        )
    return shares


def _check_classes(classes: Labels) -> None:
    if len(classes) < 2:
        only = quoted(classes[0], 30) if len(classes) else "–"
        raise DataError(
            "one-class",
            say(f"all rows have one class ('{only}')", f"所有行都是同一个类别（“{only}”）"),
            help=say("a classifier needs at least two", "分类器至少需要两个类别"),
        )


def _means(values: NDArray[np.float64], starts: NDArray[np.int64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) the mean of each row's values by its shares; 1 for a row without labels."""
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    sums = np.bincount(rows, weights=values * shares, minlength=len(starts) - 1)
    totals = np.bincount(rows, weights=shares, minlength=len(starts) - 1)
    return np.divide(sums, totals, out=np.ones(len(totals)), where=totals > 0)


# ---- weights --------------------------------------------------------------------------------------------------


def _weights(sample_weight: Any, count: int) -> NDArray[np.float64]:
    if sample_weight is None:
        return np.ones(count)
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (count,):
        raise DataError(
            "lengths-differ",
            say(
                f"{count} texts but weights of shape {weights.shape}", f"{count} 条文本，权重的形状却是 {weights.shape}"
            ),
        )
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise UsageError(
            "bad-weight",
            say(
                f"weight {weights[wrong[0]]} at row {wrong[0]}: weights are finite and not negative",
                f"第 {wrong[0]} 行的权重是 {weights[wrong[0]]}：权重必须有限且不为负",
            ),
        )
    return weights


def _class_weights(
    class_weight: str | dict[Any, float] | None, classes: Labels, targets: NDArray[Any], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    if class_weight is None:
        return np.ones(len(classes))
    if class_weight == "balanced":
        totals = np.bincount(targets, weights=weights, minlength=len(classes))
        # a label that nobody has, known by a share of 0 alone, has nothing to be balanced
        balanced = np.ones(len(classes))
        np.divide(weights.sum(), len(classes) * totals, out=balanced, where=totals > 0)
        return balanced
    if not isinstance(class_weight, dict):
        raise UsageError(
            "bad-setting",
            say(
                f"class_weight={class_weight!r}: use None, 'balanced' or {{label: weight}}",
                f"class_weight={class_weight!r}：应为 None、'balanced' 或 {{标签: 权重}}",
            ),
        )
    found = np.ones(len(classes))
    known = {str(label): index for index, label in enumerate(classes.tolist())}
    for label, weight in class_weight.items():
        if str(label) not in known or not np.isfinite(weight) or weight < 0:
            raise UsageError(
                "bad-setting",
                say(
                    f"class_weight: '{quoted(label, 30)}: {weight}' – no such label, or no such weight",
                    f"class_weight：“{quoted(label, 30)}: {weight}”——没有这个标签，或权重无效",
                ),
            )
        found[known[str(label)]] = weight
    return found
