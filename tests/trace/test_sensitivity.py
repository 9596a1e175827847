"""Sensitivities against differences, by hand, and in summaries that never hold all of them."""

import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from cases import HIDDEN_ACTIVATIONS, PAIRS, pairwise, parameters_of, random_case, worst_difference
from plain_models import BackpropClassifier, BackpropRegressor
from reference import ACTIVATIONS, Reference
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError

from fastbp import Network, sensitivity_of_loss
from fastbp.network import jacobian as jacobian_module

SIZES = [(3, 2), (3, 5, 2), (20, 17, 9, 33), (1, 4, 2), (4, 1, 3)]


def complex_steps(network, X, h=1e-30):
    """d output / d input, exact to rounding: Im f(x + ih) / h."""
    reference, result = Reference(network), []
    for direction in np.eye(X.shape[1]):
        a = X + 1j * h * direction
        for W, b, name in zip(
            reference.weights, reference.biases, reference.activations, strict=True
        ):
            a = ACTIVATIONS[name](a @ W + b)
        result.append(a.imag / h)
    return np.stack(result, axis=2)


@pairwise({"loss, out_activation": PAIRS, "activation": HIDDEN_ACTIVATIONS, "sizes": SIZES})
def test_derivatives_are_exact_to_rounding(loss, out_activation, activation, sizes, isa):
    for dtype, allowed in (("float64", 1e-13), ("float32", 1e-5)):
        network, X, _ = random_case(loss, out_activation, sizes, 6, activation, dtype)
        before, exact = parameters_of(network), complex_steps(network, X)
        jacobian = network.sensitivity(X)
        assert jacobian.shape == (6, sizes[-1], sizes[0])
        assert jacobian.dtype == network.dtype
        assert np.abs(jacobian - exact).max() <= allowed * max(np.abs(exact).max(), 1e-300)
        assert all(map(np.array_equal, before, parameters_of(network)))


@pytest.mark.parametrize(("loss", "out_activation"), PAIRS)
def test_derivatives_equal_central_differences(loss, out_activation):
    network, X, _ = random_case(loss, out_activation, (4, 6, 5, 3), 7, activation="tanh")
    steps = 1e-6 * np.eye(4)
    differences = [(network.forward(X + h) - network.forward(X - h)) / 2e-6 for h in steps]
    assert np.allclose(network.sensitivity(X), np.stack(differences, axis=2), atol=1e-8)


def test_a_derivative_worked_out_by_hand():
    network = Network((2, 1, 1), activation="relu", random_state=0)
    network.weights, network.biases = [[[2.0], [-1.0]], [[3.0]]], [[0.0], [5.0]]
    X = [[1.0, 1.0], [1.0, 3.0]]  # z = 1: slope 3 x (2, -1); z = -1: the unit is off
    assert network.sensitivity(X).tolist() == [[[6.0, -3.0]], [[0.0, 0.0]]]
    assert network.sensitivity(X, summary="mean").tolist() == [[3.0, -1.5]]
    assert network.sensitivity(X, summary="mean_absolute").tolist() == [[3.0, 1.5]]
    assert network.sensitivity(X[:1], relative=True).tolist() == [[[6 / 8, -3 / 8]]]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("relative", [False, True])
def test_summaries_are_those_of_all_rows_in_blocks_of_any_size(monkeypatch, relative, dtype):
    network, X, _ = random_case("poisson", "exp", (4, 6, 3), 50, dtype=dtype)
    jacobian = network.sensitivity(X, relative=relative)
    for n_bytes in (1, 1000, 2**22):
        monkeypatch.setattr(jacobian_module, "BLOCK_BYTES", n_bytes)
        assert np.array_equal(network.sensitivity(X, relative=relative), jacobian)
        for summary, function in (("mean", np.asarray), ("mean_absolute", np.abs)):
            mean = network.sensitivity(X, summary=summary, relative=relative)
            assert mean.dtype == np.float64
            assert np.allclose(mean, function(jacobian).mean(axis=0, dtype=np.float64), rtol=1e-12)


def test_elasticities_are_derivatives_of_logarithms():
    network, X, _ = random_case("poisson", "exp", (4, 6, 3), 5)
    X, h = np.abs(X) + 0.1, 1e-6
    for feature in range(4):
        up, down = X.copy(), X.copy()
        up[:, feature] *= 1 + h
        down[:, feature] *= 1 - h
        slopes = (np.log(network.forward(up)) - np.log(network.forward(down))) / (2 * h)
        assert np.allclose(network.sensitivity(X, relative=True)[:, :, feature], slopes, atol=1e-8)


