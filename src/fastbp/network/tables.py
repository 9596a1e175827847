"""Activations and losses: what is known of each besides its kernel, one entry each.

Their kernels are in ``csrc/kernels/activations.inc.h`` and ``csrc/kernels/losses.inc.h``. Which
layers may have an activation, and which targets a loss allows, is read from ``csrc/tables/``, which
has one line for each.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core

# Formula of each derivative f'(z), as texts have it.
DERIVATIVES = {
    "identity": "1",
    "logistic": "a (1 - a)",
    "tanh": "1 - a^2",
    "relu": "1 where a > 0, else 0",
    "leaky_relu": "1 where a > 0, else 0.01",
    "elu": "1 where a > 0, else a + 1",
    "selu": "1.0507 where a > 0, else a + 1.7581",
    "softplus": "1 / (1 + e^-z)",
    "silu": "s (1 + z (1 - s)), s = 1 / (1 + e^-z)",
    "gelu": "P + z p, of the normal distribution's share P below z and its density p at z",
    "mish": "t + z s (1 - t^2), t = tanh(log(1 + e^z)), s = 1 / (1 + e^-z)",
    "exp": "a",
    "softmax": "a[k] ((j = k) - a[j]), a matrix",
}
HIDDEN_ACTIVATIONS = tuple(name for name in DERIVATIVES if _core.FACTS_OF_ACTIVATIONS[name][0])


def is_of_z(activation: str) -> bool:
    """Whether the derivative is written in terms of z, which layers then keep beside a."""
    return _core.FACTS_OF_ACTIVATIONS[activation][1]


Slope = Callable[[NDArray[Any], NDArray[Any], float], Any]  # of a, y and the parameter: dE/da


@dataclasses.dataclass(frozen=True)
class Loss:
    """What is known of a loss.

    Attributes
    ----------
    name : str
    out_activations : tuple of str
        Output activations it can be used with, the usual one first.
    scaled_by : {"deviation", "median", "mean", None}
        How `standardize` scales targets: by mean and deviation; by the median and the mean
        distance from it; divided by the mean; or not, as of classes.
    formula, slope_formula : str
        E of one output, and dE/da.
    slope : callable
        dE/da of a, y and the parameter.
    largest : callable
        Of the largest target and the parameter: a row with a larger loss stops training as
        diverged. Outputs are then ten thousand times as large as that target, or for a log loss
        the probability of the right class is below exp(-10,000).
    of_constants : callable
        Of targets and their mean: each row's loss of the best constant prediction, and of what a
        network of zeros predicts; either may be half or twice as large. A log loss's are those of
        logistic units.
    """

    name: str
    out_activations: tuple[str, ...]
    scaled_by: str | None
    formula: str
    slope_formula: str
    slope: Slope
    largest: Callable[[float, float], float]
    of_constants: Callable[[NDArray[Any], NDArray[Any]], tuple[Any, Any]]

    @property
    def parameter(self) -> str | None:
        """Name of its own number, if it has one."""
        return _core.FACTS_OF_LOSSES[self.name][2]

    @property
    def targets(self) -> tuple[float, float]:
        """The least and the most target it allows."""
        return _core.FACTS_OF_LOSSES[self.name][:2]

    @property
    def grows(self) -> bool:
        """Whether steps grow with the error, so that a few huge targets would ruin the rest."""
        return self.scaled_by in ("deviation", "mean")

    @property
    def by_mean(self) -> bool:
        """Whether targets are counts, which scaling divides by their mean."""
        return self.scaled_by == "mean"


def _squared(target: float, _: float) -> float:
    return 1e8 * (1 + target) * (1 + target)


def _linear(target: float, _: float) -> float:
    return 1e4 * (1 + target)


def _slope_of_log_loss(a: NDArray[Any], y: NDArray[Any], _: float) -> Any:
    """Return that of logistic units; softmax's is -y / a."""
    return (a - y) / (a * (1 - a))


def _squares_of_constants(y: NDArray[Any], mean: NDArray[Any]) -> tuple[Any, Any]:
    return 0.5 * np.square(y - mean), 0.5 * np.square(y)


def _distances_of_constants(y: NDArray[Any], mean: NDArray[Any]) -> tuple[Any, Any]:
    return 0.5 * np.abs(y - mean), np.abs(y)


