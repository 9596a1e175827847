"""`applied`: a model's predictions for a collection of Dask, lazily."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .partitions import check_columns_whole, is_array, is_frame


def applied(model: Any, method: str, X: Any, at_once: Callable[[Any], Any]) -> Any:
    """Return what a method makes of rows: of a collection of Dask one as lazy, of like partitions.

    Parameters
    ----------
    model : estimator
    method : str
        Of the estimator of one process.
    X : rows of this process, array or DataFrame of Dask, or list of delayed blocks
    at_once : callable
        The method for rows of this process.
    """
    if is_array(X):
        return _of_array(model, method, X)
    if is_frame(X):
        return _of_frame(model, method, X)
    if isinstance(X, list) and X and hasattr(X[0], "key"):
        import dask

        lazy = dask.delayed(predicted, pure=True)
        local = dask.delayed(model.to_local())
        return [lazy(block, local, method) for block in X]
    return at_once(X)


def predicted(block: Any, model: Any, method: str) -> Any:
    """Return what a method makes of a block, which may have no rows."""
    if block.shape[0]:
        return getattr(model, method)(block)
    return _nothing(model, method)


def _nothing(model: Any, method: str) -> Any:
    """Return the prediction for no rows."""
    row = np.zeros((1, model.n_features_in_), model.network_.dtype)
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        import pandas

        row = pandas.DataFrame(row, columns=names)
    return getattr(model, method)(row)[:0]


def _of_array(model: Any, method: str, X: Any) -> Any:
    import dask

    check_columns_whole(X)
    local = model.to_local()
    if X.shape[1] != local.n_features_in_ and not np.isnan(X.shape[1]):
        raise ValueError(
            f"X has {X.shape[1]} features, but the model was fitted with {local.n_features_in_}"
        )
    meta = _nothing(local, method)
    how: dict[str, Any] = (
        {"drop_axis": 1} if meta.ndim == 1 else {"chunks": (X.chunks[0], (meta.shape[1],))}
    )
    held = dask.delayed(local)
    return X.map_blocks(predicted, held, method, dtype=meta.dtype, meta=meta, **how)


def _of_frame(model: Any, method: str, X: Any) -> Any:
    local = model.to_local()
    meta = _as_frame(_nothing(local, method), X._meta.index[:0], local)
    return X.map_partitions(_predicted_frame, local, method, meta=meta)


def _predicted_frame(frame: Any, model: Any, method: str) -> Any:
    return _as_frame(predicted(frame, model, method), frame.index, model)


def _as_frame(values: Any, index: Any, model: Any) -> Any:
    """Return predictions with the index of their rows."""
    import pandas

    if values.ndim == 1:
        return pandas.Series(values, index=index)
    names = getattr(model, "classes_", range(values.shape[1]))
    return pandas.DataFrame(values, index=index, columns=list(names))
