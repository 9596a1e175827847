"""Helpers: threads that share the work of one call, while it lasts."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

# Multiplications and additions that a thread's share of a batch should have: with less of them,
# on a machine that is busy, waiting for each other costs more than threads save.
LEAST_SHARE = 1e6


def team_size(n_threads: int, operations: float) -> int:
    """Return how many threads of up to ``n_threads`` it pays to share so many operations among."""
    return max(1, min(n_threads, int(operations / LEAST_SHARE)))


@contextmanager
def helpers(n: int) -> Iterator[Executor | None]:
    """Yield an executor with n threads, all of them up, so that none is waited for long."""
    if n < 1:
        yield None
        return
    with ThreadPoolExecutor(n, thread_name_prefix="fastbp") as executor:
        up = threading.Barrier(n + 1)
        try:
            for _ in range(n):
                executor.submit(up.wait)
        except RuntimeError:  # no more threads to be had
            up.abort()
            raise
        up.wait()
        yield executor


def available_threads() -> int:
    """Return how many threads this process may run side by side.

    The processors it may use, or fewer where ``OMP_NUM_THREADS`` says so: that is how joblib and
    many clusters tell libraries of their share.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    processors = len(affinity(0)) if affinity else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return max(1, min(processors, int(limit))) if limit.isdecimal() else processors
