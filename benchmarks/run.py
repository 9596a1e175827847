"""Measure groups in this process: ``python -m benchmarks`` starts it, pinned or not."""

import argparse
import sys
import time
from pathlib import Path

from . import groups, machine, measure, results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run")
    add = parser.add_argument
    add("groups", nargs="+", choices=groups.NAMES)
    add("--runs", type=int, required=True)
    add("--only", default="")
    add("--output", type=Path, required=True)
    add("--quick", action="store_true")
    options = parser.parse_args()
    modules = {name: groups.module_named(name) for name in options.groups}
    machine.pin(all(module.ALL_CORES for module in modules.values()))
    for name, module in modules.items():
        for case in module.cases(groups.Options(options.quick)):
            if options.only not in case.name:
                continue
            began = time.perf_counter()
            found = measure.interleaved(name, case, options.runs)
            if found:
                results.add(options.output, found)
            seconds = time.perf_counter() - began
            print(f"{name}: {case.name}: {seconds:.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
