"""`Description`: everything that predictions of a trained model depend on, whatever its class."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import Network
from ..network.arrays import check_finite
from ..network.scaling import Scaling
from ..network.tables import LOSSES, parameter_of

INTEGERS = np.iinfo(np.int64)


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """``a = f(x @ weights + biases)``.

    Attributes
    ----------
    weights : ndarray of shape (n_in, n_out)
    biases : ndarray of shape (n_out,)
    activation : str
    """

    weights: NDArray[Any]
    biases: NDArray[Any]
    activation: str

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return int(self.weights.shape[0])

    @property
    def n_out(self) -> int:
        """Number of units."""
        return int(self.weights.shape[1])


@dataclasses.dataclass(frozen=True, eq=False)
class Gaps:
    """What stands for missing values, and which inputs have a column of marks behind all others.

    Attributes
    ----------
    means : ndarray of shape (n_in,)
    features : ndarray of int of shape (n_marked,)
    """

    means: NDArray[Any]
    features: NDArray[np.intp]

    def filled(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return rows (n, n_in) with means in place of NaN, and with the marks."""
        gaps = np.isnan(X)
        means = self.means.astype(X.dtype)
        return np.hstack([np.where(gaps, means, X), gaps[:, self.features].astype(X.dtype)])


@dataclasses.dataclass(frozen=True, eq=False)
class Description:
    """What a trained model computes, from inputs in their own units to labels.

    Attributes
    ----------
    layers : tuple of Layer
        First to last, with copies of the parameters.
    task : {"numbers", "classes", "labels"}
        What the outputs are: numbers; probabilities of classes, of which a row has one (a single
        output is that of the second of two); probabilities of labels, of which it can have several.
    inputs, targets : Scaling or None
        How inputs are scaled before the first layer, and outputs scaled back after the last one.
    classes : ndarray of shape (n_classes,), or None
        Labels as the model returns them: text or whole numbers. None for the task "numbers".
    feature_names : tuple of str, or None
    loss : str or None
        That the model was trained with; None where a step cannot be taken.
    loss_parameter : float
    gaps : Gaps or None
        None where values may not be missing.
    """

    layers: tuple[Layer, ...]
    task: str = "numbers"
    inputs: Scaling | None = None
    targets: Scaling | None = None
    classes: NDArray[Any] | None = None
    feature_names: tuple[str, ...] | None = None
    loss: str | None = None
    loss_parameter: float = 0.0
    gaps: Gaps | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of parameters and arithmetic."""
        return self.layers[0].weights.dtype

    @property
    def n_in(self) -> int:
        """Number of inputs of a row."""
        return self.n_columns if self.gaps is None else len(self.gaps.means)

    @property
    def n_columns(self) -> int:
        """Number of inputs of the first layer: more where values may be missing."""
        return self.layers[0].n_in

    @property
    def n_out(self) -> int:
        """Number of units of the last layer."""
        return self.layers[-1].n_out

    @property
    def out_activation(self) -> str:
        """Activation of the last layer."""
        return self.layers[-1].activation

    @property
    def n_probabilities(self) -> int:
        """Number of columns of probabilities."""
        return 2 if self.task == "classes" and self.n_out == 1 else self.n_out

    def labels(self) -> list[int] | list[str]:
        """Return the classes as whole numbers or as text, if they are.

        Raises
        ------
        ValueError
            For classes that are neither: no format but Python's can hold them.
        """
        assert self.classes is not None
        return plain_labels(self.classes)


def description_of(model: Any) -> Description:
    """Return the description of a network, or of a fitted estimator.

    Parameters
    ----------
    model : Network, BackpropRegressor, BackpropClassifier, MLPRegressor or MLPClassifier
        The last two are those of `fastbp.neural_network`, or scikit-learn's own.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    TypeError
        For anything else.
    ValueError
        If a parameter is not finite.
    """
    if hasattr(model, "_check_is_fitted"):
        model._check_is_fitted()
    network = model if isinstance(model, Network) else getattr(model, "network_", None)
    if network is None and not hasattr(model, "coefs_"):
        raise TypeError(
            f"a {type(model).__name__} cannot be exported: it is neither a network nor a fitted "
            "perceptron"
        )
    described = _of_perceptron(model) if network is None else _of_network(network, model)
    for l, layer in enumerate(described.layers):
        check_finite(f"weights[{l}]", layer.weights)
        check_finite(f"biases[{l}]", layer.biases)
    return described


def _of_network(network: Network, model: Any) -> Description:
    layers = _layers(network.weights, network.biases, [*network.activation, network.out_activation])
    units = getattr(model, "_units", None)
    return Description(
        layers,
        _task(model, network.out_activation, layers[-1].n_out),
        None if units is None else _copied(units.inputs),
        None if units is None else _copied(units.targets),
        *_classes_and_names(model),
        network.loss_name,
        parameter_of(network.loss_name, network),
        _gaps(model),
    )


def _copied(scaling: Scaling | None) -> Scaling | None:
    """Return a scaling that a stream does not change."""
    if scaling is None:
        return None
    return Scaling(scaling.center.copy(), scaling.scale.copy(), scaling.limit)


def _gaps(model: Any) -> Gaps | None:
    gaps = getattr(model, "_gaps", None)
    return None if gaps is None else Gaps(gaps.means.copy(), gaps.features.copy())


def _of_perceptron(model: Any) -> Description:
    """Return the description of what has scikit-learn's attributes."""
    n_hidden = len(model.coefs_) - 1
    activations = [model.activation] * n_hidden + [model.out_activation_]
    classes, names = _classes_and_names(model)
    loss = "log_loss" if classes is not None else str(getattr(model, "loss", "squared_error"))
    return Description(
        _layers(model.coefs_, model.intercepts_, activations),
        _task(model, model.out_activation_, int(model.n_outputs_)),
        classes=classes,
        feature_names=names,
        loss=loss if loss in LOSSES else None,
    )


