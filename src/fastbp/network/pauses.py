"""`Pauses`: ends of pieces of work, at which what training has come to can be saved."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Tree = dict[str, Any]  # of plain values and arrays
SHARE = 0.01  # of the time may go into saving


def next_due(begin: float, every: float) -> float:
    """Return when to save after a saving that began then: in ``every`` seconds, or more."""
    end = time.monotonic()
    return end + max(every, (end - begin) / SHARE)


class Pauses:
    """When training is saved, what of it, and what it goes on from.

    Training is made of loops, one within the other. Each is a part while it runs, and takes what
    was saved of it when it begins. A single comparison at the end of a piece of work says whether
    all parts are to be saved.

    Parameters
    ----------
    save : callable
        Saves a tree of all parts, whose arrays may be views of what training changes. Returns when
        the next is due, in seconds of `time.monotonic`.
    saved : mapping, default=None
        The tree that training goes on from.

    Attributes
    ----------
    due : float
        When the next is due; never at first.
    is_asked : bool
        Whether one is to be saved as soon as there is an end of a piece.
    """

    def __init__(
        self, save: Callable[[Tree], float], saved: Mapping[str, Any] | None = None
    ) -> None:
        self.due, self.is_asked = math.inf, False
        self._save, self._saved = save, dict(saved or {})
        self._parts: dict[str, Callable[[], Tree]] = {}

    @contextlib.contextmanager
    def part(self, name: str, to_dict: Callable[[], Tree]) -> Iterator[None]:
        """Let what this returns be saved under this name."""
        self._parts[name] = to_dict
        try:
            yield
        finally:
            del self._parts[name]

    def take(self, name: str) -> Tree | None:
        """Return what was saved of a part, once."""
        saved: Tree | None = self._saved.pop(name, None)
        return saved

    def restore(self, name: str, load: Callable[[Tree], object]) -> None:
        """Let ``load`` have what was saved of a part, once, if anything was."""
        saved = self.take(name)
        if saved is not None:
            with refusing_damage():
                load(saved)

    def look(self) -> None:
        """Save all parts, if it is time."""
        if self.is_asked or time.monotonic() >= self.due:
            self.save()

    def save(self) -> None:
        """Save all parts: the innermost first, which brings up to date what the others save."""
        self.is_asked = False
        self.due = self._save({name: self._parts[name]() for name in reversed(self._parts)})


@contextlib.contextmanager
def refusing_damage() -> Iterator[None]:
    """Raise a ValueError where what was saved lacks something, or holds what cannot be."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ValueError(f"the checkpoint is damaged: {reason}") from error


def part_of(
    pauses: Pauses | None, name: str, to_dict: Callable[[], Tree]
) -> contextlib.AbstractContextManager[None]:
    """Return the context of a part; of none where nothing is saved."""
    return _NO_PART if pauses is None else pauses.part(name, to_dict)


_NO_PART = contextlib.nullcontext()
