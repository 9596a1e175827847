"""Rows that training leaves out, to see how a network does on rows it has not learnt from."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.model_selection import train_test_split
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import validate_data

from .._core import Rows
from .._messages import counted, level_of_caller
from ..network.arrays import as_numbers, blocks_of, blocks_of_rows
from ..network.data import as_weights
from ..network.frames import names_of_columns
from ..training.stopping import Validation
from .features import checked_features
from .gaps import Gaps
from .prepared import EncodedTargets, GivenData, TrainingData, TrainingSetup, ValidationSet

if TYPE_CHECKING:
    from .base import Backprop

FAR = 10  # standard deviations of the rows trained on,
FAR_SHARE = 0.1  # which so many of the rows held out are away in a column
SHIFTED = 5  # or so many is the mean of the rows held out away in a column,
MOSTLY_SHIFTED = 2.5  # or so many in at least half of the columns
FEW_NUMBERS = 10  # of a sparse column, or rows, which say little about units

Moments = tuple[NDArray[np.float64], NDArray[np.float64]]  # of each column: mean, deviation


def held_out_rows(
    order: NDArray[np.int64],
    fraction: float,
    seed: int,
    weights: NDArray[np.float64] | None,
    classes: NDArray[np.intp] | None,
) -> NDArray[np.int64]:
    """Return the numbers of a share of the rows, ascending.

    Parameters
    ----------
    order : ndarray of int64
        All rows. The same rows in the same order are divided alike.
    fraction : float in (0, 1)
    seed : int
    weights : ndarray of shape (n_rows,), or None
        Rows of weight 0 are not held out: they would show nothing.
    classes : ndarray of int of shape (n_rows,), or None
        Of each class the same share is held out.

    Raises
    ------
    ValueError
        If there are too few rows, or too few of a class.
    """
    eligible = order if weights is None else order[weights[order] > 0]
    try:
        _, held_out = train_test_split(
            eligible,
            test_size=fraction,
            random_state=seed,
            stratify=None if classes is None else classes[eligible],
        )
    except ValueError as error:
        raise ValueError(
            f"early_stopping cannot hold out validation_fraction={fraction:g} of "
            f"{counted(len(eligible), 'row')}: {error} Choose another validation_fraction, or "
            "hold out rows yourself and pass them to fit as X_val and y_val."
        ) from error
    return np.sort(held_out)


def rows_to_hold_out(
    model: Backprop, order: NDArray[np.int64], seed: int, setup: TrainingSetup
) -> NDArray[np.int64] | None:
    """Return the numbers of the rows to hold out; None where none are, or can be."""
    if not setup.settings.holds_out:
        return None
    classes = model._classes_to_divide(setup.encoded)
    fraction, weights = model.validation_fraction, setup.encoded.sample_weight
    try:
        return held_out_rows(order, fraction, seed, weights, classes)
    except ValueError:
        if not setup.settings.by_loss:
            raise
    try:  # a class may have a single row
        return held_out_rows(order, fraction, seed, weights, None)
    except ValueError:
        return None


def validation_of(
    model: Backprop, rows: Rows, encoded: EncodedTargets, setup: TrainingSetup
) -> Validation:
    """Return what says how a network does on these rows."""
    score = None if setup.settings.by_loss else model._score_of(encoded)
    return Validation(rows, score, bool(model.early_stopping), setup.settings.looks)


def explicit_validation_set(X_val: Any, y_val: Any, sample_weight_val: Any) -> ValidationSet | None:
    """Return the validation set that `fit` was given, if it was."""
    if X_val is None and y_val is None and sample_weight_val is None:
        return None
    if X_val is None or y_val is None:
        raise ValueError("Pass X_val and y_val together: a validation set needs both")
    return ValidationSet(X_val, y_val, sample_weight_val)


def with_explicit_validation(
    model: Backprop, X: Any, setup: TrainingSetup, data: TrainingData
) -> TrainingData:
    """Let all networks be looked at on the validation set that `fit` was given with X."""
    held_out, gaps = setup.request.held_out, setup.gaps
    assert held_out is not None
    X_val = checked_like(model, X, held_out.X, setup.network.dtype, gaps)
    validation, given = _explicit_validation(model, X_val, held_out, setup)
    members = [
        dataclasses.replace(one, validation=dataclasses.replace(validation)) for one in data.members
    ]
    both = setup.X, X_val
    if gaps is not None:  # marks have no units
        both = setup.X[:, : len(gaps.means)], X_val[:, : len(gaps.means)]
    warn_of_other_units(X, *both)
    if setup.encoded.classes is None:
        warn_of_other_targets(setup.targets_given, held_out.y)
    return dataclasses.replace(data, members=tuple(members), held_out=given)


def _explicit_validation(
    model: Backprop, X_val: Any, held_out: ValidationSet, setup: TrainingSetup
) -> tuple[Validation, GivenData]:
    """Return the explicit validation set, whose rows are X_val as an array, and these as given."""
    network, units = setup.network, setup.units
    with named_as_held_out():
        check_consistent_length(X_val, held_out.y)
        weights = as_weights(held_out.sample_weight, X_val.shape[0], "sample_weight_val")
        own = model._validation_targets(held_out.y, weights, setup.encoded)
        given = GivenData(X_val, own.targets, own.sample_weight)
        if units is not None:
            own = dataclasses.replace(own, targets=units.targets_of_fit(own.targets))
            X_val = units.as_seen(X_val)
        rows = network._rows(X_val, own.targets, own.sample_weight, needs_y=True)
        if units is not None:
            rows = units.kept(units.inputs.rows(rows, network.dtype))
        return validation_of(model, rows, own, setup), given


@contextlib.contextmanager
def named_as_held_out() -> Iterator[None]:
    """Let errors about X, y or sample_weight speak of X_val, y_val or sample_weight_val."""
    try:
        yield
    except (TypeError, ValueError) as error:
        text = str(error)
        if "X_val" not in text and "y_val" not in text:
            text = re.sub(r"(?<!['\"])\b(X|y|sample_weight)\b(?!['\"])", r"\1_val", text)
            if text == str(error):
                text = f"X_val or y_val: {text}"
        raise (TypeError if isinstance(error, TypeError) else ValueError)(text) from error


def warn_of_other_units(X: Any, checked_X: Any, held_out: Any) -> None:
    """Warn where rows held out are far from those trained on: they were not scaled alike.

    A pipeline scales the X that it hands on to `fit`, but not what it does not know of. Where X is
    sparse, it is the size of the numbers that are not 0 that is compared: how many there are says
    nothing about units.

    Parameters
    ----------
    X : array-like
        As `fit` was given it.
    checked_X, held_out : ndarray or CSR matrix
        X as an array, and X_val.
    """
    if not held_out.shape[0]:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        column = _column_of_other_units(checked_X, held_out)
    if column is None:
        return
    names = names_of_columns(X)
    name = f"column {names[column]!r}" if names else f"column {column}"
    (low, high), (low_val, high_val) = (_range(rows, column) for rows in (checked_X, held_out))
    warnings.warn(
        f"X_val lies far outside of the rows trained on: {name} goes from {low:.4g} to {high:.4g} "
        f"in X, but from {low_val:.4g} to {high_val:.4g} in X_val. If X was scaled, scale X_val "
        'alike; in a pipeline, by transform_input=["X_val"] (see the user guide).',
        stacklevel=level_of_caller(),
    )


def warn_of_other_targets(y: NDArray[Any], y_val: Any) -> None:
    """Warn where the targets of rows held out lie far outside of those trained on.

    What scales the y that it hands on to `fit`, such as a TransformedTargetRegressor, does not know
    of y_val.
    """
    targets = y.reshape(len(y), -1)
    held_out = as_numbers("y_val", y_val, targets.dtype).reshape(-1, targets.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        share = _shares_of_distant(targets, held_out)
    if share.max() < FAR_SHARE:
        return
    column = int(share.argmax())
    (low, high), (low_val, high_val) = (_range(rows, column) for rows in (targets, held_out))
    warnings.warn(
        f"y_val lies far outside of the targets trained on: from {low_val:.4g} to {high_val:.4g}, "
        f"but y goes from {low:.4g} to {high:.4g}. If y was scaled, as by a "
        "TransformedTargetRegressor, scale y_val alike.",
        stacklevel=level_of_caller(),
    )


def _shares_of_distant(
    X: NDArray[Any], held_out: Any, moments: Moments | None = None
) -> NDArray[np.float64]:
    """Return which share of the rows held out is far from the mean, column by column."""
    mean, deviation = moments or _mean_and_deviation(X)
    most, n_far = FAR * deviation, np.zeros(X.shape[1])
    n_rows, n_columns = held_out.shape
    for start, stop in blocks_of(n_rows, n_rows * n_columns * held_out.dtype.itemsize):
        block = held_out[start:stop]
        n_far += (np.abs((block.toarray() if issparse(block) else block) - mean) > most).sum(axis=0)
    return np.where(most > 0, n_far / n_rows, 0)


def _column_of_other_units(X: Any, held_out: Any) -> int | None:
    """Return the column in which rows held out are farthest from those trained on, if far."""
    moments = None if issparse(X) else _mean_and_deviation(X)
    share = (
        _shares_of_large(X, held_out)
        if moments is None
        else _shares_of_distant(X, held_out, moments)
    )
    if share.max() >= FAR_SHARE:
        return int(share.argmax())
    if moments is None or min(len(X), held_out.shape[0]) < FEW_NUMBERS:
        return None
    mean, deviation = moments
    shift = np.abs(np.asarray(held_out.mean(axis=0, dtype=np.float64)).ravel() - mean)
    shifts = np.divide(shift, deviation, out=np.zeros(len(mean)), where=deviation > 0)
    if shifts.max() > SHIFTED or 2 * np.count_nonzero(shifts > MOSTLY_SHIFTED) >= len(shifts):
        return int(shifts.argmax())
    return None


def _mean_and_deviation(X: NDArray[Any]) -> Moments:
    """Return the mean and the standard deviation of each column."""
    mean, squares = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for start, stop in blocks_of_rows(X):
        mean += X[start:stop].sum(axis=0, dtype=np.float64) / len(X)
    for start, stop in blocks_of_rows(X):
        squares += np.square(X[start:stop] - mean).sum(axis=0) / len(X)
    return mean, np.sqrt(squares)


def _shares_of_large(X: Any, held_out: Any) -> NDArray[np.float64]:
    """Return which share of the numbers held out that are not 0 is large, column by column.

    Beside the root mean square of those in X, a CSR matrix. 0 where either has only a few.
    """
    n_columns = X.shape[1]
    n, squares, n_val, n_far = (np.zeros(n_columns) for _ in range(4))
    for columns, values in _nonzeros(X):
        n += np.bincount(columns, minlength=n_columns)
        squares += np.bincount(columns, np.square(values), minlength=n_columns)
    most = FAR * np.sqrt(squares / np.maximum(n, 1))
    for columns, values in _nonzeros(held_out):
        n_val += np.bincount(columns, minlength=n_columns)
        n_far += np.bincount(columns[np.abs(values) > most[columns]], minlength=n_columns)
    return np.where(np.minimum(n, n_val) >= FEW_NUMBERS, n_far / np.maximum(n_val, 1), 0)


def _nonzeros(X: Any) -> Iterator[tuple[NDArray[Any], NDArray[np.float64]]]:
    """Yield the columns and the values of the numbers that are not 0, some at a time."""
    if not issparse(X):
        for start, stop in blocks_of_rows(X):
            block = X[start:stop]
            columns = np.nonzero(block)[1]
            yield columns, block[block != 0].astype(np.float64)
        return
    for start, stop in blocks_of(X.nnz, X.data.nbytes):
        values = X.data[start:stop].astype(np.float64)
        yield X.indices[start:stop][values != 0], values[values != 0]


def _range(X: Any, column: int) -> tuple[float, float]:
    """Return the smallest and the largest number of a column."""
    values = X[:, [column]].toarray() if issparse(X) else X[:, column]
    return values.min(), values.max()


def checked_like(
    estimator: Any, X: Any, X_val: Any, dtype: np.dtype[Any], gaps: Gaps | None = None
) -> Any:
    """Return X_val as an array or CSR matrix, with the features of X, which `fit` was given.

    Filled, if there are gaps.

    Whether its values are finite is left to the network.
    """
    fitted = estimator.__class__.__new__(estimator.__class__)  # the estimator stays as it is
    fitted.__dict__.update(estimator.get_params(deep=False))
    validate_data(fitted, X, skip_check_array=True)
    try:
        with named_as_held_out():
            checked = checked_features(fitted, X_val, dtype, allow_nan=gaps is not None)
            return checked if gaps is None else gaps.filled(checked)
    except ValueError as error:
        text = re.sub(r"^X_val or y_val: ", "X_val: ", str(error))
        raise ValueError(text) from error
