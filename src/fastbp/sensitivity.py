"""`sensitivity_of_loss`: how much the loss changes with each parameter."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .trace.inspected import inspected_model
from .trace.to_json import jsonable


@dataclasses.dataclass(frozen=True)
class LossSensitivity:
    """Derivatives of the mean loss with respect to every parameter.

    Attributes
    ----------
    loss : float
        The (weighted) mean loss of the rows, without the penalty.
    weights : list of ndarray of shape (n_in, n_out)
        ``dE/dW`` of each layer.
    biases : list of ndarray of shape (n_out,)
        ``dE/db`` of each layer.
    """

    loss: float
    weights: list[NDArray[Any]]
    biases: list[NDArray[Any]]

    def norms(self) -> NDArray[np.float64]:
        """Return the Euclidean norm of each layer's derivatives, weights and biases together."""
        squares = [
            float(np.sum(np.square(W, dtype=np.float64)) + np.sum(np.square(b, dtype=np.float64)))
            for W, b in zip(self.weights, self.biases, strict=True)
        ]
        return np.sqrt(squares)

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as dicts, lists and numbers."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        result: dict[str, Any] = jsonable(values)
        return result


def sensitivity_of_loss(
    model: Any, X: Any, y: Any, sample_weight: ArrayLike | None = None
) -> LossSensitivity:
    """Return how much the mean loss of these rows changes with each weight and bias.

    Parameters
    ----------
    model : Network, or fitted BackpropClassifier or BackpropRegressor
        Is not changed.
    X : array-like or sparse matrix of shape (n_samples, n_features)
    y : array-like
        As the model takes it: for a classifier labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the mean; those of classes (``class_weight``) are multiplied with them.

    Returns
    -------
    LossSensitivity

    Raises
    ------
    ValueError, TypeError
        For data that the model cannot take, or no model of fastbp.
    sklearn.exceptions.NotFittedError
        For an estimator that was not fitted.

    See Also
    --------
    Network.sensitivity : How much the outputs change with the inputs.
    check_gradients : These derivatives against central differences.

    Examples
    --------
    >>> from fastbp import Network, sensitivity_of_loss
    >>> network = Network((1, 1), random_state=0)
    >>> network.weights, network.biases = [[[0.5]]], [[0.0]]
    >>> slopes = sensitivity_of_loss(network, [[2.0], [4.0]], [1.0, 4.0])
    >>> slopes.loss, slopes.weights[0].item(), slopes.biases[0].item()
    (1.0, -4.0, -1.0)
    """
    inspected = inspected_model(model, X, y, sample_weight)
    return LossSensitivity(
        *inspected.network.gradients(inspected.X, inspected.y, inspected.sample_weight)
    )