def _layers(weights: Any, biases: Any, activations: list[str]) -> tuple[Layer, ...]:
    dtype = np.float32 if weights[0].dtype == np.float32 else np.float64
    return tuple(
        Layer(np.array(W, dtype), np.array(b, dtype), activation)
        for W, b, activation in zip(weights, biases, activations, strict=True)
    )


def _task(model: Any, out_activation: str, n_out: int) -> str:
    if not hasattr(model, "classes_"):
        return "numbers"
    return "labels" if n_out > 1 and out_activation == "logistic" else "classes"


def _classes_and_names(model: Any) -> tuple[NDArray[Any] | None, tuple[str, ...] | None]:
    classes, names = getattr(model, "classes_", None), getattr(model, "feature_names_in_", None)
    return (
        None if classes is None else np.array(classes),
        None if names is None else tuple(map(str, names)),
    )


def plain_labels(classes: NDArray[Any]) -> list[int] | list[str]:
    """Return classes as whole numbers (bools and floats that are some, too) or as text."""
    labels: list[Any] = classes.tolist()
    if all(isinstance(label, str) for label in labels):
        for label in labels:
            _check_text(label)
        return labels
    numbers = [_whole(label) for label in labels]
    for label, number in zip(labels, numbers, strict=True):
        if number is None:
            raise ValueError(
                f"the class {label!r} ({type(label).__name__}) cannot be exported: classes must "
                "be text or whole numbers of 64 bits. Fit the model on such labels"
            )
    return [number for number in numbers if number is not None]


def _whole(label: Any) -> int | None:
    """Return a label as the whole number of 64 bits that it is, if it is one."""
    if isinstance(label, float) and math.isfinite(label) and label == int(label):
        label = int(label)
    is_one = isinstance(label, int) and INTEGERS.min <= label <= INTEGERS.max
    return int(label) if is_one else None


def _check_text(label: str) -> None:
    try:
        label.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(
            f"the class {label!r} cannot be exported: it is no valid Unicode text"
        ) from None
    if "\0" in label:
        raise ValueError(f"the class {label!r} cannot be exported: it contains a zero byte")
