"""Why training or a prediction must be left to scikit-learn's own code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn import get_config

from ..network.arrays import blocks_of_rows
from . import sklearn_internals
from .solver import FLOATS, solver_of

# Targets beyond this, from which float32 takes away nothing below 1: scikit-learn, which does that
# in float64 unless they are float32 themselves, sees a loss fall that else would stand still.
MAX_EXACT = 2**24
ACTIVATIONS = ("identity", "logistic", "tanh", "relu")  # of scikit-learn
# Loss and output activation that belong together.
PAIRS = (
    ("squared_error", "identity"),
    ("log_loss", "logistic"),
    ("log_loss", "softmax"),
    ("poisson", "exp"),
)


def reason_for_fallback(model: Any, X: Any, y: NDArray[Any], sample_weight: Any) -> str | None:
    """Return why this training must be left to scikit-learn's own code, or None."""
    method = sklearn_internals.overridden(model)
    if method is not None:
        return f"{method} is overridden"
    if type(model._optimizer) not in (
        sklearn_internals.AdamOptimizer,
        sklearn_internals.SGDOptimizer,
    ):
        return "the optimiser is not scikit-learn's"
    return (
        fallback_for_parameters(model, X)
        or _fallback_for_solver(model)
        or _fallback_for_state(model)
        or _fallback_for_data(model, X, y, sample_weight)
    )


def fallback_for_parameters(model: Any, X: Any) -> str | None:
    """Return why fastbp cannot compute with these parameters on this X, or None."""
    arrays = [*model.coefs_, *model.intercepts_]
    dtype = getattr(arrays[0], "dtype", None) if arrays else None
    if dtype not in FLOATS or any(type(a) is not np.ndarray or a.dtype != dtype for a in arrays):
        return "parameters are not arrays of one floating type"
    if np.result_type(X.dtype, dtype) != dtype:
        return "X is more precise than the parameters"
    shapes = [W.shape for W in model.coefs_]
    joined = all(
        len(shape) == 2 and shape[0] == n_in
        for shape, n_in in zip(shapes, [X.shape[1], *(shape[-1] for shape in shapes)], strict=False)
    )
    biases_fit = [b.shape for b in model.intercepts_] == [shape[-1:] for shape in shapes]
    if not (joined and biases_fit and model.n_layers_ == len(shapes) + 1):
        return "shapes of the parameters do not fit together"
    pair = model.loss, model.out_activation_
    if model.activation not in ACTIVATIONS or pair not in PAIRS:
        return "loss and activations do not belong together"
    if pair[1] == "softmax" and shapes[-1][1] < 2:
        return "softmax of one output"
    return None


def _fallback_for_solver(model: Any) -> str | None:
    if solver_of(model._optimizer, model.alpha, 1, model.coefs_[0].dtype) is None:
        return "the solver's parameters are out of the engine's range"
    return None


def _fallback_for_state(model: Any) -> str | None:
    """Return why fastbp cannot write to the parameters or take up the moments, or None."""
    arrays = [*model.coefs_, *model.intercepts_]
    if not all(array.flags.writeable for array in arrays):
        return "a parameter is read-only"
    shapes = [array.shape for array in arrays]
    for name in sklearn_internals.moments_of(model._optimizer):
        if [np.shape(array) for array in getattr(model._optimizer, name)] != shapes:
            return "the optimiser belongs to other parameters"
    if not all(np.isfinite(array).all() for array in arrays):
        return "a parameter is not finite"
    return None


def _fallback_for_data(model: Any, X: Any, y: NDArray[Any], sample_weight: Any) -> str | None:
    if get_config()["assume_finite"] and not is_finite(X):
        return "X is not finite"
    if y.dtype.kind not in "bfiu" or y.shape[1] != model.coefs_[-1].shape[1]:
        return "y is not an array of numbers, one column an output"
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        return "y is not finite"
    if model.coefs_[0].dtype != np.float64 and y.dtype != np.float32 and _is_large(y):
        return "y is large, and more precise than float32"
    if model.loss == "poisson" and y.min() < 0:
        return "y is negative"
    if model.out_activation_ == "softmax" and not np.all(np.count_nonzero(y, axis=1) == 1):
        return "y is not of one class a row"
    if sample_weight is not None:
        weights = np.asarray(sample_weight)
        if weights.ndim != 1 or not (np.isfinite(weights).all() and weights.min() >= 0):
            return "a weight is negative or not finite"
        if not 0 < float(weights.max()) < 1e100:
            return "weights are all zero, or too large to add up"
    return None


def _is_large(y: NDArray[Any]) -> bool:
    return y.dtype.kind != "b" and bool(y.max() > MAX_EXACT or y.min() < -MAX_EXACT)


def is_finite(X: Any) -> bool:
    """Whether no value of an array or sparse matrix is NaN or infinite."""
    values = X.data if issparse(X) else X
    if not issparse(X):
        return all(bool(np.isfinite(values[start:stop]).all()) for start, stop in blocks_of_rows(X))
    return bool(np.isfinite(values).all())
