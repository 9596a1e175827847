"""The runs as a Markdown table, as CSV and as a picture."""

import csv
import importlib.metadata
import math
import os
import platform
import time
from itertools import groupby
from pathlib import Path
from statistics import median

from fastbp import _core

from ..machine import processor
from .curves import GOALS, Curve, median_time, undisturbed_time
from .learners import LEARNERS

COLORS = {"fastbp": "#d1495b", "scikit-learn": "#00798c", "PyTorch": "#edae49"}


def description() -> list[str]:
    packages = ""
    for package in ("numpy", "scikit-learn", "torch"):
        try:
            packages += f"{package} {importlib.metadata.version(package)}, "
        except importlib.metadata.PackageNotFoundError:
            continue
    return [
        f"{processor()}, {os.cpu_count()} processors, of which fastbp uses one",
        f"fastbp ({_core.isa.ISA}, {_core.compiler()}), {packages}"
        f"Python {platform.python_version()}",
        time.strftime("%Y-%m-%d", time.gmtime()),
    ]


def by_setting(curves: list[Curve]) -> dict[str, list[Curve]]:
    ordered = sorted(
        curves, key=lambda one: (list(LEARNERS).index(one.setting.library), str(one.setting))
    )
    return {name: list(group) for name, group in groupby(ordered, key=lambda one: str(one.setting))}


def markdown(curves: list[Curve], processor_time: bool) -> str:
    """Return the table, seconds to each goal and the accuracy at the end, and what follows."""
    what = "Processor seconds (one thread)" if processor_time else "Seconds"
    n_seeds = len({one.seed for one in curves})
    heads = ["setting"]
    heads += [f"{goal:.0%}{what}" for goal in GOALS for what in ("", ", undisturbed")]
    heads += ["accuracy at the end"]
    lines = [*(f"- {line}" for line in description()), ""]
    lines += [f"{what} of training until so many test digits were recognised."]
    lines += [
        f"Median of {n_seeds} seeds; in brackets the worst. Undisturbed: the rows that it took,"
    ]
    lines += ["at the pace of the fastest piece of 10,000.", ""]
    lines += [f"| {' | '.join(heads)} |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    for name, group in by_setting(curves).items():
        ends = sorted((one.accuracy[-1] for one in group), reverse=True)
        cells = [name]
        for goal in GOALS:
            worst = max(one.time_to(goal) for one in group)
            cells.append(f"{shown(median_time(group, goal))} ({shown(worst)})")
            cells.append(shown(undisturbed_time(group, goal)))
        cells.append(f"{median(ends):.2%} ({ends[-1]:.2%})")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *ratios(curves, processor_time)])


def shown(seconds: float) -> str:
    return f"{seconds:.2f}" if math.isfinite(seconds) else "not reached"


def ratios(curves: list[Curve], processor_time: bool) -> list[str]:
    """Return a line for each goal: fastbp's best setting against the best of the others."""
    groups = list(by_setting(curves).values())
    ours = [group for group in groups if group[0].setting.library == "fastbp"]
    theirs = [group for group in groups if group[0].setting.library != "fastbp"]
    lines = []
    for goal in GOALS if ours and theirs else ():
        texts = []
        for time_of, how in ((median_time, ""), (undisturbed_time, ", undisturbed")):
            best = [min(time_of(group, goal) for group in side) for side in (ours, theirs)]
            texts.append(f"{best[1] / best[0]:.1f}{how}")
        what = "less processor time" if processor_time else "sooner"
        lines.append(f"- {goal:.0%}: times {what} than the best of the others: {'; '.join(texts)}")
    return lines


def write(folder: Path, text: str, curves: list[Curve], processor_time: bool) -> None:
    """Write mnist.md, mnist.csv with every look at the test digits, and mnist.png."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mnist.md").write_text(text + "\n", encoding="utf-8")
    with open(folder / "mnist.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["setting", "seed", "rows", "seconds", "accuracy"])
        for one in curves:
            for n, seconds, accuracy in zip(one.rows, one.seconds, one.accuracy, strict=True):
                rows.writerow([one.setting, one.seed, n, f"{seconds:.4f}", f"{accuracy:.4f}"])
    picture(folder / "mnist.png", curves, processor_time)


def picture(path: Path, curves: list[Curve], processor_time: bool) -> None:
    """Draw accuracy over time, a line a run."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 11, "svg.hashsalt": "fastbp"}):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.subplots()
        for library in LEARNERS:
            of_library = [one for one in curves if one.setting.library == library]
            for i, one in enumerate(of_library):
                style = "-" if one.setting.dtype == "float32" else ":"
                label = library if i == 0 else None
                percent = [100 * accuracy for accuracy in one.accuracy]
                axes.plot(one.seconds, percent, style, color=COLORS[library], label=label, lw=1.2)
        for goal in GOALS:
            axes.axhline(100 * goal, color="0.8", lw=0.8, zorder=0)
        axes.set(
            xscale="log",
            ylim=(92, 98.7),
        )
        axes.set_xlabel(f"{'processor ' * processor_time}seconds of training")
        axes.set_ylabel("test digits recognised, %")
        threads = "one thread each" if processor_time else "on one core, the others on all"
        axes.set_title(f"MNIST: fastbp row by row, {threads}", fontsize=11)
        axes.legend(loc="lower right", frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, dpi=120)
