"""Gradients against central differences and against complex steps, which are exact to rounding."""

import re

import numpy as np
import pytest
import scipy.special
from cases import HIDDEN_ACTIVATIONS, PAIRS, pairwise, parameters_of, random_case, worst_difference
from reference import Reference
from sklearn.metrics import mean_pinball_loss

import fastbp

HIDDEN_SIZES = ((), (5,), (5, 4), (5, 4, 3))
NETWORKS = pairwise(
    {"loss, out_activation": PAIRS, "activation": HIDDEN_ACTIVATIONS, "hidden": HIDDEN_SIZES}
)


def small_case(activation, hidden, loss, out_activation, dtype):
    sizes = (3, *hidden, 2)
    return random_case(loss, out_activation, sizes, 6, activation=activation, dtype=dtype, seed=1)


@NETWORKS
def test_float64_gradients_equal_central_differences(activation, hidden, loss, out_activation):
    network, X, y = small_case(activation, hidden, loss, out_activation, "float64")
    check = fastbp.check_gradients(network, X, y)
    assert check.max_relative_error < 1e-6, check
    assert check.n_parameters == network.n_parameters


@NETWORKS
def test_float64_gradients_equal_complex_steps(activation, hidden, loss, out_activation):
    network, X, y = small_case(activation, hidden, loss, out_activation, "float64")
    weights = np.linspace(0.5, 2, len(X))
    reference = Reference(network)
    for sample_weight in (None, weights):
        value, grad_weights, grad_biases = network.gradients(X, y, sample_weight)
        exact = reference.complex_step_gradients(X, y, sample_weight)
        assert worst_difference([*grad_weights, *grad_biases], exact) < 1e-12
        assert value == pytest.approx(reference.loss(X, y, sample_weight), rel=1e-13)


@NETWORKS
def test_float32_gradients_equal_those_of_a_float64_reference(
    activation, hidden, loss, out_activation
):
    network, X, y = small_case(activation, hidden, loss, out_activation, "float32")
    _, grad_weights, grad_biases = network.gradients(X, y)
    gradients = [*grad_weights, *grad_biases]
    assert {gradient.dtype for gradient in gradients} == {np.dtype("float32")}
    exact = Reference(network).complex_step_gradients(X, y)
    assert worst_difference(gradients, exact) < 32 * np.finfo(np.float32).eps
    # Relative to each derivative the rounding of float32 shows more; a wrong formula shows as 1.
    assert fastbp.check_gradients(network, X, y).max_relative_error < 1e-3


@pytest.mark.parametrize(("loss", "out_activation"), PAIRS)
def test_the_two_derivations_of_the_reference_agree(loss, out_activation):
    network, X, y = small_case("logistic", (5, 4), loss, out_activation, "float64")
    reference = Reference(network)
    exact = reference.complex_step_gradients(X, y)
    assert worst_difference(reference.gradients(X, y), exact) < 1e-12


def test_absolute_error_has_derivative_0_where_prediction_and_target_are_equal():
    network = fastbp.Network((1, 2), loss="absolute_error")
    network.weights = [[[1.0, 1.0]]]
    network.biases = [[0.0, 0.0]]
    loss, (grad_W,), (grad_b,) = network.gradients([[3.0]], [[3.0, 5.0]])
    assert loss == 2.0
    np.testing.assert_array_equal(grad_W, [[0.0, -3.0]])
    np.testing.assert_array_equal(grad_b, [0.0, -1.0])


def test_huber_is_half_the_square_near_the_target_and_a_line_further_off():
    network = fastbp.Network((1, 3), loss="huber", huber_delta=2.0)
    network.weights = [[[1.0, 1.0, 1.0]]]
    network.biases = [[0.0, 0.0, 0.0]]
    loss, (grad_W,), (grad_b,) = network.gradients([[3.0]], [[2.0, 8.0, 1.0]])
    assert loss == 1 / 2 + (2 * 5 - 2) + 2.0
    np.testing.assert_array_equal(grad_b, [1.0, -2.0, 2.0])
    np.testing.assert_array_equal(grad_W, [[3.0, -6.0, 6.0]])


