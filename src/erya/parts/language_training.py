"""One training of a network that says what comes next: epochs of batches of a stream, with a memory that goes from one to the next.

All that the next step depends on is in ``Standing``, the network, the optimizer and the generator of dropout: epoch and place in it name
the batch (``stream_batches.py``), and the memory behind the last batch is kept beside them. A training that was cut off ends with the
same bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from erya.errors import Interrupted
from erya.language import say
from erya.parts.adam import Adam
from erya.parts.falling_rate import share_done, share_of_rate
from erya.parts.language_device import Memory, Place, moved, place_for, placed, precision, remembered
from erya.parts.network_answers import weights_of
from erya.parts.sgd import SGD, AveragedSGD, Momentum
from erya.parts.stream_batches import Epoch, StreamBatch, StreamBatches
from erya.progress import Report
from erya.state import Arrays, State
from erya.training import Step, descend, pack, unpack

LISTENED_ROWS = 64  # in which held-out text is read side by side
LISTENED_UNITS = 2000  # of a row, at least: each begins without a memory


class LanguageNetwork(Protocol):
    """A torch module that says what comes next."""

    def begin(self, rows: int) -> Memory:
        """The memory of B rows before their first unit."""

    def loss(
        self, batch: StreamBatch, memory: Memory, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, Memory]:
        """The sum of −ln p divided by the batch's ``share``, and the memory behind it."""

    def named_parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """What is learned, by name."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train: settings that are checked.

    Attributes:
        epochs: at most.
        steps: gradient steps; they end the training instead of ``epochs``. None: they do not.
        optimizer: see ``epochs.OPTIMIZERS``.
        learning_rate: its greatest.
        schedule, warmup, final_rate: see ``falling_rate.py``.
        rate_decay: the rate is multiplied with this for every epoch after the first ``decay_after``.
        decay_after: epochs.
        weight_decay: see the optimizer; of matrices alone.
        beta2: see ``adam.py``.
        clip_norm: of a gradient; None: never.
        averaging_patience: of ``averaged_sgd``: the n of ``has_stalled``; without held-out text the epochs behind which it averages.
        patience: epochs without a better held-out loss after which training ends; None: no early stopping.
        seed: of dropout.
    """

    epochs: int
    steps: int | None
    optimizer: str
    learning_rate: float
    schedule: str
    warmup: float
    final_rate: float
    rate_decay: float
    decay_after: int
    weight_decay: float
    beta2: float
    clip_norm: float | None
    averaging_patience: int
    patience: int | None
    seed: int

    def rate(self, epoch: int, done: float) -> float:
        """The learning rate after so many finished epochs and such a share of the whole training."""
        share = share_of_rate(self.schedule, self.warmup, min(done, 1.0), self.final_rate)
        return self.learning_rate * share * self.rate_decay ** max(0, epoch + 1 - self.decay_after)


