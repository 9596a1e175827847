"""Worker threads, which share the work of one call where that is faster than one thread."""

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
MIN_OPERATIONS = 1e5
MAX_WORKERS = 1024
MIN_PATIENCE, MAX_PATIENCE = 4, 256  # pieces of work


def thread_count(n_threads: int, operations: float) -> int:
    """Return how many threads of up to ``n_threads`` it pays to share so many operations among."""
    return max(1, min(n_threads, int(operations / MIN_OPERATIONS)))


class ThreadTuner:
    """Whether worker threads pay: pieces of work are timed with and without them.

    On a busy processor one late thread delays all. So the first piece is done with workers and
    the next without; then the faster way goes on, and the other is tried again now and then:
    less often each time that it was slower. Results do not depend on
    it.
    """

    def __init__(self) -> None:
        self._seconds: dict[bool, float] = {}  # for one row, with workers or without
        self._prefers_workers = True
        self._patience = MIN_PATIENCE
        self._n_pieces = 0  # since the other way was tried

    def use_threads(self) -> bool:
        """Return whether the next piece is to be done with workers."""
        if len(self._seconds) < 2:
            return True not in self._seconds
        return self._prefers_workers != (self._n_pieces >= self._patience)

    @contextmanager
    def timed(self, n_rows: int) -> Iterator[Workers | None]:
        """Yield the workers for a piece of work on so many rows, or None, and time it."""
        with_workers = self.use_threads()
        start = time.perf_counter()
        yield workers() if with_workers else None
        self.record(with_workers, (time.perf_counter() - start) / n_rows)

    def record(self, with_workers: bool, seconds: float) -> None:
        """Take how long a row took in a piece."""
        self._seconds[with_workers] = seconds
        if len(self._seconds) < 2:
            return
        better = self._seconds[True] <= self._seconds[False]
        if better != self._prefers_workers:
            self._prefers_workers, self._patience, self._n_pieces = better, MIN_PATIENCE, 0
        elif with_workers != self._prefers_workers:  # in vain
            self._patience, self._n_pieces = min(2 * self._patience, MAX_PATIENCE), 0
        else:
            self._n_pieces += 1


class Workers:
    """Threads that wait for work: started on demand, at most ``max_threads``.

    Ctrl-C may end `submit` after any call in it. `concurrent.futures.ThreadPoolExecutor` counts its
    idle threads under a lock that is left locked if that happens at the wrong moment, and the
    next caller waits for ever; so does a `threading.Thread` to be started. Here every step is one
    call of C, which is done or not.
    """

    def __init__(self, max_threads: int = MAX_WORKERS) -> None:
        self._max_threads, self._n_started = max_threads, 0
        self._work: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._idle: SimpleQueue[None] = SimpleQueue()  # no more items than threads that wait

    def submit(self, work: Callable[[], object]) -> None:
        """Run this in a thread; raise RuntimeError where no more threads can be started."""
        try:
            self._idle.get_nowait()
        except Empty:
            if self._n_started < self._max_threads:
                _thread.start_new_thread(self._serve, ())
                self._n_started += 1
        self._work.put(work)

    def _serve(self) -> None:
        while True:
            work = self._work.get()
            work()
            del work  # lest it is kept until there is more
            self._idle.put(None)


_workers: Workers | None = None
_starting = threading.Lock()


def workers() -> Workers:
    """Return the worker threads, which all calls share; they are started when first needed."""
    global _workers
    with _starting:
        if _workers is None:
            _workers = Workers()
        return _workers


def _forget_workers() -> None:
    global _workers, _starting
    _workers, _starting = None, threading.Lock()  # which a thread of the parent may have held


if hasattr(os, "register_at_fork"):  # a child process has none of its parent's threads
    os.register_at_fork(after_in_child=_forget_workers)


def available_threads() -> int:
    """Return how many threads this process may run side by side.

    The processors it may use, or fewer where ``OMP_NUM_THREADS`` says so: that is how joblib and
    many clusters tell libraries of their share.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    processors = len(affinity(0)) if affinity else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return max(1, min(processors, int(limit))) if limit.isdecimal() else processors
