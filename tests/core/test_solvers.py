"""Each solver takes the steps of its definition, and keeps what is its own."""

import pickle

import numpy as np
import pytest
from cases import SOLVERS, copy_on, parameters_of, random_case, worst_difference
from plain_models import BackpropClassifier, BackpropRegressor
from reference import Reference
from scipy.sparse import csr_array, random_array

from fastbp import Network, _core, trace_step
from fastbp.network import Solver, rules

KINDS = ("adam", "adamw", "adagrad", "rmsprop")


def one_weight(w=0.5, b=0.25, **options):
    """A network of one weight and one bias."""
    network = Network((1, 1), out_activation="identity", random_state=0, **options)
    network.weights[0][...], network.biases[0][...] = w, b
    return network


def moves(solver, targets, **options):
    """W and b after each row (x = 2), whose gradients are 2 (a - y) and a - y."""
    network, path = one_weight(), []
    for y in targets:
        network.train_epoch([[2.0]], [y], 0.1, solver=solver, **options)
        path.append((network.weights[0].item(), network.biases[0].item()))
    return path


# -- by hand: a = 2 * 0.5 + 0.25 = 1.25 ------------------------------------------------------------


def test_adagrad_divides_by_the_root_of_the_sum_of_squares():
    # gradients -4 and -2, squares 16 and 4: both move by 0.1; then a = 1.55, gradients 2 and 1.
    (first, second) = moves("adagrad", [3.25, 0.55], epsilon=1e-12)
    assert first == pytest.approx((0.6, 0.35))
    assert second == pytest.approx((0.6 - 0.1 * 2 / 20**0.5, 0.35 - 0.1 / 5**0.5))


def test_rmsprop_divides_by_the_root_of_the_mean_of_squares():
    # s = 0.25 * 16 = 4 and 0.25 * 4 = 1: moves 0.2 and 0.2; then a = 1.85, gradients 2 and 1.
    (first, second) = moves("rmsprop", [3.25, 0.85], beta_2=0.75, epsilon=1e-12)
    assert first == pytest.approx((0.7, 0.45))
    assert second == pytest.approx((0.7 - 0.1 * 2 / 2, 0.45 - 0.1 * 1 / 1))


def test_epsilon_stands_beside_the_root():
    ((w, b),) = moves("adagrad", [3.25], epsilon=1.0)
    assert (w, b) == pytest.approx((0.5 + 0.1 * 4 / 5, 0.25 + 0.1 * 2 / 3))
    ((w, b),) = moves("adamw", [3.25], epsilon=1.0)  # of the root of the corrected mean: 4 and 2
    assert (w, b) == pytest.approx((0.5 + 0.1 * 4 / 5, 0.25 + 0.1 * 2 / 3))


def test_adamw_takes_its_decay_off_weights_alone_whatever_the_batch():
    ((w, b),) = moves("adamw", [3.25], alpha=0.5, epsilon=1e-12)
    assert (w, b) == pytest.approx((0.5 * (1 - 0.1 * 0.5) + 0.1, 0.25 + 0.1))
    network = one_weight()
    network.train_epoch([[2.0]] * 4, [3.25] * 4, 0.1, solver="adamw", alpha=0.5, batch_size=4)
    assert network.weights[0].item() == pytest.approx(0.5 * (1 - 0.1 * 0.5) + 0.1)


def test_adamw_takes_two_steps_of_the_definition():
    beta_1, beta_2, epsilon, decay, rate = 0.9, 0.99, 1e-3, 0.2, 0.1
    w, m, s = 0.5, 0.0, 0.0
    network = one_weight()
    network.biases[0][...] = 0
    for t, y in enumerate((3.0, -1.0), start=1):
        g = 2 * (2 * w + network.biases[0].item() - y)
        m, s = beta_1 * m + (1 - beta_1) * g, beta_2 * s + (1 - beta_2) * g * g
        w -= rate * decay * w
        w -= rate * (m / (1 - beta_1**t)) / ((s / (1 - beta_2**t)) ** 0.5 + epsilon)
        network.train_epoch(
            [[2.0]], [y], rate, solver="adamw", alpha=decay, beta_2=beta_2, epsilon=epsilon
        )
        assert network.weights[0].item() == pytest.approx(w, rel=1e-13)


