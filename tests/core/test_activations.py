"""Every activation of the table, in every place where networks use one."""

import numpy as np
import pytest
from cases import copy_on, pairwise, parameters_of, random_case, worst_difference
from plain_models import BackpropClassifier, BackpropRegressor
from reference import ACTIVATIONS, BACK_THROUGH, Reference
from scipy.sparse import csr_array

from fastbp import Network, _core, check_gradients, trace_step
from fastbp.network import Solver
from fastbp.network.catalogue import HIDDEN_ACTIVATIONS

MORE = HIDDEN_ACTIVATIONS[4:]  # those that the other tests do not try
OF_Z = tuple(name for name in MORE if _core.FACTS_OF_ACTIVATIONS[name][1])
LOSSES = ("squared_error", "absolute_error", "huber", "quantile")
ROUNDING = {"float64": 2.3e-16, "float32": 1.2e-7}


def test_all_are_tried_here():
    assert MORE == ("leaky_relu", "elu", "selu", "softplus", "silu", "gelu", "mish")
    assert OF_Z == ("softplus", "silu", "gelu", "mish")


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("name", MORE)
def test_values_and_slopes_are_those_of_the_formula(name, dtype, isa):
    for n in (1, 2, 7, 33, 900):
        z = np.concatenate([np.linspace(-30, 30, n), [0.0, -0.0, 1e-9, -1e-9]]).astype(dtype)
        exact = z.astype(np.float64)
        a = _core.apply_activation(name, z, isa)
        expected = ACTIVATIONS[name](exact)
        near = 8 * ROUNDING[dtype]
        np.testing.assert_allclose(a, expected, rtol=4 * near, atol=near)
        delta = np.linspace(-3, 5, len(z)).astype(dtype)
        slopes = _core.apply_derivative(name, delta, z, a, isa)
        inner = exact != 0  # where the slope of some jumps
        expected = BACK_THROUGH[name](exact, delta.astype(np.float64))
        np.testing.assert_allclose(slopes[inner], expected[inner], rtol=8 * near, atol=16 * near)


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("name", MORE)
def test_extreme_z(name, dtype, isa):
    z = np.array([-np.inf, -3e38, -200.0, 200.0, 3e38, np.nan], dtype)
    a = _core.apply_activation(name, z, isa)
    assert np.isnan(a[-1])
    assert a[3] == pytest.approx(ACTIVATIONS[name](np.array([200.0]))[0], rel=1e-6)
    finite = z[1:5]
    delta = np.ones_like(finite)
    slopes = _core.apply_derivative(name, delta, finite, a[1:5], isa)
    assert np.all((slopes > -1e-6) & (slopes < 1.06))


@pairwise(
    {
        "activation": MORE,
        "sizes": [(4, 3, 1), (4, 13, 1), (5, 7, 6, 3), (30, 70, 2), (30, 70, 20), (3, 40, 6)],
        "loss": LOSSES,
        "options": [
            {},
            {"alpha": 0.02},
            {"momentum": 0.8, "nesterov": True},
            {"batch_size": 7},
            {"batch_size": 32, "solver": "adam"},
            {"solver": "adagrad"},
        ],
    }
)
def test_training_follows_the_reference(activation, sizes, loss, options):
    case, X, y = random_case(loss, "identity", sizes, 120, activation=activation, seed=2)
    X[np.random.default_rng(0).integers(0, 2, X.shape) == 0] = 0
    reference = Reference(case)
    rate = 0.002 / (1 if options.get("solver") else sizes[1] / 10 + 1)
    losses = reference.train_epoch(X, y, rate, **options)
    for isa in _core.available_isas():
        for rows in (X, csr_array(X)):
            network = copy_on(isa, case)
            assert network.train_epoch(rows, y, rate, **options) == pytest.approx(losses, rel=1e-10)
            assert worst_difference(parameters_of(network), reference.parameters) < 1e-10


@pytest.mark.parametrize("out_activation", MORE)
@pytest.mark.parametrize("loss", LOSSES)
def test_output_layers_may_have_them(loss, out_activation):
    for sizes in ((4, 3, 1), (6, 9, 3), (6, 5)):
        case, X, y = random_case(loss, out_activation, sizes, 60, activation="tanh")
        reference = Reference(case)
        reference.train_epoch(X, y, 0.01)
        for isa in _core.available_isas():
            network = copy_on(isa, case)
            network.train_epoch(X, y, 0.01)
            assert worst_difference(parameters_of(network), reference.parameters) < 1e-10


@pytest.mark.parametrize("activation", MORE)
@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_those_of_the_complex_step_and_of_differences(activation, loss):
    network, X, y = random_case(loss, activation, (3, 5, 4, 2), 6, activation=activation)
    _, weights, biases = network.gradients(X, y)
    exact = Reference(network).complex_step_gradients(X, y)
    assert worst_difference([*weights, *biases], exact) < 1e-11
    if loss == "squared_error":  # without a kink of its own
        assert check_gradients(network, X, y).max_relative_error < 1e-4


@pytest.mark.parametrize("activation", MORE)
def test_sensitivities_and_traces_use_the_slopes(activation):
    network, X, y = random_case("squared_error", "identity", (3, 6, 5, 2), 4, activation=activation)
    h = 1e-6
    for i in range(3):
        step = h * np.eye(3)[i]
        numeric = (network.forward(X + step) - network.forward(X - step)) / (2 * h)
        np.testing.assert_allclose(network.sensitivity(X)[:, :, i], numeric, atol=1e-8)
    trace = trace_step(network, X[0], y[0], 0.1, solver="adamw")
    for layer in trace.layers:
        np.testing.assert_allclose(layer.delta, layer.dE_da * layer.derivative, rtol=1e-13)
        slopes = BACK_THROUGH[layer.activation](layer.z, np.ones_like(layer.z))
        np.testing.assert_allclose(layer.derivative, slopes, rtol=1e-12)


@pytest.mark.parametrize("activation", MORE)
def test_dropout_and_several_initialisations(activation):
    X, y = np.random.default_rng(0).normal(size=(2, 60, 4))
    for options in ({"dropout": 0.3}, {"dropout": 0.3, "batch_size": 8}, {"n_init": 5}):
        model = BackpropRegressor(
            hidden_layer_sizes=9, activation=activation, max_iter=3, tol=10, **options
        )
        with pytest.warns(match="Training ended"):
            model.fit(X, y[:, 0])
        assert np.isfinite(model.loss_curve_).all()


def test_paths_of_small_networks():
    """In registers with those whose slope a tells; the others a block behind."""
    for name in MORE:
        plan = Network((4, 8, 2), activation=name).plan()
        assert plan.path == ("registers" if name not in OF_Z and plan.lanes > 1 else plan.path)
        assert name not in OF_Z or plan.path != "registers"
    assert Solver(0.1).rule.name == "plain"


def test_scikit_learn_has_no_such_activation():
    model = BackpropClassifier(activation="gelu").partial_fit(np.eye(2), [0, 1], classes=[0, 1])
    with pytest.raises(ValueError, match="has no activation='gelu'"):
        model.to_sklearn()
