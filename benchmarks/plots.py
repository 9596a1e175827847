"""The figures as pictures: networks, rows, non-zeros, parameters, widths, threads."""

from itertools import pairwise
from pathlib import Path
from typing import Any

from .groups import growth, rows
from .measure import Figures
from .task import name_of
from .verdicts import cases_of

NETWORKS, GROWTH, THREADS = "time_by_network", "time_by_growth", "time_by_threads"


def write(folder: Path, figures: list[Figures]) -> list[Path]:
    """Draw what was measured as SVG, and return the files."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    settings = {
        "svg.hashsalt": "fastbp",
        "svg.fonttype": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with pyplot.rc_context(settings):
        for name, draw in ((NETWORKS, networks), (GROWTH, series), (THREADS, threads)):
            figure = draw(pyplot, figures)
            if figure is None:
                continue
            path = folder / f"{name}.svg"
            figure.savefig(path, metadata={"Date": None})
            pyplot.close(figure)
            written.append(path)
    return written


def networks(pyplot: Any, figures: list[Figures]) -> Any:
    """Draw the time of a row against the parameters of the network, a line for each library."""
    cases = cases_of("rows", figures)
    found = [
        (n_parameters(sizes), cases[name_of(sizes)])
        for sizes in rows.NETWORKS
        if name_of(sizes) in cases
    ]
    if len(found) < 2:
        return None
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for subject in dict.fromkeys(subject for _, case in found for subject in case):
        points = [(n, 1e6 * case[subject].median) for n, case in found if subject in case]
        width = 3 if subject == "fastbp" else 1.2
        axes.plot(*zip(*points, strict=True), "o-", markersize=4, linewidth=width, label=subject)
    axes.set(xscale="log", yscale="log", xlabel="parameters of the network", ylabel="us for a row")
    axes.set_title("Row by row, squared error, ReLU, float64, one processor", loc="left")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def n_parameters(sizes: tuple[int, ...]) -> int:
    return sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))


def series(pyplot: Any, figures: list[Figures]) -> Any:
    """Draw the time of a row against rows, non-zeros, parameters and units."""
    cases = cases_of("growth", figures)
    if not cases:
        return None
    figure, grid = pyplot.subplots(2, 2, figsize=(9, 6), layout="constrained")
    for axes, name in zip(
        grid.flat, (growth.ROWS, growth.NON_ZEROS, growth.PARAMETERS, growth.WIDTH), strict=True
    ):
        if name not in cases:
            axes.set_visible(False)
            continue
        sizes = [float(subject) for subject in cases[name]]
        times = [1e6 * one.median for one in cases[name].values()]
        axes.plot(sizes, times, ".-" if len(sizes) < 50 else "-")
        axes.set(xlabel=name, ylabel="us for a row")
        if name != growth.WIDTH:
            axes.set(xscale="log", yscale="log")
        axes.set_ylim(*limits(times, linear=name == growth.WIDTH))
        axes.grid(alpha=0.3)
    return figure


def limits(times: list[float], linear: bool) -> tuple[float, float]:
    """Return limits that do not make noise look like growth: half a decade at least."""
    return (0, 1.1 * max(times)) if linear else (min(times) / 2, 2 * max(times))


def threads(pyplot: Any, figures: list[Figures]) -> Any:
    """Draw the time on one thread over that on all processors, a bar for each case."""
    found = {
        name: case["one thread"].median / case["all processors"].median
        for name, case in cases_of("threads", figures).items()
        if "one thread" in case
    }
    if not found:
        return None
    figure, axes = pyplot.subplots(figsize=(8, 1 + 0.35 * len(found)), layout="constrained")
    axes.barh(list(found)[::-1], list(found.values())[::-1])
    axes.axvline(1, color="0.4", linewidth=1)
    axes.set_xlabel("times as fast with n_threads = all processors as with one")
    return figure
