"""The learning curves as a picture, drawn with matplotlib."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ..._printable import plain_label
from ...io.files import write_file
from ..console import UserError, mistakes_of_files
from ..outputs import check_output
from .report import duration
from .training import Comparison, Run

OURS, THEIRS, GREY = "#d1495b", "#30638e", "#5c6370"  # distinct for colour-blind readers too


def is_possible(path: Path, file: Path | None = None) -> bool:
    """Return whether matplotlib is installed.

    Parameters
    ----------
    path : Path
    file : Path, optional
        What is read.

    Raises
    ------
    UserError
        If it is, but the picture could not be written to this path.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError:
        return False
    check_output(path, file)
    formats = FigureCanvasAgg.get_supported_filetypes()
    if _format_of(path) not in formats:
        raise UserError(f"{path} should end in one of: {', '.join('.' + one for one in formats)}")
    return True


def _format_of(path: Path) -> str:
    return path.suffix.lstrip(".").lower()


def draw(comparisons: list[Comparison], path: Path) -> None:
    """Write a picture with one panel a data set that has curves: training loss against time.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    from matplotlib.figure import Figure  # without pyplot: the user's backend is left alone
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    comparisons = [one for one in comparisons if one.has_curves]
    n = len(comparisons)
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
    figure = Figure(figsize=(4.3 * n + 0.9, 4.8), dpi=160, layout=layout)
    panels = figure.subplots(1, n, squeeze=False)[0]
    for axes, comparison in zip(panels, comparisons, strict=True):
        _panel(axes, comparison)
    panels[0].set_ylabel("training loss (mean of each epoch)")
    with mistakes_of_files():
        write_file(path, lambda file: figure.savefig(file, format=_format_of(path)))


def _panel(axes: Any, comparison: Comparison) -> None:
    """Draw both curves of one data set, one dot an epoch."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    task = comparison.task
    title = f"{plain_label(task.name)}, {comparison.network}"
    axes.set_title(title, fontweight="bold", pad=46)
    axes.set_xlabel("training time, one dot an epoch")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(EngFormatter(unit="s"))
    axes.grid(color="#e4e6ea", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    ours = _curve(axes, comparison.fastbp, "fastbp", OURS, task.score_name)
    theirs = _curve(axes, comparison.scikit_learn, "scikit-learn", THEIRS, task.score_name)
    few = axes.get_xlim()[1] < 10 * axes.get_xlim()[0]  # no power of ten may be among the ticks
    axes.xaxis.set_minor_locator(LogLocator(subs=(2, 3, 5, 7)))
    axes.xaxis.set_minor_formatter(EngFormatter(unit="s") if few else NullFormatter())
    axes.set_ylim(0, axes.get_ylim()[1] * 1.04)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.03, 1.0), frameon=False)
    if ours and theirs and comparison.ratio:
        height = max(ours[0][1], theirs[0][1])
        arrow = (ours[0][0], theirs[0][0], height, f"{comparison.ratio:,.0f} x")
        _double_arrow(axes, *arrow)


def _curve(axes: Any, run: Run, name: str, colour: str, score: str) -> list[tuple[float, float]]:
    """Draw one curve, if training did not diverge; return its points (seconds, loss)."""
    if run.score is None:
        return []
    outcome = "diverged" if run.diverged else f"held-out {score} {run.score:.3f}"
    curve = [] if run.diverged else run.loss_curve
    seconds = [run.seconds * (epoch + 1) / len(curve) for epoch in range(len(curve))]
    label = f"{name}: {duration(run.seconds)}, {outcome}"
    axes.plot(seconds, curve, "o-", color=colour, markersize=3.5, label=label)
    return list(zip(seconds, curve, strict=True))


def _double_arrow(axes: Any, left: float, right: float, height: float, text: str) -> None:
    style = {"arrowstyle": "<->", "color": GREY, "shrinkA": 6, "shrinkB": 6}
    axes.annotate("", (right, height), (left, height), arrowprops=style)
    middle = (math.sqrt(left * right), height)
    offset = {"xytext": (0, 4), "textcoords": "offset points"}
    axes.annotate(text, middle, **offset, ha="center", color=GREY)
