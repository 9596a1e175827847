"""Rows that training leaves out, to see how a network does on rows it has not learnt from."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import validate_data

from ._features import checked_features
from ._frames import names_of_columns
from ._messages import counted

FAR = 10  # standard deviations of the rows trained on,
FAR_SHARE = 0.1  # which so many of the rows held out are away in a column


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


def warn_of_other_units(estimator: Any, X: Any, checked_X: Any, X_val: Any) -> None:
    """Warn where rows held out lie far outside of those trained on: they were not scaled alike.

    A pipeline scales the X that it hands on to `fit`, but not what it does not know of.

    Parameters
    ----------
    estimator : estimator
    X, X_val : array-like
        As `fit` was given them; dense ones are looked at.
    checked_X : ndarray or CSR matrix
        X as an array.
    """
    if issparse(checked_X) or issparse(X_val):
        return
    held_out = checked_like(estimator, X, X_val, checked_X.dtype)
    if issparse(held_out):  # a frame of sparse columns
        return
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = checked_X.mean(axis=0, dtype=np.float64), checked_X.std(axis=0)
        away = np.abs(held_out - mean) > FAR * deviation
    share = np.where(deviation > 0, away.mean(axis=0), 0)
    if not len(held_out) or share.max() < FAR_SHARE:
        return
    column = int(share.argmax())
    names = names_of_columns(X)
    name = f"column {names[column]!r}" if names else f"column {column}"
    low, high = checked_X[:, column].min(), checked_X[:, column].max()
    low_val, high_val = held_out[:, column].min(), held_out[:, column].max()
    warnings.warn(
        f"X_val lies far outside of the rows trained on: {name} goes from {low:.4g} to {high:.4g} "
        f"in X, but from {low_val:.4g} to {high_val:.4g} in X_val. If X was scaled, scale X_val "
        'alike; in a pipeline, by transform_input=["X_val"] (see the user guide).',
        stacklevel=5,
    )


def checked_like(estimator: Any, X: Any, X_val: Any, dtype: np.dtype[Any]) -> Any:
    """Return X_val as an array or CSR matrix, with the features of X, which `fit` was given.

    Whether its values are finite is left to the network.
    """
    fitted = estimator.__class__.__new__(estimator.__class__)  # the estimator stays as it is
    fitted.__dict__.update(estimator.get_params(deep=False))
    validate_data(fitted, X, skip_check_array=True)
    try:
        with named_as_held_out():
            return checked_features(fitted, X_val, dtype)
    except ValueError as error:
        text = re.sub(r"^X_val or y_val: ", "X_val: ", str(error))
        raise ValueError(text) from error
