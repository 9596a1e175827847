"""Helpers: threads that share the work of one call, where that is faster than one thread alone."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

# Multiplications and additions that a thread's share of a batch should have: some microseconds of
# work, as long as it takes to hand it out and to wait for its end.
LEAST_SHARE = 1e5
MOST_HELPERS = 1024
LEAST_PATIENCE, MOST_PATIENCE = 4, 256  # pieces of work


def team_size(n_threads: int, operations: float) -> int:
    """Return how many threads of up to ``n_threads`` it pays to share so many operations among."""
    return max(1, min(n_threads, int(operations / LEAST_SHARE)))


class Trial:
    """Whether helpers pay here and now: pieces of work are timed with and without them.

    A processor that has other things to do keeps everybody waiting. So the first piece is done
    with helpers and the next without; then whichever was faster goes on, and the other is tried
    again now and then: the more seldom, the more often that was in vain. The numbers that are
    computed do not depend on it.
    """

    def __init__(self) -> None:
        self._seconds: dict[bool, float] = {}  # for one row, with helpers or without
        self._prefers_helpers = True
        self._patience = LEAST_PATIENCE
        self._n_pieces = 0  # since the other way was tried

    def wants_helpers(self) -> bool:
        """Return whether the next piece is to be done with helpers."""
        if len(self._seconds) < 2:
            return True not in self._seconds
        return self._prefers_helpers != (self._n_pieces >= self._patience)

    @contextmanager
    def piece(self, n_rows: int) -> Iterator[Executor | None]:
        """Yield the helpers for a piece of work on so many rows, or None, and take its time."""
        with_helpers = self.wants_helpers()
        start = time.perf_counter()
        yield helpers() if with_helpers else None
        self.note(with_helpers, (time.perf_counter() - start) / n_rows)

    def note(self, with_helpers: bool, seconds: float) -> None:
        """Take how long a row took in a piece."""
        self._seconds[with_helpers] = seconds
        if len(self._seconds) < 2:
            return
        better = self._seconds[True] <= self._seconds[False]
        if better != self._prefers_helpers:
            self._prefers_helpers, self._patience, self._n_pieces = better, LEAST_PATIENCE, 0
        elif with_helpers != self._prefers_helpers:  # in vain
            self._patience, self._n_pieces = min(2 * self._patience, MOST_PATIENCE), 0
        else:
            self._n_pieces += 1


_helpers: Executor | None = None
_starting = threading.Lock()


def helpers() -> Executor:
    """Return the threads that help, which all calls share; they are started when first needed."""
    global _helpers
    with _starting:
        if _helpers is None:
            _helpers = ThreadPoolExecutor(MOST_HELPERS, thread_name_prefix="fastbp")
        return _helpers


def _forget_helpers() -> None:
    global _helpers, _starting
    _helpers, _starting = None, threading.Lock()  # which a thread of the parent may have held


if hasattr(os, "register_at_fork"):  # a child process has none of its parent's threads
    os.register_at_fork(after_in_child=_forget_helpers)


def available_threads() -> int:
    """Return how many threads this process may run side by side.

    The processors it may use, or fewer where ``OMP_NUM_THREADS`` says so: that is how joblib and
    many clusters tell libraries of their share.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    processors = len(affinity(0)) if affinity else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return max(1, min(processors, int(limit))) if limit.isdecimal() else processors
