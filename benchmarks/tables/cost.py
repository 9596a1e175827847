"""What ``standardize=True`` costs: time a row and memory, next to ``standardize=False``.

Peaks of memory are taken in processes of their own, on Linux only:
``python -m benchmarks.tables.cost N_ROWS SETTING``.
"""

import math
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..groups.memory import status
from ..measure import Case, Figures, Sample, interleaved

GROUP = "standardize"
STANDARDIZED, AS_IT_IS = "True", "False"
DEFAULTS = "defaults"  # several networks, with rows held out
SETTINGS = (STANDARDIZED, AS_IT_IS, DEFAULTS)
N_EPOCHS = 10
N_CALLS = 20_000
# Numbers in the tables: a fit keeps a scaled copy of the smaller one, and scales rows of the larger
# one where it reads them.
SIZES = {"scaled copy": 1_000_000, "scaled where it is read": 3_000_000}
N_IN, N_HIDDEN = (10, 100), (16, 64)


def regressor(n_hidden: int, standardize: bool, max_iter: int = N_EPOCHS) -> Any:
    """Return one network that makes all epochs, at a rate that suits rows as they are."""
    from fastbp import BackpropRegressor

    return BackpropRegressor(
        hidden_layer_sizes=n_hidden,
        standardize=standardize,
        early_stopping=False,
        learning_rate="constant",
        learning_rate_init=0.001,
        max_iter=max_iter,
        n_iter_no_change=math.inf,
        random_state=0,
    )


def data(n_rows: int, n_in: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows whose units are good ones, so that both networks learn."""
    random = np.random.default_rng(0)
    X = random.standard_normal((n_rows, n_in))
    return X, np.tanh(X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * random.standard_normal(n_rows)


def cases(scale: float = 1.0) -> Iterator[Case]:
    """Yield what is timed; with another scale tables of so many times as many rows."""
    for how, size in SIZES.items():
        for n_in in N_IN:
            for n_hidden in N_HIDDEN:
                n_rows = max(int(scale * size / n_in), 50)
                name = f"fit, {n_in}-{n_hidden}-1, {n_rows:,} rows, {how}"
                yield Case(name, partial(fits, n_rows, n_in, n_hidden))
    for n_in in N_IN:
        yield Case(f"`partial_fit` of one row, {n_in}-64-1", partial(calls, "partial_fit", n_in))
        yield Case(f"`predict_one`, {n_in}-64-1", partial(calls, "predict_one", n_in))


def processor_time(call: Callable[[], Any], n_calls: int, n: int) -> Sample:
    """Return a sample of the processor time of some calls, for each of the n things they do.

    That, unlike the time that passes, depends little on what else the machine does.
    """

    def sample() -> float:
        began = time.process_time()
        for _ in range(n_calls):
            call()
        return (time.process_time() - began) / n

    return sample


def fits(n_rows: int, n_in: int, n_hidden: int) -> dict[str, Sample]:
    X, y = data(n_rows, n_in)

    def fit(standardize: bool) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            regressor(n_hidden, standardize).fit(X, y)

    return {
        str(flag): processor_time(partial(fit, flag), 1, N_EPOCHS * n_rows)
        for flag in (True, False)
    }


def calls(name: str, n_in: int) -> dict[str, Sample]:
    """Return samples of calls of models that began with partial_fit."""
    X, y = data(200, n_in)
    arguments = (X[:1], y[:1]) if name == "partial_fit" else (X[0],)
    samples = {}
    for flag in (True, False):
        model = regressor(64, flag).partial_fit(X, y)
        samples[str(flag)] = processor_time(
            partial(getattr(model, name), *arguments), N_CALLS, N_CALLS
        )
    return samples


def measured(rounds: int, scale: float = 1.0) -> list[Figures]:
    """Return the figures of all cases."""
    found = []
    for case in cases(scale):
        found += interleaved(GROUP, case, rounds)
        ours, plain = found[-2:]
        print(
            f"{case.name:64s}{1e6 * ours.median:9.3f}{1e6 * plain.median:9.3f} us",
            file=sys.stderr,
            flush=True,
        )
    return found


def markdown(figures: list[Figures]) -> list[str]:
    """Return a table of times and their ratio, the median of those within rounds."""
    lines = [
        "| | `standardize=True`, us | `standardize=False`, us | ratio |",
        "|---|---:|---:|---:|",
    ]
    names = dict.fromkeys(one.case for one in figures)
    for name in names:
        ours, plain = (one for one in figures if one.case == name)
        ratios = np.divide(ours.values, plain.values)
        lines.append(
            f"| {name} | {1e6 * ours.median:.3g} | {1e6 * plain.median:.3g} "
            f"| {np.median(ratios):.2f} |"
        )
    return lines


def peaks(sizes: Sequence[int] = (10_000, 100_000)) -> list[tuple[int, dict[str, float]]]:
    """Return the rows of tables of 100 columns, and by setting the peak of a fit above them, MB."""
    if sys.platform != "linux":
        return []
    return [
        (n_rows, {setting: peak_in_a_process(n_rows, setting) / 1e6 for setting in SETTINGS})
        for n_rows in sizes
    ]


def peak_in_a_process(n_rows: int, setting: str) -> float:
    command = [sys.executable, "-W", "ignore", "-m", __name__, str(n_rows), setting]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


def peak(n_rows: int, setting: str) -> int:
    """Return the most bytes that a fit holds besides its data."""
    X, y = data(n_rows, 100)
    model_for_peak(setting).fit(X[:100], y[:100])  # loads what a fit loads
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = status("VmRSS")
    model_for_peak(setting).fit(X, y)
    return status("VmHWM") - before


def model_for_peak(setting: str) -> Any:
    from fastbp import BackpropRegressor

    if setting == DEFAULTS:
        return BackpropRegressor(max_iter=2, random_state=0)
    return regressor(64, setting == STANDARDIZED, max_iter=2)


def markdown_of_peaks(found: list[tuple[int, dict[str, float]]]) -> list[str]:
    if not found:
        return ["Memory is measured on Linux only."]
    names = [f"`standardize={flag}`, MB" for flag in (STANDARDIZED, AS_IT_IS)]
    lines = [
        f"| fit, 100 columns, float64 | X, MB | {' | '.join(names)} | all defaults, MB |",
        "|---|---:|---:|---:|---:|",
    ]
    for n_rows, by_setting in found:
        cells = " | ".join(f"{by_setting[setting]:.1f}" for setting in SETTINGS)
        lines.append(f"| {n_rows:,} rows | {n_rows * 8e-4:.1f} | {cells} |")
    return lines


if __name__ == "__main__":
    print(peak(int(sys.argv[1]), sys.argv[2]))
