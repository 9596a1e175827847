"""Score against time as a picture: all models, on streams of classes and of numbers."""

import statistics
from pathlib import Path
from typing import Any

from ..tables.datasets import CLASSES, NUMBERS
from ..tables.picture import finish
from .models import BASELINES, FASTBP, MEAN, OF_RIVER
from .scores import Score, by_stream

FILE = "streams.svg"
OURS, RIVER, OTHERS = "#d1495b", "#00798c", "#edae49"
# Whose names stand on the left, so that they do not cover others.
LEFT = {
    CLASSES: {"adaptive forest", "k neighbours", "VW --nn", "Mondrian forest"},
    NUMBERS: {"deep-river MLP", "k neighbours", "VW --nn"},
}


def write(folder: Path, results: list[Score]) -> Path:
    """Draw the mean scores of all models over their times as SVG, and return the file."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings = {"font.size": 10, "svg.hashsalt": "fastbp", "svg.fonttype": "none"}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(9, 9), layout="constrained")
        top, bottom = figure.subplots(2, 1)
        draw(top, [one for one in results if one.kind == CLASSES], "mean accuracy")
        draw(
            bottom,
            [one for one in results if one.kind == NUMBERS],
            "mean error / that of mean so far",
        )
        bottom.invert_yaxis()  # the better, the higher
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(folder / FILE, metadata={"Date": None})
    return folder / FILE


def draw(axes: Any, results: list[Score], label: str) -> None:
    """Draw each model that has a score on every stream at its mean, over its time of a row."""
    rows = by_stream(results)
    for model in dict.fromkeys(one.model for one in results):
        if model in BASELINES or any(model not in row for row in rows.values()):
            continue
        level = statistics.fmean(relative(row, model) for row in rows.values())
        time = statistics.geometric_mean(row[model].microseconds for row in rows.values())
        axes.plot(time, level, "o", color=color(model), markersize=10 if model == FASTBP else 7)
        side = -8 if model in LEFT[results[0].kind] else 8
        axes.annotate(
            model,
            (time, level),
            (side, 0),
            textcoords="offset points",
            ha="right" if side < 0 else "left",
            va="center",
        )
    axes.set(xscale="log", xlabel="us to predict and learn a row", ylabel=label)
    axes.set_title(f"{len(rows)} streams", loc="left")
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.margins(x=0.2, y=0.1)
    finish(axes)


def relative(row: dict[str, Score], model: str) -> float:
    """Return the accuracy, or the error over that of the mean so far, at most 1.5."""
    one = row[model]
    return one.mean if one.kind == CLASSES else min(one.mean / row[MEAN].mean, 1.5)


def color(model: str) -> str:
    if model == FASTBP:
        return OURS
    return RIVER if model in OF_RIVER else OTHERS