@dataclass(slots=True)
class Standing:
    """Where a training stands.

    Attributes:
        epoch: epochs that are finished.
        position: batches of this epoch that are done.
        steps: gradient steps so far.
        loss: nats of this epoch so far.
        units: that it was of.
        norms: sum over this epoch's steps of the gradient's length, before clipping.
        longest: the longest of them.
        clipped: steps of this epoch whose gradient was longer than ``clip_norm``.
        best_epoch: after which the held-out loss was lowest.
        averaging: whether a mean of the weights is taken, see ``AveragedSGD``.
        ended: whether the training is over.
        curve: one row an epoch.
        best: the weights after the best epoch.
    """

    epoch: int = 0
    position: int = 0
    steps: int = 0
    loss: float = 0.0
    units: int = 0
    norms: float = 0.0
    longest: float = 0.0
    clipped: int = 0
    best_epoch: int = 0
    averaging: bool = False
    ended: bool = False
    curve: list[dict[str, Any]] = field(default_factory=list)
    best: Arrays | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON data, without the weights."""
        names = [name for name in self.__slots__ if name not in ("curve", "best")]
        return {**{name: getattr(self, name) for name in names}, "curve": [dict(row) for row in self.curve]}


class Carrying:
    """The network as the gradient loop wants it: what it remembers of one batch is handed on to the next.

    Attributes:
        memory: behind the last batch.
        share: of the last batch: what its losses were divided by.
    """

    def __init__(self, network: LanguageNetwork, place: Place) -> None:
        self.network = network
        self.place = place
        self.memory: Memory = ()
        self.share = 0.0

    def loss(self, batch: StreamBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """The number to bring down."""
        memory = self.memory if batch.goes_on else self.network.begin(batch.inputs.shape[1])
        with precision(self.place):
            loss, self.memory = self.network.loss(moved(batch, self.place), remembered(memory, self.place), generator)
        self.share = batch.share
        return loss

    def named_parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """Those of the network."""
        return self.network.named_parameters()


def learn(
    network: Any,
    batches: StreamBatches,
    listened: NDArray[np.int32] | None,
    plan: Plan,
    report: Report,
    place: Place | None = None,
) -> list[dict[str, Any]]:
    """Train ``network``; where ``listened`` is given, end with the weights to which it was most probable.

    Args:
        network: see ``LanguageNetwork``; changed in place.
        batches: of the stream to learn.
        listened: int32 ids with a border at both ends.
        plan: the settings.
        report: told after every step.
        place: where it learns; None: on the device that was asked for. The network comes back to the processor.

    Returns:
        The curve, one row an epoch: ``epoch``, ``step``, ``loss`` (nats a unit, and penalties, where the network has some),
        ``learning_rate``, ``gradient_norm`` and ``gradient_norm_max``, ``clipped`` (with ``clip_norm``), ``averaged`` (of ``averaged_sgd``:
        whether held-out text was listened to with the mean of weights), and with held-out text ``validation_loss`` and
        ``validation_perplexity``.

    Raises:
        DivergedError: loss or gradient not finite; the weights are those of the last good step.
        Interrupted: the report asked to stop; a checkpoint was saved.
        ResourceError: the device is not there.
    """
    place = place_for(network) if place is None else place
    with placed(network, place):
        return _learned(Carrying(network, place), batches, listened, plan, report)


def _learned(
    carrying: Carrying, batches: StreamBatches, listened: NDArray[np.int32] | None, plan: Plan, report: Report
) -> list[dict[str, Any]]:
    """The curve of a training where ``carrying`` is."""
    network = carrying.network
    optimizer = _optimizer(network, plan)
    generator = torch.Generator(carrying.place.device).manual_seed(plan.seed)
    saved = report.load_checkpoint()
    now = Standing() if saved is None else _resumed(saved, carrying, optimizer, generator)
    while not now.ended:
        epoch = batches.epoch(now.epoch)
        drawn = _drawn(epoch, now, plan, optimizer, report)
        for step in descend(
            carrying, optimizer, drawn, clip_norm=plan.clip_norm, generator=generator, steps_before=now.steps
        ):
            _count(now, step, carrying.share, plan)
            number, mean = now.epoch + 1, now.loss / now.units
            if now.position == len(epoch) or now.steps == plan.steps:
                _close_epoch(now, carrying, batches, listened, plan, report, optimizer)
            _tell(report, now, plan, number, mean, step, len(epoch))
            wish = report.stopping()
            if wish == "budget":
                if now.position:
                    _close_epoch(now, carrying, batches, listened, plan, report, optimizer)
                now.ended = True
            if wish == "interrupt" or report.checkpoint_due():
                report.save_checkpoint(_checkpoint(now, carrying, optimizer, generator))
            if wish == "interrupt":
                raise Interrupted("interrupted", say("stopped; the state is saved", "已停止；当前状态已保存"))
            if now.ended:
                break
    if now.best is None and isinstance(optimizer, AveragedSGD):
        with optimizer.averaged():
            now.best = weights_of(network)  # type: ignore[arg-type]
    if now.best is not None:
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.copy_(torch.from_numpy(now.best[f"network.{name}"]))
    return now.curve


def _optimizer(network: LanguageNetwork, plan: Plan) -> torch.optim.Optimizer:
    """Weights decay where they are a matrix: a bias, or a norm's gain, has nothing to gain from being small."""
    groups: list[dict[str, Any]] = [
        {"params": [], "weight_decay": plan.weight_decay},
        {"params": [], "weight_decay": 0.0},
    ]
    for _, parameter in network.named_parameters():
        matrix = sum(size > 1 for size in parameter.shape) > 1  # the bias of a recurrent layer is (1, G·H)
        groups[not matrix]["params"].append(parameter)
    groups = [group for group in groups if group["params"]]
    if plan.optimizer == "adam":
        return Adam(groups, plan.learning_rate, beta2=plan.beta2)
    return {"sgd": SGD, "momentum": Momentum, "averaged_sgd": AveragedSGD}[plan.optimizer](groups, plan.learning_rate)


