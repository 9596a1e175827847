"""The results as Markdown, and where they go in tables.md."""

import importlib.metadata
import os
import platform
import time
from pathlib import Path
from typing import Any

from fastbp import _core

from ..machine import processor
from . import cost, losses, picture, scores

PACKAGES = ("scikit-learn", "numpy", "pytabkit", "torch")
GROUPS = {"compared": "Looked at before", "held_back": "Held back"}


def versions() -> list[str]:
    packages = []
    for name in PACKAGES:
        try:
            packages.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return packages


def description(packages: list[str] | None = None) -> str:
    """Say what was measured with: the machine, the compiler and packages, and when."""
    packages = packages or versions()
    return (
        f"{processor()}, {os.cpu_count()} processors, of which one was used; {_core.isa.ISA}, "
        f"{_core.compiler()}; {', '.join(packages)}, Python {platform.python_version()}; "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}."
    )


def texts(found: dict[str, Any], n_splits: int, rounds: int) -> dict[str, str]:
    """Return the text of each part that has results."""
    made = {}
    for part, results in found.items():
        if part == "cost":
            made[part] = text_of_cost(*results, rounds)
        elif results:
            made[part] = text_of(part, results, n_splits)
    return made


def text_of(part: str, results: list[Any], n_splits: int) -> str:
    how = f"{description()} Means of {n_splits} splits, processor times of a fit: medians."
    if part == "losses":
        return "\n".join([*losses.markdown(results), "", how])
    lines = [*scores.markdown(results), "", *scores.comparison(results), ""]
    varies = f"The lead over {scores.SCALED} varies from split to split by a standard deviation of"
    return "\n".join(
        [*lines, f"{varies} {scores.spread(results):.3f} (median of the tables).", how]
    )


def text_of_cost(figures: list[Any], peaks: list[Any], rounds: int) -> str:
    lines = [*cost.markdown(figures), "", *cost.markdown_of_peaks(peaks), ""]
    return "\n".join([*lines, f"{description()} Processor times, medians of {rounds} rounds."])


def renew(docs: Path, made: dict[str, str], found: dict[str, Any]) -> None:
    """Put the texts into tables.md, each between its marks, and draw the picture again."""
    page = docs / "tables.md"
    text = page.read_text(encoding="utf-8")
    for part, new in made.items():
        text = between_marks(text, part, new)
    page.write_text(text, encoding="utf-8")
    groups = {title: found[part] for part, title in GROUPS.items() if found.get(part)}
    if len(groups) == len(GROUPS):
        picture.write(docs / "pictures", groups)


def between_marks(text: str, part: str, new: str) -> str:
    begin, end = f"<!-- {part} -->", f"<!-- end of {part} -->"
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n\n{new}\n\n{end}{rest.partition(end)[2]}"