def test_quantile_weighs_what_is_too_small_against_what_is_too_large():
    network = fastbp.Network((1, 3), loss="quantile", quantile=0.75)
    network.weights = [[[1.0, 1.0, 1.0]]]
    network.biases = [[0.0, 0.0, 0.0]]
    loss, _, (grad_b,) = network.gradients([[3.0]], [[1.0, 7.0, 3.0]])
    assert loss == 0.25 * 2 + 0.75 * 4
    np.testing.assert_array_equal(grad_b, [0.25, -0.75, 0.0])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_losses_of_errors_are_those_of_other_libraries(dtype, isa):
    random = np.random.default_rng(0)
    X, y = (random.normal(size=(200, 3)).astype(dtype) for _ in "Xy")
    own = {"huber_delta": 0.8, "quantile": 0.3, "dtype": dtype, "random_state": 0}
    huber, quantile = (
        fastbp.Network((3, 5, 3), loss=loss, **own) for loss in ("huber", "quantile")
    )
    rel = 1e-12 if dtype == "float64" else 1e-6
    expected = scipy.special.huber(0.8, huber.forward(X).astype(float) - y).sum(axis=1).mean()
    assert huber.loss(X, y) == pytest.approx(expected, rel=rel)
    expected = 3 * mean_pinball_loss(y.astype(float), quantile.forward(X), alpha=0.3)
    assert quantile.loss(X, y) == pytest.approx(expected, rel=rel)


def test_probabilities_that_do_not_add_up_to_1_still_get_the_gradients_of_their_loss():
    network, X, _ = small_case("tanh", (5,), "log_loss", "softmax", "float64")
    y = np.tile([0.25, 0.5], (len(X), 1))
    exact = Reference(network).complex_step_gradients(X, y)
    _, grad_weights, grad_biases = network.gradients(X, y)
    assert worst_difference([*grad_weights, *grad_biases], exact) < 1e-12


class WrongInOnePlace(fastbp.Network):
    """Its gradients are wrong by one part in 10,000 in a single place."""

    place = None

    def gradients(self, X, y, sample_weight=None):
        loss, grad_weights, grad_biases = super().gradients(X, y, sample_weight)
        layer, kind, index = self.place
        {"weight": grad_weights, "bias": grad_biases}[kind][layer - 1][index] *= 1 + 1e-4
        return loss, grad_weights, grad_biases


@pytest.mark.parametrize(
    "place", [(1, "weight", (2, 4)), (1, "bias", (0,)), (2, "weight", (4, 1)), (2, "bias", (1,))]
)
def test_check_gradients_finds_and_locates_a_wrong_gradient(place):
    network = WrongInOnePlace((3, 5, 2), activation="tanh", random_state=3)
    network.place = place
    random = np.random.default_rng(0)
    check = fastbp.check_gradients(network, random.normal(size=(4, 3)), random.normal(size=(4, 2)))
    assert check.where == place
    assert check.max_relative_error == pytest.approx(1e-4, rel=0.01)
    assert check.analytic == pytest.approx(check.numeric * (1 + 1e-4), rel=1e-6)
    layer, kind, index = place
    assert f"at {kind} {list(index)} of layer {layer}" in str(check)


def test_check_gradients_leaves_the_network_as_it_was():
    network, X, y = small_case("tanh", (5,), "squared_error", "identity", "float64")
    before = parameters_of(network)
    fastbp.check_gradients(network, X, y)
    for parameter, kept in zip(parameters_of(network), before, strict=True):
        np.testing.assert_array_equal(parameter, kept)


def test_check_gradients_weighs_rows():
    network, X, y = small_case("tanh", (5,), "squared_error", "identity", "float64")
    weights = np.array([0.0, 0, 0, 5, 0, 0])
    check = fastbp.check_gradients(network, X, y, weights)
    assert check.max_relative_error < 1e-6
    layer, kind, index = check.where
    of_one_row = network.gradients(X[3:4], y[3:4])[1 if kind == "weight" else 2]
    assert check.analytic == pytest.approx(of_one_row[layer - 1][index], rel=1e-12)


@pytest.mark.parametrize("eps", [0, -1e-6, np.nan, np.inf])
def test_check_gradients_refuses_an_eps_that_is_no_step(eps):
    network, X, y = small_case("tanh", (), "squared_error", "identity", "float64")
    with pytest.raises(ValueError, match=f"eps must be greater than 0; got {re.escape(repr(eps))}"):
        fastbp.check_gradients(network, X, y, eps=eps)


def test_an_estimator_is_not_a_network():
    with pytest.raises(TypeError, match=r"pass its network_"):
        fastbp.check_gradients(fastbp.BackpropRegressor(), [[1.0]], [1.0])
