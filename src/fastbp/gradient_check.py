"""`check_gradients`: the derivatives of backpropagation held against those of the loss."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .network import Network
from .network.checks import check_number


@dataclasses.dataclass(frozen=True)
class GradientCheck:
    """Analytic against numeric derivatives of every parameter of a network.

    Attributes
    ----------
    max_relative_error : float
        The largest of ``|analytic - numeric| / max(|analytic|, |numeric|, floor)`` over all
        parameters. The floor is a thousandth of the largest derivative of the network: what is
        far smaller drowns in the rounding of the loss, whose differences the numeric ones are.
    where : tuple of (int, str, tuple of int)
        Layer (1 is the first), "weight" or "bias", and index of the parameter with that error.
    analytic, numeric : float
        The two derivatives of that parameter.
    n_parameters : int
        How many were compared.
    """

    max_relative_error: float
    where: tuple[int, str, tuple[int, ...]]
    analytic: float
    numeric: float
    n_parameters: int

    def __str__(self) -> str:
        layer, kind, index = self.where
        return (
            f"{self.n_parameters} derivatives compared; largest relative error "
            f"{self.max_relative_error:.2g}, at {kind} {list(index)} of layer {layer}: "
            f"backpropagation {self.analytic:.10g}, central difference {self.numeric:.10g}"
        )


def check_gradients(
    network: Network,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    eps: float = 1e-5,
) -> GradientCheck:
    """Compare every parameter's gradient with the central difference of the loss.

    ``(loss(w + eps) - loss(w - eps)) / (2 eps)``, computed in float64 whatever the network's dtype.
    The network is not changed. Two passes over the data per parameter: meant for small networks
    and few rows. Where a ReLU or the absolute error has its kink within eps, the two
    differ though both are right: try other rows.

    Parameters
    ----------
    network : Network
    X : array-like of shape (n, n_in)
    y : array-like of shape (n, n_out)
    sample_weight : array-like of shape (n,), default=None
    eps : float, default=1e-5
        Step of the differences, relative to ``max(1, |w|)``.

    Returns
    -------
    GradientCheck
    """
    check_number("eps", eps, above=0)
    if not isinstance(network, Network):
        raise TypeError(
            f"network must be a fastbp.Network; got {type(network).__name__}. Of a fitted "
            "estimator pass its network_."
        )
    _, grad_weights, grad_biases = network.gradients(X, y, sample_weight)
    float64_copy = _in_float64(network)
    comparisons = []
    for kind, gradients, parameters in (
        ("weight", grad_weights, float64_copy.weights),
        ("bias", grad_biases, float64_copy.biases),
    ):
        for layer, (analytic, parameter) in enumerate(zip(gradients, parameters, strict=True), 1):
            numeric = _differences(float64_copy, parameter, X, y, sample_weight, eps)
            comparisons.append((layer, kind, np.asarray(analytic, np.float64), numeric))

    floor = 1e-3 * max(float(np.abs(numeric).max()) for _, _, _, numeric in comparisons) + 1e-12
    worst = None
    for layer, kind, analytic, numeric in comparisons:
        size = np.maximum(np.maximum(np.abs(analytic), np.abs(numeric)), floor)
        errors = np.abs(analytic - numeric) / size
        index = np.unravel_index(int(np.argmax(errors)), errors.shape)
        if worst is None or errors[index] > worst.max_relative_error:
            worst = GradientCheck(
                float(errors[index]),
                (layer, kind, tuple(int(i) for i in index)),
                float(analytic[index]),
                float(numeric[index]),
                network.n_parameters,
            )
    assert worst is not None  # a network has at least one layer
    return worst


def _in_float64(network: Network) -> Network:
    state = network.__getstate__() | {"dtype": "float64", "moments": {}}
    float64_copy = Network.__new__(Network)
    float64_copy.__setstate__(state)
    return float64_copy


def _differences(
    network: Network,
    parameter: NDArray[Any],
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    eps: float,
) -> NDArray[np.float64]:
    """Return the central difference of the loss for every entry of a parameter array."""
    differences = np.empty(parameter.shape)
    for index in np.ndindex(parameter.shape):
        kept = parameter[index]
        h = eps * max(1.0, abs(float(kept)))
        parameter[index] = kept + h
        above, loss_above = parameter[index], network.loss(X, y, sample_weight)
        parameter[index] = kept - h
        below, loss_below = parameter[index], network.loss(X, y, sample_weight)
        parameter[index] = kept
        differences[index] = (loss_above - loss_below) / (above - below)
    return differences
