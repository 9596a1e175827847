"""Fits that are killed at a random moment, and gone on with, until they have come to their end.

Each is killed by SIGKILL, perhaps several times; or between the writing of a file and its renaming;
with a disk that is full; or ended by SIGTERM. Whenever that is, there is a checkpoint that can be
read, or none yet; and in the end all bits are those of a fit that was never stopped. Run this in a
child: it lets the pieces of work of its process be short.
"""

from __future__ import annotations

import functools
import os
import pickle
import resource
import signal
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import resumable

import fastbp
import fastbp.estimators  # once, not in every child
from fastbp.io import checkpoint as checkpoints
from fastbp.io import files
from fastbp.network import pauses

PATIENCE = 60  # seconds for one fit
MOST_KILLS = 3
NEVER = 1e9
_started = 0.0  # when a child was
WAYS = ("kill", "kill", "kill", "rename", "disk", "term")


def check(seed: int) -> str:
    """Kill a fit, and go on with it; return how often it was killed, and how."""
    random = np.random.default_rng(seed)
    case = resumable.CASES[str(random.choice(list(resumable.CASES)))]
    way, n_killed = str(random.choice(WAYS)), 0
    expected, seconds = _uninterrupted(case.name)
    with _folder() as folder:
        path = Path(folder, "run.fbp")
        for _ in range(int(random.integers(1, MOST_KILLS + 1))):
            every = float(random.choice([0, 0, seconds / 20]))
            delay = float(random.uniform(0, seconds * (0.8 if every == 0 else 0.3)))
            before = path.read_bytes() if path.exists() else None
            damage = functools.partial(_damage, way, int(random.integers(1, 40)))
            n_killed += _was_killed(case, path, every, delay, way, damage)
            _check_readable(path, before)
        found = _in_child(functools.partial(_run, case, path, NEVER))
    if not isinstance(found, dict):
        raise AssertionError(f"{case.name}, {way}: the resumed fit ended with {found}")
    wrong = [name for name in expected if found[name] != expected[name]]
    if wrong:
        raise AssertionError(f"{case.name}, {way}, killed {n_killed} times: {wrong} differ")
    return f"{way} x {n_killed}"


@functools.cache
def _uninterrupted(name: str) -> tuple[dict[str, str], float]:
    """Return what a fit without checkpoints comes to, and the seconds that one with them takes."""
    case = resumable.CASES[name]
    expected = _in_child(functools.partial(_run, case, None, 0.0))
    with _folder() as folder:
        path = Path(folder, "run.fbp")
        found, seconds = _in_child(lambda: (_run(case, path, 0.0), time.monotonic() - _started))
    if not isinstance(expected, dict) or expected != found:
        raise AssertionError(f"{name}: {expected} without checkpoints, {found} with them")
    return expected, seconds


def _run(case: resumable.Case, path: Path | None, every: float) -> dict[str, str]:
    """Fit, or go on, and return what comes of it."""
    resumable.pieces_of(case, setattr)
    pauses.SHARE = float("inf")  # for as many files as there is time for
    X, y, options = case.data()
    checkpoint = None if path is None else fastbp.Checkpoint(path, every=every)
    if path is None:
        model = case.estimator().fit(X, y, **options)
    elif path.exists():
        model = fastbp.resume(path, X, y, **options, checkpoint=checkpoint)
    else:
        model = case.estimator().fit(X, y, **options, checkpoint=checkpoint)
    return resumable.outcome(model, case)


def _folder() -> Any:
    """Return a folder in memory, where there is one: a disk takes most of the time."""
    return tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)


def _was_killed(
    case: resumable.Case,
    path: Path,
    every: float,
    delay: float,
    way: str,
    damage: Callable[[], None],
) -> bool:
    """Run a fit in a child that is killed after so many seconds; return whether it still ran."""

    def run() -> dict[str, str]:
        damage()
        return _run(case, path, every)

    number = signal.SIGTERM if way == "term" else signal.SIGKILL
    found = _in_child(run, delay, number)
    if isinstance(found, dict):
        return False
    if found not in (-number, -signal.SIGKILL):
        raise AssertionError(f"{case.name}, {way}: the fit ended with {found}")
    return True


def _damage(way: str, n_files: int) -> None:
    """Let something go wrong with the file after so many."""
    count, write, replace = iter(range(10**9)), files._write, os.replace

    def die_between(source: Any, target: Any) -> None:
        if next(count) >= n_files:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    def write_to_full_disk(name: str, data: Any) -> None:
        if next(count) >= n_files:
            most = len(data) // 2
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        write(name, data)

    if way == "rename":
        os.replace = die_between
    if way == "disk":
        files._write = write_to_full_disk


def _check_readable(path: Path, before: bytes | None) -> None:
    """Refuse a file that is not whole, or that is gone."""
    if path.exists():
        checkpoints._fields_of(str(path))
    elif before is not None:
        raise AssertionError("the checkpoint is gone")


def _in_child(run: Callable[[], Any], delay: float = PATIENCE, number: int = signal.SIGKILL) -> Any:
    """Return what this returns in a child, or how the child ended; after a delay it is killed."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            global _started
            _started = time.monotonic()
            warnings.simplefilter("ignore")
            found = pickle.dumps(run())
            os.write(write, found)
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(write)
    end = time.monotonic() + delay
    with open(read, "rb") as pipe:
        status = None
        while status is None:
            done, found = os.waitpid(pid, os.WNOHANG)
            if done:
                status = found
            elif time.monotonic() >= end:
                os.kill(pid, number)
                number, end = signal.SIGKILL, time.monotonic() + PATIENCE
            else:
                time.sleep(0.0005)
        code = os.waitstatus_to_exitcode(status)
        return pickle.loads(pipe.read()) if code == 0 else code
