"""Measure, print the goals and tables as Markdown, and write them with all figures and plots.

python -m benchmarks [GROUP ...] [--quick] [--runs N] [--only TEXT] [--resume]
                     [--output DIR] [--docs DIR]
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from . import groups, machine, peers, plots, report, results

MARK = "<!-- measured -->"


def main() -> None:
    options = arguments()
    if options.genann:
        os.environ["FASTBP_GENANN"] = str(options.genann.absolute())
    for line in peers.missing():
        print(line, file=sys.stderr, flush=True)
    failed = options.groups != ["none"] and not measure(options)
    figures = results.read(options.output)
    text = report.markdown(figures, machine.description())
    print(text, end="")
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "benchmarks.md").write_text(text, encoding="utf-8")
    plots.write(options.output, figures)
    if options.docs:
        document(options.docs / "benchmarks.md", text)
        document(
            options.docs.absolute().parent / "README.md",
            report.summary(figures, machine.description()),
        )
        plots.write(options.docs / "pictures", figures)
    if failed:
        raise SystemExit("Some cases could not be measured; what went wrong stands above.")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add(
        "groups",
        nargs="*",
        metavar="GROUP",
        help=f"what to measure (default: all): {', '.join(groups.NAMES)}; "
        "none: only report again what --output holds",
    )
    add("--quick", action="store_true", help="a little of everything: to see that it runs")
    add("--runs", type=int, metavar="N", help="rounds that a median is of (default: 5)")
    add("--only", default="", metavar="TEXT", help="only cases with TEXT in their name: '8-16-1'")
    add(
        "--output",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="figures are kept here, those of cases that are not measured again as well "
        "(default: %(default)s)",
    )
    add("--resume", action="store_true", help="leave out cases whose figures --output holds")
    add(
        "--docs",
        type=Path,
        metavar="DIR",
        help="renew benchmarks.md and pictures/ in this folder, and the table of the README.md "
        "beside it",
    )
    add("--genann", type=Path, metavar="FILE", help="a shared library of genann")
    options = parser.parse_args()
    unknown = set(options.groups) - {*groups.NAMES, "none"}
    if unknown:
        parser.error(
            f"no such group: {', '.join(sorted(unknown))}; there are {', '.join(groups.NAMES)}"
        )
    options.groups = options.groups or list(groups.NAMES)
    options.runs = options.runs or (1 if options.quick else 5)
    return options


def measure(options: argparse.Namespace) -> bool:
    """Measure in two processes: one is kept on one processor, the other may use all.

    Returns whether all cases could be measured.
    """
    sound = True
    for all_cores in (False, True):
        chosen = [
            name for name in options.groups if groups.module_named(name).ALL_CORES == all_cores
        ]
        if not chosen:
            continue
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.run", *chosen]
        command += [
            f"--runs={options.runs}",
            f"--only={options.only}",
            f"--output={options.output}",
        ]
        command += ["--quick"] if options.quick else []
        command += ["--resume"] if options.resume else []
        done = subprocess.run(command, check=False, env=machine.environment(all_cores))
        sound = sound and done.returncode == 0
    return sound


def document(path: Path, text: str) -> None:
    """Put a text between the two marks of a page."""
    before, _, after = path.read_text(encoding="utf-8").split(MARK)
    path.write_text(f"{before}{MARK}\n{text}{MARK}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
