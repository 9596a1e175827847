"""Memory: training on a file larger than the process may allocate, and the peak of a fit.

Each figure is taken in a process of its own: ``python -m benchmarks.groups.memory KIND ...``.
Linux only.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..measure import BYTES, Case, Sample
from ..plain import plain
from . import Options

TITLE = "Memory: training on a file, and bytes above the data"
ALL_CORES = False
N_IN, N_HIDDEN, N_OUT = 784, 128, 10
MAPPED = "784-128-10, an epoch of a file that is not in memory"
PEAK = "784-128-10, peak of a fit above the data"
ALLOWANCE = 100 << 20  # bytes that the confined process may allocate once its libraries are loaded
N_PARAMETERS = N_IN * N_HIDDEN + N_HIDDEN + N_HIDDEN * N_OUT + N_OUT


def cases(options: Options) -> Iterator[Case]:
    if sys.platform != "linux":
        print("warning: memory is left out: it is measured on Linux only", file=sys.stderr)
        return
    yield Case(MAPPED, partial(mapped, options))
    yield Case(PEAK, partial(peak, options), unit=BYTES)


def mapped(options: Options) -> dict[str, Sample]:
    """Return samples of an epoch: on X mapped, in confined memory; and on X read before."""
    n_rows = 1_000 if options.quick else 100_000
    folder = tempfile.TemporaryDirectory(prefix="fastbp-benchmarks-")
    path = Path(folder.name) / "X.npy"
    X = np.lib.format.open_memmap(path, "w+", "float64", (n_rows, N_IN))
    for start in range(0, n_rows, 1_000):
        X[start : start + 1_000] = np.random.default_rng(start).uniform(-1, 1, (1_000, N_IN))
    X.flush()

    def figure(kind: str) -> float:
        assert folder  # which lives as long as the samples
        return in_a_process(kind, str(path)) / n_rows

    return {kind: partial(figure, kind) for kind in ("mapped", "read, then trained")}


def peak(options: Options) -> dict[str, Sample]:
    n_rows = "1000" if options.quick else "100000"
    return {"fastbp": partial(in_a_process, "peak", n_rows)}


def in_a_process(kind: str, argument: str) -> float:
    command = [sys.executable, "-W", "ignore", "-m", __name__, kind, argument]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


def model(max_iter: int) -> Any:
    import fastbp

    return plain(
        fastbp.BackpropClassifier,
        hidden_layer_sizes=N_HIDDEN,
        max_iter=max_iter,
        shuffle=max_iter > 1,
        random_state=0,
    )


def seconds_of_epoch(path: str, in_memory: bool) -> float:
    """Return the time of an epoch over the file, which the operating system has forgotten."""
    network = model(1)
    y = np.arange(np.load(path, mmap_mode="r").shape[0]) % N_OUT
    forget(path)
    if not in_memory:
        confine(ALLOWANCE)
    began = time.perf_counter()
    X = np.load(path, mmap_mode=None if in_memory else "r")
    network.partial_fit(X, y, classes=np.arange(N_OUT))
    return time.perf_counter() - began


def forget(path: str) -> None:
    """Drop a file from the operating system's memory."""
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


def confine(more: int) -> None:
    """Let this process allocate so many bytes more; files that it maps do not count."""
    import resource

    limit = status("VmData") + more
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def peak_above_data(n_rows: int) -> float:
    """Return the most bytes that a fit holds besides its data."""
    X = np.random.default_rng(0).uniform(-1, 1, (n_rows, N_IN))
    y = np.arange(n_rows) % N_OUT
    network = model(2)
    model(2).fit(X[:100], y[:100])  # loads what a fit loads
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = status("VmRSS")
    network.fit(X, y)
    return status("VmHWM") - before


def status(name: str) -> int:
    """Return one of the operating system's figures of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) << 10
    raise LookupError(name)


def main(kind: str, argument: str) -> None:
    if kind == "peak":
        print(peak_above_data(int(argument)))
    else:
        print(seconds_of_epoch(argument, in_memory=kind != "mapped"))


if __name__ == "__main__":
    main(*sys.argv[1:])
