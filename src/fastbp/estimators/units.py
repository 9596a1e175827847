"""`Units`: the units in which an estimator's network sees rows and targets, and their way back."""

from __future__ import annotations

import dataclasses
import functools
import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from .. import _core
from .._messages import counted, level_of_caller
from ..network import Network
from ..network.arrays import check_finite
from ..network.scaling import (
    FAR,
    FEW,
    LIMIT,
    Moments,
    NonzeroMoments,
    Scaling,
    UnitsTrace,
    as_dense,
    quantiles,
    scaling_of_columns,
    squeezed_by_few,
)
from ..network.tables import LOSSES
from .csr import to_csr_if_sparse

# In scaled units: what a target, or in a stream an error, counts as at most, where a few are so
# much larger that they, or their steps, would ruin the rest.
MOST_ERROR = float(FAR)
RUINOUS = 50.0  # standard deviations from the mean, where the others have not lost their spread
MAX_KEPT = 2**21  # values of scaled rows that are kept, since each epoch reads them
AnyMoments = Moments | NonzeroMoments
RowsState = tuple[float, NDArray[np.float64], NDArray[np.float64] | None]
AllMoments = tuple[AnyMoments, Moments | None]  # of inputs and targets
NORMAL_DEVIATION = math.sqrt(math.pi / 2)  # standard deviations in a mean absolute deviation


