"""`check_output`: what a command is to write, looked at before anything takes time."""

from __future__ import annotations

import os
from pathlib import Path

from ..io.container import LENGTH, begins_like_tensors
from ..io.files import check_writable, is_regular_file, is_same_file
from .console import UserError, mistakes_of_files


def check_output(path: Path, *inputs: Path | str | None, is_model: bool = False) -> None:
    """Refuse to write over what is read, and over what is something else than what is written.

    Parameters
    ----------
    path : Path
        What is to be written.
    *inputs : Path or str or None
        What the command reads.
    is_model : bool
        Whether a model is to be written: it replaces models only, and nothing else does.

    Raises
    ------
    UserError
    """
    with mistakes_of_files():
        check_writable(path)
    if any(one is not None and is_same_file(path, one) for one in inputs):
        raise UserError(f"{path} is what is read: choose another file for what is to be written")
    if not is_regular_file(path):
        return
    with mistakes_of_files():
        is_empty = not path.stat().st_size
        is_of_other_kind = is_tensors(path) is not is_model
    if is_of_other_kind and not is_empty:
        what = "is a model" if not is_model else "is no model"
        raise UserError(f"{path} is there, and {what}: delete it first, or choose another file")


def is_tensors(path: Path) -> bool:
    """Return whether a file is there that begins like one that `fastbp.save` has written."""
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return begins_like_tensors(file.read(LENGTH + 1))
