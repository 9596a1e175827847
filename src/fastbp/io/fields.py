"""`Fields`: what a file says about a model, taken out name by name and checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from .._printable import printable, shortened
from .container import UnreadableFileError

SOME = 1000  # keys of one hash, which a dict takes in milliseconds
MOST = 2**53  # of counters: doubles and 64-bit integers hold them all
Shape = tuple[int | None, ...]


class Fields:
    """A dict of a file, whose values are taken by what they must be.

    Parameters
    ----------
    tree : dict
    path : str
        Where it stands in the file, for messages.
    """

    def __init__(self, tree: Any, path: str = "") -> None:
        self.path, self.tree = path, tree
        if type(tree) is not dict or not all(type(name) is str for name in tree):
            self.refuse("", "has no fields")

    def __contains__(self, name: str) -> bool:
        return name in self.tree

    def refuse(self, name: str, what: str) -> NoReturn:
        """Raise the error of a field."""
        where = ".".join(filter(None, [self.path, name])) or "its content"
        raise UnreadableFileError(f"it is damaged: {shortened(printable(where), 100)} {what}")

    def value(self, name: str) -> Any:
        """Return what is there, whatever it is."""
        if name not in self.tree:
            self.refuse(name, "is missing")
        return self.tree[name]

    def fields(self, name: str) -> Fields:
        """Return a dict inside."""
        return Fields(self.value(name), ".".join(filter(None, [self.path, name])))

    def optional(self, name: str) -> Fields | None:
        """Return a dict inside, or None."""
        return None if self.value(name) is None else self.fields(name)

    def all_fields(self, name: str) -> list[Fields]:
        """Return the dicts of a list."""
        where = ".".join(filter(None, [self.path, name]))
        return [Fields(one, f"{where}[{i}]") for i, one in enumerate(self.items(name))]

    def whole(self, name: str, *, at_least: int = 0, most: int = MOST) -> int:
        """Return a whole number."""
        value = self.value(name)
        if type(value) is not int or not at_least <= value <= most:
            self.refuse(name, f"must be a whole number from {at_least} to {most}")
        return value

    def number(
        self, name: str, *, above: float = -math.inf, may_be_nan: bool = False, finite: bool = False
    ) -> float:
        """Return a float."""
        value = self.value(name)
        if type(value) is not float or not (
            value > above or value == above == -math.inf or (may_be_nan and math.isnan(value))
        ):
            self.refuse(name, "must be a number" + (f" above {above:g}" * (above > -math.inf)))
        if finite and not math.isfinite(value):
            self.refuse(name, "must be finite")
        return value

    def flag(self, name: str) -> bool:
        """Return True or False."""
        value = self.value(name)
        if type(value) is not bool:
            self.refuse(name, "must be true or false")
        return value

    def text(self, name: str, allowed: Iterable[str] | None = None) -> str:
        """Return a text, of those allowed."""
        value = self.value(name)
        if type(value) is not str or (allowed is not None and value not in allowed):
            self.refuse(name, "must be a text" + (" that is known here" * (allowed is not None)))
        return value

    def items(self, name: str, kind: type | tuple[type, ...] | None = None) -> list[Any]:
        """Return a list, of items of a type."""
        value = self.value(name)
        if type(value) is not list:
            self.refuse(name, "must be a list")
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if kind is not None and not all(type(item) in kinds for item in value):
            self.refuse(name, "has items of another type")
        return value

    def array(
        self,
        name: str,
        dtype: Any,
        shape: Shape,
        check: Callable[[NDArray[Any]], Any] | None = None,
    ) -> NDArray[Any]:
        """Return an array of a dtype and a shape (None is any size), of values that pass a check.

        ``check`` returns whether each is right.
        """
        return self.checked_array(name, self.value(name), dtype, shape, check)

    def arrays(self, name: str, dtype: Any, shapes: Sequence[Shape]) -> list[NDArray[Any]]:
        """Return a list of arrays of these shapes."""
        found = self.items(name)
        if len(found) != len(shapes):
            self.refuse(name, f"must hold {len(shapes)} arrays")
        return [
            self.checked_array(f"{name}[{i}]", one, dtype, shape)
            for i, (one, shape) in enumerate(zip(found, shapes, strict=True))
        ]

    def checked_array(
        self,
        name: str,
        array: Any,
        dtype: Any,
        shape: Shape,
        check: Callable[[NDArray[Any]], Any] | None = None,
    ) -> NDArray[Any]:
        """Return `array` of a value that is at hand."""
        if type(array) is not np.ndarray or array.dtype != np.dtype(dtype):
            self.refuse(name, f"must be an array of {np.dtype(dtype).name}")
        if array.ndim != len(shape) or any(
            size is not None and size != found
            for found, size in zip(array.shape, shape, strict=True)
        ):
            self.refuse(name, f"must have the shape {shape}, and has {array.shape}")
        if check is not None and not np.all(check(array)):
            self.refuse(name, "has values that cannot be")
        return array

    def optional_array(self, name: str, *args: Any, **options: Any) -> NDArray[Any] | None:
        """Return `array`, or None."""
        return None if self.value(name) is None else self.array(name, *args, **options)

    def keys(self, name: str, values: Iterable[Hashable]) -> None:
        """Refuse values that cannot be the keys of a dict: equal ones, or of too few hashes.

        A dict of thousands of keys with one hash takes hours to make.
        """
        values = list(values)
        n_hashes = len(set(map(hash, values)))
        if n_hashes < min(len(values) / 2, len(values) - SOME):
            self.refuse(name, "has items of too few hashes")
        if len(set(values)) < len(values):
            self.refuse(name, "has an item twice")


def finite(array: NDArray[Any]) -> Any:
    """Return whether each number is finite."""
    return np.isfinite(array)


def not_nan(array: NDArray[Any]) -> Any:
    """Return whether each is a number, or infinite."""
    return ~np.isnan(array)


def above_zero(array: NDArray[Any]) -> Any:
    """Return whether each is above 0, or infinite."""
    return array > 0


def not_negative(array: NDArray[Any]) -> Any:
    """Return whether each is finite and at least 0."""
    return np.isfinite(array) & (array >= 0)