@dataclasses.dataclass(frozen=True, eq=False)
class Units:
    """How inputs are scaled, and targets, if they are.

    Attributes
    ----------
    inputs : Scaling
    targets : Scaling or None
        None: they are classes.
    loss : str
    limit : float
        Of the inputs: infinity for a linear model.
    most : ndarray of float64 of shape (n_outputs,), or None
        What a scaled target of a fit counts as at most; None for no limit.
    constant : ndarray of bool of shape (n_outputs,), or None
        Of which outputs all targets of a fit are equal.
    """

    inputs: Scaling
    targets: Scaling | None = None
    loss: str = "log_loss"
    limit: float = LIMIT
    most: NDArray[np.float64] | None = None
    constant: NDArray[np.bool_] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def of_row(self, dtype: np.dtype[Any]) -> _core.RowUnits | None:
        """Return what scales single dense rows of the dtype, in a microsecond, if there is that."""
        if dtype not in self._of_rows:
            inputs, targets = (
                None if one is None else np.stack([one.center] * 5 + [one.scale])
                for one in (self.inputs, self.targets)
            )
            assert inputs is not None
            self._of_rows[dtype] = _core.RowUnits(
                dtype, self.inputs.limit, LOSSES[self.loss].by_mean, 0.0, False, inputs, targets
            )
        return self._of_rows[dtype]

    @functools.cached_property
    def _of_rows(self) -> dict[np.dtype[Any], _core.RowUnits]:
        return {}

    def as_seen(self, X: Any) -> Any:
        """Return X as an array, if it is a CSR matrix whose zeros do not stay zeros."""
        return as_dense(X) if issparse(X) and self.inputs.has_centers else X

    def kept(self, rows: _core.Rows, batch_size: int = 1) -> _core.Rows:
        """Return scaled rows: a copy of few ones, others as they are scaled when they are read.

        Batches of a CSR matrix are read from a copy.
        """
        in_batches = rows.sparse and batch_size > 1
        is_copied = in_batches or rows.n * rows.values_per_row <= MAX_KEPT
        return rows.plain(0, rows.n) if is_copied else rows

    def trace(self, X: Any, targets: NDArray[Any]) -> UnitsTrace:
        """Return how the only row of X and its targets are scaled."""
        x = (X.toarray() if issparse(X) else X)[0]
        y = center = scale = None
        if self.targets is not None:
            y = np.asarray(targets, np.float64).reshape(1, -1)[0]
            center, scale = self.targets.center, self.targets.scale
        own = self.inputs
        return UnitsTrace(x, own.center, own.scale, own.limit, y, center, scale)

    def with_rows(
        self, X: Any, targets: NDArray[Any], weights: NDArray[np.float64] | None = None
    ) -> Units:
        """Return the units with more rows, for partial_fit; after `fit` they stay as they are."""
        return self

    def scaled_targets(self, targets: NDArray[Any]) -> NDArray[Any]:
        """Return targets, (n,) or (n, n_outputs), as the network takes them."""
        if self.targets is None:
            return targets
        columns = np.asarray(targets, np.float64).reshape(len(targets), -1)
        center, scale = self.targets.center, self.targets.scale
        return ((columns - center) / scale).reshape(targets.shape)

    def targets_of_fit(self, targets: NDArray[Any]) -> NDArray[Any]:
        """Return `scaled_targets`, those far beyond all others as far as `most` says."""
        scaled = self.scaled_targets(targets)
        if self.most is None:
            return scaled
        return np.clip(scaled, *(side if scaled.ndim > 1 else side[0] for side in self._sides()))

    def _sides(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        assert self.most is not None
        return -self.most, self.most

    def within_reach(self, network: Network, X: Any, targets: Any) -> Any:
        """Return scaled targets of a stream, of which errors, and so steps, are not beyond all.

        Parameters
        ----------
        network : Network
            As it is before the step.
        X : ndarray of shape (n_features,) or (n, n_features), or CSR matrix
            Not scaled.
        targets : ndarray of shape (n,) or (n, n_outputs)
        """
        if not LOSSES[self.loss].grows or not (np.abs(targets) > MOST_ERROR).any():
            return targets
        return self.near(network, self.inputs.transform(X), targets)

    def near(self, network: Network, scaled_X: Any, targets: Any) -> Any:
        """Return `within_reach` for rows that are scaled, or one of them, (n_features,)."""
        if not LOSSES[self.loss].grows:  # among others labels
            return targets
        if isinstance(targets, float):
            if abs(targets) <= MOST_ERROR:
                return targets
            output = float(network.forward(scaled_X)[0])
            return min(max(targets, output - MOST_ERROR), output + MOST_ERROR)
        far = np.abs(targets) > MOST_ERROR
        if not far.any():
            return targets
        outputs = network.forward(scaled_X).reshape(targets.shape)
        near = np.clip(targets, outputs - MOST_ERROR, outputs + MOST_ERROR)
        return np.where(far, near, targets)

    def outputs(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return outputs, (n, n_outputs) or (n_outputs,), in the units of the targets."""
        return outputs if self.targets is None else self.targets.inverse(outputs)


class RunningUnits(Units):
    """Units of a stream, by the moments of its rows so far: single rows change them in place.

    Parameters
    ----------
    moments : pair of Moments or NonzeroMoments, and Moments or None
        Of inputs and targets.
    loss : str
    limit : float
    dtype : dtype
        Of rows.
    """

    def __init__(self, moments: AllMoments, loss: str, limit: float, dtype: np.dtype[Any]) -> None:
        (of_inputs, of_targets), counts = moments, LOSSES[loss].by_mean
        inputs, targets, rows = of_inputs.scaling(limit), None, None
        if of_targets is not None:
            center, scale = of_targets.mean, _without_infinities(of_targets.deviation())
            if counts:
                center, scale = np.zeros(len(center)), np.where(center > 0, center, 1.0)
            targets = Scaling(center, scale)
        if isinstance(of_inputs, Moments):
            numbers = np.vstack([of_inputs.stacked(), inputs.center, inputs.scale])
            others = None
            if of_targets is not None and targets is not None:
                others = np.vstack([of_targets.stacked(), targets.center, targets.scale])
            rows = _core.RowUnits(dtype, limit, counts, of_inputs.weight, True, numbers, others)
        self.__dict__.update(loss=loss, limit=limit, _dtype=dtype, _rows=rows)
        self.__dict__.update(_moments=moments, _scalings=(inputs, targets))

    @property
    def inputs(self) -> Scaling:
        """How inputs are scaled now."""
        scaling: Scaling = self._now()["_scalings"][0]
        return scaling

    @property
    def targets(self) -> Scaling | None:
        """How targets are scaled now."""
        scaling: Scaling | None = self._now()["_scalings"][1]
        return scaling

    def of_row(self, dtype: np.dtype[Any]) -> _core.RowUnits | None:
        """Return what scales single dense rows and counts them; None after a CSR matrix."""
        rows: _core.RowUnits | None = self.__dict__["_rows"]
        return rows if dtype == self.__dict__["_dtype"] else None

    def with_rows(
        self, X: Any, targets: NDArray[Any], weights: NDArray[np.float64] | None = None
    ) -> Units:
        """Return the units with more rows."""
        own = self._now()
        moments = _with_rows(own["_moments"], X, targets, weights)
        return RunningUnits(moments, self.loss, self.limit, own["_dtype"])

    def saved(self) -> dict[str, Any]:
        """Return all that they are: the moments, and what `of_rows` takes, if it can.

        Returns
        -------
        dict
            ``dtype``; ``moments`` of inputs and targets; ``rows``: weight, inputs and targets, or
            None after a CSR matrix.
        """
        own = self._now()
        rows = None if own["_rows"] is None else own["_rows"].state()
        return {"dtype": own["_dtype"], "moments": own["_moments"], "rows": rows}

    @classmethod
    def of_rows(
        cls,
        weight: float,
        inputs: NDArray[np.float64],
        targets: NDArray[np.float64] | None,
        loss: str,
        limit: float,
        dtype: np.dtype[Any],
    ) -> RunningUnits:
        """Return the units of dense rows that were saved, to the bit.

        Parameters
        ----------
        weight : float
        inputs, targets : ndarray of float64 of shape (6, n_columns)
            Moments, center and scale, as `_core.RowUnits` has them.
        loss, limit, dtype
            As of the constructor.
        """
        units = cls.__new__(cls)
        units._set_rows((weight, inputs, targets), loss, limit, np.dtype(dtype))
        return units

    def _set_rows(self, rows: RowsState, loss: str, limit: float, dtype: np.dtype[Any]) -> None:
        weight, inputs, targets = rows
        compiled = _core.RowUnits(dtype, limit, LOSSES[loss].by_mean, weight, True, inputs, targets)
        self.__dict__.update(loss=loss, limit=limit, _dtype=dtype, _rows=compiled)
        nothing = Moments.of_nothing(inputs.shape[1])  # which `_now` finds to be out of date
        self.__dict__.update(_moments=(nothing, None), _scalings=(None, None))
        self._now()

    def __getstate__(self) -> dict[str, Any]:
        state = self.saved() | {"loss": self.loss, "limit": self.limit}
        name = "rows" if state["rows"] is None else "moments"  # one of the two makes the other
        return {**state, name: None, "dtype": state["dtype"].name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        own = state["loss"], state["limit"], np.dtype(state["dtype"])
        if state["rows"] is not None:
            self._set_rows(state["rows"], *own)
        else:
            RunningUnits.__init__(self, tuple(state["moments"]), *own)

    def _now(self) -> dict[str, Any]:
        """Return the attributes, as the single rows so far have made them."""
        own, rows = self.__dict__, self.__dict__["_rows"]
        if rows is not None and rows.weight != own["_moments"][0].weight:
            weight, inputs, targets = rows.state()
            of_targets = scaling = None
            if targets is not None:
                of_targets = Moments(weight, *targets[:4])
                scaling = Scaling(targets[4], targets[5])
            own["_moments"] = Moments(weight, *inputs[:4]), of_targets
            own["_scalings"] = Scaling(inputs[4], inputs[5], self.limit), scaling
        return own


def check_numbers(X: Any) -> None:
    """Refuse what is not finite, which `Scaling` would bound."""
    if issparse(X):
        check_finite("X.data", X.data)
    else:
        check_finite("X", X)


def units_of(
    X: Any,
    targets: NDArray[Any],
    weights: NDArray[np.float64] | None,
    loss: str,
    limit: float = LIMIT,
) -> Units:
    """Return the units for a fit on these rows."""
    as_csr = X if issparse(X) else to_csr_if_sparse(X)  # one model for both forms of a table
    if issparse(as_csr):
        inputs = NonzeroMoments.of_nothing(X.shape[1]).updated(as_csr).scaling(limit)
    else:
        inputs = scaling_of_columns(X, weights, limit)
    scaling = scaling_of_targets(targets, weights, loss)
    if scaling is None:
        return Units(inputs, None, loss, limit)
    columns = np.asarray(targets, np.float64).reshape(len(targets), -1)
    counted = columns if weights is None else columns[weights > 0]
    constant = (counted == counted[:1]).all(axis=0)
    most = _most_of_targets(columns, weights, scaling, warns=LOSSES[loss].grows)
    return Units(inputs, scaling, loss, limit, most, constant)


def running_units(
    X: Any,
    targets: NDArray[Any],
    weights: NDArray[np.float64] | None,
    loss: str,
    limit: float = LIMIT,
) -> Units:
    """Return the units for the first call of partial_fit, which those that follow keep up."""
    n_outputs = 1 if targets.ndim == 1 else targets.shape[1]
    of_targets = None if LOSSES[loss].scaled_by is None else Moments.of_nothing(n_outputs)
    kind = NonzeroMoments if issparse(X) else Moments
    of_inputs: AnyMoments = kind.of_nothing(X.shape[1])
    moments = _with_rows((of_inputs, of_targets), X, targets, weights)
    return RunningUnits(moments, loss, limit, X.dtype)


def _with_rows(
    moments: AllMoments, X: Any, targets: NDArray[Any], weights: NDArray[np.float64] | None
) -> AllMoments:
    """Return the moments of inputs and targets with more rows."""
    inputs, of_targets = moments
    update = inputs.updated if isinstance(inputs, NonzeroMoments) else inputs.updated_by_call
    inputs = update(X, weights)
    if of_targets is not None:
        columns = np.asarray(targets, np.float64).reshape(len(targets), -1)
        of_targets = of_targets.updated_by_call(columns, weights)
    return inputs, of_targets


def scaling_of_targets(
    targets: NDArray[Any], weights: NDArray[np.float64] | None, loss: str
) -> Scaling | None:
    """Return the scaling of a regressor's targets, (n,) or (n, n_outputs), by its loss.

    See `Loss.scaled_by`. Each output has its own.
    """
    if LOSSES[loss].scaled_by is None:
        return None
    y = np.asarray(targets, np.float64).reshape(len(targets), -1)
    if LOSSES[loss].grows:
        moments = Moments.of_nothing(y.shape[1]).updated(y, weights)
        center, scale = moments.mean.copy(), _without_infinities(moments.deviation())
    else:
        center = np.array([quantiles(column, (0.5,), weights)[0] for column in y.T])
        spread = np.average(np.abs(y - center), axis=0, weights=weights) * NORMAL_DEVIATION
        scale = np.where(spread > 0, spread, 1.0)
    for k, column in enumerate(y.T):
        middle = squeezed_by_few(column, scale[k], weights)
        if middle is not None:
            center[k], scale[k] = middle
            if LOSSES[loss].by_mean:
                near = np.abs(column - center[k]) <= RUINOUS * scale[k]
                own = None if weights is None else weights[near]
                center[k] = np.average(column[near], weights=own)
        if (column == column[0]).all():
            center[k] = column[0]  # to the bit
    if LOSSES[loss].by_mean:
        return Scaling(np.zeros(y.shape[1]), np.where(center > 0, center, 1.0))
    return Scaling(center, scale)


def _most_of_targets(
    y: NDArray[np.float64], weights: NDArray[np.float64] | None, scaling: Scaling, *, warns: bool
) -> NDArray[np.float64] | None:
    """Return what scaled targets, of y (n, n_outputs), count as at most: the largest other one."""
    most = np.full(y.shape[1], math.inf)
    for k, column in enumerate(y.T):
        center, scale = scaling.center[k], scaling.scale[k]
        sizes = np.abs(column - center) / scale
        far = sizes > RUINOUS
        if not far.any() or np.count_nonzero(far) > max(1, FEW * len(y)):
            continue
        most[k] = sizes[~far].max(initial=1)
        if weights is not None:
            far &= weights > 0
        if warns and far.any():
            sizes = np.where(far, sizes, 0)
            row, n_others = int(sizes.argmax()), int(np.count_nonzero(far)) - 1
            counts_as = center + math.copysign(most[k] * scale, y[row, k] - center)
            _warn_of_huge_target(y[:, k], row, k if y.shape[1] > 1 else None, n_others, counts_as)
    return most if np.isfinite(most).any() else None


def _warn_of_huge_target(
    y: NDArray[np.float64], row: int, output: int | None, n_others: int, counts_as: float
) -> None:
    where = f"y[{row}]" if output is None else f"y[{row}, {output}]"
    others = f" (and {counted(n_others, 'other target')} are as far away)" if n_others else ""
    lower, upper = quantiles(y, (0.25, 0.75))
    warnings.warn(
        f"{where} is {y[row]:.4g}{others}, but half of all targets lie between {lower:.4g} and "
        f"{upper:.4g}. It would decide the units and the steps of all others, so it counts as "
        f"{counts_as:.4g} in training. If it is an error, correct it or leave the row out. If not, "
        "train on a function of y, such as its logarithm "
        '(sklearn.compose.TransformedTargetRegressor), or with loss="absolute_error".',
        stacklevel=level_of_caller(),
    )


def _without_infinities(scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 for the scale of constant targets, which the network then is to predict as 0."""
    return np.where(np.isinf(scale), 1.0, scale)
