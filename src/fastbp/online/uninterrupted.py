"""Changes of a model that Ctrl-C must not cut in two."""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Callable
from typing import Any

PATIENCE = 1.0  # seconds that a thread may take to begin


def uninterrupted(change: Callable[[], Any]) -> Any:
    """Return what a function returns, which Ctrl-C interrupts after its end only.

    Python interrupts the main thread alone, so a change that is made there runs in another one.
    Threads and locks of `threading` may themselves be cut in two: these are the primitive ones.
    """
    if threading.current_thread() is not threading.main_thread():
        return change()
    begun: list[float] = []
    results: list[Any] = []
    errors: list[BaseException] = []
    end = _thread.allocate_lock()
    end.acquire()

    def run() -> None:
        begun.append(time.monotonic())
        try:
            results.append(change())
        except BaseException as error:  # raised below
            errors.append(error)
        end.release()

    interrupts: list[BaseException] = []
    try:
        _thread.start_new_thread(run, ())
    except KeyboardInterrupt as error:
        interrupts.append(error)
        _wait(lambda: bool(begun), time.monotonic() + PATIENCE, interrupts)
        if not begun:  # it was not started
            raise
    while not (results or errors):
        try:
            end.acquire(timeout=PATIENCE)
        except KeyboardInterrupt as error:
            interrupts.append(error)
    for problem in (*interrupts, *errors):
        raise problem
    return results[0]


def _wait(is_done: Callable[[], bool], until: float, interrupts: list[BaseException]) -> None:
    """Wait for something, and note what interrupts it."""
    while not is_done() and time.monotonic() < until:
        try:
            time.sleep(0.001)
        except KeyboardInterrupt as error:
            interrupts.append(error)
