"""Compare models at their defaults on real tables in raw units, on one thread.

python -m benchmarks.tables [PART ...] [--splits N] [--rounds N] [--only TEXT] [--docs FOLDER]
"""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..machine import THREAD_VARIABLES, pin

PARTS = ("compared", "held_back", "losses", "cost")


def main(arguments: Sequence[str] | None = None) -> None:
    options = parsed(arguments)
    pin(all_cores=False)
    os.environ |= dict.fromkeys(THREAD_VARIABLES, "1")  # before NumPy's BLAS is first used
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    from . import report

    began = time.perf_counter()
    found = {part: measured(part, options) for part in options.parts}
    texts = report.texts(found, options.splits, options.rounds)
    for text in texts.values():
        print(text, end="\n\n")
    if options.docs:
        report.renew(options.docs, texts, found)
    print(f"{time.perf_counter() - began:.0f} s in all", file=sys.stderr)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    add = parser.add_argument
    add("parts", nargs="*", metavar="PART", help=f"what to measure (default: all): {PARTS}")
    add("--splits", type=int, default=3, metavar="N", help="of a table (default: 3)")
    add("--rounds", type=int, default=5, metavar="N", help="of the cost (default: 5)")
    add("--only", default="", metavar="TEXT", help="tables with TEXT in their names")
    add("--docs", type=Path, metavar="FOLDER", help="where to renew tables.md and its picture")
    options = parser.parse_args(arguments)
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if options.splits < 2 or options.rounds < 1:
        parser.error("--splits must be at least 2, --rounds at least 1")
    if options.only and options.docs:
        parser.error("--docs needs all tables; --only measures some of them")
    options.parts = [part for part in PARTS if part in (options.parts or PARTS)]
    return options


def measured(part: str, options: argparse.Namespace) -> Any:
    """Return the results of a part: a list, or for the cost two."""
    from . import cost, datasets, losses, models, scores

    if part == "cost":
        return cost.measured(options.rounds), cost.peaks()
    sources = {
        "compared": datasets.COMPARED,
        "held_back": datasets.HELD_BACK,
        "losses": datasets.SKEWED,
    }[part]
    chosen = datasets.tables([one for one in sources if options.only in one.name])
    if part == "losses":
        return [
            losses.measured(table, loss, options.splits)
            for table in chosen
            for loss in losses.losses()
        ]
    makers = models.available()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fits that do not converge
        return [one for table in chosen for one in scores.measured(table, makers, options.splits)]


if __name__ == "__main__":
    main()
