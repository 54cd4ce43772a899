"""Epochs of gradient steps with early stopping, for networks that classify a ``TokenBatch`` or tag a ``TagBatch``.

Everything the next step depends on is in ``Standing``, the
network, the optimizer and the generator, so a training that was cut off ends with the same bits as one that was not: the
order of an epoch's batches is a function of seed and epoch, and needs no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from erya.errors import Interrupted
from erya.language import say
from erya.parts.adadelta import Adadelta
from erya.parts.adam import Adam
from erya.parts.falling_rate import share_done, share_of_rate
from erya.parts.network_answers import evaluate, weights_of
from erya.parts.sgd import SGD, Momentum
from erya.progress import Report
from erya.state import Arrays, State
from erya.training import Step, descend, pack, unpack

OPTIMIZERS: dict[str, type[Adam] | type[Adadelta] | type[SGD]] = {
    "adam": Adam,
    "adadelta": Adadelta,
    "sgd": SGD,
    "momentum": Momentum,
}
# what early stopping listens to, the first of these that the held-out data was scored by
SCORES = ("validation_f1", "validation_accuracy", "validation_micro_f1")

Judge = Callable[[Any, Any], dict[str, float]]


class Texts(Protocol):
    """What is learned from: N texts that come in batches."""

    def shuffled(self, batch_size: int, seed: Sequence[int]) -> list[NDArray[np.int64]]:
        """The rows of each batch of an epoch, as a function of ``seed`` alone."""

    def batch(self, rows: NDArray[np.int64]) -> Any:
        """Some of them, with their ``token_count``."""


class Learner(Protocol):
    """A torch module that has a loss and answers what ``judge`` makes scores of: logits, unless told otherwise.

    It may also have ``after_step()``, which is called after each step, to hold weights within bounds, and ``optimizer``, the
    name of the one that it wants (``"adam"``).
    """

    def loss(self, batch: Any, generator: torch.Generator | None = None) -> torch.Tensor:
        """The number to bring down. With a generator, dropout is on."""

    def __call__(self, batch: Any) -> torch.Tensor:
        """Logits (B, C)."""

    def named_parameters(self) -> Any:
        """What is learned, by name."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train: settings that are checked."""

    classes: int
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    clip_norm: float | None
    patience: int | None
    seed: int
    schedule: str = "constant"
    warmup: float = 0.0


def plan_of(model: Any, classes: int) -> Plan:
    """The plan of a model whose settings are checked, and have the names that they have in every network."""
    return Plan(
        classes=classes,
        epochs=model.epochs,
        batch_size=model.batch_size,
        learning_rate=float(model.learning_rate),
        schedule=model.schedule,
        warmup=float(model.warmup),
        weight_decay=float(model.weight_decay),
        clip_norm=model.clip_norm,
        patience=model.patience,
        seed=model.seed,
    )


@dataclass(slots=True)
class Standing:
    """Where a training stands.

    Attributes:
        epoch: epochs that are finished; the plan's ``epochs`` means the end.
        position: batches of this epoch that are done.
        steps: gradient steps so far.
        loss: sum over the texts of this epoch so far.
        texts: of this epoch so far.
        norms: sum over the steps of this epoch of the gradient's length, before clipping.
        longest: the longest of them.
        clipped: steps of this epoch whose gradient was longer than ``clip_norm``.
        best_epoch: the epoch after which the held-out score was best.
        curve: one row an epoch.
        best: the weights after that epoch.
    """

    epoch: int = 0
    position: int = 0
    steps: int = 0
    loss: float = 0.0
    texts: int = 0
    norms: float = 0.0
    longest: float = 0.0
    clipped: int = 0
    best_epoch: int = 0
    curve: list[dict[str, Any]] = field(default_factory=list)
    best: Arrays | None = None


