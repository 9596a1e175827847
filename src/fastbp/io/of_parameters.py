"""Parameters of models as trees."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .._printable import printable
from .fields import Fields
from .of_random import random_of, random_tree

SCALARS = (type(None), bool, int, float, str)


def parameters_tree(model: Any, names: Iterable[str]) -> dict[str, Any]:
    """Return the parameters of a model, which may be numbers, text, and lists or dicts of these.

    Raises
    ------
    TypeError
        For another one; names it and says what to do.
    """
    found = {}
    for name in names:
        value = getattr(model, name)
        if name == "random_state":
            found[name] = random_tree(value)
        else:
            found[name] = _plain(value)
            if not _is_plain(found[name]):
                raise TypeError(_refusal(model, name, value))
    return found


def _plain(value: Any) -> Any:
    """Return what NumPy and mappings make of a value as Python's own."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return type(value)(map(_plain, value)) if type(value) in (list, tuple) else value
    return dict(value) if isinstance(value, Mapping) else value


def _is_plain(value: Any) -> bool:
    if type(value) is dict:
        keys_are = all(isinstance(key, (*SCALARS, np.generic)) for key in value)
        return keys_are and all(map(_is_scalar, value.values()))
    if type(value) in (list, tuple):
        return all(map(_is_scalar, value))
    return _is_scalar(value)


def _is_scalar(value: Any) -> bool:
    return type(value) in SCALARS or isinstance(value, np.generic)


def _refusal(model: Any, name: str, value: Any) -> str:
    default = inspect.signature(type(model).__init__).parameters[name].default
    what = "a function" if callable(value) else f"an object of type {type(value).__name__}"
    advice = (
        f"model.set_params({name}={default!r})"
        if not hasattr(model, "learn_one")
        else f"a model made with {name}={default!r}"
    )
    return (
        f"{name} cannot be stored: it is {what}, and files hold numbers and text alone. Save a "
        f"model with another one, such as after {advice}"
    )


def parameters_of(fields: Fields, known: Iterable[str]) -> dict[str, Any]:
    """Return the parameters in a file; those that it does not name have their defaults."""
    unknown = sorted(set(fields.tree) - set(known))
    if unknown:
        fields.refuse(printable(unknown[0]), "is no parameter of this model")
    found = {}
    for name in fields.tree:
        value = fields.value(name)
        if name == "random_state":
            found[name] = random_of(value, f"{fields.path}.{name}")
        elif _is_plain(value):
            found[name] = value
        else:
            fields.refuse(name, "must be a number, text, or a list or dict of these")
    return found
