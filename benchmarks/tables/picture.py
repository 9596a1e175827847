"""Score against time as a picture: means of all models, and every table."""

import statistics
from pathlib import Path
from typing import Any

from .models import FASTBP, RAW, REALMLP, SCALED, TREES
from .scores import Score, by_table

FILE = "tables.svg"
COLORS = {
    FASTBP: "#d1495b",
    RAW: "#8d96a3",
    SCALED: "#00798c",
    TREES: "#edae49",
    REALMLP: "#5c4d7d",
}
MOST = 0.2  # of the differences shown: what is beyond stands at the edge


def write(folder: Path, groups: dict[str, list[Score]]) -> Path:
    """Draw the scores of groups of tables as SVG, and return the file."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings = {"font.size": 10, "svg.hashsalt": "fastbp", "svg.fonttype": "none"}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(9, 10), layout="constrained")
        top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.6])
        for axes, (name, results) in zip(
            top.subplots(1, len(groups), squeeze=False)[0], groups.items(), strict=True
        ):
            draw_means(axes, name, results)
        for axes, results in zip(
            bottom.subplots(1, len(groups), squeeze=False)[0], groups.values(), strict=True
        ):
            draw_tables(axes, results)
        handles, labels = axes.get_legend_handles_labels()
        bottom.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(folder / FILE, metadata={"Date": None})
    return folder / FILE


def draw_means(axes: Any, name: str, results: list[Score]) -> None:
    """Draw the mean score of each model over the sum of its times."""
    from matplotlib.ticker import LogLocator

    rows = by_table(results)
    for model in next(iter(rows.values())):
        mean = statistics.fmean(row[model].mean for row in rows.values())
        seconds = sum(row[model].time for row in rows.values())
        axes.plot(seconds, mean, "o", color=COLORS[model], markersize=9)
        axes.annotate(model, (seconds, mean), (8, 5), textcoords="offset points")
    axes.set(xscale="log", xlabel="s to fit all tables once", ylabel="mean score")
    axes.set_title(f"{name}: {len(rows)} tables", loc="left")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.margins(x=0.3, y=0.15)
    finish(axes)


def draw_tables(axes: Any, results: list[Score]) -> None:
    """Draw, a line a table, how far each model is above or below the scaled MLP."""
    rows = by_table(results)
    names = list(rows)[::-1]
    axes.axvline(0, color=COLORS[SCALED], linewidth=1.2)
    for model in next(iter(rows.values())):
        if model == SCALED:
            continue
        gaps = [rows[name][model].mean - rows[name][SCALED].mean for name in names]
        shown = [min(max(gap, -MOST), MOST) for gap in gaps]
        order = 4 if model == FASTBP else 3
        axes.plot(shown, names, "o", color=COLORS[model], label=model, clip_on=False, zorder=order)
    axes.set_xlabel(f"score less that of {SCALED} (edge: {MOST} or more)")
    axes.set_xlim(-MOST, MOST)
    finish(axes)


def finish(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
