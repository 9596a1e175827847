"""Instructions a row, counted by callgrind, next to a committed baseline.

python -m benchmarks.instructions [--check | --update] [--only TEXT]

Counts hardly change from run to run or from machine to machine, where times do: they show that a
kernel has grown before any timing shows it. They depend on the compiler, so the baseline names
its own, and other compilers' counts are printed, not compared.
"""

import argparse
import dataclasses
import gc
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from fastbp import Network, _core

BASELINE = Path(__file__).with_suffix(".json")
MAX_GROWTH = 0.10
UNDER_VALGRIND = ("scalar", "avx2", "neon")  # it does not know AVX-512
DTYPES = ("float64", "float32")
MARK = os.ctermid  # calls the C function of that name, before which callgrind writes its counts

Counts = dict[str, dict[str, float]]  # of a case, by instruction set and dtype: instructions a row


@dataclasses.dataclass(frozen=True)
class Case:
    """A fixed piece of work: rows through one network, by one path."""

    layer_sizes: tuple[int, ...]
    remark: str = ""
    non_zeros: float | None = None  # share of them in a CSR matrix; None: dense rows
    network: dict[str, Any] = dataclasses.field(default_factory=dict)
    training: dict[str, Any] = dataclasses.field(default_factory=dict)
    how: str = "epoch"  # or "rows": every layer row by row; or "forward"

    @property
    def name(self) -> str:
        sizes = "-".join(map(str, self.layer_sizes))
        return f"{sizes}, {self.remark}" if self.remark else sizes

    @property
    def lengths(self) -> tuple[int, int]:
        """Numbers of rows in a short and in a long run: what is not done row by row cancels.

        The long one is long enough for what Python does in a call, which varies a little, to be
        a hundredth or two of it. Both are whole blocks, and whole batches.
        """
        first, *above = map(np.prod, zip(self.layer_sizes, self.layer_sizes[1:], strict=False))
        multiplications = first * (self.non_zeros or 1) + sum(above)
        more = min(20_000, 1_000_000 / multiplications)
        return 32, 32 + 32 * max(2, round(more / 32))

    def rows(self, dtype: str) -> tuple[Any, np.ndarray]:
        """Return X and y, of as many rows as the long run takes."""
        random, n_rows = np.random.default_rng(0), self.lengths[1]
        X = random.uniform(-1, 1, (n_rows, self.layer_sizes[0])).astype(dtype)
        if self.network.get("loss") == "log_loss":
            y = random.integers(0, self.layer_sizes[-1], n_rows)
        else:
            y = random.uniform(-1, 1, (n_rows, self.layer_sizes[-1])).astype(dtype)
        if self.non_zeros is not None:
            X = csr_array(np.where(random.uniform(size=X.shape) < self.non_zeros, X, 0))
        return X, y

    def call(self, dtype: str) -> Callable[[int], Any]:
        """Return a function that runs n rows."""
        network = Network(self.layer_sizes, dtype=dtype, random_state=0, **self.network)
        X, y = self.rows(dtype)
        order = np.random.default_rng(1).permutation(len(y))
        if self.how == "forward":
            return lambda n: network.forward(X[:n])
        if self.how == "rows":
            return lambda n: network.train_epoch(X, y, 1e-5, order[:n], plan="rows")
        return lambda n: network.train_epoch(X, y, 1e-5, order[:n], **self.training)


CASES = (
    Case((2, 2, 1)),
    Case((8, 16, 1)),
    Case((30, 64, 1)),
    Case((64, 128, 10)),
    Case((64, 128, 10), "every layer row by row", how="rows"),
    Case((64, 128, 64, 10)),
    Case((784, 128, 10)),
    Case((784, 128, 10), "19 % not zero, CSR", non_zeros=0.19),
    Case((20_000, 64, 2), "0.2 % not zero, CSR", non_zeros=0.002),
    Case((2, 2, 1), "tanh", network={"activation": "tanh"}),
    Case((30, 64, 1), "tanh", network={"activation": "tanh"}),
    Case((30, 64, 1), "logistic", network={"activation": "logistic"}),
    Case((64, 128, 10), "softmax and log loss", network={"loss": "log_loss"}),
    Case((64, 128, 10), "momentum", training={"momentum": 0.9}),
    Case((64, 128, 10), "L2", training={"alpha": 0.01}),
    Case((64, 128, 10), "L2, 19 % not zero, CSR", 0.19, training={"alpha": 0.01}),
    Case((64, 128, 10), "batches of 32", training={"batch_size": 32}),
    Case((64, 128, 10), "batches of 32, momentum", training={"batch_size": 32, "momentum": 0.9}),
    Case((64, 128, 10), "batches of 32, 19 % not zero, CSR", 0.19, training={"batch_size": 32}),
    Case((30, 64, 2), "forward", how="forward"),
    Case((784, 128, 10), "forward", how="forward"),
)


# -- counting ----------------------------------------------------------------------------------


