"""Checks in child processes, so that a crash is a failure with the seed that did it.

A child notes the seed that it begins with, and what became of it, in a journal; when it dies, the
last seed of the journal is the cause, and another child goes on behind it.
"""

import faulthandler
import importlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 120  # seconds that a child may take beyond its time
MEMORY = 2**32  # bytes of address space: what asks for more gets a MemoryError


@dataclass
class Failure:
    """A seed, and what went wrong with it."""

    name: str
    seed: int
    text: str

    def __str__(self):
        again = f"{Path(sys.executable).name} -m tests.fuzz --only {self.name} --seed {self.seed}"
        return f"FAILED {self.name}, seed {self.seed}\n{self.text.rstrip()}\nAgain: {again}\n"


@dataclass
class Report:
    """What came of a number of seeds."""

    counts: Counter = field(default_factory=Counter)
    failures: list = field(default_factory=list)
    next_seed: int = 0


def run(name, first_seed, *, most=None, seconds=None):
    """Check seeds from the first on, so many or for so long, whatever crashes on the way."""
    report, end = Report(next_seed=first_seed), time.monotonic() + (seconds or 0)
    while most is None or report.next_seed < first_seed + most:
        n_left = None if most is None else first_seed + most - report.next_seed
        left = None if seconds is None else max(0, end - time.monotonic())
        if report.next_seed > first_seed and seconds is not None and left < 1:
            break
        if _run_child(report, name, n_left, left):
            break
    return report


def _run_child(report, name, most, seconds):
    """Run one child, add what it notes to the report; return whether it came to its end."""
    with tempfile.TemporaryDirectory() as folder:
        journal, errors = Path(folder, "journal"), Path(folder, "errors")
        journal.touch()
        arguments = [name, report.next_seed, "" if most is None else most, seconds or ""]
        command = [sys.executable, "-m", "tests.fuzz.children", *map(str, arguments), str(journal)]
        with errors.open("wb") as stderr:
            child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=stderr)
            try:
                code = child.wait((seconds or 0) + PATIENCE + 5 * (most or 0))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                code = "nothing: it hung, and was ended"
            except BaseException:
                child.kill()
                raise
        first_seed = report.next_seed
        open_seed = _add_journal(report, name, journal.read_text())
        if code == 0 and open_seed is None:
            return True
        since = f"in a process that began with seed {first_seed}"
        text = f"{since}, and ended with {code}\n{errors.read_text(errors='replace')[:3000]}"
        seed = report.next_seed if open_seed is None else open_seed
        report.failures.append(Failure(name, seed, text))
        report.next_seed = seed + 1
        return not report.counts and open_seed is None  # it has not even begun


def _add_journal(report, name, text):
    """Add a child's journal to the report; return the seed that it did not come to the end of."""
    seed, is_open = None, False
    for line in text.splitlines():
        note = json.loads(line)
        if "begin" in note:
            seed, is_open = note["begin"], True
            continue
        is_open, report.next_seed = False, seed + 1
        if "failed" in note:
            report.failures.append(Failure(name, seed, note["failed"]))
        report.counts[note.get("was", "failed")] += 1
    return seed if is_open else None


# -- in the child --------------------------------------------------------------------------------


def limit_memory():
    """Have absurd sizes end in a MemoryError; sanitizers need address space without end."""
    if os.environ.get("LD_PRELOAD") or sys.platform != "linux":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def check_of(name):
    """The check in a module of this package, or by a dotted name in any other."""
    return importlib.import_module(name if "." in name else f"{__package__}.{name}").check


def serve(name, first_seed, most, seconds, journal):
    """Check one seed after another, with a note before and after each."""
    check = check_of(name)
    limit_memory()
    end = None if seconds is None else time.monotonic() + seconds
    seed = first_seed
    with open(journal, "w", buffering=1) as file:
        while (most is None or seed < first_seed + most) and (
            end is None or time.monotonic() < end
        ):
            print(json.dumps({"begin": seed}), file=file)
            print(json.dumps(outcome(check, seed)), file=file)
            seed += 1


def outcome(check, seed):
    """Run a check; return what to note of it."""
    random.seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return {"was": str(check(seed))}
        except Exception:
            return {"failed": traceback.format_exc(limit=-8)}


if __name__ == "__main__":
    faulthandler.enable()
    _, name, first_seed, most, seconds, journal = sys.argv
    serve(
        name,
        int(first_seed),
        int(most) if most else None,
        float(seconds) if seconds else None,
        journal,
    )
