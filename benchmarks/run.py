"""Measure groups in this process: ``python -m benchmarks`` starts it, pinned or not."""

import argparse
import sys
import time
import traceback
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
    add("--resume", action="store_true")
    options = parser.parse_args()
    modules = {name: groups.module_named(name) for name in options.groups}
    machine.pin(all(module.ALL_CORES for module in modules.values()))
    there = {(one.group, one.case) for one in results.read(options.output)}
    failed = False
    for name, module in modules.items():
        for case in module.cases(groups.Options(options.quick)):
            if options.only in case.name and not (options.resume and (name, case.name) in there):
                failed |= not is_measured(name, case, options)
    sys.exit(failed)


def is_measured(name: str, case: measure.Case, options: argparse.Namespace) -> bool:
    """Measure a case and keep its figures; say how long that took, or what went wrong."""
    began = time.perf_counter()
    try:
        found = measure.interleaved(name, case, options.runs)
    except Exception:  # the other cases are worth having all the same
        traceback.print_exc()
        print(f"{name}: {case.name}: failed", file=sys.stderr, flush=True)
        return False
    if found:
        results.add(options.output, found)
    seconds = time.perf_counter() - began
    print(f"{name}: {case.name}: {seconds:.1f} s", file=sys.stderr, flush=True)
    return True


if __name__ == "__main__":
    main()
