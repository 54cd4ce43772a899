"""Several language models as one: p = Σ λ_k p_k, ``generate/mixture``.

Models that are wrong at different places are better together (Jelinek & Mercer 1980; Bengio et al. 2003 mix their network with
a trigram). The weights λ are those under which held-out text is most probable, found by expectation maximisation: each unit is
shared among the models as far as each expected it, and a weight is the mean of its shares. Not a room: nothing else is
trained here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from erya import catalog
from erya.errors import DataError, UsageError
from erya.language import say
from erya.parts import decoding
from erya.parts.language_model import LanguageModel
from erya.progress import Report, quiet
from erya.state import State
from erya.trace import Bars, Lines, Table, Trace, View

Floats = NDArray[np.float64]
Ids = NDArray[np.int32]
STEPS = 200
CLOSE = 1e-7  # a step that moves no weight by more is the last


class Mixture(LanguageModel):
    """Language models with the same units, and how much each is believed. Made by ``Mixture.of`` or ``erya mix``.

    Attributes:
        models_: K trained language models.
        weights_: (K,) λ, which sum to 1.
        curve_: bits a unit of the held-out text after each step.

    Example:
        >>> from erya.generate import NGram
        >>> texts = ["abab", "abba", "baab"] * 9
        >>> models = [NGram(order=order, tokenizer="characters").fit(texts) for order in (1, 3)]
        >>> mixed = Mixture.of(models, ["abab", "baab"])
        >>> bool(mixed.weights_[1] > mixed.weights_[0])
        True
    """

    id: ClassVar[str] = "generate/mixture"
    models_: list[LanguageModel]
    weights_: Floats

    def __init__(self) -> None:
        pass

    @classmethod
    def of(cls, models: Sequence[Any], X: Any, *, weights: Sequence[float] | None = None) -> Self:
        """Mix trained models.

        Args:
            models: two or more; a mixture among them brings its own models.
            X: held-out documents that find the weights.
            weights: λ, where they are known: X is not looked at.

        Raises:
            DataError: no held-out text.
            UsageError: fewer than two, something else than language models, other units, weights that are none.
        """
        inside = [one for model in models for one in (model.models_ if isinstance(model, Mixture) else [model])]
        _check(inside)
        made = cls()
        made.models_ = inside
        made.units_, made.vocabulary_ = inside[0].units_, inside[0].vocabulary_
        made.weights_, made.curve_ = np.full(len(inside), 1 / len(inside)), []
        if weights is not None:
            made.weights_ = _given(weights, len(inside))
            return made
        texts = [text for text in made._texts(X) if text]
        if not texts:
            raise DataError("no-rows", say("there is no held-out text", "没有留出的文本"))
        ids = [made.vocabulary_.encode(text, made.units_) for text in texts]
        each = np.stack([np.concatenate(model._log_probabilities(ids)) for model in inside])  # (K, L)
        made.weights_, made.curve_ = found_weights(each)
        return made

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> NoReturn:
        """Nothing is trained here. Raises UsageError."""
        raise UsageError(
            "not-trainable",
            say("a mixture is made of trained models", "混合模型由训练好的模型组成"),
            help="erya mix a.erya b.erya --on DEV.txt -o both.erya",
        )

    # ---- answering ------------------------------------------------------------------------------------------------

    def _log_probabilities(self, texts: Sequence[Ids]) -> list[Floats]:
        each = [model._log_probabilities(texts) for model in self.models_]
        return [_mixed(np.stack(rows), self.weights_) for rows in zip(*each, strict=True)]

    def _decoder(self) -> decoding.Decoder:
        return _Decoder([model._decoder() for model in self.models_], self.weights_)

    # ---- looking inside --------------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """What each model needs for each unit of a text, and all together.

        Raises:
            UsageError: ``x`` is no text.
        """
        self._check_fitted()
        if not isinstance(x, str):
            raise UsageError("not-text", say("one text is traced at a time", "每次只看一条文本"))
        ids = [self.vocabulary_.encode(x, self.units_)]
        each = np.stack([model._log_probabilities(ids)[0] for model in self.models_]) / -np.log(2)  # (K, T + 1) bits
        mixed = self._log_probabilities(ids)[0] / -np.log(2)
        names = [f"{place + 1} {model.id}" for place, model in enumerate(self.models_)]
        units = [*self.units_.cut(x), say("(end)", "（结尾）")]
        series = {name: row.tolist() for name, row in zip(names, each, strict=True)}
        views: list[View] = [
            Bars(say("Weights", "权重"), names, self.weights_),
            Lines(
                say("Surprisal in bits", "惊异度（比特）"),
                units,
                {**series, self.id: mixed.tolist()},
                say("unit", "单元"),
            ),
            Table(
                say("Bits of each unit", "每个单元的比特"),
                [say("unit", "单元"), *names, self.id],
                [
                    [unit, *(f"{bits:.2f}" for bits in [*each[:, place], mixed[place]])]
                    for place, unit in enumerate(units)
                ],
            ),
        ]
        return Trace(self.id, x, {"each": each, "bits": mixed}, views)

    # ---- what is saved ---------------------------------------------------------------------------------------------

    def state(self) -> State:
        """The models inside, whole, and the weights."""
        self._check_fitted()
        arrays: dict[str, NDArray[Any]] = {"weights": self.weights_}
        inside = []
        for place, model in enumerate(self.models_):
            inner = model.state()
            arrays |= {f"{place}.{name}": array for name, array in inner.arrays.items()}
            inside.append(
                {
                    "id": model.id,
                    "params": model.plain_params(),
                    "state_version": model.state_version,
                    "data": dict(inner.data),
                }
            )
        return State(arrays, {"models": inside, "curve": list(self.curve_)})

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: values that do not fit one another, a model that this Erya does not have.
            ResourceError: a model inside needs an extra that is not installed.
        """
        models = []
        for place, plain in enumerate(state.data["models"]):
            begin = f"{place}."
            arrays = {name[len(begin) :]: array for name, array in state.arrays.items() if name.startswith(begin)}
            try:
                kind: Any = catalog.find(plain["id"], to_open=True)
            except UsageError as problem:
                raise ValueError(problem.message) from None
            if not issubclass(kind, LanguageModel) or issubclass(kind, Mixture):
                raise ValueError(f"{plain['id']} is no language model")
            version = plain["state_version"]
            if type(version) is not int or version > kind.state_version:
                raise ValueError("a model inside is none that can be opened here")
            models.append(kind.restore(plain["params"], State(arrays, dict(plain["data"])), version))
        weights = state.arrays["weights"]
        try:
            _check(models)
            _given(weights.tolist(), len(models))
        except UsageError as problem:
            raise ValueError(problem.message) from None
        self.weights_ = np.array(weights, dtype=np.float64)
        self.models_, self.curve_ = models, [float(bits) for bits in state.data["curve"]]
        self.units_, self.vocabulary_ = models[0].units_, models[0].vocabulary_