def count(only: str = "") -> Counts:
    """Return the counts of the cases that have the text in their names."""
    cases = [case for case in CASES if only in case.name]
    isas = [isa for isa in _core.available_isas() if isa in UNDER_VALGRIND]
    counts: Counts = {case.name: {} for case in cases}
    with tempfile.TemporaryDirectory() as folder:
        runs = {isa: start(isa, Path(folder, isa), only) for isa in isas}
        for isa, run in runs.items():
            output, _ = run.communicate()
            if run.returncode:
                raise SystemExit(f"counting for {isa} failed:\n{output}")
            totals = iter(totals_of(Path(folder, isa)))
            for case, dtype in works(cases):
                _, short, long = next(totals), next(totals), next(totals)
                n_short, n_long = case.lengths
                a_row = (long - short) / (n_long - n_short)
                counts[case.name][f"{isa} {dtype}"] = float(f"{a_row:.4g}")
    return counts


def works(cases: list[Case]) -> Iterator[tuple[Case, str]]:
    for case in cases:
        for dtype in DTYPES:
            yield case, dtype


def start(isa: str, folder: Path, only: str) -> subprocess.Popen:
    """Start a process of this module under callgrind, which leaves its counts in the folder."""
    folder.mkdir()
    callgrind = ["valgrind", "--tool=callgrind", f"--dump-before={MARK.__name__}"]
    module = [sys.executable, "-m", "benchmarks.instructions", "--here", "--only", only]
    return subprocess.Popen(
        [*callgrind, f"--callgrind-out-file={folder}/counts", *module],
        env=os.environ | {"FASTBP_ISA": isa, "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def totals_of(folder: Path) -> list[int]:
    """Return the instructions between marks, in the order of the marks."""
    files = sorted(folder.glob("counts.*"), key=lambda file: int(file.suffix[1:]))
    return [
        int(re.search(r"^(?:totals|summary): (\d+)", file.read_text(), re.M)[1]) for file in files
    ]


def run_here(only: str) -> None:
    """Run every case, with a mark before the short run, before the long one and after it."""
    gc.disable()
    for case, dtype in works([case for case in CASES if only in case.name]):
        call, (short, long) = case.call(dtype), case.lengths
        call(short)  # memory is made by the first call
        MARK()
        call(short)
        MARK()
        call(long)
        MARK()


# -- comparing ---------------------------------------------------------------------------------


def differences(counts: Counts, baseline: Counts) -> tuple[list[str], list[str]]:
    """Return a line for each count that grew too much, and one for each that shrank as much."""
    grown, shrunk = [], []
    for case, of_case in counts.items():
        for kind, now in of_case.items():
            before = baseline.get(case, {}).get(kind)
            if before is None:
                continue
            line = f"{case}, {kind}: {before:,g} -> {now:,g} ({now / before - 1:+.0%})"
            if now > before * (1 + MAX_GROWTH):
                grown.append(line)
            elif now < before * (1 - MAX_GROWTH):
                shrunk.append(line)
    return grown, shrunk


def verdict(counts: Counts, compiler: str, baseline: dict[str, Any]) -> tuple[list[str], bool]:
    """Return what to say of the counts, and whether they pass."""
    if compiler != baseline["compiler"]:
        return [
            f"NOT COMPARED: this build is of {compiler}, the baseline of {baseline['compiler']}"
        ], True
    grown, shrunk = differences(counts, baseline["instructions_per_row"])
    known = baseline["instructions_per_row"]
    new = [case for case in counts if case not in known]
    lines = [f"GREW: {line}" for line in grown] + [f"shrank: {line}" for line in shrunk]
    lines += [f"not in the baseline yet: {case}" for case in new]
    if lines:
        lines.append("If this is as it should be: python -m benchmarks.instructions --update")
    lines.append(f"{len(grown)} counts grew by more than {MAX_GROWTH:.0%}")
    return lines, not grown


def table(counts: Counts) -> list[str]:
    kinds = list(dict.fromkeys(kind for of_case in counts.values() for kind in of_case))
    lines = [f"{'instructions a row':<48}" + "".join(f"{kind:>16}" for kind in kinds)]
    for case, of_case in counts.items():
        numbers = (f"{of_case[kind]:,.0f}" for kind in kinds)
        lines.append(f"{case:<48}" + "".join(f"{number:>16}" for number in numbers))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="fail where a count grew by a tenth")
    what.add_argument("--update", action="store_true", help=f"rewrite {BASELINE.name}")
    what.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--only", default="", metavar="TEXT", help="cases with TEXT in their names")
    options = parser.parse_args()
    if options.here:
        run_here(options.only)
        return
    if options.update and options.only:
        parser.error("--update rewrites all counts: leave out --only")
    if not shutil.which("valgrind"):
        parser.error("valgrind was not found: install it, for instance by apt-get install valgrind")
    counts = count(options.only)
    print("\n".join(table(counts)))
    if options.update:
        content = {"compiler": _core.compiler(), "instructions_per_row": counts}
        BASELINE.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    if options.check:
        baseline = json.loads(BASELINE.read_text(encoding="utf-8"))
        lines, passes = verdict(counts, _core.compiler(), baseline)
        print("", *lines, sep="\n")
        raise SystemExit(not passes)


if __name__ == "__main__":
    main()
