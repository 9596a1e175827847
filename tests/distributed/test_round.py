"""Rounds are pure functions, averages know no order, and one shard is ordinary training."""

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from fastbp import Network
from fastbp.distributed import (
    InProcess,
    Layout,
    OuterStep,
    Round,
    RoundState,
    Settings,
    Shard,
    Training,
    average,
    made_with,
    run_all,
    train_round,
)
from fastbp.distributed.average import grouped, merge, part_of
from fastbp.distributed.training import RoundResult, Trained, outcome_of
from fastbp.network import Solver
from fastbp.network.scaling import Scaling
from fastbp.training.order import SampleRepeats
from fastbp.training.schedule import Schedule

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(300, 6)), RANDOM.normal(size=300)
SOLVERS = [
    Solver(0.02),
    Solver(0.02, momentum=0.9, nesterov=True),
    Solver(0.01, solver="adam"),
    Solver(0.01, solver="adagrad"),
    Solver(0.01, solver="rmsprop", batch_size=8),
    Solver(0.02, dropout=0.3),
]


def network(dtype="float64"):
    return Network((6, 8, 1), dtype=dtype, random_state=0)


def plan(solver=SOLVERS[0], *, start=0, stop=300, schedule=None, **others):
    schedule = schedule or Schedule("constant", solver.learning_rate)
    given = {"seed": 3, "epoch": 1, "partition": 2, "n_before": 0} | others
    return Round(made_with(network()), solver, schedule, start=start, stop=stop, **given)


def training(shards, n_shards, *, n_rounds=6, rounds_an_epoch=2, solver=SOLVERS[0], **others):
    own = {"schedule": Schedule("cosine", solver.learning_rate), "seed": 5} | others
    how = Settings(
        made_with(network()), solver, rounds_an_epoch=rounds_an_epoch, n_rounds=n_rounds, **own
    )
    layout = Layout(tuple(shard.n_visits for shard in shards), n_shards, 5)
    return Training(how, layout, RoundState.of(network()))


def same(one, other):
    assert np.array_equal(one.values, other.values)
    assert one.moments.keys() == other.moments.keys()
    for name, (n, values) in one.moments.items():
        assert n == other.moments[name][0]
        assert np.array_equal(values, other.moments[name][1])


@pytest.mark.parametrize("solver", SOLVERS[:5], ids=str)
def test_a_round_on_one_shard_is_ordinary_training_to_the_bit(solver):
    own, order = network(), plan(solver).order(Shard(X, Y))
    options = {
        name: getattr(solver, name)
        for name in ("momentum", "nesterov", "alpha", "batch_size", "solver", "epsilon")
    }
    loss = own.train_epoch(X, Y, solver.learning_rate, order, **options)
    state, n_rows, of_round = train_round(RoundState.of(network()), Shard(X, Y), plan(solver))
    same(state, RoundState.of(own))
    assert (n_rows, of_round) == (300, loss)
    assert sorted(order) == list(range(300))


def test_rounds_of_one_shard_go_on_where_the_last_one_ended():
    own, shard = network(), Shard(X, Y)
    whole = plan(solver=SOLVERS[2])
    order = whole.order(shard)
    for part in (order[:100], order[100:]):
        own.train_epoch(X, Y, 0.01, part, solver="adam")
    state = RoundState.of(network())
    for start, stop in ((0, 100), (100, 300)):
        state, _, _ = train_round(state, shard, dataclasses.replace(whole, start=start, stop=stop))
    same(state, RoundState.of(own))


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_a_round_gives_the_same_bits_again_and_changes_nothing(solver):
    before = RoundState.of(network())
    kept = before.values.copy()
    shard = Shard(X, Y)
    first = train_round(before, shard, plan(solver))
    again = train_round(*pickle.loads(pickle.dumps((before, shard, plan(solver)))))
    same(first[0], again[0])
    assert first[1:] == again[1:]
    assert np.array_equal(before.values, kept)


def test_rows_are_scaled_and_repeated_where_they_are_read():
    scaling = Scaling(X.mean(axis=0), X.std(axis=0), 3.0)
    counts = np.arange(300) % 3
    repeats = SampleRepeats.of_scaled(counts.astype(float))
    one = Shard(X, Y, repeats, scaling)
    other = Shard(scaling.transform(X), Y, repeats)
    assert one.n_visits == counts.sum()
    order = plan().order(one)
    assert np.array_equal(np.bincount(order, minlength=300), counts)
    same(*(train_round(RoundState.of(network()), shard, plan())[0] for shard in (one, other)))


def test_a_sparse_shard_is_trained_as_a_dense_one():
    rows = np.where(RANDOM.random(X.shape) < 0.7, 0, X)
    states = [
        train_round(RoundState.of(network()), Shard(kind, Y), plan())[0]
        for kind in (rows, csr_array(rows))
    ]
    np.testing.assert_allclose(states[0].values, states[1].values, rtol=1e-9, atol=1e-12)


