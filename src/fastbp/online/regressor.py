"""`OnlineRegressor`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._messages import counted
from .._printable import printable
from ..network.arrays import as_numbers, check_finite
from ..network.checks import check_choice
from ..network.frames import names_of_columns
from ..network.tables import LOSS_PARAMETERS, LOSSES, Loss
from .docs import with_shared_parts
from .experts import CENTER, FACTOR
from .model import OnlineModel
from .tables import stream_table

LOSSES_OF_NUMBERS = tuple(name for name in LOSSES if name != "log_loss")
Target = float | list[float] | dict[Any, float]


@with_shared_parts
class OnlineRegressor(OnlineModel):
    """A model that learns numbers from a stream, one row at a time.

    $about

    Parameters
    ----------
    $layers
    loss : {"squared_error", "absolute_error", "huber", "quantile", "poisson"}, default="huber"
        Loss of one row, of targets in units of their standard deviation (of poisson, of their
        mean); see `Network`.
    huber_delta : float, > 0, default=1.0
        Of huber, in standard deviations of the target.
    quantile : float in (0, 1), default=0.5
        Of quantile: which one is predicted.
    $training

    Attributes
    ----------
    target_names_ : list or None
        Names of several targets, as their dict had them.
    $attributes

    Notes
    -----
    $notes

    Examples
    --------
    >>> from fastbp.online import OnlineRegressor
    >>> model = OnlineRegressor(random_state=0)
    >>> for i in range(500):
    ...     model = model.learn_one({"items": i % 7, "city": ("Ulm", "Jena")[i % 2]}, 10 * (i % 7))
    >>> bool(abs(model.predict_one({"items": 5, "city": "Ulm"}) - 50) < 5)
    True
    """

    loss: str
    huber_delta: float
    quantile: float
    _labels: None
    _form: type | tuple[Any, ...] = float  # of y: float, list, or the names of a dict

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (64,),
        activation: str | Sequence[str] = "relu",
        *,
        loss: str = "huber",
        huber_delta: float = 1.0,
        quantile: float = 0.5,
        solver: str = "auto",
        learning_rate_init: float | str = "auto",
        alpha: float = 0.0,
        replay: int | str = "auto",
        buffer: str = "last",
        buffer_size: int = 3000,
        max_features: int | None = None,
        hashed_features: int | None = None,
        missing: str = "error",
        drift_detector: Any = None,
        random_state: Any = None,
    ) -> None:
        self._set_parameters(locals())

    def predict_one(self, x: Any) -> Any:
        """Return what is predicted for a row, and learn nothing.

        Parameters
        ----------
        x : mapping of names to values, sequence, array or Series
            Names that are not known do not count; names left out count as the mean.

        Returns
        -------
        float; of several targets a dict or an array, as the targets were given
            0.0 before anything was learned.
        """
        if self._loop is None:
            return 0.0
        outputs = self._outputs(x)
        if self._form is float:
            return float(outputs[0])
        if self._form is list:
            return outputs
        assert isinstance(self._form, tuple)
        return dict(zip(self._form, outputs.tolist(), strict=True))

    def predict_many(self, X: Any) -> NDArray[np.float64]:
        """Return what is predicted for each row of a table.

        Parameters
        ----------
        X : DataFrame, dict of columns, list of dicts or array of shape (n, n_features)

        Returns
        -------
        ndarray of float64 of shape (n,), or (n, n_targets) of several targets
        """
        if self._loop is None:
            return np.zeros(len(stream_table(X, skips_gaps=True)))
        outputs = self._outputs_of_table(X)
        return outputs[:, 0] if self._form is float else outputs

    def _start_with(self, target: Target) -> None:
        check_choice("loss", self.loss, LOSSES_OF_NUMBERS)
        self._n_targets = 1 if isinstance(target, float) else len(target)
        self._form = tuple(target) if isinstance(target, dict) else type(target)
        options = {name: getattr(self, name) for name in LOSS_PARAMETERS}
        self._start(self._n_targets, loss=self.loss, **options)

    @property
    def target_names_(self) -> list[Any] | None:
        """Names of several targets, as of a dict; None if they have none."""
        return list(self._form) if isinstance(self._form, tuple) else None

    def _kind_of_targets(self) -> type:
        return ByName if isinstance(self._form, tuple) else self._form

    def _known_loss(self) -> Loss:
        return LOSSES[self.loss]

    def _quantile(self) -> float:
        return float(self.quantile) if self.loss == "quantile" else 0.5

    def _plain_target(self, y: Any) -> Target:
        if isinstance(y, Mapping):
            target: Target = {name: self._number(value, name) for name, value in y.items()}
        elif isinstance(y, (list, tuple)) or getattr(y, "ndim", 0) == 1:
            target = [self._number(value, i) for i, value in enumerate(y)]
        else:
            return self._checked_form(self._number(y))
        if not target:
            raise ValueError("y has no targets")
        return self._checked_form(target)

    def _number(self, value: Any, name: Any = None) -> float:
        what = "y" if name is None else f"y[{name!r}]"
        try:
            if isinstance(value, (str, bytes, complex)):
                raise TypeError
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise TypeError(f"{what} must be a number; got {printable(repr(value))}") from None
        if not math.isfinite(number):
            raise ValueError(f"{what} must be finite; got {number}")
        least = LOSSES[self.loss].targets[0]
        if number < least:
            raise ValueError(
                f"{what} must be at least {least:g} with loss={self.loss!r}; got {number}"
            )
        return number

    def _checked_form(self, target: Target) -> Target:
        """Return a target, if it has the form of the first one."""
        if self._loop is None:
            return target
        if isinstance(target, dict) and isinstance(self._form, tuple):
            if set(target) != set(self._form):
                raise ValueError(f"y must have the targets {list(self._form)}; got {list(target)}")
            return target
        n = 1 if isinstance(target, float) else len(target)
        if type(target) is not self._form or n != self._n_targets:
            raise ValueError(
                f"y was {self._shape_of_targets()} so far; got {type(target).__name__} of "
                f"{counted(n, 'number')}"
            )
        return target

    def _shape_of_targets(self) -> str:
        if self._form is float:
            return "one number"
        return f"{'a list' if self._form is list else 'a dict'} of {self._n_targets} numbers"

    def _error(self, predicted: Any, target: Target) -> float:
        if isinstance(target, dict) and isinstance(predicted, dict):
            predicted = [predicted[name] for name in target]
        values = list(target.values()) if isinstance(target, dict) else target
        return float(np.abs(np.subtract(predicted, values)).mean())

    def _scaled_target(self, y: Any) -> NDArray[np.float64]:
        values = np.atleast_1d(np.asarray(self._as_learned(self._plain_target(y))))
        center, factor = self._experts.outputs[:, [CENTER, FACTOR]].T
        scaled: NDArray[np.float64] = (values - center) * factor
        return scaled

    def _output_names(self, n: int) -> tuple[str, ...]:
        names = self._form if isinstance(self._form, tuple) else range(n)
        return tuple(map(str, names))

    def _as_learned(self, target: Target) -> float | list[float] | tuple[float, ...]:
        if isinstance(target, dict):
            assert isinstance(self._form, tuple)
            return ByName(target[name] for name in self._form)
        return target

    def _targets(self, y: Any, n: int) -> NumbersOfRows:
        if y is None:
            raise TypeError("y must be numbers, one for each row of X; got None")
        names = names_of_columns(y) if getattr(y, "ndim", 2) == 2 else []
        values = np.ascontiguousarray(as_numbers("y", y, np.dtype(np.float64)))
        check_finite("y", values)
        if values.ndim == 2 and values.shape[1] == 1 and self._form is float:
            values, names = values[:, 0].copy(), []
        if values.ndim not in (1, 2) or len(values) != n:
            raise ValueError(f"X has {counted(n, 'row')}, and y has the shape {values.shape}")
        if values.size:
            self._number(values.min())
        if names and isinstance(self._form, tuple) and set(names) == set(self._form):
            values = np.ascontiguousarray(values[:, [names.index(name) for name in self._form]])
            names = list(self._form)
        rows = NumbersOfRows(values, names)
        if n:
            self._checked_form(rows[0])
        return rows


class ByName(tuple[float, ...]):
    """Targets of a dict, in the order of their names: no tuple of a user's is taken for them."""


class NumbersOfRows:
    """Targets of the rows of a table, (n,) or (n, n_targets); names, if they are a frame's."""

    def __init__(self, values: NDArray[np.float64], names: list[Any]) -> None:
        self.values, self.names = values, names if values.ndim == 2 else []

    def __getitem__(self, row: int) -> Target:
        numbers: Any = self.values[row].tolist()
        return dict(zip(self.names, numbers, strict=True)) if self.names else numbers

    def numbers(self, labels: None) -> NDArray[np.float64]:
        """Return all of them."""
        return self.values

    def note_row(self, row: int, labels: None) -> None:
        """Do nothing: numbers need no places."""
