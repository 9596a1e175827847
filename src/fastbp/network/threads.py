"""Helpers: threads that share the work of one call, where that is faster than one thread alone."""

from __future__ import annotations

import _thread
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

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
    def piece(self, n_rows: int) -> Iterator[Helpers | None]:
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


class Helpers:
    """Threads that wait for work: as many as were asked for at a time, but at most so many.

    Ctrl-C may end `submit` after any call in it. `concurrent.futures.ThreadPoolExecutor` counts its
    idle threads under a lock that is left locked if that happens at the wrong moment, and whoever
    asks next waits for ever; so does a `threading.Thread` to be started. Here every step is one
    call of C, which is done or not.
    """

    def __init__(self, most: int = MOST_HELPERS) -> None:
        self._most, self._n_started = most, 0
        self._work: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._idle: SimpleQueue[None] = SimpleQueue()  # no more items than threads that wait

    def submit(self, work: Callable[[], object]) -> None:
        """Have a thread do this; raise RuntimeError where no more threads are to be had."""
        try:
            self._idle.get_nowait()
        except Empty:
            if self._n_started < self._most:
                _thread.start_new_thread(self._serve, ())
                self._n_started += 1
        self._work.put(work)

    def _serve(self) -> None:
        while True:
            work = self._work.get()
            work()
            del work  # lest it is kept until there is more
            self._idle.put(None)


_helpers: Helpers | None = None
_starting = threading.Lock()


def helpers() -> Helpers:
    """Return the threads that help, which all calls share; they are started when first needed."""
    global _helpers
    with _starting:
        if _helpers is None:
            _helpers = Helpers()
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