def test_sparse_rows_have_the_derivatives_of_dense_ones():
    network, X, _ = random_case("squared_error", "identity", (30, 8, 2), 40)
    X[np.random.default_rng(0).random(X.shape) < 0.7] = 0
    X[5] = 0
    for options in ({}, {"relative": True}, {"relative": True, "summary": "mean"}):
        sparse, dense = (
            network.sensitivity(csr_array(X), **options),
            network.sensitivity(X, **options),
        )
        assert worst_difference([sparse], [dense]) < 1e-13


def test_a_summary_needs_no_memory_for_the_rows():
    network = Network((50, 10, 20), random_state=0)
    X = np.random.default_rng(0).normal(size=(4000, 50))  # all derivatives: 32 MB
    network.sensitivity(X[:1], summary="mean")
    tracemalloc.start()
    network.sensitivity(X, summary="mean_absolute")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * jacobian_module.BLOCK_BYTES


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_classifier_has_the_derivatives_of_its_probabilities(n_classes):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=["a", "b", "c"])
    y = np.array(["x", "y", "z"])[np.arange(60) % n_classes]
    model = BackpropClassifier(hidden_layer_sizes=(5,), activation="tanh", random_state=0)
    model.partial_fit(X, y, classes=np.unique(y))
    up, down = X.copy(), X.copy()
    up["b"] += 1e-6
    down["b"] -= 1e-6
    slopes = (model.predict_proba(up) - model.predict_proba(down)) / 2e-6
    jacobian = model.sensitivity(X)
    assert jacobian.shape == (60, 1 if n_classes == 2 else 3, 3)
    assert np.allclose(jacobian[:, :, 1], slopes[:, 1:] if n_classes == 2 else slopes, atol=1e-8)


BAD = [
    ([[1.0, 2.0]], {}, "X has 2 features"),
    ([1.0, 2.0, 3.0], {}, "two dimensions"),
    ([[1.0, np.nan, 2.0]], {}, r"X\[0, 1\] is nan"),
    (np.empty((0, 3)), {"summary": "mean"}, "X has no rows"),
    ([[1.0, 2.0, 3.0]], {"summary": "median"}, "summary must be one of mean, mean_absolute"),
    ([[1.0, 2.0, 3.0], [-1.0, -1.0, -1.0]], {"relative": True}, "output 0 of row 1 is 0"),
]


@pytest.mark.parametrize(("X", "options", "message"), BAD)
def test_what_has_no_sensitivity_is_refused(X, options, message):
    network = Network((3, 1), out_activation="relu", random_state=0)
    network.weights, network.biases = [[[1.0]] * 3], [[0.0]]
    with pytest.raises(ValueError, match=message):
        network.sensitivity(X, **options)


def test_other_bad_calls():
    network = Network((3, 1), random_state=0)
    with pytest.raises(TypeError, match="relative must be True or False"):
        network.sensitivity([[1.0, 2, 3]], relative="yes")
    with pytest.raises(NotFittedError):
        BackpropRegressor().sensitivity([[1.0]])
    with pytest.raises(NotFittedError):
        sensitivity_of_loss(BackpropRegressor(), [[1.0]], [1.0])
    assert network.sensitivity(np.empty((0, 3))).shape == (0, 1, 3)


# -- of the loss -----------------------------------------------------------------------------------


def test_the_loss_has_the_gradients_of_its_mean():
    network, X, y = random_case("squared_error", "identity", (3, 4, 2), 9)
    weights = np.linspace(1, 2, 9)
    for sample_weight in (None, weights):
        slopes = sensitivity_of_loss(network, X, y, sample_weight)
        exact = Reference(network).complex_step_gradients(X, y, sample_weight)
        assert worst_difference([*slopes.weights, *slopes.biases], exact) < 1e-12
        assert slopes.loss == network.loss(X, y, sample_weight)
    norms = [np.linalg.norm([*exact[l].ravel(), *exact[l + 2]]) for l in (0, 1)]
    assert np.allclose(slopes.norms(), norms, rtol=1e-12)
    assert json.loads(json.dumps(slopes.to_dict()))["weights"][1] == slopes.weights[1].tolist()


def test_the_loss_of_an_estimator_takes_labels_and_class_weights():
    X, y = np.random.default_rng(0).normal(size=(30, 3)), np.array(["no", "yes"])[np.arange(30) % 2]
    model = BackpropClassifier(
        hidden_layer_sizes=(4,), class_weight={"yes": 3}, random_state=0
    ).partial_fit(X, y, classes=["no", "yes"])
    slopes = sensitivity_of_loss(model, X, y)
    weights = np.where(y == "yes", 3.0, 1.0)
    _, grad_weights, _ = model.network_.gradients(X, (y == "yes").astype(float), weights)
    assert np.array_equal(slopes.weights[0], grad_weights[0])
    with pytest.raises(ValueError, match="does not know"):
        sensitivity_of_loss(model, X, np.where(y == "no", "maybe", y))
