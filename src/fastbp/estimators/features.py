"""X as estimators take it: names in order, numbers in every column, errors that name the column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from .._printable import printable
from ..network.arrays import as_numbers, check_finite
from ..network.frames import (
    NOT_FRAMES,
    Frame,
    frame_of,
    is_pandas_frame,
    is_pandas_series,
    plain_numbers,
    refuse_pandas_dates,
)
from ..network.sparse import with_private_indices

FLOATS = (np.float64, np.float32)
NUMBERS = (float, int, np.floating, np.integer, np.bool_)  # bool is an int
OPTIONS: dict[str, Any] = {"accept_sparse": "csr", "ensure_all_finite": False}


def checked_features(
    estimator: Any, X: Any, dtype: np.dtype[Any] | None = None, *, allow_nan: bool = False
) -> Any:
    """Return X as a float array or CSR matrix, without a copy where it is one.

    Parameters
    ----------
    estimator : estimator
        Whose features X must have, names included, if there is a dtype.
    X : array-like, frame or sparse matrix
    dtype : dtype, default=None
        That of the network of a fitted estimator; None takes float32 or float64 from X.
    allow_nan : bool, default=False

    Raises
    ------
    ValueError, TypeError
        For what cannot be used. Whether the values of an array are finite is left to the network;
        in a frame that has names the column of a gap is named.
    """
    if isinstance(X, (str, bytes)) or hasattr(X, "__fspath__"):
        raise ValueError(
            f"X must hold numbers, a row for each sample; got the text {str(X)!r}. Read a file "
            "first, for instance with pandas.read_csv"
        )
    if issparse(X):
        X = with_private_indices(X)
    frame = frame_of(X)
    if frame is not None:
        return _checked_frame(estimator, X, frame, dtype, allow_nan)
    try:
        if dtype is not None:
            return validate_data(estimator, X, reset=False, dtype=dtype, **OPTIONS)
        return check_array(X, input_name="X", estimator=estimator, dtype=FLOATS, **OPTIONS)
    except OverflowError as error:  # of whole numbers of hundreds of digits
        raise ValueError(f"X must hold numbers that a float can hold: {error}") from error
    except ValueError as error:
        if str(error).startswith("Complex data not supported"):  # and the whole of it
            raise ValueError(f"Complex data not supported: X holds {X.dtype}") from None
        if "convert string" not in str(error):
            raise
        raise ValueError(
            f"X must hold numbers: {error}. Encode text first, for instance with "
            "sklearn.preprocessing.OneHotEncoder."
        ) from error


def _checked_frame(
    estimator: Any, X: Any, frame: Frame, dtype: np.dtype[Any] | None, allow_nan: bool
) -> Any:
    if dtype is not None:  # names first: without them nothing else in it means anything
        validate_data(estimator, X, reset=False, skip_check_array=True)
    is_pandas = is_pandas_frame(X)
    if is_pandas:
        refuse_pandas_dates("X", X)  # of some of which NumPy makes numbers
    options = {**OPTIONS, "input_name": "X", "estimator": estimator, "dtype": dtype or FLOATS}
    try:
        checked = check_array(X if is_pandas else frame.numbers("X"), **options)
    except (TypeError, ValueError):
        checked = check_array(frame.numbers("X"), **options)  # which names the column
    if frame.has_names and not issparse(checked):
        check_finite("X", checked, columns=frame.names, allow_nan=allow_nan)
    return checked


def takes_gaps(model: Any) -> bool:
    """Whether a fitted model takes rows with NaN."""
    return model._gaps is not None


def has_one_row(X: Any) -> bool:
    """Whether X has a length, and it is 1."""
    try:
        return len(X) == 1
    except TypeError:  # a sparse matrix among others
        return False


def plain_list(X: Any) -> NDArray[Any] | None:
    """Return rows in lists as an array, if there is nothing in them but numbers."""
    try:
        array = np.asarray(X)
    except (TypeError, ValueError, OverflowError):  # among others rows of different lengths
        return None
    return array if array.dtype.kind in "fiub" else None


def plain_features(model: Any, X: Any) -> NDArray[Any] | None:
    """Return X as an array, if a glance shows that a fitted model's checks would take it so.

    None is for all that they would convert in another way, warn of or refuse.
    """
    network, names = model.network_, model.__dict__.get("feature_names_in_")
    if type(X) is np.ndarray:
        array = X if names is None and X.dtype.kind in "fiub" else None
    elif type(X) is list or type(X) is tuple:
        array = plain_list(X) if names is None else None
    else:
        names = None if names is None else names.tolist()
        array = plain_numbers(X, names, network.dtype)
        if array is not None:
            check_finite("X", array, columns=names, allow_nan=takes_gaps(model))
    if array is None or array.ndim != 2 or not len(array):
        return None
    if array.shape[1] != model.n_features_in_:
        return None
    return array if array.dtype == network.dtype else as_numbers("X", array, network.dtype)


def named_features(model: Any, x: Any) -> NDArray[Any] | None:
    """Return one row that has names, (n_features,), as the fitted model takes it.

    Parameters
    ----------
    model : estimator
    x : Series, mapping, named tuple or frame of one row
        Names are checked as those of a frame are, but for a mapping, which has no order, and a
        named tuple: they are read by name.

    Returns
    -------
    ndarray, or None for a row without names
    """
    if isinstance(x, Mapping):
        return _row_of_mapping(model, x)
    if isinstance(x, tuple) and hasattr(x, "_asdict") and "feature_names_in_" in model.__dict__:
        return _row_of_mapping(model, x._asdict())  # such as of itertuples(index=False)
    if is_pandas_series(x):
        return _row_of_series(model, x)
    if isinstance(x, NOT_FRAMES) or not has_one_row(x):
        return None
    plain = plain_features(model, x)
    if plain is None and frame_of(x) is not None:
        plain = checked_features(model, x, model.network_.dtype, allow_nan=takes_gaps(model))
    return None if plain is None else plain[0]


def _row_of_series(model: Any, x: Any) -> NDArray[Any] | None:
    found, names = x.index, model.__dict__.get("feature_names_in_")
    if names is not None and found.tolist() == names.tolist():
        values: NDArray[Any] = x.to_numpy()
        if values.dtype.kind == "O" and all(isinstance(value, NUMBERS) for value in values.flat):
            values = values.astype(np.float64)  # as of a row whose columns differ in type
        if values.dtype.kind in "fiub":
            return _finite_row(model, values, names)
    if found.inferred_type == "integer":  # numbers of the columns, which are no names
        return None
    dtype, allow_nan = model.network_.dtype, takes_gaps(model)
    row: NDArray[Any] = checked_features(model, x.to_frame().T, dtype, allow_nan=allow_nan)[0]
    return row


def _row_of_mapping(model: Any, x: Mapping[Any, Any]) -> NDArray[Any]:
    names = model.__dict__.get("feature_names_in_")
    if names is None:
        raise ValueError(
            "x names its features, but this model was fitted without names: pass the values in "
            "the order of the columns"
        )
    names = names.tolist()
    if len(x) != len(names) or not all(name in x for name in names):
        raise ValueError(_difference(x, names))
    values = np.array([x[name] for name in names])
    if values.dtype.kind not in "fiub" or values.ndim != 1:
        columns = [np.array([x[name]]) for name in names]
        values = Frame(names, 1, lambda: iter(columns)).numbers("x")[0]
    return _finite_row(model, values, names)


def _finite_row(model: Any, values: NDArray[Any], names: Sequence[str]) -> NDArray[Any]:
    """Return a row as the network takes it."""
    with np.errstate(over="ignore"):  # infinity is found as such
        row = np.ascontiguousarray(values, dtype=model.network_.dtype)
    check_finite("x", row[np.newaxis], columns=names, allow_nan=takes_gaps(model))
    return row


def _difference(x: Mapping[Any, Any], names: list[str]) -> str:
    """Return how names differ from those of the model, in the words of scikit-learn."""
    message = "The feature names should match those that were passed during fit.\n"
    for heading, listed in (
        ("Feature names unseen at fit time", sorted(set(x) - set(names), key=str)),
        ("Feature names seen at fit time, yet now missing", sorted(set(names) - set(x))),
    ):
        shown = [f"- {printable(str(name))}" for name in listed[:5]] + ["- ..."] * (len(listed) > 5)
        message += "\n".join([f"{heading}:", *shown, ""]) if listed else ""
    return message
