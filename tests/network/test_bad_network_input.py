"""Bad input to `Network`: a clear error that names what was given, and nothing is changed."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from cases import pairwise, parameters_of
from scipy.sparse import csr_array, csr_matrix

import fastbp
from fastbp import Network, _core, check_gradients
from fastbp.network.arrays import check_finite

N_FEATURES = 3
X = np.random.default_rng(0).normal(size=(8, N_FEATURES))
Y = np.random.default_rng(1).normal(size=8)


def network_for(loss="squared_error", n_outputs=1, dtype="float64", **options):
    return Network((N_FEATURES, 4, n_outputs), loss=loss, dtype=dtype, random_state=0, **options)


CALLS = {
    "forward": lambda network, X, y: network.forward(X),
    "loss": lambda network, X, y: network.loss(X, y),
    "gradients": lambda network, X, y: network.gradients(X, y),
    "train_epoch": lambda network, X, y: network.train_epoch(X, y, 0.1),
    "train_epoch, momentum": lambda network, X, y: network.train_epoch(X, y, 0.1, momentum=0.9),
    "train_epoch, batches": lambda network, X, y: network.train_epoch(X, y, 0.1, batch_size=4),
    "check_gradients": lambda network, X, y: check_gradients(network, X, y),
}
CALLS_WITH_Y = {name: call for name, call in CALLS.items() if name != "forward"}
ONE_ROW_CALLS = {
    "forward": lambda network, x, y: network.forward(x),
    "step": lambda network, x, y: network.step(x, y, 0.1),
}
TRAINING = {
    "step": lambda network, **options: network.step(X[0], Y[:1], **options),
    "train_epoch": lambda network, **options: network.train_epoch(X, Y, **options),
}


def assert_refused(network, error, message, call, *arguments, **options):
    """The call raises this error, and the network is as it was, what its solver keeps included."""
    before = parameters_of(network)
    moments = {n: kept.values.copy() for n, kept in network._state.moments.items()}
    with pytest.raises(error, match=message):
        call(network, *arguments, **options)
    for parameter, kept in zip(parameters_of(network), before, strict=True):
        np.testing.assert_array_equal(parameter, kept)
    for n, kept in moments.items():
        np.testing.assert_array_equal(network._state.moments[n].values, kept)


def with_value(array, index, value):
    array = np.array(array)
    array[index] = value
    return array


# ----------------------------------------------------------------------------------------------
# What a network is made of
# ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer_sizes", "error", "message"),
    [
        (5, TypeError, r"layer_sizes must be a sequence such as \(8, 16, 1\).*got 5"),
        (None, TypeError, "layer_sizes must be a sequence.*got None"),
        ((), ValueError, r"layer_sizes needs at least inputs and outputs; got \(\)"),
        ((3,), ValueError, r"layer_sizes needs at least inputs and outputs; got \(3,\)"),
        ((3, 0, 1), ValueError, r"layer_sizes\[1\] must be at least 1; got 0"),
        ((3, 4, -1), ValueError, r"layer_sizes\[2\] must be at least 1; got -1"),
        ((True, 1), TypeError, r"layer_sizes\[0\] must be a whole number; got True"),
        ((3.0, 1), TypeError, r"layer_sizes\[0\] must be a whole number; got 3.0"),
        ((3, None), TypeError, r"layer_sizes\[1\] must be a whole number; got None"),
        ("31", TypeError, r"layer_sizes\[0\] must be a whole number; got '3'"),
        ((2**31, 1), ValueError, "too large to address"),
        ((1, 2**63), ValueError, "too large to address"),
        ((2**30, 2**30, 1), ValueError, "too large to address"),
        ((2**31 - 1, 2**31 - 1), ValueError, "too large to address"),
        ((10**30, 1), ValueError, "too large to address"),
    ],
)
def test_layer_sizes_must_be_whole_numbers_of_at_least_1(layer_sizes, error, message):
    with pytest.raises(error, match=message):
        Network(layer_sizes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"activation": "sigmoid"},
            "activation must be one of identity, .*, relu, .*; got 'sigmoid'",
        ),
        ({"activation": "softmax"}, "activation must be one of .*; got 'softmax'"),
        ({"activation": "exp"}, "activation must be one of .*; got 'exp'"),
        ({"activation": ["relu", "exp"]}, r"activation\[1\] must be one of .*; got 'exp'"),
        ({"activation": ["relu"]}, "activation lists 1 name, but the network has 2 hidden layers"),
        ({"activation": ["relu"] * 3}, "activation lists 3 names, but the network has 2 hidden"),
        ({"activation": ["relu", None]}, r"activation\[1\] must be one of .*; got None"),
        ({"activation": 3}, "activation"),
        ({"activation": None}, "activation"),
        ({"loss": "mse"}, "loss must be one of squared_error, .*, poisson; got 'mse'"),
        ({"loss": None}, "loss must be one of .*; got None"),
        ({"loss": ["log_loss"]}, "loss must be one of .*"),
        (
            {"out_activation": "softmax"},
            "out_activation must be one of identity, .* with loss='squared_error'; got 'softmax'",
        ),
        ({"loss": "log_loss", "out_activation": "tanh"}, "softmax, logistic with loss='log_loss'"),
        ({"loss": "poisson", "out_activation": "identity"}, "exp with loss='poisson'"),
        ({"out_activation": 1}, "out_activation must be one of .*; got 1"),
        ({"out_activation": ["tanh"]}, "out_activation must be one of .*"),
        ({"dtype": "float16"}, 'dtype must be "float64" or "float32"; got \'float16\''),
        ({"dtype": "int64"}, "dtype must be .*; got 'int64'"),
        ({"dtype": complex}, "dtype must be .*; got <class 'complex'>"),
        ({"dtype": np.dtype("float64").newbyteorder()}, "dtype must be "),
        ({"dtype": "number"}, "dtype must be .*; got 'number'"),
        ({"random_state": -1}, "random_state must be at least 0; got -1"),
        ({"random_state": 2**32}, "(?i)seed must be between 0 and 2"),
    ],
)
def test_options_of_a_network_must_be_among_those_allowed(options, message):
    with pytest.raises(ValueError, match=message):
        Network((3, 4, 4, 2), **options)


@pytest.mark.parametrize("random_state", ["seed", 1.5, True, [1]])
def test_a_random_state_must_be_a_seed_or_a_generator(random_state):
    with pytest.raises(TypeError, match="random_state must be a whole number; got"):
        Network((3, 1), random_state=random_state)


def test_softmax_needs_two_outputs():
    with pytest.raises(ValueError, match="softmax needs at least two outputs; use logistic"):
        Network((3, 1), loss="log_loss", out_activation="softmax")


# ----------------------------------------------------------------------------------------------
# Weights and biases
# ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.ones((4, 3)), r"weights\[0\] has shape \(3, 4\); got an array of shape \(4, 3\)"),
        (np.ones(12), r"weights\[0\] has shape \(3, 4\); got an array of shape \(12,\)"),
        (1.0, r"weights\[0\] has shape \(3, 4\); got an array of shape \(\)"),
        (with_value(np.ones((3, 4)), (1, 2), np.nan), r"weights\[0\]\[1, 2\] is nan"),
        (with_value(np.ones((3, 4)), (0, 3), -np.inf), r"weights\[0\]\[0, 3\] is -inf"),
        (np.ones((3, 4)) * 1j, r"[Cc]omplex.* weights\[0\]"),
        (np.full((3, 4), "1"), r"weights\[0\] must hold numbers"),
        (np.full((3, 4), "1", dtype=object), r"weights\[0\] must be an array of numbers"),
        (None, r"weights\[0\]"),
    ],
)
def test_weights_must_be_finite_numbers_of_the_layers_shape(value, message):
    def assign_one(network):
        network.weights[0] = value

    def assign_all(network):
        network.weights = [value, np.ones((4, 1))]

    def assign_slice(network):
        network.weights[:1] = [value]

    for assign in (assign_one, assign_all, assign_slice):
        assert_refused(network_for(), ValueError, message, assign)


def test_all_weights_or_biases_are_checked_before_any_is_copied():
    def wrong_last(network):
        network.biases = [np.ones(4), np.ones(2)]

    def too_few(network):
        network.weights = [np.ones((3, 4))]

    def too_many(network):
        network.biases = [np.ones(4), np.ones(1), np.ones(1)]

    network = network_for()
    assert_refused(network, ValueError, r"biases\[1\] has shape \(1,\); got .*\(2,\)", wrong_last)
    assert_refused(network, ValueError, "weights needs 2 arrays; got 1", too_few)
    assert_refused(network, ValueError, "biases needs 2 arrays; got 3", too_many)
    with pytest.raises(IndexError):
        network.weights[2] = np.ones((1, 1))


def test_weights_too_large_for_float32_are_refused():
    def assign(network):
        network.biases[0] = [0, 1e300, 0, 0]

    message = r"biases\[0\]\[1\] is inf \(or was too large for float32\)"
    assert_refused(network_for(dtype="float32"), ValueError, message, assign)


@pytest.mark.parametrize("name", CALLS)
def test_parameters_made_nan_through_their_views_are_found(name):
    network = network_for()
    network.biases[0][2] = np.nan
    message = r"biases\[0\] has NaN or infinity: biases\[0\]\[2\] is nan"
    with pytest.raises(ValueError, match=message):
        CALLS[name](network, X, Y)


@pytest.mark.parametrize("name", ONE_ROW_CALLS)
def test_parameters_made_nan_are_found_by_calls_with_one_row(name):
    network = network_for(activation="tanh")
    network.weights[1][1, 0] = np.inf
    with pytest.raises(ValueError, match=r"weights\[1\]\[1, 0\] is inf"):
        ONE_ROW_CALLS[name](network, X[0], Y[:1])


# ----------------------------------------------------------------------------------------------
# X
# ----------------------------------------------------------------------------------------------

BAD_X = {
    "NaN": (with_value(X, (2, 1), np.nan), r"X has NaN or infinity: X\[2, 1\] is nan"),
    "infinity": (with_value(X, (7, 0), np.inf), r"X\[7, 0\] is inf"),
    "minus infinity": (with_value(X, (0, 2), -np.inf), r"X\[0, 2\] is -inf"),
    "NaN in Fortran order": (np.asfortranarray(with_value(X, (2, 1), np.nan)), r"X\[2, 1\] is nan"),
    "NaN in strided rows": (
        with_value(np.repeat(X, 2, axis=0), (4, 1), np.nan)[::2],
        r"X\[2, 1\] is nan",
    ),
    "too few features": (X[:, :2], "X has 2 features, but this network was made for 3"),
    "too many features": (np.ones((8, 4)), "X has 4 features, but this network was made for 3"),
    "no dimension": (1.5, "X must have two dimensions"),
    "three dimensions": (np.ones((8, 3, 1)), "X must have two dimensions.*got 3"),
    "ragged": ([[1.0, 2.0, 3.0], [1.0]], "(?i)inhomogeneous"),
    "text": (np.full((8, 3), "1.5"), "X must hold numbers; got dtype <U3"),
    "text in objects": (np.full((8, 3), "1.5", dtype=object), "X must be an array of.*text"),
    "None": (np.full((8, 3), None), r"X\[0, 0\] is nan"),
    "objects": (np.full((8, 3), object()), "X must be an array of numbers"),
    "huge integers": ([[10**400, 1, 1]] * 8, "X must be an array of numbers"),
    "complex": (X + 0j, "Complex data not supported: X has dtype complex128"),
    "dates": (np.zeros((8, 3), "datetime64[s]"), "X must hold numbers; got dtype datetime64"),
    "records": (np.zeros((8, 3), "f8,f8"), "X must hold numbers"),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("case", BAD_X)
def test_x_must_be_a_table_of_finite_numbers(case, name):
    bad, message = BAD_X[case]
    network = network_for()
    network.train_epoch(X, Y, 0.1, momentum=0.5)
    assert_refused(network, ValueError, message, CALLS[name], bad, Y)


@pytest.mark.parametrize("name", ONE_ROW_CALLS)
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.array([1.0, np.nan, 2.0]), r"X\[0, 1\] is nan"),
        ([1.0, 2.0, -np.inf], r"X\[0, 2\] is -inf"),
        (np.ones(2), "X has 2 features, but this network was made for 3"),
        (np.ones(4), "X has 4 features, but this network was made for 3"),
        (np.array(["a", "b", "c"]), "X must hold numbers"),
        (np.ones(3) * 1j, "Complex data not supported"),
        (np.array([]), "X has 0 features"),
    ],
)
def test_one_row_must_be_finite_numbers_one_for_each_feature(x, message, name):
    assert_refused(network_for(), ValueError, message, ONE_ROW_CALLS[name], x, Y[:1])


def test_a_step_takes_one_row():
    assert_refused(network_for(), ValueError, "X must have two dim", ONE_ROW_CALLS["step"], X, Y)


@pytest.mark.parametrize("name", CALLS_WITH_Y)
def test_x_must_have_rows(name):
    network = network_for()
    assert_refused(network, ValueError, "X has no rows", CALLS[name], X[:0], Y[:0])
    assert_refused(network, ValueError, "X has no rows", CALLS[name], csr_array((0, 3)), Y[:0])


@pytest.mark.parametrize("name", CALLS)
def test_values_too_large_for_float32_are_found(name):
    bad = with_value(X, (4, 2), 1e39)
    message = r"X\[4, 2\] is inf \(or was too large for float32\)"
    assert_refused(network_for(dtype="float32"), ValueError, message, CALLS[name], bad, Y)


# ----------------------------------------------------------------------------------------------
# Sparse X
# ----------------------------------------------------------------------------------------------


def broken(kind=csr_array, **arrays):
    """A CSR matrix whose arrays were replaced behind its back."""
    matrix = kind(np.arange(1.0, 13.0).reshape(4, 3))
    for name, values in arrays.items():
        setattr(matrix, name, np.asarray(values, getattr(matrix, name).dtype))
    return matrix


BAD_CSR = {
    "column too large": ({"indices": [0, 1, 2, 0, 1, 3, 0, 1, 2, 0, 1, 2]}, "outside 0..2"),
    "negative column": ({"indices": [0, 1, 2, 0, -1, 2, 0, 1, 2, 0, 1, 2]}, "outside 0..2"),
    "row starts fall": ({"indptr": [0, 6, 3, 9, 12]}, "indptr does not match"),
    "row starts end too late": ({"indptr": [0, 3, 6, 9, 13]}, "indptr does not match"),
    "row starts begin late": ({"indptr": [1, 3, 6, 9, 12]}, "indptr does not match"),
    "row starts begin below 0": ({"indptr": [-3, 3, 6, 9, 12]}, "indptr does not match"),
    "too few row starts": ({"indptr": [0, 3, 6, 12]}, "indptr does not match"),
    "too many row starts": ({"indptr": [0, 3, 6, 9, 12, 12]}, "indptr does not match"),
    "too few values": ({"data": np.ones(9)}, "indptr does not match"),
    "too few columns": ({"indices": [0, 1, 2]}, "indptr does not match"),
    "NaN": ({"data": [1, 1, 1, 1, np.nan, 1, 1, 1, 1, 1, 1, 1]}, r"X.* is nan"),
    "infinity": ({"data": [1, 1, 1, 1, np.inf, 1, 1, 1, 1, 1, 1, 1]}, r"X.* is inf"),
}


@pairwise({"name": CALLS, "kind": [csr_array, csr_matrix], "case": BAD_CSR})
def test_a_csr_matrix_must_be_consistent(case, kind, name):
    arrays, message = BAD_CSR[case]
    bad = broken(kind, **arrays)
    assert_refused(network_for(), ValueError, message, CALLS[name], bad, Y[:4])


@pytest.mark.parametrize("name", CALLS)
def test_sparse_data_must_have_the_features_of_the_network(name):
    message = "X has 4 features, but this network was made for 3"
    assert_refused(network_for(), ValueError, message, CALLS[name], csr_array((8, 4)), Y)


@pytest.mark.parametrize("name", CALLS)
def test_sparse_data_must_be_real(name):
    bad = csr_array(X + 0j)
    assert_refused(network_for(), ValueError, "Complex data not", CALLS[name], bad, Y)


def test_sparse_data_must_have_two_dimensions():
    bad = csr_array(np.ones(3))
    for call in CALLS.values():
        assert_refused(network_for(), ValueError, "X must have two dimensions", call, bad, Y)


# ----------------------------------------------------------------------------------------------
# y
# ----------------------------------------------------------------------------------------------

BAD_Y = {
    "NaN": (with_value(Y, 3, np.nan), r"y has NaN or infinity: y\[3\] is nan"),
    "infinity": (with_value(Y, 0, -np.inf), r"y\[0\] is -inf"),
    "too few": (Y[:7], r"y has shape \(7,\), but 8 rows and 1 output need \(8, 1\)"),
    "too many": (np.ones(9), r"y has shape \(9,\), but 8 rows and 1 output need \(8, 1\)"),
    "two columns": (np.ones((8, 2)), r"y has shape \(8, 2\), but 8 rows and 1 output need"),
    "row instead of column": (Y[np.newaxis], r"y has shape \(1, 8\), but 8 rows"),
    "a number": (1.0, r"y has shape \(\), but 8 rows"),
    "empty": ([], r"y has shape \(0,\), but 8 rows"),
    "text": (np.full(8, "yes"), "y must hold numbers; got dtype <U3"),
    "text in objects": (np.full(8, "1", dtype=object), "y must be an array of numbers"),
    "complex": (Y + 0j, "Complex data not supported: y has dtype complex128"),
}


@pytest.mark.parametrize("name", CALLS_WITH_Y)
@pytest.mark.parametrize("case", BAD_Y)
def test_y_must_be_one_finite_number_for_each_row_and_output(case, name):
    bad, message = BAD_Y[case]
    network = network_for()
    network.train_epoch(X, Y, 0.1, momentum=0.5)
    assert_refused(network, ValueError, message, CALLS[name], X, bad)


@pytest.mark.parametrize("name", CALLS_WITH_Y)
def test_y_must_be_given(name):
    assert_refused(network_for(), TypeError, "y must be .*; got None", CALLS[name], X, None)


@pytest.mark.parametrize("y", [np.array([np.nan]), np.nan, [np.inf], None])
def test_the_target_of_a_step_must_be_finite(y):
    step = ONE_ROW_CALLS["step"]
    assert_refused(network_for(), ValueError, r"y\[0\] is (nan|inf)", step, X[0], y)


@pytest.mark.parametrize("y", [np.ones(2), np.ones((1, 2)), []])
def test_the_target_of_a_step_must_have_one_number_for_each_output(y):
    step = ONE_ROW_CALLS["step"]
    assert_refused(network_for(), ValueError, "y has shape", step, X[0], y)


@pytest.mark.parametrize(
    ("loss", "n_outputs", "options", "target", "message"),
    [
        ("log_loss", 1, {}, [1.5], "log_loss needs targets between 0 and 1"),
        ("log_loss", 1, {}, [-0.5], "log_loss needs targets between 0 and 1"),
        ("log_loss", 2, {}, [2.0, -1.0], "log_loss needs targets between 0 and 1"),
        ("log_loss", 2, {"out_activation": "logistic"}, [0.0, 2.0], "between 0 and 1"),
        ("poisson", 1, {}, [-1.0], "poisson loss needs targets of at least 0"),
        ("poisson", 2, {}, [1.0, -1e-9], "poisson loss needs targets of at least 0"),
    ],
)
def test_targets_must_be_ones_that_the_loss_is_made_for(loss, n_outputs, options, target, message):
    network = network_for(loss, n_outputs, **options)
    y = np.zeros((8, n_outputs))
    y[5] = target
    for call in CALLS_WITH_Y.values():
        assert_refused(network, ValueError, message, call, X, y)
    for form in (np.array(target), target, np.float32(target)):
        assert_refused(network, ValueError, message, ONE_ROW_CALLS["step"], X[0], form)
    single = network_for(loss, n_outputs, dtype="float32", **options)
    as_float32 = np.array(target, np.float32)
    assert_refused(single, ValueError, message, ONE_ROW_CALLS["step"], np.float32(X[0]), as_float32)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (with_value(np.arange(8) % 3, 4, 3), r"y must hold class numbers 0\.\.2"),
        (with_value(np.arange(8) % 3, 4, -1), r"y must hold class numbers 0\.\.2"),
        (with_value(np.arange(8) % 3, 4, 2**62), r"y must hold class numbers 0\.\.2"),
        (np.full(8, 0.5), r"y must hold class numbers 0\.\.2"),
        (np.full(8, 1e300), r"y must hold class numbers 0\.\.2"),
        (np.array(list("abcabcab")), "y must hold numbers"),
        (with_value(np.ones(8), 6, np.nan), r"y\[6\] is nan"),
        (np.ones((8, 2)), r"y has shape \(8, 2\), but 8 rows and 3 outputs need \(8, 3\)"),
    ],
)
@pytest.mark.parametrize("name", CALLS_WITH_Y)
def test_class_numbers_must_be_whole_and_below_the_number_of_outputs(y, message, name):
    network = network_for("log_loss", 3)
    assert_refused(network, ValueError, message, CALLS[name], X, y)


@pytest.mark.parametrize("y", [3, -1, 0.5, np.int64(3), np.int8(-1)])
def test_the_class_number_of_a_step_must_be_one_of_the_outputs(y):
    network = network_for("log_loss", 3)
    message = r"y must hold class numbers 0\.\.2"
    assert_refused(network, ValueError, message, ONE_ROW_CALLS["step"], X[0], y)


# ----------------------------------------------------------------------------------------------
# Numbers and rows to train with
# ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRAINING)
@pytest.mark.parametrize(
    ("learning_rate", "error"),
    [
        (0, ValueError),
        (0.0, ValueError),
        (-0.1, ValueError),
        (-1, ValueError),
        (np.nan, ValueError),
        (np.inf, ValueError),
        (10**400, ValueError),
        ("0.1", TypeError),
        (None, TypeError),
        (True, TypeError),
        (np.True_, TypeError),
        (0.1 + 0j, TypeError),
        ([0.1], TypeError),
        (np.array([0.1]), TypeError),
    ],
)
def test_a_learning_rate_must_be_a_number_above_0(learning_rate, error, name):
    kind = "greater than 0" if error is ValueError else "a number"
    message = f"learning_rate must be {kind}; got {re.escape(repr(learning_rate)[:20])}"
    network = network_for()
    assert_refused(network, error, message, TRAINING[name], learning_rate=learning_rate)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"momentum": 1.0}, ValueError, "momentum must be at least 0 and below 1; got 1.0"),
        ({"momentum": -0.1}, ValueError, "momentum must be at least 0 and below 1; got -0.1"),
        ({"momentum": np.nan}, ValueError, "momentum must be at least 0 and below 1; got nan"),
        ({"momentum": "0.9"}, TypeError, "momentum must be a number; got '0.9'"),
        ({"alpha": -1e-4}, ValueError, "alpha must be at least 0; got -0.0001"),
        ({"alpha": np.inf}, ValueError, "alpha must be at least 0; got inf"),
        ({"alpha": None}, TypeError, "alpha must be a number; got None"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1; got 0"),
        ({"batch_size": -3}, ValueError, "batch_size must be at least 1; got -3"),
        ({"batch_size": 2.0}, TypeError, "batch_size must be a whole number; got 2.0"),
        ({"batch_size": True}, TypeError, "batch_size must be a whole number; got True"),
        ({"batch_size": "auto"}, TypeError, "batch_size must be a whole number; got 'auto'"),
    ],
)
def test_numbers_of_the_solver_must_be_within_their_bounds(options, error, message):
    network = network_for()
    assert_refused(network, error, message, TRAINING["train_epoch"], learning_rate=0.1, **options)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ([0, 8], r"order must hold row numbers 0\.\.7; it goes from 0 to 8"),
        ([-1, 3], r"order must hold row numbers 0\.\.7; it goes from -1 to 3"),
        (np.array([2**63], dtype=np.uint64), r"order must hold row numbers 0\.\.7"),
        ([], "order must be a one-dimensional array of row numbers, at least one"),
        ([[0, 1]], "order must be a one-dimensional array of row numbers"),
        (3, "order must be a one-dimensional array of row numbers"),
        ([0.0, 1.0], "order must be a one-dimensional array of row numbers"),
        ([True, False] * 4, "order must be a one-dimensional array of row numbers"),
        (["0"], "order must be a one-dimensional array of row numbers"),
        ([None], "order must be a one-dimensional array of row numbers"),
        ([10**30], "order must be a one-dimensional array of row numbers"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"batch_size": 3}])
def test_order_must_hold_numbers_of_rows(order, message, options):
    network = network_for()
    assert_refused(
        network, ValueError, message, TRAINING["train_epoch"],
        learning_rate=0.1, order=order, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (with_value(np.ones(8), 5, np.nan), r"sample_weight\[5\] is nan"),
        (with_value(np.ones(8), 5, np.inf), r"sample_weight\[5\] is inf"),
        (with_value(np.ones(8), 5, -0.5), r"must not be negative; sample_weight\[5\] is -0.5"),
        (np.zeros(8), "Every sample_weight is zero"),
        (np.ones(7), r"sample_weight has shape \(7,\), but X has 8 rows"),
        (np.ones((8, 1)), r"sample_weight has shape \(8, 1\), but X has 8 rows"),
        (np.full(8, "1"), "sample_weight must hold numbers"),
        (np.ones(8) * 1j, "Complex data not supported: sample_weight"),
        (-1.0, "sample_weight must not be negative"),
        (0, "Every sample_weight is zero"),
    ],
)
def test_sample_weights_must_be_finite_and_not_negative(weights, message):
    network = network_for()
    for call in (
        lambda network: network.loss(X, Y, sample_weight=weights),
        lambda network: network.gradients(X, Y, sample_weight=weights),
        lambda network: network.train_epoch(X, Y, 0.1, sample_weight=weights),
        lambda network: check_gradients(network, X, Y, sample_weight=weights),
    ):
        assert_refused(network, ValueError, message, call)


def test_an_order_of_rows_without_weight_is_refused():
    weights = np.array([0.0, 1, 1, 1, 1, 1, 1, 1])
    assert_refused(
        network_for(), ValueError, "Every row of order has sample_weight 0",
        TRAINING["train_epoch"], learning_rate=0.1, order=[0, 0], sample_weight=weights,
    )  # fmt: skip


# ----------------------------------------------------------------------------------------------
# The environment
# ----------------------------------------------------------------------------------------------


def import_with_isa(name):
    return subprocess.run(
        [sys.executable, "-c", "import fastbp; print(fastbp.Network((2, 30, 1)).plan().isa)"],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"FASTBP_ISA": name},
    )


def test_an_instruction_set_that_does_not_exist_is_an_import_error():
    run = import_with_isa("nonsense")
    assert run.returncode != 0
    assert re.search(
        r"ImportError: FASTBP_ISA='nonsense' cannot be used: this build has kernels for scalar, .*"
        r"this machine can run scalar.* Unset FASTBP_ISA",
        run.stderr,
    )


@pytest.mark.parametrize("name", fastbp._core.available_isas())
def test_an_instruction_set_of_this_machine_can_be_forced(name):
    assert import_with_isa(name).stdout.strip() == name


def test_an_empty_choice_of_instruction_set_is_none():
    assert import_with_isa("").returncode == 0


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'fastbp' has no attribute 'Netwrok'"):
        fastbp.Netwrok  # noqa: B018


def test_a_value_that_another_thread_has_put_right_in_the_meantime_is_no_error(monkeypatch):
    monkeypatch.setattr(_core, "all_finite", lambda values: False)  # as it was a moment ago
    check_finite("X", np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"X\[1, 0\] is nan"):
        check_finite("X", np.array([[1.0, 2.0], [np.nan, 3.0]]))


def test_parameters_that_are_no_list_of_arrays_are_refused():
    network = Network((3, 4, 1), random_state=0)
    with pytest.raises(TypeError, match="weights needs 2 arrays"):
        network.weights = memoryview(np.zeros((2, 3)))
