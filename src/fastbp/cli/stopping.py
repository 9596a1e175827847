"""`Stopping`: Ctrl-C, and the signal that ends a process, as the end of a stream."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
SIGNALS = (signal.SIGINT, signal.SIGTERM)
OF_SIGNALS = 128  # exit codes of processes that a signal has ended begin here


class Stopped(BaseException):
    """No more rows are to be read."""


class Stopping:
    """While it is open, signals end the reading of rows, never the learning of one.

    Attributes
    ----------
    number : int
        Of the signal that came; 0 if none did.
    """

    def __init__(self) -> None:
        self.number = 0
        self._is_waiting = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stopping:
        if threading.current_thread() is threading.main_thread():  # others get no signals
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def exit_code(self) -> int:
        """Return 0, or what tells which signal ended the command."""
        return OF_SIGNALS + self.number if self.number else 0

    def _stop(self, number: int, frame: object) -> None:
        self.number = number
        if self._is_waiting:
            raise Stopped

    def rows(self, rows: Iterable[T]) -> Iterator[T]:
        """Yield rows as they come, until a signal does."""
        waiting = iter(rows)
        while True:
            try:
                self._is_waiting = True
                if self.number:
                    return
                row = next(waiting)
            except (Stopped, StopIteration):
                return
            finally:
                self._is_waiting = False
            yield row