def found_weights(logs: Floats) -> tuple[Floats, list[float]]:
    """The weights under which L units are most probable, by expectation maximisation; and bits a unit after each step.

    Args:
        logs: (K, L) ln p of each model.
    """
    logs = logs[:, np.isfinite(logs).any(axis=0)]  # what all find impossible teaches nothing
    weights = np.full(len(logs), 1 / len(logs))
    curve: list[float] = []
    for _ in range(STEPS):
        together = _mixed(logs, weights)
        with np.errstate(divide="ignore"):
            shares = np.exp(np.log(weights)[:, None] + logs - together)
        curve.append(float(-together.mean() / np.log(2)) if together.size else 0.0)
        before, weights = weights, shares.mean(axis=1) if together.size else weights
        weights = weights / weights.sum()
        if np.abs(weights - before).max() < CLOSE:
            break
    return weights, curve


def _mixed(logs: Floats, weights: Floats) -> Floats:
    """Ln Σ λ_k p_k over the first axis: (K, …) → (…)."""
    with np.errstate(divide="ignore"):
        logs = logs + np.log(weights).reshape(-1, *[1] * (logs.ndim - 1))
    found: Floats = np.logaddexp.reduce(logs, axis=0)
    return found


def _given(weights: Sequence[float], count: int) -> Floats:
    found = np.array(weights, dtype=np.float64)
    if found.shape != (count,) or not np.isfinite(found).all() or (found < 0).any() or abs(found.sum() - 1) > 1e-6:
        raise UsageError(
            "bad-weights",
            say(f"{count} weights of 0 or more that sum to 1 are needed", f"需要 {count} 个不小于 0、和为 1 的权重"),
            help="--weights " + ",".join([f"{1 / max(count, 1):g}"] * count),
        )
    normed: Floats = found / found.sum()
    return normed


def _check(models: Sequence[Any]) -> None:
    """Raises UsageError where models cannot be mixed."""
    if len(models) < 2:
        raise UsageError("too-few-models", say("two or more models are needed", "需要两个以上的模型"))
    for model in models:
        if not isinstance(model, LanguageModel):
            name = getattr(model, "id", type(model).__name__)
            raise UsageError("other-task", say(f"{name} is no language model", f"{name} 不是语言模型"))
    first = models[0]
    for model in models[1:]:
        if model.units_ != first.units_ or model.vocabulary_.units != first.vocabulary_.units:
            raise UsageError(
                "other-units",
                say(
                    f"{first.id} and {model.id} know other units: train them on the same text, with the same tokenizer, min_count and "
                    "max_vocabulary",
                    f"{first.id} 与 {model.id} 的单元不同：请用相同的文本、tokenizer、min_count 与 max_vocabulary 训练",
                ),
            )


class _Decoder:
    """See ``decoding.Decoder``; the memory is that of each model."""

    def __init__(self, decoders: Sequence[decoding.Decoder], weights: Floats) -> None:
        self._decoders, self._weights = decoders, weights

    def start(self, prefixes: Sequence[Sequence[int]]) -> tuple[Any, Floats]:
        """All models read the prefixes."""
        return self._together([decoder.start(prefixes) for decoder in self._decoders])

    def step(self, memory: Any, rows: Sequence[int], ids: Sequence[int]) -> tuple[Any, Floats]:
        """All models go on."""
        return self._together(
            [decoder.step(one, rows, ids) for decoder, one in zip(self._decoders, memory, strict=True)]
        )

    def _together(self, answers: list[tuple[Any, Floats]]) -> tuple[Any, Floats]:
        return [memory for memory, _ in answers], _mixed(np.stack([logs for _, logs in answers]), self._weights)
