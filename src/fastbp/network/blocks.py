"""Blocks of rows, one after another: chunks, files, partitions and generators, read ahead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .frames import as_narwhals, is_pandas_frame

Block = tuple[Any, Any, Any]  # X, y, and weights or None


class Blocks:
    """Blocks of rows as (X, y, weights), of whatever holds them.

    Parameters
    ----------
    source : iterable, path, dataset of pyarrow, or collection of Dask
        Its items are (X, y), (X, y, weights), or tables that have the target among their columns.
        A path is that of a Parquet file, or of a folder of these.
    target : name of a column, or list of names, default=None
        What y is in tables.
    """

    def __init__(self, source: Any, target: Any = None) -> None:
        if isinstance(source, (tuple, Mapping)) or _is_table(source):
            raise TypeError(
                f"blocks must be several: an iterable of (X, y) or of tables; got "
                f"{type(source).__name__}, which is for fit or partial_fit"
            )
        self.source, self.target = source, target

    @property
    def can_repeat(self) -> bool:
        """Whether there can be more than one pass: not over a generator, or an open file."""
        return not isinstance(self.source, Iterator)

    def check_can_repeat(self) -> None:
        """Refuse to make several passes over an iterator."""
        if not self.can_repeat:
            raise ValueError(
                "n_epochs is more than 1, but blocks is an iterator, which gives one pass: pass "
                "what can be iterated again, such as a list of files or a class with __iter__"
            )

    def __iter__(self) -> Iterator[Block]:
        for part in _parts_of(self.source):
            yield as_block(part, self.target)

    def read_ahead(self) -> Iterator[Block]:
        """Yield the blocks, while a thread gets the next one: two are in memory at most.

        An error in reading is raised where the block would be.
        """
        source = iter(self)
        with ThreadPoolExecutor(1, thread_name_prefix="fastbp-reader") as reader:
            coming = reader.submit(next, source, None)
            try:
                while (block := coming.result()) is not None:
                    coming = reader.submit(next, source, None)
                    yield block
                    del block
            finally:
                coming.cancel()


def _parts_of(source: Any) -> Iterable[Any]:
    if isinstance(source, str) or hasattr(source, "__fspath__"):
        import pyarrow.dataset

        source = pyarrow.dataset.dataset(source, format="parquet")
    if hasattr(source, "to_batches"):
        batches: Iterable[Any] = source.to_batches()
        return batches
    if hasattr(source, "partitions"):
        partitions: Iterable[Any] = source.partitions
        return partitions
    items: Iterable[Any] = iter(source)
    return items


def as_block(part: Any, target: Any = None) -> Block:
    """Return X, y and the weights of a block.

    Raises
    ------
    TypeError, ValueError
        If it is neither a pair nor a table with this target.
    """
    part = _computed(part)
    if isinstance(part, (tuple, list)):
        if not 2 <= len(part) <= 3:
            raise ValueError(f"a block must be (X, y) or (X, y, weights); got {len(part)} items")
        X, y, *weights = map(_computed, part)
        return X, y, weights[0] if weights else None
    if target is None:
        raise TypeError(
            f"a block is a {type(part).__name__}: name the column that is y, such as "
            'target="price", or yield pairs (X, y)'
        )
    names = list(target) if isinstance(target, (list, tuple)) else [target]
    if isinstance(part, Mapping):
        _check_has(names, list(part))
        if isinstance(target, (list, tuple)):
            raise TypeError("several targets need a table of pandas, polars or pyarrow")
        y = part[target]
        return {name: part[name] for name in part if name not in names}, y, None
    if is_pandas_frame(part):
        _check_has(names, list(part.columns))
        return part.drop(columns=names), part[target], None
    if type(part).__name__ == "RecordBatch":  # of pyarrow, which narwhals has no frame of
        import pyarrow

        part = pyarrow.Table.from_batches([part])
    frame = as_narwhals(part)
    if frame is None:
        raise TypeError(f"a block must be (X, y) or a table; got {type(part).__name__}")
    _check_has(names, frame.columns)
    y = frame.select(names) if isinstance(target, (list, tuple)) else frame[target]
    return frame.drop(names).to_native(), y.to_native(), None


def _computed(part: Any) -> Any:
    """Return what a lazy object of Dask stands for; anything else as it is."""
    return part.compute() if hasattr(part, "compute") and hasattr(part, "dask") else part


def _is_table(source: Any) -> bool:
    return is_pandas_frame(source) or type(source).__module__.partition(".")[0] == "polars"


def _check_has(names: list[Any], columns: list[Any]) -> None:
    missing = [name for name in names if name not in columns]
    if missing:
        raise ValueError(f"a block has no column {missing[0]!r}; its columns are {columns}")
