"""The figures as Markdown for people and as CSV for programs."""

import csv
from itertools import groupby
from pathlib import Path

from .measure import Timings
from .workload import EPOCH, STEP, TASKS

# task, network, dtype, library or None, and what is to be reached: a ratio, or microseconds
GOALS = (
    (EPOCH, "8-16-1", "float64", "scikit-learn", 300),
    (EPOCH, "30-64-1", "float64", "scikit-learn", 300),
    (EPOCH, "784-128-10", "float64", "scikit-learn", 15),
    (STEP, "8-16-1", "float64", None, 2),
)


def markdown(timings: list[Timings], description: list[str]) -> str:
    """Return a section for each task: microseconds a row, and how many times faster fastbp is."""
    libraries = list(dict.fromkeys(one.library for one in timings))
    lines = ["# Benchmarks", "", *(f"- {line}" for line in description), ""]
    lines += ["Microseconds a row, median; in brackets, how many times as long as fastbp.", ""]
    for task, of_task in groupby(timings, key=lambda one: one.workload.task):
        lines += [f"## {task.capitalize()}: {TASKS[task]}", ""]
        lines += table_row(["network", "dtype", *libraries])
        lines += table_row(["---", "---", *("---:" for _ in libraries)])
        for _, group in groupby(of_task, key=lambda one: one.workload):
            lines += table_row(cells(list(group), libraries))
        lines += [""]
    return "\n".join([*lines, *goals(timings)])


def table_row(texts: list[str]) -> list[str]:
    return [f"| {' | '.join(texts)} |"]


def cells(group: list[Timings], libraries: list[str]) -> list[str]:
    by_library = {one.library: one for one in group}
    ours = by_library["fastbp"]
    texts = [ours.workload.network, ours.workload.dtype]
    for library in libraries:
        theirs = by_library.get(library)
        text = "-" if theirs is None else f"{1e6 * theirs.median:,.3g}"
        if theirs and theirs is not ours:
            text += f" ({two_digits(ours.times_faster_than(theirs))} x)"
        texts.append(text)
    return texts


def two_digits(ratio: float) -> str:
    """Return a ratio as precisely as it is known."""
    return f"{float(f'{ratio:.2g}'):,g}"


def goals(timings: list[Timings]) -> list[str]:
    """Return a line for each goal whose figures were taken."""
    lines = []
    for task, network, dtype, library, goal in GOALS:
        found = {
            one.library: one for one in timings if str(one.workload) == f"{task} {network} {dtype}"
        }
        if not found:
            continue
        ours = found["fastbp"]
        if library is None:
            text = f"{1e6 * ours.median:.2f} us (goal: below {goal})"
        else:
            ratio = ours.times_faster_than(found[library])
            text = f"{two_digits(ratio)} times {library} (goal: at least {goal})"
        lines.append(f"- {task} {network} {dtype}: {text}")
    return lines


def write(folder: Path, text: str, timings: list[Timings]) -> None:
    """Write benchmarks.md and benchmarks.csv; the latter holds every round."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.md").write_text(text + "\n", encoding="utf-8")
    with open(folder / "benchmarks.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["task", "network", "dtype", "library", "round", "seconds_a_row"])
        for one in timings:
            work = one.workload
            for number, seconds in enumerate(one.seconds):
                rows.writerow(
                    [work.task, work.network, work.dtype, one.library, number, f"{seconds:.4g}"]
                )
