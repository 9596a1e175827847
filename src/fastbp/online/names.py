"""`Names`: which columns of the network stand for which names, and texts, of a stream."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._messages import level_of_caller
from .rows import Name, PlainRow

Key = tuple[Name, str | None]  # of an input: its name, and for text the text


def hash_of(seed: int, *parts: Any) -> int:
    """Return 64 bits that depend on nothing else, on every machine."""
    text = "\0".join(f"{type(part).__name__}:{part}" for part in parts)
    key = seed.to_bytes(8, "little")
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=key)
    return int.from_bytes(digest.digest(), "little")


class Names:
    """Columns by names of numbers, and by names and texts; numbered as they come.

    Parameters
    ----------
    n_hashed : int, default=None
        Columns that all names share by their hash; None gives each a column of its own.

    Attributes
    ----------
    numbers : dict of name to column
    texts : dict of name to dict of text to column
    keys : list of Key or None
        Of each column; None for one that is free. Not kept of hashed names.
    free : list of int
        Columns whose name was removed.
    n_changes : int
        How often names have lost their columns.
    n_cached : int
        Hashed names that the dicts list.
    """

    def __init__(self, n_hashed: int | None = None) -> None:
        self.n_hashed = n_hashed
        self.numbers: dict[Name, int] = {}
        self.texts: dict[Name, dict[str, int]] = {}
        self.keys: list[Key | None] = []
        self.free: list[int] = []
        self.n_cached = self.n_changes = 0
        self._numbered: list[int] = []  # columns of 0, 1, 2 ...

    def __len__(self) -> int:
        """Return how many inputs there are."""
        return self.n_hashed or len(self.keys) - len(self.free)

    def column(self, key: Key) -> int | None:
        """Return the column of a key; None if it has none."""
        name, text = key
        known = self.numbers.get(name) if text is None else self.texts.get(name, {}).get(text)
        if known is None and self.n_hashed is not None:
            n_numbers = columns_of_numbers(self.n_hashed)
            if text is None:
                return hash_of(0, *key) % n_numbers
            return n_numbers + hash_of(0, *key) % (self.n_hashed - n_numbers)
        return known

    def unlisted(self, row: PlainRow) -> list[Key]:
        """Return what a row has and no dict lists, in an order that is not that of the row."""
        keys = [(name, value if isinstance(value, str) else None) for name, value in row.items()]
        return sorted((key for key in keys if not self._lists(key)), key=_order)

    def check(self, n_inputs: int) -> None:
        """Refuse names whose columns are not among so many inputs."""
        columns = [*self.numbers.values()]
        for texts in self.texts.values():
            columns += texts.values()
        whole = all(type(column) is int and 0 <= column < n_inputs for column in columns)
        if not whole or len(self.keys) > n_inputs or (self.n_hashed or 0) > n_inputs:
            raise ValueError(f"the names in this state do not fit its {n_inputs} inputs")

    def _lists(self, key: Key) -> bool:
        name, text = key
        return name in self.numbers if text is None else text in self.texts.get(name, {})

    def next_column(self) -> int:
        """Return the column that the next new name gets."""
        return self.free[-1] if self.free else len(self.keys)

    def add(self, key: Key, column: int) -> None:
        """Give a key its column."""
        name, text = key
        if self.n_hashed is not None:
            self.n_cached += 1
        elif self.free:
            self.free.pop()
            self.keys[column] = key
        else:
            self.keys.append(key)
        if text is None:
            self.numbers[name] = column
        else:
            self.texts.setdefault(name, {})[text] = column

    def add_hashed(self, key: Key) -> None:
        """List a hashed name."""
        column = self.column(key)
        assert column is not None
        self.add(key, column)

    def forget_hashed(self) -> None:
        """List no more than a few hashed names for each column: all can be found again."""
        if self.n_hashed is not None and self.n_cached > 4 * self.n_hashed:
            self.numbers.clear()
            self.texts.clear()
            self._numbered.clear()
            self.n_cached = 0

    def remove(self, columns: Iterable[int]) -> None:
        """Free columns."""
        self.n_changes += 1
        self._numbered.clear()
        for column in columns:
            key = self.keys[column]
            assert key is not None
            name, text = key
            if text is None:
                del self.numbers[name]
            else:
                del self.texts[name][text]
                if not self.texts[name]:
                    del self.texts[name]
            self.keys[column] = None
            self.free.append(column)

    def numbered(self) -> NDArray[np.int32]:
        """Return the columns of the names 0, 1, 2 ..., as far as there are any."""
        while len(self._numbered) in self.numbers:
            self._numbered.append(self.numbers[len(self._numbered)])
        return np.array(self._numbered, np.int32)

    def without_cache(self) -> Names:
        """Return these names as they are saved: hashed ones are found again."""
        return self if self.n_hashed is None else Names(self.n_hashed)


def columns_of_numbers(n_hashed: int) -> int:
    """Return how many of the hashed columns are of numbers; the others, behind them, of texts."""
    return n_hashed - n_hashed // 2


def text_of_column(column: int, n_hashed: int) -> str | None:
    """Return some text for a hashed column of texts, None for one of numbers."""
    return None if column < columns_of_numbers(n_hashed) else ""


def warn_of_numbers(row: PlainRow, names: Names | None) -> None:
    """Warn of a feature whose first text is a number: each of them would have its own input."""
    for name, value in row.items():
        if not isinstance(value, str) or (names is not None and name in names.texts):
            continue
        if _is_number(value):
            warnings.warn(
                f"x[{name!r}] is the text {value!r}, which looks like a number: each such text "
                "gets an input of its own. If it is a number, convert it, as in float(value)",
                UserWarning,
                stacklevel=level_of_caller(),
            )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _order(key: Key) -> tuple[str, str, str]:
    name, text = key
    return type(name).__name__, str(name), text or ""
