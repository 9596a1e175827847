"""`table_task`: from a file and the name of a column to rows that a network can learn."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import numpy as np

from ..._printable import printable
from ..console import UserError
from .columns import (
    DECIMAL_COMMA,
    MAX_CATEGORIES,
    NOTATIONS,
    TEXT,
    Column,
    is_missing,
    is_text,
    read_column,
    why_useless,
)
from .table_file import read_table
from .task import Task, split

FEWEST_ROWS = 10
MAX_CLASSES = 20  # different whole numbers that are still taken for classes
CLIP = 5.0  # standard deviations: a far outlier would make a step that overshoots
EPOCHS = 20
HIDDEN_LAYER_SIZES = (32,)
MAX_NAMES = 12  # of columns in one line


def table_task(path: Path, target: str | None, kind: str, seed: int) -> tuple[Task, list[str]]:
    """Return the task of predicting one column of a file from the others, and what to note.

    Parameters
    ----------
    path : Path
    target : str or None
    kind : {"auto", "classification", "regression"}
    seed : int
        Of the split into rows to train on and rows held out.

    Returns
    -------
    task : Task
    notes : list of str

    Raises
    ------
    UserError
        If the file cannot be read or the column cannot be learned.
    """
    frame = read_table(path)
    target = checked_target(target, list(frame.columns), path)
    columns = columns_of(frame, path)
    read = columns.pop(target)
    missing = is_missing(read.values)
    y = read.values[~missing]
    if len(y) < FEWEST_ROWS:
        raise UserError(f"{len(y)} rows with a {target} are too few; {FEWEST_ROWS} are needed")
    is_classification = _is_classification(y, kind, target, read)
    notes = [_about_target(y, target, is_classification, read)]
    notes += _about_unread({target: read})
    if missing.any():
        notes.append(f"left out: {_counted(missing.sum(), 'row')} without a {target}")

    X = _features(columns, ~missing, notes)
    classes, numbers = np.unique(y, return_inverse=True) if is_classification else ((), None)
    labels = y.to_numpy() if numbers is None else numbers
    parts = split(X, labels, is_classification=is_classification, seed=seed)
    task = Task(
        printable(path.name.lstrip(".").split(".")[0] or path.name),
        *parts,
        preprocessing=_preprocessing(X),
        is_classification=is_classification,
        hidden_layer_sizes=HIDDEN_LAYER_SIZES,
        epochs=EPOCHS,
        learning_rate=min(0.01, 1 / X.shape[1]),  # a step grows with the squares of the inputs
        class_names=tuple(f"{name:g}" if read.kind != TEXT else name for name in classes),
    )
    return task, notes


def columns_of(frame: Any, path: Path) -> dict[str, Column]:
    """Return what the columns hold; where one has decimal commas, read all in this light."""
    columns = {name: read_column(frame[name]) for name in frame.columns}
    if all(read.kind != DECIMAL_COMMA for read in columns.values()):
        return columns
    frame = read_table(path, as_text=list(frame.select_dtypes("float").columns))
    return {name: read_column(frame[name], has_decimal_comma=True) for name in frame.columns}


def checked_target(target: str | None, columns: list[str], path: Path) -> str:
    """Return the column's name if the table has it, also where it is given as `printable` shows it.

    Else say which names come near.
    """
    as_shown = {printable(name): name for name in reversed(columns)}
    if target in columns or target in as_shown:
        return target if target in columns else as_shown[target]
    by_lower_case = {name.lower(): name for name in reversed(columns)}
    near = difflib.get_close_matches((target or "").lower(), by_lower_case, cutoff=0.5)
    names = [by_lower_case[name] for name in near] or columns
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    if target is None:
        raise UserError(f"say which column to predict, with --target; {path} has {shown}")
    if near:
        raise UserError(f"{path} has no column {target!r}; did you mean {shown}?")
    raise UserError(f"{path} has no column {target!r}; it has {shown}")


def _is_classification(y: Any, kind: str, target: str, read: Column) -> bool:
    """Decide by the values, unless given: text, two values or a few whole numbers are classes."""
    n_values = y.nunique()
    if n_values == 1:
        raise UserError(f"{target} is the same in every row: there is nothing to learn")
    if kind == "regression" and is_text(y):
        raise UserError(f"{target} is text, for example {read.example!r}; regression needs numbers")
    if kind == "auto":
        is_few_whole = n_values <= MAX_CLASSES and not is_text(y) and bool((y == y.round()).all())
        kind = "classification" if is_text(y) or n_values == 2 or is_few_whole else "regression"
    if kind == "classification" and n_values > len(y) / 4:
        is_what = f"is text, for example {read.example!r}, and " if is_text(y) else ""
        raise UserError(
            f"{target} {is_what}has {n_values:,} different values in {len(y):,} rows: too many "
            "for classes"
        )
    return kind == "classification"


def _about_target(y: Any, target: str, is_classification: bool, read: Column) -> str:
    if is_classification:
        choice = "" if is_text(y) else " (--task regression takes it as a number)"
        return f"{target}: one of {y.nunique()} classes{choice}"
    notation = f" ({read.kind}, such as {read.example})" if read.kind in NOTATIONS else ""
    return f"{target}: a number from {y.min():g} to {y.max():g}{notation}"


def _about_unread(columns: dict[str, Column]) -> list[str]:
    return [
        f"{name}: read as missing are {_counted(read.n_unread, 'value')} such as {read.unread!r}"
        for name, read in columns.items()
        if read.n_unread
    ]


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _features(columns: dict[str, Column], kept: Any, notes: list[str]) -> Any:
    """Return a data frame of what can be learned from; note what is made of each column.

    Parameters
    ----------
    columns : dict of str to Column
    kept : Series of bool
        The rows with a target. Whether a column is an identifier shows in all rows.
    notes : list of str
        Lines are added to it.
    """
    import pandas as pd

    used = dict(columns)
    for name, read in columns.items():
        if reason := why_useless(read.values) or why_useless(read.values[kept]):
            notes.append(f"column {name} is left out: it {reason}")
            del used[name]
    if not used:
        raise UserError("no column is left to learn from")
    notes += _about_unread(used)
    for kind in sorted({read.kind for read in used.values()}):
        names = [name for name, read in used.items() if read.kind == kind]
        more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        such_as = f", such as {used[names[0]].example}" if kind in NOTATIONS else ""
        notes.append(f"{kind}{such_as}: {', '.join(names[:MAX_NAMES])}{more}")
    X = pd.DataFrame({name: read.values[kept] for name, read in used.items()})
    notes += _about_gaps(X)
    return X


def _about_gaps(X: Any) -> list[str]:
    """Say what becomes of missing values: see `_preprocessing`."""
    n_missing = {name: int(is_missing(X[name]).sum()) for name in X.columns}
    notes = []
    for start, of_text in (
        ("gaps filled with the median", False),
        ("gaps as a value of text", True),
    ):
        gaps = [
            f"{name} ({_counted(n, 'row')})"
            for name, n in n_missing.items()
            if n and is_text(X[name]) == of_text
        ]
        more = f" and {len(gaps) - MAX_NAMES} more" if len(gaps) > MAX_NAMES else ""
        if gaps:
            notes.append(f"{start}: {', '.join(gaps[:MAX_NAMES])}{more}")
    return notes


def _preprocessing(X: Any) -> Any:
    """Return a ColumnTransformer: numbers filled in, scaled and clipped; text one-hot encoded."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    texts = [name for name in X.columns if is_text(X[name])]
    numbers = [name for name in X.columns if name not in texts]
    bounds = {"a_min": -CLIP, "a_max": CLIP}
    scale = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        FunctionTransformer(np.clip, kw_args=bounds, feature_names_out="one-to-one"),
    )
    # The rarest categories share an input, and so do those not seen in training.
    encode = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=MAX_CATEGORIES)
    return ColumnTransformer([("numbers", scale, numbers), ("texts", encode, texts)])
