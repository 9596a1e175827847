"""The benchmarks run; those they measure train the same network; goals are judged rightly."""

import argparse
import dataclasses
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import (  # noqa: E402
    agreement,
    data,
    goals,
    groups,
    peers,
    report,
    results,
    run,
    verdicts,
)
from benchmarks.__main__ import MARK  # noqa: E402
from benchmarks.groups.agreement import tasks as agreement_tasks  # noqa: E402
from benchmarks.measure import SECONDS, Case, Figures, interleaved, seconds_a_call  # noqa: E402
from benchmarks.task import Task  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # of the peers


@pytest.fixture(params=peers.MODULES)
def peer(request):
    module = peers.module_named(request.param)
    if peers.why_missing(module):
        pytest.skip(peers.why_missing(module))
    return module


@pytest.mark.slow
def test_every_peer_trains_the_same_network(peer):
    ours = peers.module_named("fastbp_itself")
    known = [task for task in agreement_tasks().values() if ours.does(task) is not None]
    done = [peer.does(task) for task in known]
    assert any(done)
    for task in filter(None, done):
        agreement.check(peer, task)


def test_a_peer_that_trains_another_network_is_left_out(monkeypatch):
    sklearn = peers.module_named("scikit_learn")
    train = sklearn.trainer
    task = agreement_tasks()["row by row"]
    agreement.check(sklearn, task)

    def with_longer_steps(task, exact):
        return train(dataclasses.replace(task, learning_rate=1.001 * task.learning_rate), exact)

    monkeypatch.setattr(sklearn, "trainer", with_longer_steps)
    with pytest.raises(agreement.Disagreement, match="scikit-learn is left out"):
        agreement.check(sklearn, task)


