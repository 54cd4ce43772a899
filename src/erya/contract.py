"""The contract: what every model is. The only base class, one level deep; the networks that classify text share a body of
their own between it and their rooms (``parts/network_classifier.py``).

A model speaks scikit-learn's protocol – ``fit``, ``predict``, ``get_params``, ``set_params``, tags, metadata routing –
without inheriting from it: importing ``sklearn.base`` takes most of a second, and a model that only predicts must
answer sooner than that. scikit-learn is imported by the methods that only scikit-learn calls.

The constructor stores its keyword arguments and does nothing else; whatever ``fit`` learns ends in ``_``.
"""

from __future__ import annotations

import copy
import hashlib
import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from erya import artefact, nested, tasks
from erya.errors import UsageError, nearest
from erya.language import say
from erya.progress import Report, quiet
from erya.state import State

if TYPE_CHECKING:
    from erya.trace import Trace


class NotFittedError(UsageError, AttributeError):
    """The model has not learned anything yet. An AttributeError too, so that ``hasattr`` tells the truth."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "not-fitted",
            say(f"this {name} has not been fitted", f"这个 {name} 还没有训练"),
            help=say("call fit(X, y) first", "先调用 fit(X, y)"),
        )
        self.name = name

    def __reduce__(self) -> tuple[object, ...]:
        return NotFittedError, (self.name,)


class Model:
    """Base of all models. A room writes ``fit``, ``predict`` (or its task's verb), ``trace``, ``state``, ``set_state``.

    A model that can go on with more data also has ``partial_fit(X, y, …)``; one that can say why, ``explain(x, …)``, and where
    it has more than one way to, their names in ``explain_methods``, to be given as ``method=``.
    """

    id: ClassVar[str]  # task/model, e.g. "classify/naive_bayes"
    state_version: ClassVar[int] = 1  # raised when state() changes shape; upgrade() then reads the older ones

    # ---- what a room writes -----------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> Self:
        """Learn everything from ``X`` (and ``y``), the tokenizer too; forget what an earlier ``fit`` learned.

        Args:
            X: list, array or Series of inputs; never one bare string.
            y: targets, one an input.
            sample_weight: one non-negative weight an input.
            validation: ``(X, y)`` for early stopping and the curve, where the model has one.
            report: told about progress, curve and checkpoints; asked whether to stop.
        """
        raise NotImplementedError

    def predict(self, X: Any) -> Any:
        """The task's plain answers, one an input."""
        raise NotImplementedError(f"{type(self).__name__} does not predict")

    def trace(self, x: Any) -> Trace:
        """All named intermediate arrays of this model on one input; the last of them is the answer."""
        raise NotImplementedError

    def state(self) -> State:
        """What was learned. ``set_state`` is the inverse: same answers, same bits."""
        raise NotImplementedError

    def set_state(self, state: State) -> None:
        """Take over what ``state()`` gave. Raises ValueError or KeyError where shapes, ids or values make no sense."""
        raise NotImplementedError

    @classmethod
    def upgrade(cls, state: State, version: int) -> State:
        """Turn a state written by an older version into today's. Called only when ``version < state_version``."""
        raise ValueError(f"no way from state version {version} to {cls.state_version}")

    # ---- written once -----------------------------------------------------------------------------------------

    @classmethod
    def restore(cls, params: dict[str, Any], state: State, version: int | None = None) -> Self:
        """A fitted model from its parameters and state."""
        version = cls.state_version if version is None else version
        if version < cls.state_version:
            state = cls.upgrade(state, version)
        model = cls.from_plain_params(params)
        model.set_state(state)
        return model

    @classmethod
    def from_plain_params(cls, params: dict[str, Any]) -> Self:
        """A new, unfitted model: the inverse of ``plain_params``."""
        return cls(**{name: _thaw(value) for name, value in params.items()})

    def save(self, path: str | Path, *, training: dict[str, Any] | None = None, card: str = "") -> Path:
        """Write one ``.erya`` file, atomically.

        Args:
            path: where; an existing file is replaced only when the new one stands whole.
            training: seed, data digest, curve and scores, for whoever opens the file later.
            card: a page of Markdown about this model.

        Raises:
            UsageError: the model is not fitted, or a parameter cannot be written as plain data.
            ResourceError: the disk is full or the folder read-only; the old file, if any, is intact.
        """
        self._check_fitted()
        content = artefact.Content(
            model=self.id,
            params=self.plain_params(),
            state=self.state(),
            state_version=self.state_version,
            training=training or {},
            card=card,
        )
        return artefact.save(Path(path), content)

    def plain_params(self) -> dict[str, Any]:
        """The constructor's arguments as JSON data; an object such as a tokenizer goes in as ``{"plain": …}``."""
        return {name: _freeze(self.id, name, value) for name, value in self.get_params(deep=False).items()}

    def shown_params(self) -> dict[str, Any]:
        """``plain_params`` for reports: a model among them is named by its hash, not written out."""
        shown: dict[str, Any] = nested.shortened(self.plain_params())
        return shown

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The task's headline score, one number, higher is better (classify: accuracy)."""
        return float(tasks.find(self.task()).headline(y, self.predict(X), sample_weight))

    def fingerprint(self) -> str:
        """SHA-256 over id, parameters and state: two models with one fingerprint answer alike."""
        state = self.state()
        digest = hashlib.sha256(
            json.dumps([self.id, self.plain_params(), state.data], sort_keys=True, ensure_ascii=True).encode()
        )
        for name in sorted(state.arrays):
            array = np.ascontiguousarray(state.arrays[name])
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()

    @classmethod
    def task(cls) -> str:
        """The task's name, the first half of the id."""
        return cls.id.split("/")[0]

    @classmethod
    def parameters(cls) -> dict[str, inspect.Parameter]:
        """The constructor's keyword arguments by name: the model's whole configuration."""
        found = inspect.signature(cls.__init__).parameters
        return {name: parameter for name, parameter in found.items() if name != "self"}

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(type(self).__name__)

    def __getattr__(self, name: str) -> Any:
        # reached only where there is no such attribute: something that fit() would have learned, or a mistake
        # – or a property that needed something of the kind
        learned = name.endswith("_") and not name.startswith("_")
        computed = isinstance(inspect.getattr_static(type(self), name, None), property)
        if learned or (computed and not self.__sklearn_is_fitted__()):
            raise NotFittedError(type(self).__name__)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    # ---- scikit-learn's protocol ------------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments as they stand."""
        return {name: getattr(self, name) for name in self.parameters()}

    def set_params(self, **params: Any) -> Self:
        """Change some of the constructor's arguments. Raises UsageError (a ValueError) for a name that is none."""
        known = self.parameters()
        for name, value in params.items():
            if name not in known:
                raise unknown_setting(type(self), name)
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        return tasks.find(self.task()).sklearn_tags()

    def __sklearn_is_fitted__(self) -> bool:
        return any(name.endswith("_") and not name.startswith("_") for name in vars(self))

    def __sklearn_clone__(self) -> Self:
        """A new one with the same settings, for ``sklearn.base.clone``. A trained model among these, a tokenizer, stays trained."""
        from sklearn.base import clone

        settings = self.get_params(deep=False).items()
        made = type(self)(
            **{name: value if isinstance(value, Model) else clone(value, safe=False) for name, value in settings}
        )
        if hasattr(self, "_metadata_request"):
            made._metadata_request = copy.deepcopy(self._metadata_request)
        return made

    def get_metadata_routing(self) -> Any:
        """scikit-learn's metadata routing: which of fit's and score's extra arguments this model asks for."""
        from sklearn.utils.metadata_routing import MetadataRequest

        if hasattr(self, "_metadata_request"):
            return copy.deepcopy(self._metadata_request)
        request = MetadataRequest(owner=self)
        for method in ("fit", "score"):
            for name in inspect.signature(getattr(self, method)).parameters:
                if name in ("sample_weight", "validation"):
                    getattr(request, method).add_request(param=name, alias=None)
        return request

    def set_fit_request(self, *, sample_weight: bool | str | None = None, validation: bool | str | None = None) -> Self:
        """Ask a meta-estimator to pass ``sample_weight`` or ``validation`` on to ``fit``."""
        return self._request("fit", {"sample_weight": sample_weight, "validation": validation})

    def set_score_request(self, *, sample_weight: bool | str | None = None) -> Self:
        """Ask a meta-estimator to pass ``sample_weight`` on to ``score``."""
        return self._request("score", {"sample_weight": sample_weight})

    def _request(self, method: str, wishes: dict[str, bool | str | None]) -> Self:
        request = self.get_metadata_routing()
        for name, wish in wishes.items():
            if wish is not None:
                getattr(request, method).add_request(param=name, alias=wish)
        self._metadata_request = request
        return self

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={getattr(self, name)!r}"
            for name, parameter in self.parameters().items()
            if repr(getattr(self, name)) != repr(parameter.default)
        )
        return f"{type(self).__name__}({shown})"


