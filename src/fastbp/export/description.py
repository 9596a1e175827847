"""`Description`: everything that predictions of a trained model depend on, whatever its class."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network.scaling import Scaling
from .running import Running

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
    inputs : Scaling, Running or None
        How inputs are scaled before the first layer.
    targets : Scaling or None
        How outputs are scaled back after the last one.
    classes : ndarray of shape (n_classes,), or None
        Labels as the model returns them: text or whole numbers. None for the task "numbers".
    feature_names : tuple of str, or None
    loss : str or None
        That the model was trained with; None where a step cannot be taken.
    loss_parameter : float
    gaps : Gaps or None
        None where values may not be missing, or where ``inputs`` takes care of them.
    others : tuple of tuples of Layer, default=()
        Further networks of the same inputs and outputs.
    shares : tuple of float, default=(1.0,)
        What the outputs of each network count in the mixture of all; the sum is 1.
    """

    layers: tuple[Layer, ...]
    task: str = "numbers"
    inputs: Scaling | Running | None = None
    targets: Scaling | None = None
    classes: NDArray[Any] | None = None
    feature_names: tuple[str, ...] | None = None
    loss: str | None = None
    loss_parameter: float = 0.0
    gaps: Gaps | None = None
    others: tuple[tuple[Layer, ...], ...] = ()
    shares: tuple[float, ...] = (1.0,)

    @property
    def networks(self) -> tuple[Description, ...]:
        """Each network on its own, with the scaling of all."""
        return tuple(
            dataclasses.replace(self, layers=layers, others=(), shares=(1.0,))
            for layers in (self.layers, *self.others)
        )

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
