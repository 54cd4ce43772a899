"""Draws by Optuna's tree-structured Parzen estimator, through the extra ``erya[optuna]``.

Bergstra, Bardenet, Bengio and Kégl 2011, "Algorithms for Hyper-Parameter Optimization": two densities of settings are kept, one of
those that did well and one of the rest, and what is drawn is likely under the first and unlikely under the second. Optuna (Akiba et al.
2019) keeps no file here: for every draw a study in memory is told all trials of the model that there are, and asked once, with a seed
made of the search's and the trial's number. So a search that was broken off goes on from our own journal as if it had not been.
Budgets, shares of the rows and halving are those of the random search (``schedule.py``); only where a new trial lies is Optuna's affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from erya.errors import ResourceError
from erya.language import say
from erya.parts.setting_ranges import Choice, Range
from erya.tuning.entrants import REDRAWS, Entrant, plain

if TYPE_CHECKING:
    import optuna

BEFORE = 8  # trials of a model that are drawn anywhere before there is something to estimate


def version() -> str:
    """Optuna's version.

    Raises:
        ResourceError: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise ResourceError(
            "extra-missing",
            say(
                "--method optuna needs Optuna, which is not installed",
                "--method optuna 需要 Optuna，但当前环境没有安装",
            ),
            help=say(
                'pip install "erya[optuna]"   # without it: --method random',
                'pip install "erya[optuna]"   # 不装也可用：--method random',
            ),
        ) from None
    return str(optuna.__version__)


def draw(
    entrant: Entrant, seed: int, number: int, known: Sequence[tuple[Mapping[str, Any], float]], near: Any = None
) -> dict[str, Any] | None:
    """Settings of a trial, a function of the arguments and of Optuna's version.

    Args:
        entrant: the model and its space.
        seed: of the search.
        number: of the trial.
        known: settings that were tried, and how good they were; −inf where the training failed.
        near: not looked at: the estimate knows what was good.

    Returns:
        None where all draws had been tried.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    spans = {name: _distribution(span) for name, span in sorted(entrant.space.items())}
    tried = [settings for settings, _ in known]
    for redraw in range(REDRAWS):
        numbers = np.random.SeedSequence([seed, number, redraw]).generate_state(1)
        sampler = optuna.samplers.TPESampler(seed=int(numbers[0]), n_startup_trials=BEFORE)
        study = optuna.create_study(sampler=sampler, direction="maximize")
        for settings, merit in known:
            if np.isfinite(merit):
                study.add_trial(_told(entrant, spans, settings, merit))
        found = study.ask(spans).params
        settings = {name: plain(_value(entrant.space[name], found[name])) for name in spans}
        if settings not in tried:
            return settings
    return None


def _distribution(span: Range | Choice) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(span, Choice):
        return CategoricalDistribution(tuple(range(len(span.values))))  # by number: a value may be a list
    if span.whole:
        return IntDistribution(int(span.low), int(span.high), log=span.logarithmic)
    return FloatDistribution(span.low, span.high, log=span.logarithmic)


def _value(span: Range | Choice, found: Any) -> Any:
    """What Optuna drew as a setting's value: of numbers four digits, as in all searches."""
    if isinstance(span, Choice):
        return span.values[int(found)]
    return int(found) if span.whole else min(span.high, max(span.low, float(f"{found:.4g}")))


def _told(
    entrant: Entrant, spans: Mapping[str, Any], settings: Mapping[str, Any], merit: float
) -> optuna.trial.FrozenTrial:
    """A finished trial as Optuna has it. A default that lies outside of its range says nothing of that setting."""
    import optuna

    params: dict[str, Any] = {}
    for name, span in entrant.space.items():
        value = settings[name]
        if entrant.place(name, value) is None:
            continue
        if isinstance(span, Choice):
            params[name] = [plain(one) for one in span.values].index(plain(value))
        else:
            params[name] = min(span.high, max(span.low, value))
    return optuna.trial.create_trial(
        params=params, distributions={name: spans[name] for name in params}, value=float(merit)
    )
