"""Docstrings of classes that share some of their parts."""

from __future__ import annotations

import inspect
import string
from collections.abc import Mapping
from typing import TypeVar

Class = TypeVar("Class", bound=type)


def fill_docstring(one: Class, parts: Mapping[str, str]) -> Class:
    """Put the parts that a class's docstring names, such as ``$layers``, into it."""
    if one.__doc__ is not None:  # python -OO leaves none
        stripped = {name: text.strip() for name, text in parts.items()}
        one.__doc__ = string.Template(inspect.cleandoc(one.__doc__)).substitute(stripped)
    return one
