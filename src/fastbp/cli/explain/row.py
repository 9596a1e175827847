"""`row_of_file`: one row of a table, with the columns that a model was trained on."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from ..._messages import counted
from ..console import UserError
from ..encoding import KINDS, groups_of
from ..reading.table import read_table


@dataclasses.dataclass(frozen=True)
class Row:
    """A row to learn from.

    Attributes
    ----------
    X : DataFrame, ndarray or sparse matrix of one row
    y : list
        Its target, or targets.
    names : list of str, or None
        Of the columns of X.
    """

    X: Any
    y: list[Any]
    names: list[str] | None


def row_of_file(options: argparse.Namespace, model: Any) -> Row:
    """Return one row of the file, as the model takes it.

    Raises
    ------
    UserError
        If the file cannot be read, or lacks the row, its target or a column of the model's.
    """
    import pandas as pd

    path = options.data
    kinds = {name: KINDS[group] for group, names in groups_of(model).items() for name in names}
    table = read_table(
        path, options.target, kinds, encoding=options.encoding, has_names=not options.no_names
    )
    frame = table.frame
    targets = [table.name_of(target) for target in options.target]
    number = options.row or 0
    if not 0 <= number < len(frame):
        raise UserError(f"{path} has rows 0 to {len(frame) - 1:,}; there is no row {number}")
    y = [frame[target].iloc[number] for target in targets]
    for target, value in zip(targets, y, strict=True):
        if pd.isna(value) or value == "":
            raise UserError(f"row {number} of {path} has no {target}; choose another with --row")
    features = _features(model, frame.drop(columns=targets), path)
    X = features.iloc[[number]]
    if not hasattr(model, "feature_names_in_"):  # fitted on an array
        X = X.to_numpy()
    return Row(X, y, list(map(str, features.columns)))


def _features(model: Any, frame: Any, path: Path) -> Any:
    """Return the columns that the model was trained on, in its order."""
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        missing = [name for name in names if name not in frame.columns]
        if missing:
            what = ", ".join(missing[:12]) + (", ..." if len(missing) > 12 else "")
            raise UserError(f"{path} has no column {what}, which the model was trained on")
        return frame[list(names)]
    n = getattr(model, "n_features_in_", None)
    if hasattr(model, "layer_sizes"):
        n = model.layer_sizes[0]
    if n is not None and n != frame.shape[1]:
        raise UserError(
            f"{path} has {counted(frame.shape[1], 'column')} besides the target, but the model was "
            f"trained on {counted(n, 'input')}"
        )
    return frame
