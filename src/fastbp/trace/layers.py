"""`LayerTrace`: every number of one layer in one step."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .inspected import Pair
from .to_json import jsonable


@dataclasses.dataclass(frozen=True)
class LayerTrace:
    """One layer in one step. Arrays are of the network's dtype and copies.

    Attributes
    ----------
    layer : int
        1 is the first.
    activation : str
    x : ndarray of shape (n_in,)
        What the layer reads: the row, or the activations of the layer below.
    z, a : ndarray of shape (n_out,)
        ``z = x @ W + b`` and ``a = f(z)``.
    derivative : ndarray of shape (n_out,), or of shape (n_out, n_out) for softmax
        ``f'(z)``; of softmax ``da[k]/dz[j]``.
    dE_da : ndarray of shape (n_out,)
        Derivative of the loss with respect to a: in the last layer the loss's own, elsewhere
        ``W @ delta`` of the layer above.
    delta : ndarray of shape (n_out,)
        ``dE/dz``: ``dE_da * derivative``. Log loss and poisson, with the activation that belongs to
        them, have ``a - y``, which is this product without its rounding.
    W, b : ndarray of shape (n_in, n_out) and (n_out,)
        Before the step.
    grad_W, grad_b : ndarray of the same shapes
        ``weight * outer(x, delta)`` and ``weight * delta``, without the penalty.
    new_W, new_b : ndarray of the same shapes
        After the step.
    state, new_state : dict of str to tuple of ndarray
        What the solver keeps of the steps before, and after this one, for W and for b:
        ``{"velocities": (v_W, v_b)}`` of momentum, ``first_moments`` and ``second_moments`` of
        Adam and AdamW, ``sums_of_squares`` of AdaGrad, ``means_of_squares`` of RMSprop. Empty if it
        keeps nothing.
    """

    layer: int
    activation: str
    x: NDArray[Any]
    z: NDArray[Any]
    a: NDArray[Any]
    derivative: NDArray[Any]
    dE_da: NDArray[Any]
    delta: NDArray[Any]
    W: NDArray[Any]
    b: NDArray[Any]
    grad_W: NDArray[Any]
    grad_b: NDArray[Any]
    new_W: NDArray[Any]
    new_b: NDArray[Any]
    state: dict[str, Pair]
    new_state: dict[str, Pair]

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as dicts, lists and numbers."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name in ("state", "new_state"):
            values[name] = {key: {"W": W, "b": b} for key, (W, b) in values[name].items()}
        result: dict[str, Any] = jsonable(values)
        return result

    def units(self) -> dict[str, Any]:
        """Return the columns of a table with a row for each unit."""
        elementwise = self.derivative.ndim == 1
        return {
            "layer": self.layer,
            "unit": np.arange(len(self.z)),
            "z": self.z,
            "a": self.a,
            "derivative": self.derivative if elementwise else np.full_like(self.z, np.nan),
            "dE_da": self.dE_da,
            "delta": self.delta,
        }

    def parameters(self) -> dict[str, Any]:
        """Return the columns of a table with a row for each weight, then for each bias."""
        n_in, n_out = self.W.shape
        inputs = np.repeat(np.arange(n_in), n_out)
        units = np.concatenate([np.tile(np.arange(n_out), n_in), np.arange(n_out)])
        return {
            "layer": self.layer,
            "kind": ["weight"] * (n_in * n_out) + ["bias"] * n_out,
            "i": [*inputs.tolist(), *[None] * n_out],
            "j": units,
            "a": np.concatenate([self.x[inputs], np.ones_like(self.b)]),
            "delta": self.delta[units],
            "gradient": _column(self.grad_W, self.grad_b),
            "before": _column(self.W, self.b),
            "after": _column(self.new_W, self.new_b),
            **{f"{name}_before": _column(*pair) for name, pair in self.state.items()},
            **{f"{name}_after": _column(*pair) for name, pair in self.new_state.items()},
        }


def _column(W: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([W.ravel(), b])