def test_a_round_without_rows_changes_nothing():
    before = RoundState.of(network())
    assert train_round(before, Shard(X[:0], Y[:0]), plan(stop=0)) == (before, 0, 0.0)


def test_a_round_that_diverges_says_so_and_keeps_the_state():
    before = RoundState.of(network())
    state, n_rows, loss = train_round(before, Shard(X * 1e6, Y * 1e6), plan(Solver(10.0)))
    same(state, before)
    assert n_rows == 300
    assert loss == np.inf


def states_of(seed, n, dtype=np.float64):
    random = np.random.default_rng(seed)
    return [
        RoundState(
            random.normal(size=7).astype(dtype), {"adam": (3, random.random((2, 7)).astype(dtype))}
        )
        for _ in range(n)
    ]


@given(
    st.integers(0, 99),
    st.lists(st.integers(0, 1000), min_size=1, max_size=40),
    st.sampled_from([np.float32, np.float64]),
)
@settings(max_examples=60, deadline=None)
def test_an_average_is_the_weighted_mean(seed, weights, dtype):
    states = states_of(seed, len(weights), dtype)
    found = average(states, weights)
    assert found.values.dtype == dtype
    if any(weights):
        expected = np.average([one.values for one in states], axis=0, weights=weights)
        np.testing.assert_allclose(found.values, expected, atol=3e-7)
        expected = np.average([one.moments["adam"][1] for one in states], axis=0, weights=weights)
        np.testing.assert_allclose(found.moments["adam"][1], expected, atol=3e-7)
    else:
        same(found, states[0])


@given(st.integers(0, 99), st.lists(st.integers(0, 1000), min_size=1, max_size=600))
@settings(max_examples=30, deadline=None)
def test_groups_of_parts_merge_to_the_bits_of_all_at_once(seed, weights):
    parts = [part_of(*one) for one in zip(states_of(seed, len(weights)), weights, strict=True)]
    level = parts
    while len(level) > 1:
        level = [merge(group) for group in grouped(level)]
    same(level[0].state, merge(parts).state)


@given(st.integers(0, 99), st.integers(1, 30), st.sampled_from([np.float32, np.float64]))
@settings(max_examples=30, deadline=None)
def test_the_average_of_equal_states_is_that_state(seed, n, dtype):
    (state,) = states_of(seed, 1, dtype)
    weights = np.random.default_rng(seed).integers(1, 9, n).tolist()
    same(average([state] * n, weights), state)


@given(st.integers(0, 99), st.integers(1, 9), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_states_without_rows_do_not_count(seed, n, n_empty):
    states = states_of(seed, n + n_empty)
    weights = [3.0] * n + [0.0] * n_empty
    np.testing.assert_allclose(
        average(states, weights).values, average(states[:n], weights[:n]).values, rtol=1e-12
    )


def test_weights_of_each_parameter_take_the_place_of_rows():
    one, other = states_of(1, 2)
    own = [np.array([1.0, 0, 0, 2, 1, 1, 1]), np.array([0.0, 1, 0, 2, 1, 1, 3])]
    found = average([one, other], [10, 30], own).values
    assert found[0] == one.values[0]
    np.testing.assert_allclose(found[1], other.values[1])
    np.testing.assert_allclose(found[2], 0.25 * one.values[2] + 0.75 * other.values[2])  # by rows
    np.testing.assert_allclose(found[6], 0.25 * one.values[6] + 0.75 * other.values[6])


@pytest.mark.parametrize(
    ("weights", "words"), [([], "at least one state"), ([-1.0], "weights.0."), ([np.nan], "finite")]
)
def test_an_average_of_nothing_sensible_is_refused(weights, words):
    with pytest.raises(ValueError, match=words):
        average(states_of(0, len(weights)), weights)


def test_an_outer_step_without_momentum_leaves_the_average_to_the_bit():
    before, after = states_of(2, 2)
    assert OuterStep().step(before, after, None) == (after, None)


@pytest.mark.parametrize("nesterov", [False, True])
def test_an_outer_step_is_that_of_the_papers(nesterov):
    before, after = states_of(2, 2)
    outer, velocity, W = OuterStep(0.7, 0.9, nesterov), None, before.values
    state, v = before, np.zeros(7)
    for _ in range(3):
        average_now = dataclasses.replace(after, values=state.values + after.values)
        state, velocity = outer.step(state, average_now, velocity)
        d = -after.values
        v = 0.9 * v + d
        W = W - 0.7 * (d + 0.9 * v if nesterov else v)
        np.testing.assert_allclose(state.values, W)
        np.testing.assert_allclose(velocity, v)


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=12),
    st.integers(1, 5),
    st.integers(1, 7),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_every_row_is_taken_once_an_epoch(sizes, n_shards, n_rounds, shuffle):
    layout = Layout(tuple(sizes), min(n_shards, len(sizes)), 1, shuffle)
    taken = {partition: [] for partition in range(len(sizes))}
    for shard in range(layout.n_shards):
        before = 3 * layout.n_rows(shard)
        for number in range(n_rounds):
            for one in layout.segments(shard, 3, number, n_rounds):
                assert layout.shard_of(one.partition) == shard
                assert one.n_before == before
                before += one.stop - one.start
                taken[one.partition] += range(one.start, one.stop)
    assert [taken[i] for i in range(len(sizes))] == [list(range(size)) for size in sizes]


