"""Layers of every width, so the tails of the vector loops: every instruction set, both dtypes."""

import numpy as np
import pytest
from cases import (
    HIDDEN_ACTIVATIONS,
    PAIRS,
    copy_on,
    pairwise,
    parameters_of,
    random_case,
    worst_difference,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Reference
from scipy.sparse import csr_array

from fastbp import _core

DTYPES = ("float64", "float32")
TOLERANCE = {"float64": 1e-11, "float32": 1e-4}  # an unused lane shows as 0.01 or more


def assert_like_the_reference(isa, network, X, y, learning_rate=0.01, **options):
    """Compare predictions, loss, gradients and one epoch, dense and CSR, with the reference's.

    Few rows are trained one by one; 40 are enough for blocks of them.
    """
    tolerance = TOLERANCE[network.dtype.name]
    networks = (copy_on(isa, network), X), (copy_on(isa, network), csr_array(X))
    reference = Reference(network)
    predictions = reference.forward(X)[1][-1]
    loss, gradients = reference.loss(X, y), reference.gradients(X, y)
    epoch_loss = reference.train_epoch(X, y, learning_rate, **options)
    for trained, rows in networks:
        assert worst_difference([trained.forward(rows)], [predictions]) < tolerance
        got_loss, grad_weights, grad_biases = trained.gradients(rows, y)
        assert worst_difference([*grad_weights, *grad_biases], gradients) < tolerance
        assert got_loss == trained.loss(rows, y) == pytest.approx(loss, rel=tolerance)
        got_loss = trained.train_epoch(rows, y, learning_rate, **options)
        assert got_loss == pytest.approx(epoch_loss, rel=tolerance)
        assert worst_difference(parameters_of(trained), reference.parameters) < tolerance


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_hidden", range(1, 71))
def test_every_number_of_hidden_units(n_hidden, dtype):
    for isa in _core.available_isas():
        for sizes in ((3, n_hidden, 1), (2, n_hidden, 5, 2)):
            for n_rows in (3, 40):
                case = random_case("squared_error", "identity", sizes, n_rows, dtype=dtype)
                assert_like_the_reference(isa, *case)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_inputs", range(1, 71))
def test_every_number_of_inputs(n_inputs, dtype):
    for isa in _core.available_isas():
        for sizes in ((n_inputs, 1), (n_inputs, 3)):
            for n_rows in (3, 40):
                case = random_case("squared_error", "identity", sizes, n_rows, dtype=dtype)
                assert_like_the_reference(isa, *case)


@pairwise({"loss, out_activation": PAIRS, "n_outputs": range(2, 21), "dtype": DTYPES})
def test_every_number_of_outputs(loss, out_activation, n_outputs, dtype):
    for isa in _core.available_isas():
        case = random_case(loss, out_activation, (3, n_outputs), 3, dtype=dtype)
        assert_like_the_reference(isa, *case)


@pytest.mark.parametrize("n_units", [63, 64, 65, 127, 128, 129, 143, 145, 257])
@pytest.mark.parametrize("dtype", DTYPES)
def test_layers_wider_than_eight_vectors(dtype, n_units):
    for isa in _core.available_isas():
        for sizes in ((n_units, n_units, 1), (2, 3, n_units)):
            case = random_case("squared_error", "identity", sizes, 2, dtype=dtype)
            assert_like_the_reference(isa, *case)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_networks_of_any_shape(data):
    loss, out_activation = data.draw(st.sampled_from(PAIRS), label="loss, output activation")
    hidden = data.draw(st.lists(st.integers(1, 70), max_size=3), label="hidden")
    n_inputs = data.draw(st.integers(1, 70), label="inputs")
    n_outputs = data.draw(st.integers(1 + (out_activation == "softmax"), 12), label="outputs")
    activation = data.draw(
        st.lists(st.sampled_from(HIDDEN_ACTIVATIONS), min_size=len(hidden), max_size=len(hidden)),
        label="activations",
    )
    dtype = data.draw(st.sampled_from(DTYPES), label="dtype")
    isa = data.draw(st.sampled_from(_core.available_isas()), label="isa")
    n_rows = data.draw(st.sampled_from([1, 5, 33]), label="rows")
    options = {
        "batch_size": data.draw(st.sampled_from([1, 1, 2, 4]), label="batch_size"),
        "momentum": data.draw(st.sampled_from([0.0, 0.9]), label="momentum"),
        "nesterov": data.draw(st.booleans(), label="nesterov"),
        "alpha": data.draw(st.sampled_from([0.0, 0.1]), label="alpha"),
    }
    network, X, y = random_case(
        loss,
        out_activation,
        (n_inputs, *hidden, n_outputs),
        n_rows,
        activation=activation,
        dtype=dtype,
    )
    X[np.random.default_rng(0).integers(0, 3, X.shape) == 0] = 0
    if loss == "poisson":  # whose steps grow with exp(z)
        options["learning_rate"] = 1e-4
    assert_like_the_reference(isa, network, X, y, **options)