def test_parameters_survive_the_way_through_a_peer(peer):
    if not peer.COMPARABLE:
        pytest.skip("its parameters cannot be read")
    task = peer.does(Task((6, 5, 2), *data.regression((6, 2), 10), learning_rate=1e-300))
    trainer = peer.trainer(task, exact=True)
    trainer.in_order(np.arange(3))
    expected = [*task.parameters[0], *task.parameters[1]]
    for one, other in zip(trainer.parameters(), expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_quick_run_writes_tables_figures_and_says_what_is_missing(tmp_path):
    chosen = ["rows", "variants", "growth", "partial_fit"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *chosen, "--quick", "--output", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "benchmarks.md").read_text(encoding="utf-8") == done.stdout
    for goal in goals.GOALS:
        assert f"| {goal.group} | " in done.stdout
    for line in peers.missing():
        assert line in done.stderr
    figures = results.read(tmp_path)
    assert {one.group for one in figures} == set(chosen)
    assert {"fastbp", "scikit-learn"} <= {one.subject for one in figures if one.group == "rows"}
    assert (tmp_path / "time_by_network.svg").exists()


@pytest.mark.slow
def test_a_run_goes_on_where_it_was_stopped_and_renews_page_and_readme(tmp_path):
    docs, output = tmp_path / "docs", tmp_path / "results"
    docs.mkdir()
    for path in (docs / "benchmarks.md", tmp_path / "README.md"):
        path.write_text(f"before\n{MARK}\nold\n{MARK}\nafter\n", encoding="utf-8")
    kept = Figures("partial_fit", "30-64-2", "fastbp", SECONDS, (0.125,))
    results.write(output, [kept, Figures("rows", "2-2-1", "fastbp", SECONDS, (1e-6,))])
    command = [sys.executable, "-m", "benchmarks", "partial_fit", "--quick", "--resume"]
    command += ["--output", str(output), "--docs", str(docs)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert kept in results.read(output)
    page = (docs / "benchmarks.md").read_text(encoding="utf-8")
    assert page == f"before\n{MARK}\n{done.stdout}{MARK}\nafter\n"
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert readme.startswith(f"before\n{MARK}\n| case (us) | fastbp |\n")
    assert "| 2-2-1 | 1 |" in readme
    assert readme.endswith(f"{MARK}\nafter\n")


def test_a_case_that_fails_costs_no_other(tmp_path, monkeypatch, capsys):
    def fail():
        raise ValueError("no such thing")

    options = argparse.Namespace(output=tmp_path, runs=1)
    assert not run.is_measured("rows", Case("bad", fail), options)
    assert "no such thing" in capsys.readouterr().err
    assert run.is_measured("rows", Case("good", lambda: {"fastbp": lambda: 1.0}), options)
    assert [one.case for one in results.read(tmp_path)] == ["good"]


def test_goals_are_of_cases_that_are_measured():
    names = {
        group: {case.name for case in groups.module_named(group).cases(groups.Options())}
        for group in groups.NAMES
    }
    for goal in goals.GOALS:
        assert (goal.at_least is None) != (goal.at_most is None)
        if goal.case != goals.EVERY and names[goal.group]:
            optional = goal.case.startswith("n_init")  # what a later version has
            assert optional or goal.case in names[goal.group], goal


def test_a_figure_is_taken_in_turns_and_the_first_round_is_dropped():
    calls = []

    def sample(name):
        def take():
            calls.append(name)
            return float(len(calls))

        return take

    case = Case("one", lambda: {name: sample(name) for name in "ab"})
    found = interleaved("group", case, 2)
    assert calls == ["a", "b"] * 3
    assert [one.values for one in found] == [(3.0, 5.0), (4.0, 6.0)]


def test_a_call_is_timed_for_at_least_as_long_as_asked(monkeypatch):
    clock = iter(np.arange(0, 100, 0.25))
    module = importlib.import_module("benchmarks.measure")
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    calls = []
    assert seconds_a_call(lambda: calls.append(1), 1.0) == 0.25
    assert len(calls) == 2  # done after 0.5 s and 1.0 s


def figures_of(case, **medians):
    return [Figures("g", case, name, "s", (value,) * 3) for name, value in medians.items()]


def judged(figure, figures, case=goals.EVERY, **bound):
    return verdicts.verdict(goals.Goal("g", case, figure, **bound), figures)


def test_the_best_peer_is_the_fastest_besides_ours_and_the_c_program():
    figures = figures_of("one", fastbp=1.0, slow=9.0, quick=4.0, **{"C, fixed sizes": 0.5})
    assert judged("best peer / fastbp", figures, at_least=4).value == 4
    assert judged("best peer / fastbp", figures, at_least=4).met is True
    assert judged("best peer / fastbp", figures, at_least=4.1).met is False


def test_of_every_case_the_one_furthest_from_the_goal_counts():
    figures = figures_of("one", a=3.0, b=1.0) + figures_of("two", a=2.0, b=1.0)
    assert judged("a / b", figures, at_least=2.5).case == "two"
    assert judged("a / b", figures, at_most=2.5).case == "one"
    assert judged("a / b", figures, case="two", at_most=2.5).met is True


def test_a_ratio_is_the_median_of_those_within_rounds():
    figures = [Figures("g", "one", "a", "s", (2, 40, 6)), Figures("g", "one", "b", "s", (1, 10, 2))]
    assert judged("a / b", figures, at_least=1).value == 3


def test_what_was_not_measured_is_neither_met_nor_missed():
    one = judged("a / b", figures_of("one", a=1.0), at_least=1)
    assert one.value is None
    assert one.met is None
    assert "not measured" in report.met(one)


def test_series_are_judged_by_growth():
    linear = figures_of("one", **{"1": 2.0, "10": 20.0, "100": 200.0})
    assert judged("slope", linear, at_most=1.1).value == pytest.approx(1)
    jump = figures_of("one", **{"45": 1.0, "46": 9.0, "47": 3.0})
    assert judged("steepest step", jump, at_most=1.5).value == 9
    assert judged("largest / smallest", jump, at_most=1.5).value == 9


def test_figures_are_kept_and_a_case_measured_again_replaces_its_old_ones(tmp_path):
    results.add(tmp_path, figures_of("one", a=1.0, b=2.0))
    results.add(tmp_path, figures_of("two", a=3.0))
    results.add(tmp_path, figures_of("one", a=4.0))
    found = {(one.case, one.subject): one.values for one in results.read(tmp_path)}
    assert list(found.items()) == [(("one", "a"), (4.0,) * 3), (("two", "a"), (3.0,) * 3)]


def test_times_are_judged_and_shown_in_the_unit_of_the_goal():
    one = judged("a", figures_of("one", a=4e-6), at_most=5, unit="us")
    assert one.met is True
    assert (report.measured(one), report.bound(one)) == ("4 us", "at most 5 us")


@pytest.mark.parametrize(
    ("value", "shown"), [(1.3023, "1.3023 us"), (1.2999, "1.3 us"), (1.3456, "1.35 us")]
)
def test_a_figure_that_just_misses_its_goal_is_shown_with_more_digits(value, shown):
    one = judged("a", figures_of("one", a=value * 1e-6), at_most=1.3, unit="us")
    assert report.measured(one) == shown