def test_no_round_takes_more_rows_of_a_shard_than_it_may():
    layout = Layout((100, 3, 50, 7), 2)
    assert layout.largest == 150
    n = layout.rounds_an_epoch(40)
    rows = [sum(s.stop - s.start for s in layout.segments(0, 0, i, n)) for i in range(n)]
    assert max(rows) <= 40


@pytest.mark.parametrize("moments", ["average", "keep", "reset"])
def test_one_shard_trains_like_one_process(moments):
    shards = [Shard(X[:100], Y[:100]), Shard(X[100:], Y[100:])]
    run = training(shards, 1, solver=SOLVERS[2], moments=moments)
    state = RoundState.of(network())
    while run.number < 4:
        (chain,) = run.chains()
        for one in chain:
            state, _, _ = train_round(state, shards[one.partition], run.settings.plan(one))
        outcome = InProcess(shards).run(run.state, run.chains(), run.settings)
        assert run.take(outcome)
        if moments == "average":
            same(run.state, state)
        state = run.state


def test_shards_learn_together():
    targets = np.tanh(X @ np.ones(6))
    shards = [Shard(X[i::8], targets[i::8]) for i in range(8)]
    run = training(shards, 4, n_rounds=60, outer=OuterStep(1.0, 0.8))
    losses = [one.loss for one in run_all(run, InProcess(shards))]
    assert losses[-1] < 0.2 * losses[0]
    again = training(shards, 4, n_rounds=60, outer=OuterStep(1.0, 0.8))
    run_all(again, InProcess(shards))
    same(run.state, again.state)


def test_shards_without_rows_take_no_part():
    shards = [Shard(X[:150], Y[:150]), Shard(X[:0], Y[:0]), Shard(X[150:], Y[150:])]
    run, full = training(shards, 3), training([shards[0], shards[2]], 2)
    assert run.rate() == pytest.approx(0.02)
    outcomes = run_all(run, InProcess(shards))
    run_all(full, InProcess([shards[0], shards[2]]))
    assert {one.n_rows for one in outcomes} == {150}
    assert run.is_over
    assert np.isfinite(run.state.values).all()


def test_rounds_that_diverge_are_not_taken():
    shards = [Shard(X, Y), Shard(X * 1e9, Y * 1e9)]
    run = training(shards, 2, solver=Solver(10.0))
    before = run.state
    outcomes = run_all(run, InProcess(shards))
    assert [one.loss for one in outcomes] == [np.inf] * 4
    assert run.n_slower == 3
    assert run.settings.solver.learning_rate == run.settings.schedule.initial == 10 / 64
    assert run.state is before


def test_an_outer_step_beyond_all_bounds_is_not_taken():
    state = RoundState.of(network("float32"))
    far = dataclasses.replace(state, values=np.full_like(state.values, 2.5e38))
    start = dataclasses.replace(state, values=np.full_like(state.values, -1e38))
    how = training([Shard(X, Y)], 1, outer=OuterStep(1.0, 0.5)).settings
    outcome = outcome_of(Trained(far, 10, 1.0), start, how)
    result = RoundResult(start).after(outcome, how)
    assert result.diverged
    assert result.state is start
    assert RoundResult(far).after(outcome, how).diverged is False


def test_an_order_is_kept_up_to_its_end():
    shard = Shard(X[:100], Y[:100])
    whole = np.random.RandomState((1, 2, 3)).permutation(100)
    for start, stop in ((0, 40), (40, 100), (0, 100)):
        found = shard.shuffled((1, 2, 3), start, stop)
        assert np.array_equal(found, whole[start:stop])
        assert (shard._shuffled is None) == (stop == 100)
    shard.shuffled((1, 2, 3), 0, 40)
    other = np.random.RandomState((1, 3, 3)).permutation(100)
    assert np.array_equal(shard.shuffled((1, 3, 3), 40, 60), other[40:60])


def test_a_state_goes_into_a_tree_and_back():
    state, _, _ = train_round(RoundState.of(network()), Shard(X, Y), plan(SOLVERS[2]))
    same(RoundState.from_tree(state.to_tree()), state)
