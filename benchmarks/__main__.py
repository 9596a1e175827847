"""Measure, print a Markdown table, and write it with the raw figures into a folder.

python -m benchmarks [FOLDER] [--quick] [--rounds N] [--only TEXT]
"""

import argparse
import os
from pathlib import Path

# One thread for everybody, said before any library is loaded that would start more.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("folder", nargs="?", type=Path, help="where to write benchmarks.md and benchmarks.csv")
    add("--quick", action="store_true", help="few short rounds: to see that it runs")
    add("--rounds", type=int, metavar="N", help="times that each figure is taken (default: 9)")
    add("--only", default="", metavar="TEXT", help="only what has TEXT in its name: '8-16-1'")
    options = parser.parse_args()

    from benchmarks import machine, measure, report, workload

    machine.pin_to_one_processor()
    seconds = 0.01 if options.quick else 0.1
    rounds = options.rounds or (2 if options.quick else 9)
    timings = []
    for work in workload.workloads(quick=options.quick):
        if options.only in str(work):
            timings += measure.interleaved(work, rounds=rounds, seconds=seconds)
    text = report.markdown(timings, machine.description())
    print(text)
    if options.folder:
        report.write(options.folder, text, timings)


if __name__ == "__main__":
    main()
