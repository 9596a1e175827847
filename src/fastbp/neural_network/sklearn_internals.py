"""What is known of the inside of scikit-learn's perceptrons, of which `neural_network` takes part.

scikit-learn promises nothing about it, so it is looked at before it is relied upon: where a name
or an argument is not as known, training is left to scikit-learn.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import _multilayer_perceptron as module
from sklearn.neural_network._multilayer_perceptron import (
    BaseMultilayerPerceptron,
    MLPClassifier,
    MLPRegressor,
)
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

__all__ = [
    "AdamOptimizer",
    "Arguments",
    "BaseMultilayerPerceptron",
    "MLPClassifier",
    "MLPRegressor",
    "SGDOptimizer",
    "is_as_known",
    "overridden",
    "warn",
]

# What `_fit_stochastic` is given beside the model: in scikit-learn 1.6, and since 1.7.
_ROOM = ("activations", "deltas", "coef_grads", "intercept_grads", "layer_units", "incremental")
_KNOWN = (("X", "y", *_ROOM), ("X", "y", "sample_weight", *_ROOM))
# What a row's gradient is made by: a subclass that has its own means it to be used.
_GRADIENT = ("_backprop", "_forward_pass", "_compute_loss_grad")
_CALLED = ("_fit_lbfgs", "_forward_pass_fast", "_update_no_improvement_count", *_GRADIENT)


@dataclasses.dataclass
class Arguments:
    """What `_fit_stochastic` was called with.

    Attributes
    ----------
    X : ndarray or sparse matrix of shape (n, n_features)
    y : ndarray of shape (n, n_outputs)
    sample_weight : ndarray of shape (n,), or None
    activations, deltas, coef_grads, intercept_grads : list
        Room for what scikit-learn computes.
    incremental : bool
        Whether it is partial_fit that trains.
    """

    X: Any
    y: NDArray[Any]
    sample_weight: NDArray[Any] | None
    activations: list[Any]
    deltas: list[Any]
    coef_grads: list[Any]
    intercept_grads: list[Any]
    incremental: bool

    @classmethod
    def of(cls, *args: Any, **kwargs: Any) -> Arguments:
        """Sort the arguments by the names that this scikit-learn gives them."""
        names = _names_of(BaseMultilayerPerceptron._fit_stochastic)
        given = {"sample_weight": None, **dict(zip(names, args, strict=False)), **kwargs}
        del given["layer_units"]
        return cls(**given)

    def gradients(self, model: Any, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
        """Let scikit-learn compute the loss and the gradients of one batch."""
        weighted = "sample_weight" in _names_of(BaseMultilayerPerceptron._backprop)
        self.activations[0] = X
        loss, self.coef_grads, self.intercept_grads = model._backprop(
            X,
            y,
            *([sample_weight] if weighted else []),
            self.activations,
            self.deltas,
            self.coef_grads,
            self.intercept_grads,
        )
        return loss, self.coef_grads, self.intercept_grads


@functools.cache
def _names_of(method: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(method).parameters)[1:]


# Whether early stopping wants at least two rows to score, as since 1.7.
REFUSES_SMALL_VALIDATION = "sample_weight" in _names_of(BaseMultilayerPerceptron._fit_stochastic)


def is_as_known() -> bool:
    """Whether this scikit-learn calls what it trains with by the names known here."""
    return (
        all(hasattr(BaseMultilayerPerceptron, name) for name in _CALLED)
        and _names_of(BaseMultilayerPerceptron._fit_stochastic) in _KNOWN
    )


def overridden(model: Any) -> str | None:
    """Return which method of scikit-learn's for gradients this model has its own of, if any."""
    for name in _GRADIENT:
        method = getattr(model, name)
        if getattr(method, "__func__", None) is not getattr(BaseMultilayerPerceptron, name):
            return name
    return None


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn as scikit-learn's own code does, so that filters which name its module still match."""
    warnings.warn_explicit(
        message,
        category,
        filename=str(module.__file__),
        lineno=BaseMultilayerPerceptron._fit_stochastic.__code__.co_firstlineno,
        module=module.__name__,
        registry=module.__dict__.setdefault("__warningregistry__", {}),
    )


# How often training and predictions went which way: "fast", or why scikit-learn's own code ran.
calls: collections.Counter[str] = collections.Counter()


def update_no_improvement_count(
    model: Any, early_stopping: bool, held_out: tuple[Any, Any, Any]
) -> None:
    """Let the model compare its last epoch with the best so far, as its scikit-learn does."""
    names = _names_of(BaseMultilayerPerceptron._update_no_improvement_count)
    model._update_no_improvement_count(early_stopping, *held_out[: len(names) - 1])


def loss_of(model: Any, y: NDArray[Any], a: NDArray[Any], sample_weight: Any) -> Any:
    """Return scikit-learn's own value for the mean loss of outputs a, without the penalty."""
    name = model.loss
    if name == "log_loss" and model.out_activation_ == "logistic":
        name = "binary_log_loss"
    return module.LOSS_FUNCTIONS[name](y, a, *([] if sample_weight is None else [sample_weight]))


def dtypes_of_state(
    optimizer: Any, X_dtype: Any, y_dtype: Any, weights: NDArray[Any] | None, n_layers: int
) -> list[list[np.dtype[Any]]]:
    """Return the dtypes that the optimiser's arrays take on in scikit-learn, one list a moment.

    With float32 data some become float64: where targets or weights are, or a parameter is a
    number of NumPy's. Found by a step of the optimiser itself, on one weight a layer.
    """
    delta = np.zeros(1, X_dtype) - np.zeros(1, y_dtype)
    divisor = 1 if weights is None else weights.dtype.type(1)
    gradients = [delta] * n_layers + [np.sum(delta[:, None], axis=0) / divisor] * n_layers
    one_item = copy.copy(optimizer)
    names = moments_of(optimizer)
    for name in names:
        setattr(one_item, name, [np.zeros(1, array.dtype) for array in getattr(optimizer, name)])
    if isinstance(optimizer, AdamOptimizer):
        one_item.t = 0
    with np.errstate(all="ignore"):
        one_item._get_updates(gradients)
    return [[array.dtype for array in getattr(one_item, name)] for name in names]


def moments_of(optimizer: Any) -> tuple[str, ...]:
    """Return the names of the lists that an optimiser keeps beside the parameters."""
    return ("ms", "vs") if isinstance(optimizer, AdamOptimizer) else ("velocities",)
