"""Down the valley: SciPy's L-BFGS on the objective, with progress, a curve and a way to stop between two steps.

L-BFGS (Nocedal 1980; Byrd, Lu, Nocedal and Zhu 1995) is Newton's method on a budget: the curvature that it needs is
guessed from the last ten steps and the change of the slope along them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import DivergedError
from erya.language import say
from erya.models.logistic_regression.objective import objective, objective_of_shares
from erya.parts.ngram_evidence import interrupted
from erya.progress import Report

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats = NDArray[np.float64]

MEMORY = 10  # steps that L-BFGS remembers
SMALLEST_GAIN = 1e-5  # × tolerance: a relative gain below that is no progress


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be minimised.

    Attributes:
        X: (N, V) features.
        targets: (N,) numbers of labels; not looked at where there are ``shares``.
        weights: (N,).
        classes: C.
        l2: strength of the penalty.
        shares: (N, C) of each label, for soft or several labels; None: one label a text.
        several: whether each label is a question of its own.
        anchor: (V + 1, C) parameters to stay near, and to begin at; None: none.
        stiffness: (V + 1, 1) how much a step away from the anchor costs, in place of ``l2``; None: none.
    """

    X: csr_matrix
    targets: NDArray[np.int64]
    weights: Floats
    classes: int
    l2: float
    shares: Floats | None = None
    several: bool = False
    anchor: Floats | None = None
    stiffness: Floats | None = None

    def value(self, theta: Floats, transposed: csr_matrix) -> tuple[float, Floats]:
        """The loss at ``theta`` and its gradient; ``transposed`` is X turned, sparse by rows."""
        l2 = self.l2 if self.anchor is None else 0.0
        if self.shares is None:
            loss, gradient = objective(theta, self.X, transposed, self.targets, self.weights, l2)
        else:
            loss, gradient = objective_of_shares(
                theta, self.X, transposed, self.shares, self.weights, l2, several=self.several
            )
        if self.anchor is None or self.stiffness is None:
            return loss, gradient
        away = theta.reshape(self.anchor.shape) - self.anchor
        return loss + 0.5 * float((self.stiffness * away * away).sum()), gradient + (self.stiffness * away).ravel()


def minimise(
    problem: Problem,
    *,
    steps: int,
    tolerance: float,
    report: Report,
    validate: Callable[[Floats], dict[str, float]] | None = None,
) -> tuple[Floats, list[dict[str, Any]]]:
    """The best parameters, and the curve.

    Args:
        problem: what to minimise.
        steps: most steps.
        tolerance: it is done when no component of the slope, for documents of mean weight 1, is larger.
        report: told about each step, asked whether to stop.
        validate: scores parameters (V + 1, C) for the curve.

    Returns:
        (V + 1, C): weights, then biases; and a row a step.

    Raises:
        Interrupted: the report asked for it.
        DivergedError: the loss is not finite.
    """
    from scipy.optimize import OptimizeResult, minimize

    total = float(problem.weights.sum())
    transposed = problem.X.T.tocsr()
    curve: list[dict[str, Any]] = []

    def mean_objective(theta: Floats) -> tuple[float, Floats]:
        """The objective a document, so that a tolerance means the same for any number of them."""
        loss, gradient = problem.value(theta, transposed)
        if not (np.isfinite(loss) and np.isfinite(gradient).all()):
            raise DivergedError(
                "diverged",
                say(
                    f"the loss is not finite after step {len(curve)}; are there enormous weights?",
                    f"第 {len(curve)} 步之后损失不再有限；是否有极大的权重？",
                ),
            )
        return loss / total, gradient / total

    def after_step(intermediate_result: OptimizeResult) -> None:
        row: dict[str, Any] = {"epoch": len(curve) + 1, "loss": float(intermediate_result.fun)}
        if validate is not None:
            row |= validate(intermediate_result.x.reshape(-1, problem.classes))
        curve.append(row)
        report.record(row)
        report.progress(
            epoch=len(curve),
            epochs=steps,
            done=len(curve) / steps,
            loss=row["loss"],
            score=row.get("validation_accuracy"),
        )
        asked = report.stopping()
        if asked == "interrupt":
            raise interrupted()
        if asked == "budget":
            raise StopIteration  # SciPy's word for: this step is the last

    start = np.zeros((problem.X.shape[1] + 1) * problem.classes) if problem.anchor is None else problem.anchor.ravel()
    options = {
        "maxiter": steps,
        "maxfun": 20 * steps,
        "maxcor": MEMORY,
        "gtol": tolerance,
        "ftol": SMALLEST_GAIN * tolerance,
    }
    with _one_thread():
        found = minimize(mean_objective, start, jac=True, method="L-BFGS-B", callback=after_step, options=options)
    return found.x.reshape(-1, problem.classes), curve


def _one_thread() -> AbstractContextManager[Any]:
    """BLAS adds in another order for another number of threads; with one, the same data gives the same bits everywhere."""
    try:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
    except ImportError:
        return nullcontext()
    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limits
