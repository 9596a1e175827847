"""`read_table`: a CSV or Parquet file as a data frame, or one line that says why not."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..console import UserError

PARQUET = {".parquet", ".parq", ".pq"}
OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
DELIMITERS = ",;\t|"
ALSO_MISSING = ["?"]  # besides what pandas takes for missing
UNREADABLE = (OSError, EOFError, ValueError, NotImplementedError, lzma.LZMAError, zlib.error)


def read_table(path: Path, as_text: Sequence[str] = ()) -> Any:
    """Return the file's table, with text as the names of its columns.

    Parameters
    ----------
    path : Path
    as_text : sequence of str
        Columns of a CSV file whose values are to be left as they are written.

    Raises
    ------
    UserError
        If there is no such file, it has no rows, or it cannot be read.
    """
    try:
        import pandas as pd
    except ImportError:
        raise UserError(
            f"reading {path} needs pandas, which is not installed: "
            "python -m pip install pandas pyarrow"
        ) from None
    if not os.path.exists(path):
        raise UserError(f"there is no file {path}")
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder; give the path of a CSV or Parquet file")
    if not os.path.isfile(path):  # a pipe can be read once only
        raise UserError(f"{path} is no regular file: write what it holds to one, and give its path")
    try:
        frame = _read_parquet(path) if path.suffix.lower() in PARQUET else _read_csv(path, as_text)
    except pd.errors.EmptyDataError:
        raise UserError(f"{path} is empty") from None
    except ImportError:
        raise UserError(
            f"reading {path} needs pyarrow, which is not installed: python -m pip install pyarrow"
        ) from None
    except UNREADABLE as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    frame.columns = frame.columns.map(str)
    frame = frame.loc[:, ~frame.columns.duplicated()]
    if not len(frame):
        raise UserError(f"{path} has no rows")
    return frame


def _read_parquet(path: Path) -> Any:
    import pandas as pd

    frame = pd.read_parquet(path)
    return frame.reset_index(drop=frame.index.names == [None])


def _read_csv(path: Path, as_text: Sequence[str]) -> Any:
    """Read delimited text: any of `DELIMITERS`, UTF-8 or else Latin-1, plain or compressed."""
    import pandas as pd

    with OPENERS.get(path.suffix.lower(), open)(path, "rb") as file:
        head = file.readline(1_000_000)
    if b"\0" in head or head.startswith((b"PK\x03\x04", b"PAR1")):
        raise ValueError("it is not text; give a CSV file, or a Parquet file named .parquet")
    delimiter = max(DELIMITERS, key=head.decode("latin-1").count)

    def read(encoding: str) -> Any:
        return pd.read_csv(
            path,
            sep=delimiter,
            encoding=encoding,
            na_values=ALSO_MISSING,
            dtype=dict.fromkeys(as_text, str),
            skipinitialspace=True,
            low_memory=False,
        )

    try:
        return read("utf-8-sig")
    except UnicodeDecodeError:
        return read("latin-1")
