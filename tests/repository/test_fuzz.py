"""Some fixed seeds of the random checks; `python -m tests.fuzz` goes on with others."""

import os

import pytest
from fuzz import children, command, differential, machine

FIRST_SEED = 7_000
# Seeds of what may crash, which a child process checks: some seconds each.
IN_CHILDREN = {
    "hostile": 120, "states": 30, "streams": 60, "threads": 6, "model_files": 40, "kills": 5
}  # fmt: skip


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + 25))
def test_training_follows_the_reference(seed):
    differential.check(seed)


@pytest.mark.parametrize("kind", machine.MACHINES, ids=lambda kind: kind.__name__)
def test_any_calls_one_after_another_leave_what_they_should(kind):
    machine.run(kind, max_examples=8, stateful_step_count=15, derandomize=True)


@pytest.mark.parametrize("name", IN_CHILDREN)
def test_nothing_hostile_crashes_or_is_taken_for_good(name):
    report = children.run(name, FIRST_SEED, most=IN_CHILDREN[name])
    assert not report.failures, "\n".join(map(str, report.failures))
    assert sum(report.counts.values()) == IN_CHILDREN[name]


CRASHES = """
import os, signal
def check(seed):
    if seed == 3:
        os.kill(os.getpid(), signal.SIGSEGV)
    assert seed != 5, "five"
    return "odd" if seed % 2 else "even"
"""


def test_a_crash_is_a_failure_of_its_seed_and_the_others_are_checked_all_the_same(
    tmp_path, monkeypatch
):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "crashes.py").write_text(CRASHES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    report = children.run("elsewhere.crashes", 0, most=8)
    assert [failure.seed for failure in report.failures] == [3, 5]
    assert "Segmentation fault" in report.failures[0].text
    assert "AssertionError: five" in report.failures[1].text
    assert report.counts == {"even": 4, "odd": 2, "failed": 1}
    assert "--only elsewhere.crashes --seed 3" in str(report.failures[0])


class Clock:
    """Time that passes only when something is run."""

    def __init__(self):
        self.now, self.asked = 0.0, []

    def run(self, name, first_seed, *, most=None, seconds=None):
        self.now += seconds
        self.asked.append((name, first_seed, seconds))
        report = children.Report(next_seed=first_seed + 10)
        report.counts["tried"] += 10
        if name == "states" and first_seed == 110:
            report.failures.append(children.Failure(name, 113, "wrong"))
        return report


def test_each_check_has_its_turn_until_the_time_is_up(monkeypatch, capsys):
    clock = Clock()
    monkeypatch.setattr(children, "run", clock.run)
    monkeypatch.setattr(command, "monotonic", lambda: clock.now)
    arguments = ["--minutes", "1", "--seed", "100", "--only", "states", "--only", "threads"]
    assert command.main(arguments) == 1
    assert clock.asked == [
        ("states", 100, 20),
        ("threads", 100, 20),
        ("states", 110, pytest.approx(20)),
    ]
    printed = capsys.readouterr().out
    assert "FAILED states, seed 113\nwrong\nAgain: " in printed
    assert printed.endswith("threads: 10 in 20 s, 0 failed (10 tried)\n")


def test_nothing_wrong_is_a_success(monkeypatch, capsys):
    monkeypatch.setattr(children, "run", lambda name, seed, **_: children.Report(next_seed=seed))
    assert command.main(["--count", "3", "--only", "machine"]) == 0
    assert "machine: 0 in 0 s, 0 failed" in capsys.readouterr().out
