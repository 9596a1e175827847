"""`python -m tests.fuzz`: check after check with new seeds, for as long as there is time."""

import argparse
import random
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from time import monotonic

from . import children

NAMES = (
    *("differential", "machine", "hostile", "states", "threads"),
    *("drop_in", "streams", "exports", "model_files", "kills"),
)
SLICE = 20.0  # seconds of each check in turn
MAX_FAILURES = 20  # of each check that are printed


def available():
    """The checks whose modules are there."""
    folder = Path(__file__).parent
    return tuple(name for name in NAMES if (folder / f"{name}.py").exists())


def arguments_of(argv):
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description="Draw networks, calls and damaged input at random, and check what becomes.",
        epilog=f"Checks: {', '.join(available())}. With --seed alone that one seed is checked.",
    )
    parser.add_argument("--minutes", type=float, help="how long to go on")
    parser.add_argument("--only", choices=available(), action="append", help="only this check")
    parser.add_argument("--seed", type=int, help="the first seed; at random by default")
    parser.add_argument(
        "--count", type=int, help="how many seeds of each check, instead of minutes"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side")
    arguments = parser.parse_args(argv)
    if arguments.minutes is None and arguments.count is None:
        arguments.count = 1 if arguments.seed is not None else 100
    if arguments.seed is None:
        arguments.seed = random.SystemRandom().randrange(2**31)
    return arguments


class Campaign:
    """What was tried so far, and what is to be tried next."""

    def __init__(self, names, seed):
        self.reports = {name: children.Report(next_seed=seed) for name in names}
        self.seconds = dict.fromkeys(names, 0.0)

    def run(self, name, **limits):
        """Run some more of a check, and print what fails."""
        start, total = monotonic(), self.reports[name]
        report = children.run(name, total.next_seed, **limits)
        self.seconds[name] += monotonic() - start
        total.next_seed = report.next_seed
        total.counts += report.counts
        for failure in report.failures:
            total.failures.append(failure)
            if len(total.failures) <= MAX_FAILURES:
                print(failure, flush=True)

    def summary(self):
        """What was tried, a check a line, and what it was."""
        lines = []
        for name, report in self.reports.items():
            kinds = ", ".join(f"{n} {what}" for what, n in sorted(report.counts.items()))
            tried = f"{sum(report.counts.values())} in {self.seconds[name]:.0f} s"
            lines.append(f"{name}: {tried}, {len(report.failures)} failed ({kinds})")
        return "\n".join(lines)


def main(argv=None):
    """Run the checks; return 1 if one of them failed."""
    arguments = arguments_of(argv)
    names = tuple(arguments.only or available())
    campaign = Campaign(names, arguments.seed)
    print(f"Seeds from {arguments.seed} on: {', '.join(names)}", flush=True)
    try:
        with ThreadPoolExecutor(arguments.jobs) as pool:
            if arguments.minutes is None:
                list(pool.map(lambda name: campaign.run(name, most=arguments.count), names))
            else:
                _until(monotonic() + 60 * arguments.minutes, campaign, names, pool, arguments.jobs)
    except KeyboardInterrupt:
        print("Interrupted", file=sys.stderr)
    print(campaign.summary())
    return int(any(report.failures for report in campaign.reports.values()))


def _until(end, campaign, names, pool, n_jobs):
    """Give each check in turn a slice of the time that is left."""
    each = min(SLICE, 0.98 * (end - monotonic()) * n_jobs / len(names))
    waiting, running = list(names), {}
    while True:
        while waiting and len(running) < n_jobs and end - monotonic() > 1:
            name, seconds = waiting.pop(0), min(each, end - monotonic())
            running[pool.submit(campaign.run, name, seconds=seconds)] = name
        if not running:
            return
        done = next(as_completed(running))
        waiting.append(running.pop(done))
        done.result()