def learn(
    network: Any, corpus: Texts, listened: Any, plan: Plan, report: Report, judge: Judge | None = None
) -> list[dict[str, Any]]:
    """Train ``network`` on ``corpus``; where ``listened`` is given, end with the weights that answered it best.

    Args:
        network: a torch module, see ``Learner``; changed in place.
        corpus: N texts with targets and weights.
        listened: texts for early stopping: after ``patience`` epochs without a better accuracy, of several labels a better
            micro F1, of spans a better F1 (a lower loss, where these are equal), training ends.
        plan: the settings.
        report: told after every step.
        judge: network and ``listened`` → scores: one of ``SCORES`` and ``validation_loss``; None: ``network_answers.evaluate``.

    Returns:
        The curve, one row an epoch: ``epoch``, ``step``, ``loss``, ``gradient_norm`` and ``gradient_norm_max`` (mean and
        largest length of a step's gradient before clipping), ``clipped`` (share of the steps that were clipped; only with ``clip_norm``),
        and what the judge gives.

    Raises:
        DivergedError: loss or gradient not finite; the weights are those of the last good step.
        Interrupted: the report asked to stop; a checkpoint was saved.
    """
    listen: Judge = judge or (lambda network, listened: evaluate(network, listened, plan.classes))
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    kind = OPTIMIZERS[getattr(network, "optimizer", "adam")]
    optimizer = kind(learned, plan.learning_rate, weight_decay=plan.weight_decay)
    after_step = getattr(network, "after_step", None)
    generator = torch.Generator().manual_seed(plan.seed)
    now = Standing()
    saved = report.load_checkpoint()
    if saved is not None:
        now = _resumed(saved, plan, network, optimizer, generator)
    while now.epoch < plan.epochs:
        order = corpus.shuffled(plan.batch_size, [plan.seed, now.epoch])
        batches = _batches(corpus, order, now, plan, optimizer, report)
        for step in descend(
            network, optimizer, batches, clip_norm=plan.clip_norm, generator=generator, steps_before=now.steps
        ):
            if after_step is not None:
                after_step()
            number = now.epoch + 1
            now.loss += step.loss * len(order[now.position])
            now.texts += len(order[now.position])
            now.norms, now.longest = now.norms + step.norm, max(now.longest, step.norm)
            now.clipped += plan.clip_norm is not None and step.norm > plan.clip_norm
            now.position, now.steps = now.position + 1, now.steps + 1
            mean = now.loss / now.texts
            if now.position == len(order):
                _close_epoch(now, network, listened, plan, report, listen)
            _tell(report, now, plan, number, mean, step, len(order))
            wish = report.stopping()
            if wish == "interrupt":
                report.save_checkpoint(_checkpoint(now, network, optimizer, generator))
                raise Interrupted("interrupted", say("stopped; the state is saved", "已停止；当前状态已保存"))
            if wish == "budget":
                if now.position:
                    _close_epoch(now, network, listened, plan, report, listen)
                now.epoch = plan.epochs
                break
            if report.checkpoint_due():
                report.save_checkpoint(_checkpoint(now, network, optimizer, generator))
    if now.best is not None:
        _put_back(network, now.best)
    return now.curve


def _batches(
    corpus: Texts, order: list[Any], now: Standing, plan: Plan, optimizer: torch.optim.Optimizer, report: Report
) -> Iterator[Any]:
    """The rest of an epoch's batches; before each, the optimizer is given the rate of its step: what falls has fallen by the end of a
    budget.
    """
    for place in range(now.position, len(order)):
        done = share_done((now.epoch + place / len(order)) / plan.epochs, now.steps, report.planned_steps())
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * share_of_rate(plan.schedule, plan.warmup, done)
        yield corpus.batch(order[place])


def _close_epoch(now: Standing, network: Any, listened: Any, plan: Plan, report: Report, judge: Judge) -> None:
    """Write the curve's row, keep the best weights, go on to the next epoch – or to the end."""
    now.epoch += 1
    row: dict[str, Any] = {"epoch": now.epoch, "step": now.steps, "loss": now.loss / now.texts}
    row |= {"gradient_norm": now.norms / now.position, "gradient_norm_max": now.longest}
    if plan.clip_norm is not None:
        row["clipped"] = now.clipped / now.position
    now.position, now.loss, now.texts = 0, 0.0, 0
    now.norms, now.longest, now.clipped = 0.0, 0.0, 0
    if listened is not None:
        row |= judge(network, listened)
    now.curve.append(row)
    report.record(dict(row))
    if listened is None or plan.patience is None:
        return
    standing = [(_score(past), -past["validation_loss"]) for past in now.curve]
    if standing[-1] > max(standing[:-1], default=(-1.0, 0.0)):
        now.best, now.best_epoch = weights_of(network), now.epoch
    if now.epoch - now.best_epoch >= plan.patience:
        now.epoch = plan.epochs


def _score(row: dict[str, Any]) -> float:
    return float(next(row[name] for name in SCORES if name in row))


def _tell(report: Report, now: Standing, plan: Plan, epoch: int, loss: float, step: Step, batches: int) -> None:
    report.progress(
        epoch=epoch,
        epochs=plan.epochs,
        done=(now.epoch + now.position / batches) / plan.epochs,
        loss=loss,
        tokens_per_second=step.tokens / max(step.seconds, 1e-9),
        score=_score(now.curve[-1]) if now.curve and "validation_loss" in now.curve[-1] else None,
    )


def _checkpoint(now: Standing, network: Any, optimizer: torch.optim.Optimizer, generator: torch.Generator) -> State:
    arrays = pack(network, optimizer, generator)
    if now.best is not None:
        arrays |= {f"best.{name}": array for name, array in now.best.items()}
    data = {
        "epoch": now.epoch,
        "position": now.position,
        "steps": now.steps,
        "loss": now.loss,
        "texts": now.texts,
        "norms": now.norms,
        "longest": now.longest,
        "clipped": now.clipped,
        "best_epoch": now.best_epoch,
        "curve": [dict(row) for row in now.curve],
    }
    return State(arrays, data)


def _resumed(
    state: State, plan: Plan, network: Any, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> Standing:
    unpack(state.arrays, network, optimizer, generator)
    best = {name[len("best.") :]: np.array(array) for name, array in state.arrays.items() if name.startswith("best.")}
    data = dict(state.data)
    data["curve"] = [dict(row) for row in data["curve"]]
    now = Standing(**data, best=best or None)
    if not (0 <= now.epoch <= plan.epochs and now.position >= 0):
        raise ValueError("the checkpoint stands outside the training")
    return now


def _put_back(network: Any, weights: Arrays) -> None:
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(torch.from_numpy(weights[f"network.{name}"]))
