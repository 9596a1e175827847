"""`Units`: the units in which an estimator's network sees rows and targets, and their way back."""

from __future__ import annotations

import dataclasses
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
from .csr import to_csr_if_sparse

# Losses whose steps grow with the error. In scaled units: what a target, or in a stream an error,
# counts as at most, where a few are so much larger that they, or their steps, would ruin the rest.
GROWING = ("squared_error", "poisson")
MOST_ERROR = float(FAR)
RUINOUS = 50.0  # standard deviations from the mean, where the others have not lost their spread
MAX_KEPT = 2**21  # values of scaled rows that are kept, since each epoch reads them
AnyMoments = Moments | NonzeroMoments
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
    moments : pair of Moments and (Moments or None), or None
        Of inputs and targets, where partial_fit keeps them up.
    most : ndarray of float64 of shape (n_outputs,), or None
        What a scaled target of a fit counts as at most; None for no limit.
    constant : ndarray of bool of shape (n_outputs,), or None
        Of which outputs all targets of a fit are equal.
    """

    inputs: Scaling
    targets: Scaling | None = None
    loss: str = "log_loss"
    limit: float = LIMIT
    moments: tuple[AnyMoments, Moments | None] | None = None
    most: NDArray[np.float64] | None = None
    constant: NDArray[np.bool_] | None = None

    def as_seen(self, X: Any) -> Any:
        """Return X as an array, if it is a CSR matrix whose zeros do not stay zeros."""
        return as_dense(X) if issparse(X) and self.inputs.has_centers else X

    def kept(self, rows: _core.Rows) -> _core.Rows:
        """Return scaled rows: a copy of few ones, others as they are scaled when they are read."""
        n_values = rows.n * rows.values_per_row
        return rows.plain(0, rows.n) if rows.sparse or n_values <= MAX_KEPT else rows

    def row(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return one row, (n_features,), as the network sees it."""
        row: NDArray[Any] = self.inputs.transform(x)
        return row

    def target(self, y: Any) -> Any:
        """Return the target of one row, a number or (n_outputs,), as the network takes it."""
        if self.targets is None:
            return y
        scaled = (y - self.targets.center) / self.targets.scale
        return scaled if isinstance(y, np.ndarray) else float(scaled[0])

    def trace(self, X: Any, targets: NDArray[Any]) -> UnitsTrace:
        """Return how the only row of X and its targets are scaled."""
        x = (X.toarray() if issparse(X) else X)[0]
        y = center = scale = None
        if self.targets is not None:
            y = np.asarray(targets, np.float64).reshape(1, -1)[0]
            center, scale = self.targets.center, self.targets.scale
        own = self.inputs
        return UnitsTrace(x, own.center, own.scale, own.limit, y, center, scale)

    def with_row(self, x: NDArray[Any], y: Any) -> Units:
        """Return the units with one row more, (n_features,), and its target: in microseconds."""
        if self.moments is None:
            return self
        inputs, of_targets = self.moments
        inputs = inputs.with_row(x)
        if of_targets is not None:
            y = y if type(y) is np.ndarray else np.array([y])
            of_targets = of_targets.with_row(y.astype(np.float64, copy=False))
        return _running(inputs, of_targets, self.loss, self.limit)

    def with_rows(
        self, X: Any, targets: NDArray[Any], weights: NDArray[np.float64] | None = None
    ) -> Units:
        """Return the units with more rows, for partial_fit; after `fit` they stay as they are."""
        if self.moments is None:
            return self
        inputs, of_targets = self.moments
        update = inputs.updated if isinstance(inputs, NonzeroMoments) else inputs.updated_by_call
        inputs = update(X, weights)
        if of_targets is not None:
            columns = np.asarray(targets, np.float64).reshape(len(targets), -1)
            of_targets = of_targets.updated_by_call(columns, weights)
        return _running(inputs, of_targets, self.loss, self.limit)

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
            One row for one target; not scaled.
        targets : float, or ndarray of shape (n_outputs,), (n,) or (n, n_outputs)
        """
        if self.targets is None or self.loss not in GROWING:
            return targets
        if isinstance(targets, float):
            if abs(targets) <= MOST_ERROR:
                return targets
            output = float(network.forward(self.inputs.transform(X))[0])
            return min(max(targets, output - MOST_ERROR), output + MOST_ERROR)
        far = np.abs(targets) > MOST_ERROR
        if not far.any():
            return targets
        outputs = network.forward(self.inputs.transform(X)).reshape(targets.shape)
        near = np.clip(targets, outputs - MOST_ERROR, outputs + MOST_ERROR)
        return np.where(far, near, targets)

    def outputs(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return outputs, (n, n_outputs) or (n_outputs,), in the units of the targets."""
        return outputs if self.targets is None else self.targets.inverse(outputs)


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
    most = _most_of_targets(columns, weights, scaling, warns=loss in GROWING)
    return Units(inputs, scaling, loss, limit, None, most, constant)


def running_units(
    X: Any,
    targets: NDArray[Any],
    weights: NDArray[np.float64] | None,
    loss: str,
    limit: float = LIMIT,
) -> Units:
    """Return the units for the first call of partial_fit, which those that follow keep up."""
    n_outputs = 1 if targets.ndim == 1 else targets.shape[1]
    of_targets = None if loss == "log_loss" else Moments.of_nothing(n_outputs)
    kind = NonzeroMoments if issparse(X) else Moments
    of_inputs: AnyMoments = kind.of_nothing(X.shape[1])
    nothing = Scaling(*np.zeros((2, X.shape[1])))
    begin = Units(nothing, None, loss, limit, (of_inputs, of_targets))
    return begin.with_rows(X, targets, weights)


def _running(inputs: AnyMoments, of_targets: Moments | None, loss: str, limit: float) -> Units:
    scaling, moments = inputs.scaling(limit), (inputs, of_targets)
    if of_targets is None:
        return Units(scaling, None, loss, limit, moments)
    center, scale = of_targets.mean, _without_infinities(of_targets.deviation())
    if loss == "poisson":
        center, scale = np.zeros(len(center)), np.where(center > 0, center, 1.0)
    return Units(scaling, Scaling(center, scale), loss, limit, moments)


def scaling_of_targets(
    targets: NDArray[Any], weights: NDArray[np.float64] | None, loss: str
) -> Scaling | None:
    """Return the scaling of a regressor's targets, (n,) or (n, n_outputs), by its loss.

    Counts are divided by their mean. Losses by absolute values take the median and the mean
    absolute difference from it. Each output has its own.
    """
    if loss == "log_loss":
        return None
    y = np.asarray(targets, np.float64).reshape(len(targets), -1)
    if loss in GROWING:
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
            if loss == "poisson":
                near = np.abs(column - center[k]) <= RUINOUS * scale[k]
                own = None if weights is None else weights[near]
                center[k] = np.average(column[near], weights=own)
        if (column == column[0]).all():
            center[k] = column[0]  # to the bit
    if loss == "poisson":
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