def unknown_setting(model: type[Model], name: str) -> UsageError:
    """The error for a setting that this model does not have, with the nearest one it has."""
    guess = nearest(name, model.parameters())
    return UsageError(
        "unknown-setting",
        say(f"{model.id} has no setting '{name}'", f"{model.id} 没有名为 '{name}' 的设置"),
        help=say(f"did you mean '{guess}'?", f"是不是 '{guess}'？")
        if guess
        else say(f"erya about {model.id} lists its settings", f"erya about {model.id} 列出全部设置"),
    )


def _freeze(model: str, name: str, value: Any) -> Any:
    """A parameter as JSON data."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple | list):
        return [_freeze(model, name, item) for item in value]
    if isinstance(value, dict):
        return {"dict": [[_freeze(model, name, key), _freeze(model, name, item)] for key, item in value.items()]}
    if isinstance(value, Model):  # a trained tagger as the tokenizer
        from erya.text.tokenizers import make

        value = make(value)
    if hasattr(value, "to_plain"):
        return {"plain": value.to_plain()}
    raise UsageError(
        "setting-not-plain",
        say(
            f"{model}: the value of '{name}' ({type(value).__name__}) cannot be saved",
            f"{model}：'{name}' 的值（{type(value).__name__}）无法保存",
        ),
    )


def _thaw(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_thaw(item) for item in value)
    if isinstance(value, dict) and set(value) == {"dict"}:
        return {_thaw(key): _thaw(item) for key, item in value["dict"]}
    if isinstance(value, dict) and set(value) == {"plain"}:
        from erya.text.tokenizers import from_plain

        return from_plain(value["plain"])
    return value
