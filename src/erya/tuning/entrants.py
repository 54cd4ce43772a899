"""Who is searched over: each model with what may be set, what stays, and its default settings; and how settings are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from erya import catalog, tasks
from erya.errors import UsageError, nearest
from erya.language import say
from erya.parts.setting_ranges import Choice, Range, Space
from erya.tasks import classify

REDRAWS = 50  # of settings that were tried already; then the space counts as tried out
MOVED = 0.5  # how likely a setting near the best is moved
STEP = 0.2  # of a range: the standard deviation of such a move


@dataclass(frozen=True, slots=True)
class Entrant:
    """A model in the search.

    Attributes:
        model: its id.
        space: what is searched, without what was set by hand.
        frozen: what was set by hand, and is always so.
        default: the default values of the searched settings.
    """

    model: str
    space: Space
    frozen: Mapping[str, Any]
    default: Mapping[str, Any]

    def draw(
        self, seed: int, number: int, tried: Sequence[Mapping[str, Any]], near: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """Settings of a trial, a function of the arguments.

        Args:
            seed: of the search.
            number: of the trial.
            tried: settings that are not drawn again.
            near: settings to stay near: each is kept or, as likely, moved. None: each uniformly over its range, at its scale.

        Returns:
            None where all draws had been tried.
        """
        for redraw in range(REDRAWS):
            generator = np.random.default_rng([seed, number, redraw])
            settings = {name: plain(self._drawn(name, generator, near)) for name in sorted(self.space)}
            if settings not in tried:
                return settings
        return None

    def _drawn(self, name: str, generator: np.random.Generator, near: Mapping[str, Any] | None) -> Any:
        place, moved, step = float(generator.random()), generator.random() < MOVED, float(generator.normal())
        if near is None:
            return self.space[name].drawn(place)
        if not moved:
            return near[name]
        known = self.place(name, near[name])
        if known is not None and isinstance(self.space[name], Range):
            place = _folded(known + STEP * step)
        return self.space[name].drawn(place)

    def place(self, name: str, value: Any) -> float | None:
        """Where a value lies in its setting's range, 0 … 1; None where it lies outside, as a default may."""
        span = self.space[name]
        try:
            place = span.place(value)
        except (ValueError, TypeError):
            return None
        return place if -1e-9 <= place <= 1 + 1e-9 else None


def _folded(place: float) -> float:
    """A place outside of 0 … 1, reflected at the ends, so that draws do not heap up there."""
    place = abs(place) % 2
    return 2 - place if place > 1 else place


def plain(value: Any) -> Any:
    """A setting's value as JSON has it."""
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value


def described(space: Mapping[str, Range | Choice]) -> dict[str, Any]:
    """A space as a card writes it."""
    return {name: span.plain() for name, span in sorted(space.items())}


def entrants(
    models: Sequence[str] | None, kind: classify.Kind, frozen: Mapping[str, Any], task: str = "classify"
) -> tuple[list[Entrant], list[dict[str, str]]]:
    """The models of a search in the ladder's order, and those that are left out with the reason.

    Args:
        models: ids, or the task for all of it; None: all that are installed.
        kind: of the targets.
        frozen: settings by hand, for every model that has one of that name.
        task: whose models these are.

    Raises:
        UsageError: an unknown model, one without a space, one that does not take such targets, where it was named; a setting
            that none of them has; nothing is left to search.
        ResourceError: a model that was named needs what is not installed.
    """
    named = [id for id in models or [] if id not in tasks.names()]
    whole = models is None or not models or len(named) < len(models)
    ids = list(dict.fromkeys([*(catalog.ids(task) if whole else []), *named]))
    found, left_out = [], []
    for id in sorted(ids, key=_ladder(ids)):
        reason = _refusal(id, kind, task)
        if reason is None:
            found.append(_entrant(id, frozen))
        elif id in named:
            reason.where = reason.where or id
            raise reason
        else:
            left_out.append({"model": id, "reason": reason.message.removeprefix(f"{id} ")})
    _check_frozen(found, frozen)
    if not found or not any(entrant.space for entrant in found):
        raise UsageError(
            "nothing-to-tune",
            say("nothing is left to search", "没有可搜索的设置"),
            help=say("name a model, or set less by hand", "指定一个模型，或少手动固定几项"),
        )
    for entrant in [entrant for entrant in found if not entrant.space]:
        found.remove(entrant)
        reason_text = say("all its settings were set by hand", "它的设置已全部手动固定")
        left_out.append({"model": entrant.model, "reason": reason_text})
    return found, left_out


def _ladder(ids: Sequence[str]) -> Any:
    known = catalog.ids()
    return lambda id: known.index(id) if id in known else len(known)


def _refusal(id: str, kind: classify.Kind, wanted: str) -> UsageError | None:
    """Why a model cannot take part. Raises for one that does not exist."""
    card = catalog.card_of(id)
    task = id.split("/")[0]
    if task != wanted:
        return UsageError(
            "other-task", say(f"'{id}' is no model for the task {wanted}", f"'{id}' 不是 {wanted} 任务的模型")
        )
    entry = card.tasks[task]
    if not entry.takes(kind):
        return classify.not_taken(kind, catalog.taking(kind))
    if not entry.space:
        return UsageError(
            "no-search-space",
            say(f"{id} declares no search space", f"{id} 没有声明搜索空间"),
            where=str(card.folder / "card.toml"),
            help=f"[tasks.{task}.space]",
        )
    if not card.installed:
        catalog_module = catalog.EXTRA_MODULE.get(str(card.extra), card.extra)
        return UsageError(
            "extra-missing",
            say(f"{id} needs {catalog_module}", f"{id} 需要 {catalog_module}"),
            help=f'pip install "erya[{card.extra}]"',
        )
    return None


def _entrant(id: str, frozen: Mapping[str, Any]) -> Entrant:
    entry = catalog.card_of(id).tasks[id.split("/")[0]]
    parameters = catalog.find(id).parameters()
    for name in entry.space:
        if name not in parameters:
            guess = nearest(name, parameters)
            raise UsageError(
                "bad-card",
                say(
                    f"{id}: its search space names '{name}', which is no setting",
                    f"{id}：搜索空间里的 '{name}' 不是它的设置",
                ),
                where=str(catalog.card_of(id).folder / "card.toml"),
                help=guess,
            )
    kept = {name: value for name, value in frozen.items() if name in parameters}
    space = {name: span for name, span in entry.space.items() if name not in kept}
    values = {name: parameter.default for name, parameter in parameters.items()} | entry.presets["default"]
    return Entrant(id, space, kept, {name: plain(values[name]) for name in sorted(space)})


def _check_frozen(found: Sequence[Entrant], frozen: Mapping[str, Any]) -> None:
    from erya.contract import unknown_setting

    for name in frozen:
        if found and all(name not in entrant.frozen for entrant in found) and name != "tokenizer":
            raise unknown_setting(catalog.find(found[0].model), name)
