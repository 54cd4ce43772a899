"""A trained classifier with its probabilities put right, and a threshold below which it keeps silent: ``classify/calibrated``.

The model itself comes in as a value and lies whole in the new file; what was learned on top of it is one number or one
rising curve a class (see ``tasks/_calibration.py``). Not a room: nothing is trained here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, NoReturn, Self, cast

import numpy as np
from numpy.typing import NDArray

from erya import catalog
from erya.contract import Model
from erya.errors import DataError, UsageError
from erya.language import say
from erya.progress import Report, quiet
from erya.state import State
from erya.tasks import _calibration as calibrating
from erya.tasks import classify
from erya.tasks._calibration import Calibration, Isotonic, Temperature
from erya.trace import Bars, Trace, View

_INNER = "model."  # in front of the names of the model's own arrays


class Calibrated(Model):
    """A classifier around a classifier. Made by ``Calibrated.of`` or ``erya calibrate``.

    Args:
        method: "temperature" (one number; answers stay the same) or "isotonic" (a curve a class; wants 1,000 rows or more).
        precision: None, or the precision that answers are to reach: fixes ``threshold_``.

    Attributes:
        model_: the classifier inside.
        classes_: (C,) its labels.
        calibration_: the map from its probabilities to those given here.
        threshold_: an answer of a smaller probability had better not be given; 0 where no precision was asked for.

    Example:
        >>> from erya.classify import NaiveBayes
        >>> texts, labels = ["a fine film", "a dull film"] * 9, ["good", "bad"] * 9
        >>> Calibrated.of(NaiveBayes().fit(texts, labels), texts, labels).predict(["fine"]).tolist()
        ['good']
    """

    id: ClassVar[str] = "classify/calibrated"

    def __init__(self, *, method: str = "temperature", precision: float | None = None) -> None:
        self.method = method
        self.precision = precision

    @classmethod
    def of(cls, model: Any, X: Any, y: Any, *, method: str = "temperature", precision: float | None = None) -> Self:
        """Put a trained classifier's probabilities right on rows that it was not trained on.

        Args:
            model: any classifier of Erya; one that is calibrated already is opened and calibrated anew.
            X: N held-out texts or pairs.
            y: N labels.

        Raises:
            DataError: no rows, lengths that differ, a precision that cannot be reached.
            UsageError: no classifier, no such method, a precision that is none.
        """
        made = cls(method=method, precision=precision)
        made.model_ = model.model_ if isinstance(model, Calibrated) else model
        _check_model(made.model_)
        made.classes_ = made.model_.classes_
        probabilities = made.model_.predict_proba(X)
        if getattr(made.model_, "several_", False) or classify.kind_of(y) == "several":
            raise _several_labels()
        targets = columns_of(y, made.classes_)
        if len(targets) != len(probabilities):
            raise DataError(
                "lengths-differ",
                say(
                    f"{len(probabilities)} texts but {len(targets)} labels",
                    f"{len(probabilities)} 条文本，却有 {len(targets)} 个标签",
                ),
            )
        made.calibration_ = calibrating.fit(method, probabilities, targets)
        made.threshold_ = 0.0
        if precision is not None:
            _check_precision(precision)
            found = made.calibration_(probabilities)
            hits = found.argmax(axis=1) == targets
            made.threshold_ = calibrating.threshold_for(precision, found.max(axis=1), hits).value
        return made

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> NoReturn:
        """There is nothing to train: UsageError. ``Calibrated.of(model, X, y)`` takes a trained model and held-out rows."""
        raise UsageError(
            "not-trained",
            say("classify/calibrated wraps a trained model", "classify/calibrated 用来包装训练好的模型"),
            help="erya calibrate m.erya DEV.csv -o calibrated.erya",
        )

    # ---- answering --------------------------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(N, C) the probability of each class; rows sum to 1."""
        self._check_fitted()
        return self.calibration_(self.model_.predict_proba(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """(N,) the most probable class of each text, however improbable: ``classify.abstaining`` knows when to be silent."""
        answers: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return answers

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """The way of one text through the model inside, then its probabilities as they are given here, (C,)."""
        inner = self.model_.trace(x)
        found = self.predict_proba([x])[0]
        names = [str(label) for label in self.classes_.tolist()]
        picture = Bars(say("calibrated probabilities", "校准后的概率"), names, found)
        return Trace(self.id, inner.input, {**inner.arrays, "calibrated": found}, [*inner.views, picture])

    @property
    def explain_methods(self) -> tuple[str, ...]:
        """The ways in which the model inside explains itself, where it has several."""
        found: tuple[str, ...] = getattr(self.model_, "explain_methods", ())
        return found

    def explain(self, x: Any, label: Any = None, method: str | None = None) -> Trace:
        """What the model inside says of an answer, with the probabilities as they are given here, (C,), and as they were.

        Args:
            x: one text or pair.
            label: one of ``classes_``; None: the answer given here.
            method: one of ``explain_methods``; None: the model's own choice.

        Raises:
            UsageError: that model does not explain itself, or has no such label.
        """
        self._check_fitted()
        if not hasattr(self.model_, "explain"):
            raise UsageError(
                "no-explanation",
                say(f"{self.model_.id} does not explain its answers", f"{self.model_.id} 不解释自己的回答"),
            )
        found = self.predict_proba([x])[0]
        # isotonic curves may change the answer: the one explained is the one given
        asked = self.classes_[found.argmax()] if label is None else label
        inner: Trace = self.model_.explain(x, asked) if method is None else self.model_.explain(x, asked, method=method)
        names = [str(one) for one in self.classes_.tolist()]
        picture = Bars(say("calibrated probabilities", "校准后的概率"), names, found, percent=True)
        views: list[View] = []
        for view in inner.views:
            if isinstance(view, Bars) and view.percent:
                views += [picture, replace(view, title=say("probabilities before calibration", "校准前的概率"))]
            else:
                views.append(view)
        arrays = {**inner.arrays, "calibrated": found}
        return Trace(self.id, inner.input, arrays, views if picture in views else [*views, picture])

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """The model inside, whole; the map and the threshold."""
        self._check_fitted()
        inner = self.model_.state()
        data = dict(inner.data)
        arrays = {_INNER + name: array for name, array in inner.arrays.items()}
        found: dict[str, Any] = {"threshold": self.threshold_}
        if "tokenizer" in data:  # it has a part of its own in the file
            found["tokenizer"] = data.pop("tokenizer")
        if isinstance(self.calibration_, Temperature):
            found["temperature"] = self.calibration_.value
        else:
            arrays |= {
                "curves.x": np.concatenate(self.calibration_.x),
                "curves.y": np.concatenate(self.calibration_.y),
                "curves.lengths": np.array([len(x) for x in self.calibration_.x], dtype=np.int64),
            }
        found["model"] = {
            "id": self.model_.id,
            "params": self.model_.plain_params(),
            "state_version": self.model_.state_version,
            "data": data,
        }
        return State(arrays, found)

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: values that do not fit one another, a model that this Erya does not have.
            ResourceError: the model inside needs an extra that is not installed.
        """
        model = _inner(state)
        if "temperature" in state.data:
            calibration: Calibration = Temperature(float(state.data["temperature"]))
        else:
            lengths = state.arrays["curves.lengths"]
            x, y = state.arrays["curves.x"], state.arrays["curves.y"]
            if lengths.dtype != np.int64 or (lengths < 1).any() or x.dtype != np.float64 or y.dtype != np.float64:
                raise ValueError("the curves are not made of numbers")
            if x.ndim != 1 or x.shape != y.shape or lengths.sum() != len(x):
                raise ValueError("the curves do not fit their lengths")
            ends = np.cumsum(lengths)[:-1]
            calibration = Isotonic(np.split(x, ends), np.split(y, ends))
        calibrating.check(calibration, len(model.classes_))
        threshold = float(state.data["threshold"])
        if not 0 <= threshold <= 1:
            raise ValueError("the threshold is no probability")
        self.model_, self.classes_ = model, model.classes_
        self.calibration_, self.threshold_ = calibration, threshold


def columns_of(y: Any, classes: NDArray[Any]) -> NDArray[np.int64]:
    """(N,) the place of each label (of shares: of the largest) among the classes, compared as text; −1 where there is none."""
    places = {str(label): place for place, label in enumerate(classes.tolist())}
    return np.array([places.get(label, -1) for label in classify.strings(y).tolist()], dtype=np.int64)


def _inner(state: State) -> Any:
    """The model inside, restored."""
    told = state.data["model"]
    kind = catalog.find(str(told["id"]), to_open=True)
    version = told["state_version"]
    if kind.task() != "classify" or kind is Calibrated or type(version) is not int or version > kind.state_version:
        raise ValueError("the model inside is none that can be opened here")
    data = dict(told["data"])
    if "tokenizer" in state.data:
        data["tokenizer"] = state.data["tokenizer"]
    arrays = {name.removeprefix(_INNER): array for name, array in state.arrays.items() if name.startswith(_INNER)}
    return cast(Any, kind.restore(told["params"], State(arrays, data), version))


def _check_model(model: Any) -> None:
    if not isinstance(model, Model) or model.task() != "classify" or not hasattr(model, "predict_proba"):
        name = getattr(model, "id", type(model).__name__)
        raise UsageError(
            "other-task",
            say(f"{name} is no classifier: it has no probabilities of labels", f"{name} 不是分类模型，没有标签概率"),
            help="erya train classify/fasttext DATA -o m.erya",
        )


def _several_labels() -> UsageError:
    """One temperature, or one threshold for "the" answer, means nothing where there may be several answers or none."""
    return UsageError(
        "several-labels",
        say(
            "calibration is for one label a row; with several, each label has a threshold of its own, learned in training",
            "校准只适用于每行一个标签；多标签模型在训练时已为每个标签定好自己的阈值",
        ),
        help=say(
            "erya evaluate m.erya DEV.jsonl shows how far its probabilities are off",
            "erya evaluate m.erya DEV.jsonl 会给出概率的校准误差",
        ),
    )


def _check_precision(precision: float) -> None:
    if not 0 < precision <= 1:
        raise UsageError(
            "bad-setting",
            say(f"precision={precision:g}: above 0, at most 1", f"precision={precision:g}：应大于 0 且不超过 1"),
            help="--precision 0.95",
        )
