"""Time to 97 % and 98 % of MNIST's test digits: fastbp on one core, others on all.

python -m benchmarks.mnist [FOLDER] [--data FILE.npz] [--rounds N] [--search] [--only TEXT]
                           [--processor-time]
"""

import argparse
import os
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mnist", description=__doc__)
    add = parser.add_argument
    add("folder", nargs="?", type=Path, help="where to write mnist.md, mnist.csv and mnist.png")
    data = os.environ.get("FASTBP_DATA")
    add("--data", type=Path, default=data, help="MNIST as .npz (default: from OpenML)")
    add("--rounds", type=int, default=5, metavar="N", help="seeds, one a round (default: 5)")
    add("--search", action="store_true", help="first look for the other libraries' best settings")
    add("--most-seconds", type=float, default=15, metavar="S", help="of a run in the search")
    add("--only", default="", metavar="TEXT", help="settings with TEXT in their names")
    add(
        "--processor-time",
        action="store_true",
        help="one thread for all, and its processor time: for a machine that others use, too",
    )
    options = parser.parse_args()
    if options.processor_time:
        for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[variable] = "1"  # before any library is loaded that would start more
    clock = time.process_time if options.processor_time else time.perf_counter

    from . import curves, report, settings
    from .digits import load

    digits, found = load(options.data), settings.FOUND
    if options.search:
        libraries = [name for name in settings.MODULES if options.only in name]
        found = settings.best_of_each(
            settings.search(libraries, digits, clock, options.most_seconds)
        )
    compared = [one for one in (*settings.FASTBP, *found) if options.only in str(one)]
    taken = []
    for seed in range(options.rounds):  # in turns: what disturbs the machine disturbs them all
        for setting in compared:
            try:
                taken.append(curves.run(setting, digits, seed, clock))
            except ImportError:
                continue
    if not taken:
        return
    text = report.markdown(taken, options.processor_time)
    print(text)
    if options.folder:
        report.write(options.folder, text, taken, options.processor_time)


if __name__ == "__main__":
    main()
