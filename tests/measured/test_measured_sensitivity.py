"""Sensitivities against their formulas: chains of them, Broyden's update, dead zones, noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp.measured import Knob, Stage
from fastbp.measured.probes import Probes
from fastbp.measured.sensitivity import Sensitivities
from fastbp.measured.tree import Tree


@st.composite
def trees(draw):
    """Stages that each have up to two knobs and are fed by up to two of those before them."""
    stages = []
    for i in range(draw(st.integers(1, 7))):
        fed_by = draw(st.lists(st.integers(0, i - 1), max_size=2, unique=True)) if i else []
        n_knobs = draw(st.integers(0 if fed_by else 1, 2))
        knobs = [Knob(f"k{i}_{j}", 0, 1) for j in range(n_knobs)]
        stages.append(Stage(f"s{i}", sum, knobs, [f"s{j}" for j in fed_by], noise=0))
    order = draw(st.permutations(range(len(stages))))
    return Tree([stages[i] for i in order])


def jacobian(tree, slopes):
    """Derivatives of all nodes with respect to all, from the sum of all ways: (I - S)^-1."""
    direct = np.zeros((len(tree.names), len(tree.names)))
    direct[tree.dest, tree.source] = slopes
    return np.linalg.inv(np.eye(len(direct)) - direct)


@settings(deadline=None)
@given(trees(), st.integers(0, 2**32 - 1))
def test_passes_along_the_tree_are_products_with_its_jacobian(tree, seed):
    random = np.random.default_rng(seed)
    slopes = random.normal(size=len(tree.source))
    of_knobs = random.normal(size=tree.n_knobs)
    of_stages = random.normal(size=len(tree.stages))
    J = jacobian(tree, slopes)
    assert tree.forward(slopes, of_knobs) == pytest.approx(J[:, : tree.n_knobs] @ of_knobs)
    assert tree.backward(slopes, of_stages) == pytest.approx(J[tree.n_knobs :].T @ of_stages)


@settings(deadline=None)
@given(trees(), st.integers(0, 2**32 - 1))
def test_probes_find_every_slope_of_a_straight_system_with_one_unknown_a_stage(tree, seed):
    slopes = np.random.default_rng(seed).uniform(0.5, 2, len(tree.source))
    learnt = Sensitivities(tree)
    at = np.full(tree.n_knobs, 0.5)
    probes = Probes(tree, at)
    fed_by = [sum(name.startswith("s") for name in names) for names in tree.inputs.values()]
    is_tree = max(fed_by) < 2
    while (turned := probes.next(at, learnt)) is not None:
        change = tree.forward(slopes, turned - at)
        if is_tree:
            unknown = tree.dest[probes.moved & ~learnt.is_measured]
            assert len(set(unknown)) == len(unknown)
        learnt.measure(change, np.ones(len(tree.stages)), probes.moved)
        at = turned
    for stage, n in zip(tree.stages, fed_by, strict=True):
        edges = tree.dest == tree.node[stage.name]
        if n < 2:  # else its inputs may have been seen to change together only
            assert learnt.slope[edges] == pytest.approx(slopes[edges], rel=1e-9)
    assert learnt.is_measured.all()


def two_inputs(noise=0.0):
    knobs = [Knob("a", 0, 10), Knob("b", 0, 10)]
    learnt = Sensitivities(Tree([Stage("y", max, knobs, noise=noise)]))
    learnt.slope[:] = [2.0, 0.5]
    return learnt


def test_broydens_update_by_hand():
    learnt = two_inputs()
    learnt.learn(np.array([3.0, 4.0, 13.0]), np.array([1.0]))  # predicted: 2 * 3 + 0.5 * 4 = 8
    assert learnt.slope.tolist() == [2 + 5 * 3 / 25, 0.5 + 5 * 4 / 25]


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=2), st.floats(-100, 100))
def test_the_update_explains_the_change_and_leaves_the_rest(du, dv):
    du = np.array(du)
    if np.linalg.norm(du) < 1e-3 or (abs(dv) < 1e-9 and abs(du @ [2.0, 0.5]) > 1e-9):
        return
    learnt = two_inputs()
    learnt.learn(np.array([*du, dv]), np.array([1.0]))
    assert learnt.slope @ du == pytest.approx(dv, abs=1e-9)
    across = np.array([-du[1], du[0]])
    assert learnt.slope @ across == pytest.approx(np.array([2.0, 0.5]) @ across, abs=1e-6)


def test_no_answer_halves_a_slope_and_keeps_its_sign():
    learnt = two_inputs()
    learnt.learn(np.array([1.0, 0.0, 0.0]), np.array([5.0]))
    assert learnt.slope.tolist() == [1.0, 0.5]


def test_an_answer_below_the_noise_is_no_news():
    for noise, gained in ((0.0, 0.5), (0.1, 0.5 / (1 + 0.02 / 4.25)), (100.0, 0.0001)):
        learnt = two_inputs(noise)
        learnt.learn(np.array([1.0, 0.0, 2.5]), np.array([5.0]))
        assert learnt.slope[0] - 2 == pytest.approx(gained, abs=1e-4)


def test_an_input_that_stood_still_keeps_its_slope():
    learnt = two_inputs()
    learnt.learn(np.array([0.0, 2.0, 3.0]), np.array([1.0]))
    assert learnt.slope.tolist() == [2.0, 1.5]


def test_noise_is_learnt_from_looking_twice_and_then_from_surprises():
    random = np.random.default_rng(0)
    learnt = Sensitivities(Tree([Stage("y", max, Knob("a", 0, 10))]))
    assert np.isnan(learnt.noise[0])
    learnt.look_twice(np.array([0.0, 0.3]))
    assert learnt.noise[0] == pytest.approx(0.3 / np.sqrt(2))
    learnt.slope[:] = 1
    found = []
    for _ in range(300):
        change = 1 + 0.5 * (random.normal() - random.normal())
        learnt.learn(np.array([1.0, change]), np.array([1.0]))
        found.append(learnt.noise[0])
    assert 0.5 < np.mean(found[50:]) < 2 * 0.5


def test_a_stage_that_gives_the_same_twice_has_no_noise():
    learnt = Sensitivities(Tree([Stage("y", max, Knob("a", 0, 10))]))
    learnt.look_twice(np.array([0.0, 0.0]))
    learnt.slope[:] = 1
    learnt.learn(np.array([1.0, 3.0]), np.array([1.0]))
    assert learnt.noise[0] == 0
    assert learnt.slope[0] == 3
