"""What may be given as rows, as a list of partitions; nothing is computed here."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._messages import counted
from ..network.frames import frame_of

# Of rows that lie in this process: parts to send to workers, of so many rows at least.
MAX_PARTS, MIN_ROWS = 8, 1000


@dataclasses.dataclass(frozen=True)
class Partition:
    """Where the rows of a partition come from: delayed, or at hand.

    ``y`` is None where X is a pair (X, y), a path, or a table with the column ``target``.
    """

    X: Any
    y: Any = None
    weights: Any = None
    target: Any = None


def is_collection(data: Any) -> bool:
    """Whether data are a collection of Dask: an array, a frame, a series, a bag."""
    return hasattr(data, "__dask_graph__") and not hasattr(data, "key")


def is_frame(data: Any) -> bool:
    """Whether data are a frame of Dask."""
    return is_collection(data) and hasattr(data, "map_partitions") and hasattr(data, "columns")


def is_array(data: Any) -> bool:
    """Whether data are an array of Dask."""
    return is_collection(data) and hasattr(data, "numblocks")


def is_distributed(data: Any) -> bool:
    """Whether data are anything but rows of this process: collections, blocks, paths."""
    return is_collection(data) or _is_blocks(data)


def _is_blocks(data: Any) -> bool:
    if not isinstance(data, list) or not data:
        return False
    first = data[0]
    is_delayed = hasattr(first, "key")  # Delayed, Future
    is_pair = isinstance(first, tuple) and len(first) in (2, 3) and hasattr(first[0], "shape")
    return is_delayed or is_pair or _is_path(first) or frame_of(first) is not None


def _is_path(data: Any) -> bool:
    return isinstance(data, str) or hasattr(data, "__fspath__")


def partitions_of(X: Any, y: Any = None, weights: Any = None) -> list[Partition]:
    """Return the partitions of whatever is given as rows.

    Raises
    ------
    ValueError, TypeError
        For what cannot be trained on, such as an array that is chunked by columns.
    """
    if is_array(X):
        return _of_array(X, y, weights)
    if is_frame(X):
        return _of_frame(X, y, weights)
    if is_collection(X):
        return _of_bag(X, y, weights)
    if _is_blocks(X):
        return _of_blocks(X, y, weights)
    if _is_path(X):
        return _of_blocks([X], y, weights)
    return _of_rows(X, y, weights)


def check_columns_whole(X: Any) -> None:
    """Refuse an array of Dask whose blocks do not have whole rows."""
    if X.ndim != 2:
        raise ValueError(f"X must have two dimensions, (rows, features); got {X.ndim}")
    if X.numblocks[1] > 1:
        raise ValueError(
            f"X is chunked along columns, into {X.numblocks[1]} blocks: {X.chunks[1]}. A row must "
            "lie in one block: rechunk with X.rechunk({0: 'auto', 1: -1}), as dask.array says it: "
            "-1 is one chunk along the whole of the axis"
        )


def _of_array(X: Any, y: Any, weights: Any) -> list[Partition]:
    check_columns_whole(X)
    blocks = X.to_delayed()[:, 0].tolist()
    ys = _aligned("y", y, X, len(blocks))
    ws = [None] * len(blocks)
    if weights is not None:
        ws = _aligned("sample_weight", weights, X, len(blocks))
    return [Partition(*one) for one in zip(blocks, ys, ws, strict=True)]


def _of_frame(X: Any, y: Any, weights: Any) -> list[Partition]:
    if y is None:
        raise TypeError('y must be the targets, or the name of the column that is, such as "price"')
    parts = _parts(X)
    if _is_name(y) or isinstance(y, list):
        names = y if isinstance(y, list) else [y]
        absent = [name for name in names if name not in X.columns]
        if absent:
            raise ValueError(f"X has no column {absent[0]!r}; it has {list(X.columns)[:10]}")
        ws = _aligned("sample_weight", weights, X, len(parts))
        return [Partition(one, None, w, y) for one, w in zip(parts, ws, strict=True)]
    ys, ws = (_aligned(*one, X, len(parts)) for one in (("y", y), ("sample_weight", weights)))
    return [Partition(*one) for one in zip(parts, ys, ws, strict=True)]


def _is_name(y: Any) -> bool:
    return isinstance(y, str)


def _of_bag(X: Any, y: Any, weights: Any) -> list[Partition]:
    items = X.compute() if hasattr(X, "npartitions") else None
    if not isinstance(items, list) or not all(map(_is_path, items)):
        raise TypeError(
            f"X is a {type(X).__name__} of Dask: fit takes arrays, frames, lists of delayed blocks "
            "and bags of the paths of Parquet files"
        )
    return _of_blocks(items, y, weights)


def _of_blocks(X: Sequence[Any], y: Any, weights: Any) -> list[Partition]:
    if weights is not None:
        raise ValueError("Give the weights of blocks with them, as (X, y, weights)")
    if y is not None and not _is_name(y) and not isinstance(y, list):
        raise ValueError("Give the targets of blocks with them, as (X, y), or name their column")
    if isinstance(y, list) and len(y) == len(X) and hasattr(y[0], "key"):
        return [Partition(*one) for one in zip(X, y, strict=True)]
    if y is None and any(map(_is_path, X)):
        raise TypeError('y must name the column of the files that is the target, such as "price"')
    return [Partition(one, None, None, y) for one in X]


def _of_rows(X: Any, y: Any, weights: Any) -> list[Partition]:
    """Cut rows of this process into parts."""
    if y is None:
        raise ValueError("y must be the targets, one for each row of X; got None")
    X = X if hasattr(X, "shape") else np.asarray(X)
    if hasattr(X, "tocsr"):
        X = X.tocsr()
    n_rows = int(X.shape[0])
    y = y if hasattr(y, "shape") else np.asarray(y)
    if y.shape[0] != n_rows:
        raise ValueError(f"X has {counted(n_rows, 'row')}, but y has {y.shape[0]}")
    if weights is not None:
        weights = np.asarray(weights)
    n_parts = min(MAX_PARTS, max(1, n_rows // MIN_ROWS))
    edges = [n_rows * k // n_parts for k in range(n_parts + 1)]
    return [
        Partition(
            _rows(X, *pair), _rows(y, *pair), None if weights is None else _rows(weights, *pair)
        )
        for pair in itertools.pairwise(edges)
    ]


def _rows(data: Any, start: int, stop: int) -> Any:
    return data.iloc[start:stop] if hasattr(data, "iloc") else data[start:stop]


def _aligned(name: str, values: Any, X: Any, n: int) -> list[Any]:
    """Return the parts of targets or weights that go with those of X."""
    if values is None and name != "y":
        return [None] * n
    if values is None:
        raise TypeError("y must be the targets, an array of Dask divided as X is; got None")
    if not is_collection(values):
        advice = f": for instance dask.array.from_array({name}, chunks=X.chunks[0])"
        raise TypeError(
            f"{name} must be a collection of Dask, as X is; got {type(values).__name__}"
            f"{advice if is_array(X) else ''}"
        )
    if is_array(values) and is_array(X):
        rows, own = X.chunks[0], values.chunks[0]
        known = not any(math.isnan(size) for size in (*rows, *own))
        if known and sum(rows) != sum(own):
            raise ValueError(f"X has {sum(rows):,} rows, but {name} has {sum(own):,}")
        if known and rows != own:
            values = values.rechunk({0: rows})
        if values.ndim > 1:
            values = values.rechunk({1: -1})
    parts = _parts(values)
    if len(parts) != n:
        raise ValueError(
            f"X has {counted(n, 'partition')}, but {name} has {len(parts)}: divide both alike, "
            "with rechunk or repartition"
        )
    return parts


def _parts(data: Any) -> list[Any]:
    """Return the partitions of targets or of a frame, delayed, as many as the collection has.

    Dask reads several files at once for few columns: partitions of these are not those of others.
    """
    parts = data.to_delayed()
    if hasattr(parts, "ravel"):
        return list(parts.ravel().tolist())
    if len(parts) != data.npartitions:
        parts = data.to_delayed(optimize_graph=False)
    return list(parts)
