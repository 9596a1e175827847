"""Models in files, as the commands open them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..io.models import load
from .console import UserError


def loaded(path: Path) -> Any:
    """Return the model in a file that fastbp has saved; nothing in it runs.

    Raises
    ------
    UserError
        If there is no such file, or it holds no model.
    """
    if not os.path.exists(path):
        raise UserError(f"there is no file {path}")
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder; give the file of a model")
    try:
        return load(path)
    except (ValueError, TypeError, OSError) as error:
        raise UserError(" ".join(str(error).split())) from error


def is_of_streams(model: Any) -> bool:
    """Return whether a model learns and predicts rows of names and values."""
    from ..online import OnlineClassifier, OnlineRegressor

    return isinstance(model, (OnlineClassifier, OnlineRegressor))