def _at_rest(optimizer: torch.optim.Optimizer) -> AbstractContextManager[None]:
    """Within it the network has the weights that the training would end with: the means, where some are taken."""
    return optimizer.averaged() if isinstance(optimizer, AveragedSGD) else nullcontext()


def has_stalled(losses: Sequence[float], patience: int) -> bool:
    """Whether the last loss is above the least of those that are more than ``patience`` before it.

    What lets averaging begin (Merity, Keskar & Socher 2018, algorithm 1, n = patience): one bad epoch does not, a plateau does.
    """
    return len(losses) > patience + 1 and losses[-1] > min(losses[: -patience - 1])


def _average_from_now_on(now: Standing, plan: Plan, optimizer: torch.optim.Optimizer) -> None:
    """Begin to, where the held-out loss has stalled; where there is none, after so many epochs."""
    if not isinstance(optimizer, AveragedSGD) or now.averaging:
        return
    losses = [row["validation_loss"] for row in now.curve if "validation_loss" in row]
    if has_stalled(losses, plan.averaging_patience) if losses else now.epoch >= plan.averaging_patience:
        optimizer.begin_averaging()
        now.averaging = True


def _done(now: Standing, plan: Plan, batches: int) -> float:
    """The share of the whole training that is finished."""
    if plan.steps is not None:
        return now.steps / plan.steps
    return (now.epoch + now.position / batches) / plan.epochs


def _drawn(
    epoch: Epoch, now: Standing, plan: Plan, optimizer: torch.optim.Optimizer, report: Report
) -> Iterator[StreamBatch]:
    """The rest of an epoch's batches; before each, the optimizer is given the rate of its step: what falls has fallen by the end of a
    budget.
    """
    for place in range(now.position, len(epoch)):
        done = share_done(_done(now, plan, len(epoch)), now.steps, report.planned_steps())
        for group in optimizer.param_groups:
            group["lr"] = plan.rate(now.epoch, done)
        yield epoch.batch(place)


def _count(now: Standing, step: Step, share: float, plan: Plan) -> None:
    now.loss += step.loss * share
    now.units += step.tokens
    now.norms, now.longest = now.norms + step.norm, max(now.longest, step.norm)
    now.clipped += plan.clip_norm is not None and step.norm > plan.clip_norm
    now.position, now.steps = now.position + 1, now.steps + 1