# -- what a row of non-zeros costs -----------------------------------------------------------------


def test_adagrad_lets_weights_rest_whose_inputs_are_zero():
    network, _, _ = random_case("squared_error", "identity", (30, 8, 2), 1)
    before = network.weights[0].copy()
    row = csr_array(([1.0, -2.0], ([0, 0], [3, 17])), (1, 30))
    network.train_epoch(row, [[1.0, 2.0]], 0.1, solver="adagrad")
    moved = np.any(network.weights[0] != before, axis=1)
    assert np.flatnonzero(moved).tolist() == [3, 17]
    assert network.plan(sparse=True, solver="adagrad").path == "rows"
    assert network.plan(sparse=True, solver="rmsprop").path == "batches"


@pytest.mark.parametrize("batch_size", [1, 16, 999])
@pytest.mark.parametrize("alpha", [0.0, 0.01])
@pytest.mark.parametrize("solver", KINDS)
@pytest.mark.parametrize("sizes", [(300, 70, 5), (300, 9, 33, 2), (300, 1), (300, 3)])
def test_wide_sparse_rows_follow_the_reference(sizes, solver, alpha, batch_size):
    case, _, y = random_case("squared_error", "identity", sizes, 90, activation="relu")
    X = random_array((90, 300), density=0.02, rng=np.random.default_rng(5), format="csr")
    X.data[::7] = 0  # which a matrix may hold, too
    options = {"solver": solver, "alpha": alpha, "batch_size": batch_size}
    reference = Reference(case)
    weights = np.random.default_rng(6).uniform(0, 2, 90)
    reference.train_epoch(X.toarray(), y, 0.005, sample_weight=weights, **options)
    for isa in _core.available_isas():
        for rows in (X, X.toarray()):
            network = copy_on(isa, case)
            network.train_epoch(rows, y, 0.005, sample_weight=weights, **options)
            assert worst_difference(parameters_of(network), reference.parameters) < 1e-10


@pytest.mark.parametrize("solver", KINDS)
def test_float32_is_near_float64(solver):
    for batch_size in (1, 8):
        networks = []
        for dtype in ("float64", "float32"):
            network, X, y = random_case(
                "squared_error", "identity", (6, 20, 2), 60, activation="tanh", dtype=dtype
            )
            network.train_epoch(X, y, 0.003, solver=solver, batch_size=batch_size)
            networks.append(network)
        assert worst_difference(*map(parameters_of, networks)) < 1e-3


# -- what is kept ----------------------------------------------------------------------------------


def test_every_solver_keeps_its_own_numbers():
    """A network that changes solvers trains with each as if it had never met the others."""
    X, y = np.random.default_rng(0).normal(size=(2, 40, 3))
    network = Network((3, 4, 1), random_state=0)
    states = {}
    for options in SOLVERS:
        network.train_epoch(X, y[:, 0], 0.01, **options)
        rule = Solver(1.0, **options).rule
        if rule.moments:
            states[rule.name] = network._state.moments[rule.name].values.copy()
    assert set(states) == {name for name, rule in rules.RULES.items() if rule.moments}
    other = pickle.loads(pickle.dumps(network))
    for name, kept in states.items():
        found, expected = (one._state.moments[name].values for one in (other, network))
        np.testing.assert_array_equal(found, expected)
        assert kept.shape[0] == len(rules.RULES[name].moments) == _core.FACTS_OF_RULES[name][0]