def _log_losses_of_constants(y: NDArray[Any], mean: NDArray[Any]) -> tuple[Any, Any]:
    best = -_times_log(y, mean) - _times_log(1 - y, 1 - mean)
    return best, np.full_like(y, math.log(2))


def _poisson_of_constants(y: NDArray[Any], mean: NDArray[Any]) -> tuple[Any, Any]:
    return _times_log(y, y / np.where(mean > 0, mean, 1)), _times_log(y, y) - y + 1


def _times_log(y: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
    """Return y log x, which is 0 where y is 0."""
    return y * np.log(np.where(y == 0, 1, x))


LOSSES = {
    loss.name: loss
    for loss in (
        Loss(
            "squared_error",
            HIDDEN_ACTIVATIONS,
            "deviation",
            "1/2 (a - y)^2",
            "a - y",
            lambda a, y, _: a - y,
            _squared,
            _squares_of_constants,
        ),
        Loss(
            "absolute_error",
            HIDDEN_ACTIVATIONS,
            "median",
            "|a - y|",
            "sign(a - y)",
            lambda a, y, _: np.sign(a - y),
            _linear,
            _distances_of_constants,
        ),
        Loss(
            "huber",
            HIDDEN_ACTIVATIONS,
            "median",
            "1/2 (a - y)^2, or huber_delta |a - y| - 1/2 huber_delta^2 beyond huber_delta",
            "a - y, within -huber_delta..huber_delta",
            lambda a, y, most: np.clip(a - y, -most, most),
            lambda target, most: min(_squared(target, most), most * _linear(target, most)),
            _squares_of_constants,
        ),
        Loss(
            "quantile",
            HIDDEN_ACTIVATIONS,
            "median",
            "quantile (y - a) where a < y, else (1 - quantile) (a - y)",
            "-quantile where a < y, 1 - quantile where a > y",
            lambda a, y, quantile: np.asarray((a > y) - quantile * (a != y), dtype=a.dtype),
            _linear,
            _distances_of_constants,
        ),
        Loss(
            "log_loss",
            ("softmax", "logistic"),
            None,
            "cross-entropy",
            "that of the cross-entropy, with which dE/dz = a - y",
            _slope_of_log_loss,
            lambda target, _: 1e4,
            _log_losses_of_constants,
        ),
        Loss(
            "poisson",
            ("exp",),
            "mean",
            "y log(y / a) - y + a",
            "1 - y / a, with which dE/dz = a - y",
            lambda a, y, _: 1 - y / a,
            _squared,
            _poisson_of_constants,
        ),
    )
}


# Numbers that losses have of their own: parameters of networks.
LOSS_PARAMETERS = tuple(loss.parameter for loss in LOSSES.values() if loss.parameter)


def parameter_of(loss: str, owner: Any) -> float:
    """Return the loss's own number, an attribute of the owner; 0 if it has none."""
    name = LOSSES[loss].parameter
    return 0.0 if name is None else float(getattr(owner, name))


def kernel_loss(loss: str, out_activation: str) -> str:
    """Return the name of a loss among the kernels, where log loss has two."""
    is_binary = loss == "log_loss" and out_activation == "logistic"
    return "binary_log_loss" if is_binary else loss


def is_pair(loss: str, out_activation: str) -> bool:
    """Whether the kernel of a loss returns dE/dz at once, with this output activation."""
    return _core.FACTS_OF_LOSSES[kernel_loss(loss, out_activation)][3] == out_activation


def loss_derivative(
    loss: str, out_activation: str, a: NDArray[Any], y: NDArray[Any], parameter: float
) -> NDArray[Any]:
    """Return dE/da; infinite where a log loss met a probability that is 0 to rounding."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if out_activation == "softmax" and loss == "log_loss":
            return np.asarray(-y / a)
        return np.asarray(LOSSES[loss].slope(a, y, parameter))


def check_targets(loss: str, y: NDArray[Any]) -> None:
    """Refuse targets that the loss does not allow."""
    least, most = LOSSES[loss].targets
    if math.isinf(least) and math.isinf(most):
        return
    if not y.size or (y.min() >= least and y.max() <= most):
        return
    if math.isinf(most):
        raise ValueError(f"{loss} loss needs targets of at least {least:g}")
    raise ValueError(
        f"{loss} needs targets between {least:g} and {most:g} (probabilities or class indicators)"
    )
