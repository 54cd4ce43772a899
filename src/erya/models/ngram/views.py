"""The trace of the n-gram model: the back-off path of each unit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from erya.language import say
from erya.text.unit_ids import BORDER, UNKNOWN
from erya.trace import Matrix, Table, Trace

if TYPE_CHECKING:
    from erya.models.ngram.estimator import NGram
    from erya.models.ngram.tree import Tree

SHOWN = 60  # units of the views; the arrays hold all


def trace(model: NGram, text: str) -> Trace:
    """See ``NGram.trace``."""
    tree = model.tree_
    ids = [*model.vocabulary_.encode(text, model.units_).tolist(), BORDER]
    order = np.zeros(len(ids), dtype=np.int64)
    orders = np.zeros((len(ids), len(tree.sizes)))
    back_off = np.zeros(len(ids))
    rows: list[list[Any]] = []
    state = tree.start()
    for place, unit in enumerate(ids):
        chain = tree.chain(state)
        orders[place] = _by_order(tree, chain, unit)
        weights: list[float] = []
        for context in chain:
            found = tree.child(context, unit)
            if found is not None:
                break
            weights.append(float(tree.log_back_off[context]))
        assert found is not None  # every unit is a unigram
        order[place] = tree.order_of(np.array([found]))[0]
        back_off[place] = sum(weights)
        if place < SHOWN:
            rows.append(_row(model, unit, found, weights, float(orders[place, -1])))
        state = tree.walk(state, [unit])
    arrays = {"ids": np.array(ids), "order": order, "orders": orders, "back_off": back_off}
    arrays["log_probability"] = orders[:, -1].copy()
    return Trace(model.id, text, arrays, [_path(rows), _bits(model, ids[:SHOWN], orders[:SHOWN])])


def _by_order(tree: Tree, chain: list[int], unit: int) -> list[float]:
    """Ln p by the model cut to 1 … n units: the context cut to 0 … n − 1 units."""
    found: list[float] = []
    log_probability = 0.0
    for context in reversed(chain):
        node = tree.child(context, unit)
        if node is not None:
            log_probability = float(tree.log_probability[node])
        else:
            log_probability += float(tree.log_back_off[context])
        length = 0 if context < 0 else int(tree.order_of(np.array([context]))[0])
        found += [found[-1] if found else log_probability] * (length - len(found))  # a length that is no context here
        found.append(log_probability)
    return found + [found[-1]] * (len(tree.sizes) - len(found))


def _name(model: NGram, unit: int, first: bool = False) -> str:
    if unit == BORDER:
        return "⟨s⟩" if first else "⟨/s⟩"
    return "⟨?⟩" if unit == UNKNOWN else model.vocabulary_.units[unit].replace("\n", "↵")


def _row(model: NGram, unit: int, found: int, weights: list[float], log_probability: float) -> list[Any]:
    *context, last = model.tree_.units(found)
    before = [_name(model, one, first=True) for one in context]
    glue = "" if all(len(name) == 1 for name in model.vocabulary_.units[2:]) else "·"
    return [
        _name(model, unit),
        len(before) + 1,
        f"{glue.join(before)} → {_name(model, last)}".strip(),
        " ".join(f"× {math.exp(weight):.3g}" for weight in weights),
        f"{math.exp(log_probability):.3g}",
        f"{-log_probability / math.log(2):.2f}",
    ]


def _path(rows: list[list[Any]]) -> Table:
    return Table(
        say("who said it", "由谁说出"),
        [
            say("unit", "单元"),
            say("order", "阶"),
            say("n-gram", "n 元组"),
            say("backed off", "回退"),
            "p",
            say("bits", "比特"),
        ],
        rows,
        say(
            "a context that does not know the unit gives way to the next shorter one and says by what factor",
            "上下文没见过这个单元时，退到短一个单元的上下文，并乘以它的回退权重",
        ),
    )


def _bits(model: NGram, ids: list[int], orders: np.ndarray[Any, Any]) -> Matrix:
    with np.errstate(invalid="ignore"):
        bits = np.minimum(-orders / math.log(2), 999.0)
    return Matrix(
        say("bits by order", "各阶的比特数"),
        [_name(model, unit) for unit in ids],
        [str(order) for order in range(1, orders.shape[1] + 1)],
        bits,
        say(
            "what the unit costs a model that looks at 0, 1, 2 … units before; where a column changes nothing, the longer context is new",
            "只看前 0、1、2…… 个单元的模型要为这个单元付出的比特数；加长后不变，说明更长的上下文没有见过",
        ),
    )