@pytest.mark.parametrize("options", SOLVERS, ids=str)
def test_a_copy_goes_on_to_the_same_bits(options):
    network, X, y = random_case("squared_error", "identity", (4, 5, 2), 30)
    network.train_epoch(X, y, 0.01, **options)
    other = pickle.loads(pickle.dumps(network))
    for one in (network, other):
        one.train_epoch(X, y, 0.01, **options)
    for a, b in zip(parameters_of(network), parameters_of(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_trace_names_what_each_solver_keeps():
    network = Network((2, 2, 1), random_state=0)
    for solver in ("adam", "adamw"):  # which call what they keep the same
        network.train_epoch([[1.0, 2.0]], [3.0], 0.1, solver=solver)
        network.train_epoch([[1.0, 2.0]], [2.0], 0.1, solver=solver)
    for solver in ("adam", "adamw"):
        trace = trace_step(network, [1.0, 2.0], 1.0, 0.1, solver=solver)
        kept = network._state.moments[solver].arenas["first_moments"].weights[0]
        np.testing.assert_array_equal(trace.layers[0].state["first_moments"][0], kept)
    trace = trace_step(Network((2, 1)), [1.0, 2.0], 1.0, 0.1, solver="adagrad")
    assert list(trace.layers[0].new_state) == ["sums_of_squares"]
    np.testing.assert_array_equal(
        trace.layers[0].new_state["sums_of_squares"][0], trace.layers[0].grad_W ** 2
    )
    assert "s' = s + gradient^2, W' = W - learning_rate gradient / (sqrt(s') + eps" in str(trace)


# -- estimators ------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Training ended after max_iter")
@pytest.mark.parametrize("batch_size", [1, 20])
@pytest.mark.parametrize("solver", KINDS)
def test_estimators_learn_with_every_solver(solver, batch_size):
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 4))
    y = X[:, 0] - X[:, 1] * X[:, 2]
    options = {"solver": solver, "batch_size": batch_size, "max_iter": 60, "random_state": 0}
    rate = 0.03 if solver == "adagrad" else 0.002 if batch_size == 1 else 0.01
    regressor = BackpropRegressor(hidden_layer_sizes=20, learning_rate_init=rate, **options)
    assert regressor.fit(X, y).score(X, y) > 0.9
    for rows in (X, csr_array(np.where(np.abs(X) > 1, X, 0))):
        labels = np.where(y > 0, "up", "down")
        classifier = BackpropClassifier(hidden_layer_sizes=20, learning_rate_init=rate, **options)
        assert classifier.fit(rows, labels).score(rows, labels) > 0.7
        for _ in range(3):
            classifier.partial_fit(rows[:1], labels[:1])


@pytest.mark.parametrize("solver", ["adamw", "adagrad", "rmsprop"])
def test_scikit_learn_has_no_such_solver(solver):
    model = BackpropRegressor(solver=solver).partial_fit([[1.0], [2.0]], [1.0, 2.0])
    with pytest.raises(ValueError, match=f"has no solver='{solver}'"):
        model.to_sklearn()


def test_bounds_of_options_are_those_of_the_table():
    for name, bad in {"beta_1": 1.0, "beta_2": -0.1, "epsilon": 0.0, "momentum": 1.0}.items():
        for check in (
            lambda **options: Solver(0.1, solver="adamw", **options),
            lambda **options: BackpropRegressor(**options).fit([[1.0]], [1.0]),
        ):
            with pytest.raises(ValueError, match=f"{name} must be"):
                check(**{name: bad})
    with pytest.raises(ValueError, match=r"epsilon=1e-30 is out of the range of float32"):
        one_weight(dtype="float32").train_epoch(
            [[1.0]], [1.0], 0.1, solver="rmsprop", epsilon=1e-30
        )


def test_docstrings_name_every_solver():
    for doc in (BackpropRegressor.__doc__, BackpropClassifier.__doc__, Network.train_epoch.__doc__):
        assert "$" not in doc
        for name in rules.SOLVERS:
            assert f'- "{name}": ' in doc
