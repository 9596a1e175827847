"""Blocks of rows, one after another: chunks, files, partitions and generators, read ahead."""

from __future__ import annotations

import glob
import os
import queue
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .frames import as_narwhals, is_pandas_frame

Block = tuple[Any, Any, Any]  # X, y, and weights or None


class Blocks:
    """Blocks of rows as (X, y, weights), of whatever holds them.

    Parameters
    ----------
    source : iterable, path, dataset of pyarrow, or collection of Dask
        Its items are (X, y), (X, y, weights), tables that have the target among their columns, or
        paths. A path is that of a Parquet file, of a folder of these, or a pattern with ``*``.
    target : name of a column, or list of names, default=None
        What y is in tables.
    """

    def __init__(self, source: Any, target: Any = None) -> None:
        if isinstance(source, (tuple, Mapping)) or _is_table(source):
            raise TypeError(
                "blocks must be several: an iterable of (X, y), of tables or of Parquet files; got "
                f"one {type(source).__name__}. Pass it in a list, [table], or to fit (learn_many)"
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
            if _is_path(part):
                for of_file in _parts_of(part):
                    yield as_block(of_file, self.target)
            else:
                yield as_block(part, self.target)

    def read_ahead(self) -> Iterator[Block]:
        """Yield the blocks, while a thread gets the next one: two are in memory at most.

        An error in reading is raised where the block would be.
        """
        source = iter(self)
        coming = _Coming(source)
        while (block := coming.get()) is not None:
            coming = _Coming(source)
            yield block
            del block


class _Coming:
    """The next item, which a thread gets: Ctrl-C does not wait for it."""

    def __init__(self, source: Iterator[Block]) -> None:
        self._results: queue.SimpleQueue[tuple[Any, Any]] = queue.SimpleQueue()
        thread = threading.Thread(target=self._run, args=(source,), name="fastbp-reader")
        thread.daemon = True
        thread.start()

    def _run(self, source: Iterator[Block]) -> None:
        try:
            self._results.put((next(source, None), None))
        except BaseException as error:  # raised where the item is asked for
            self._results.put((None, error))

    def get(self) -> Any:
        """Return the item, None at the end."""
        item, error = self._results.get()
        if error is not None:
            raise error
        return item


def _parts_of(source: Any) -> Iterable[Any]:
    if _is_path(source):
        return _parquet(os.fspath(source))
    if hasattr(source, "to_batches"):
        batches: Iterable[Any] = source.to_batches()
        return batches
    if hasattr(source, "partitions"):
        partitions: Iterable[Any] = source.partitions
        return partitions
    items: Iterable[Any] = iter(source)
    return items


def _is_path(source: Any) -> bool:
    return isinstance(source, str) or hasattr(source, "__fspath__")


def _parquet(path: str) -> Iterator[Any]:
    """Yield the batches of a Parquet file, of a folder of them, or those that a pattern matches."""
    if path.lower().endswith((".csv", ".tsv", ".txt", ".gz")):
        raise ValueError(
            f"{path!r} is no Parquet file. Read others in chunks, as in "
            f"pandas.read_csv({path!r}, chunksize=10_000)"
        )
    found = [path]
    if os.path.isdir(path):
        found = sorted(glob.glob(os.path.join(path, "**", "*.parquet"), recursive=True))
    elif not os.path.exists(path):
        found = sorted(glob.glob(path))
    if not found:
        raise FileNotFoundError(f"there is no Parquet file {path!r}")
    from pyarrow.parquet import ParquetFile

    for name in found:
        with ParquetFile(name) as file:
            yield from file.iter_batches()


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
    frame = as_narwhals(_without_index(part))
    if frame is None:
        raise TypeError(f"a block must be (X, y) or a table; got {type(part).__name__}")
    _check_has(names, frame.columns)
    y = frame.select(names) if isinstance(target, (list, tuple)) else frame[target]
    return frame.drop(names).to_native(), y.to_native(), None


def _without_index(part: Any) -> Any:
    """Return a table of pyarrow without what was the index of a frame of pandas."""
    metadata = getattr(getattr(part, "schema", None), "pandas_metadata", None) or {}
    names = [name for name in metadata.get("index_columns", []) if isinstance(name, str)]
    return part.drop_columns(names) if names else part


def _computed(part: Any) -> Any:
    """Return what a lazy object of Dask stands for; anything else as it is."""
    return part.compute() if hasattr(part, "compute") and hasattr(part, "dask") else part


def _is_table(source: Any) -> bool:
    return is_pandas_frame(source) or type(source).__module__.partition(".")[0] == "polars"


def _check_has(names: list[Any], columns: list[Any]) -> None:
    missing = [name for name in names if name not in columns]
    if missing:
        raise ValueError(f"a block has no column {missing[0]!r}; its columns are {columns}")