def _close_epoch(
    now: Standing,
    carrying: Carrying,
    batches: StreamBatches,
    listened: NDArray[np.int32] | None,
    plan: Plan,
    report: Report,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write the curve's row, keep the best weights, go on to the next epoch – or to the end."""
    now.epoch += 1
    row: dict[str, Any] = {"epoch": now.epoch, "step": now.steps, "loss": now.loss / now.units}
    row |= {"learning_rate": float(optimizer.param_groups[0]["lr"])}
    row |= {"gradient_norm": now.norms / now.position, "gradient_norm_max": now.longest}
    if plan.clip_norm is not None:
        row["clipped"] = now.clipped / now.position
    now.position, now.loss, now.units, now.norms, now.longest, now.clipped = 0, 0.0, 0, 0.0, 0.0, 0
    now.ended = now.steps == plan.steps if plan.steps is not None else now.epoch >= plan.epochs
    with _at_rest(optimizer):
        if isinstance(optimizer, AveragedSGD):
            row["averaged"] = optimizer.averaging()
        if listened is not None:
            loss = evaluate(carrying.network, listened, batches, carrying.place)
            row |= {"validation_loss": loss, "validation_perplexity": math.exp(min(loss, 700.0))}
            if plan.patience is not None:
                if loss < min((past["validation_loss"] for past in now.curve), default=math.inf):
                    now.best, now.best_epoch = weights_of(carrying.network), now.epoch  # type: ignore[arg-type]
                now.ended |= now.epoch - now.best_epoch >= plan.patience
    now.curve.append(row)
    report.record(dict(row))
    _average_from_now_on(now, plan, optimizer)


@torch.no_grad()
def evaluate(
    network: LanguageNetwork, ids: NDArray[np.int32], like: StreamBatches, place: Place | None = None
) -> float:
    """Nats a unit of held-out text, read in as many rows as it has thousands of units; without dropout.

    Args:
        network: what says how probable it is.
        ids: int32 (N + 1,) with a border at both ends.
        like: how the training's own text is read.
        place: where the network is; None: on the processor.
    """
    rows = max(1, min(LISTENED_ROWS, (len(ids) - 1) // LISTENED_UNITS))
    carrying, total, units = Carrying(network, place or Place()), 0.0, 0
    epoch = StreamBatches(ids, rows, like.context, over_borders=like.over_borders, seed=like.seed).epoch(0)
    for number in range(len(epoch)):
        batch = epoch.batch(number)
        total += float(carrying.loss(batch)) * batch.share
        units += batch.units
    return total / units


def _tell(report: Report, now: Standing, plan: Plan, epoch: int, loss: float, step: Step, batches: int) -> None:
    report.progress(
        epoch=epoch,
        epochs=plan.epochs if plan.steps is None else max(epoch, -(-plan.steps // batches)),
        done=min(1.0, _done(now, plan, batches)),
        loss=loss,
        tokens_per_second=step.tokens / max(step.seconds, 1e-9),
    )


# ---- checkpoints -------------------------------------------------------------------------------------------------


def _checkpoint(
    now: Standing, carrying: Carrying, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> State:
    arrays = pack(carrying, optimizer, generator)
    arrays |= {f"best.{name}": array for name, array in (now.best or {}).items()}
    for layer, states in enumerate(carrying.memory):
        arrays |= {f"memory.{layer}.{number}": state.cpu().numpy().copy() for number, state in enumerate(states)}
    return State(arrays, now.plain())


def _resumed(
    state: State, carrying: Carrying, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> Standing:
    unpack(state.arrays, carrying, optimizer, generator)
    best = {name[len("best.") :]: np.array(array) for name, array in state.arrays.items() if name.startswith("best.")}
    kept: dict[int, dict[int, torch.Tensor]] = {}
    for name, array in state.arrays.items():
        if name.startswith("memory."):
            layer, number = (int(part) for part in name.split(".")[1:])
            kept.setdefault(layer, {})[number] = torch.from_numpy(np.array(array))
    carrying.memory = tuple(tuple(kept[layer][number] for number in sorted(kept[layer])) for layer in sorted(kept))
    data = dict(state.data)
    data["curve"] = [dict(row) for row in data["curve"]]
    now = Standing(**data, best=best or None)
    if now.epoch < 0 or now.position < 0 or now.steps < 0:
        raise ValueError("the checkpoint stands outside the training")
    return now
