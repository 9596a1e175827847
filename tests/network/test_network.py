"""`Network`: one step worked by hand, and what its methods promise."""

import copy
import hashlib
import itertools
import json
import math
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from cases import (
    PAIRS,
    interrupted_at,
    memory_mapped,
    parameters_of,
    random_case,
    read_only,
    worst_difference,
)
from reference import Reference
from scipy.sparse import bsr_array, coo_array, csc_array, csr_array, csr_matrix

import fastbp
from fastbp.network import Solver
from fastbp.network.data import as_rows
from fastbp.network.plan import EpochWorkload, Workload

# ----------------------------------------------------------------------------------------------
# Worked by hand
# ----------------------------------------------------------------------------------------------
#
# A network of nine parameters predicts a package from CGPA and profile score: 2-2-1, ReLU in the
# hidden layer, squared error. One student: x = (8, 5), y = 4.
#
#     W[1] = [[ 0.5, -0.25],     b[1] = (0.5, 0.25)       W[2] = [[0.5],     b[2] = (-1)
#             [ 0.1,  0.5 ]]                                      [2.0]]
#
# Forward:
#     z[1] = (8 * 0.5 + 5 * 0.1 + 0.5,  8 * -0.25 + 5 * 0.5 + 0.25) = (5, 0.75)
#     a[1] = relu(z[1]) = (5, 0.75)
#     z[2] = 5 * 0.5 + 0.75 * 2 - 1 = 3 = a[2]
#     E    = 1/2 (3 - 4)^2 = 0.5
# Backward:
#     delta[2] = a[2] - y = -1
#     dE/dW[2] = a[1] delta[2] = (-5, -0.75),  dE/db[2] = -1
#     delta[1] = W[2] delta[2] * relu'(z[1]) = (0.5 * -1 * 1, 2 * -1 * 1) = (-0.5, -2)
#     dE/dW[1] = outer(x, delta[1]) = [[-4, -16], [-2.5, -10]],  dE/db[1] = (-0.5, -2)
# Step with learning rate 0.1:
#     W[1] = [[0.5 + 0.4, -0.25 + 1.6], [0.1 + 0.25, 0.5 + 1]] = [[0.9, 1.35], [0.35, 1.5]]
#     b[1] = (0.5 + 0.05, 0.25 + 0.2) = (0.55, 0.45)
#     W[2] = (0.5 + 0.5, 2 + 0.075) = (1, 2.075),  b[2] = -1 + 0.1 = -0.9

STUDENT, PACKAGE = np.array([8.0, 5.0]), np.array([4.0])


def package_network(dtype="float64"):
    network = fastbp.Network((2, 2, 1), activation="relu", dtype=dtype)
    network.weights = [[[0.5, -0.25], [0.1, 0.5]], [[0.5], [2.0]]]
    network.biases = [[0.5, 0.25], [-1.0]]
    return network


def first_layer_of(network, out_activation):
    """A network whose output is z or a of the other's first layer."""
    layer = fastbp.Network(network.layer_sizes[:2], out_activation=out_activation)
    layer.weights[0], layer.biases[0] = network.weights[0], network.biases[0]
    return layer


# Every way to take one step.
STEPS = {
    "step": lambda net, x, y, eta: net.step(x, y, eta),
    "step, lists": lambda net, x, y, eta: net.step(list(x), list(y), eta),
    "step, y a number": lambda net, x, y, eta: net.step(x, float(y[0]), eta),
    "train_epoch": lambda net, x, y, eta: net.train_epoch(x[np.newaxis], y, eta),
    "train_epoch, CSR": lambda net, x, y, eta: net.train_epoch(csr_array(x[np.newaxis]), y, eta),
    "train_epoch, one batch": lambda net, x, y, eta: net.train_epoch(
        [x, x], [y, y], eta, batch_size=2
    ),
}


def test_hand_worked_forward_pass(isa):
    network = package_network()
    np.testing.assert_allclose(first_layer_of(network, "identity").forward(STUDENT), [5, 0.75])
    np.testing.assert_allclose(first_layer_of(network, "relu").forward(STUDENT), [5, 0.75])
    np.testing.assert_allclose(network.forward(STUDENT), [3])
    assert network.loss([STUDENT], [PACKAGE]) == pytest.approx(0.5, rel=1e-15)
    assert network.n_parameters == 9


def test_hand_worked_gradients(isa):
    loss, grad_weights, grad_biases = package_network().gradients([STUDENT], PACKAGE)
    assert loss == pytest.approx(0.5, rel=1e-15)
    np.testing.assert_allclose(grad_biases[1], [-1])  # delta[2]
    np.testing.assert_allclose(grad_weights[1], [[-5], [-0.75]])
    np.testing.assert_allclose(grad_biases[0], [-0.5, -2])  # delta[1]
    np.testing.assert_allclose(grad_weights[0], [[-4, -16], [-2.5, -10]])


@pytest.mark.parametrize("how", STEPS)
def test_hand_worked_step(how, isa):
    network = package_network()
    assert STEPS[how](network, STUDENT, PACKAGE, 0.1) == pytest.approx(0.5, rel=1e-15)
    np.testing.assert_allclose(network.weights[0], [[0.9, 1.35], [0.35, 1.5]], rtol=1e-14)
    np.testing.assert_allclose(network.biases[0], [0.55, 0.45], rtol=1e-14)
    np.testing.assert_allclose(network.weights[1], [[1.0], [2.075]], rtol=1e-14)
    np.testing.assert_allclose(network.biases[1], [-0.9], rtol=1e-14)


@pytest.mark.parametrize("how", STEPS)
def test_delta_uses_weights_before_the_update(how, isa):
    # Had W[2] been written first, delta[1] would be (1, 2.075) * -1 and b[1] (0.6, 0.4575).
    network = package_network()
    STEPS[how](network, STUDENT, PACKAGE, 0.1)
    assert network.biases[0][0] == pytest.approx(0.5 + 0.1 * 0.5)
    assert network.biases[0][1] == pytest.approx(0.25 + 0.1 * 2.0)


@pytest.mark.parametrize("how", STEPS)
def test_hand_worked_step_of_an_inactive_unit(how, isa):
    # b[1] = (0.5, -1): z[1] = (5, -0.5), a[1] = (5, 0), z[2] = 2.5 - 1 = 1.5, delta[2] = -2.5;
    # relu'(-0.5) = 0, so delta[1] = (0.5 * -2.5, 0) = (-1.25, 0). Learning rate 0.1.
    network = package_network()
    network.biases[0] = [0.5, -1]
    assert STEPS[how](network, STUDENT, PACKAGE, 0.1) == pytest.approx(3.125, rel=1e-15)
    np.testing.assert_allclose(network.weights[0], [[1.5, -0.25], [0.725, 0.5]], rtol=1e-14)
    np.testing.assert_allclose(network.biases[0], [0.625, -1], rtol=1e-14)
    np.testing.assert_allclose(network.weights[1], [[1.75], [2.0]], rtol=1e-14)
    np.testing.assert_allclose(network.biases[1], [-0.75], rtol=1e-14)


@pytest.mark.parametrize("how", STEPS)
def test_hand_worked_step_with_logistic_units_and_log_loss(how, isa):
    # x = (2, -1), y = 1;  W[1] = [[1, 0.5], [2, 1]], b[1] = (0, ln 3);  W[2] = (4, -2), b[2] = -0.5
    #     z[1] = (0, ln 3), a[1] = (1/2, 3/4), logistic' = a (1 - a) = (1/4, 3/16)
    #     z[2] = 2 - 1.5 - 0.5 = 0, a[2] = 1/2, E = ln 2
    #     delta[2] = 1/2 - 1 = -1/2, dE/dW[2] = (-1/4, -3/8)
    #     delta[1] = (4 * -1/2 * 1/4, -2 * -1/2 * 3/16) = (-1/2, 3/16)
    #     dE/dW[1] = [[-1, 3/8], [1/2, -3/16]];  learning rate 1
    network = fastbp.Network((2, 2, 1), activation="logistic", loss="log_loss")
    network.weights = [[[1, 0.5], [2, 1]], [[4], [-2]]]
    network.biases = [[0, math.log(3)], [-0.5]]
    loss = STEPS[how](network, np.array([2.0, -1.0]), np.array([1.0]), 1.0)
    assert loss == pytest.approx(math.log(2), rel=1e-15)
    np.testing.assert_allclose(network.weights[0], [[2, 0.125], [1.5, 1.1875]], rtol=1e-14)
    np.testing.assert_allclose(network.biases[0], [0.5, math.log(3) - 0.1875], rtol=1e-14)
    np.testing.assert_allclose(network.weights[1], [[4.25], [-1.625]], rtol=1e-14)
    np.testing.assert_allclose(network.biases[1], [0], atol=1e-15)


@pytest.mark.parametrize(("learning_rate", "b"), [(1.0, 45.0), (0.01, -4.5)])
@pytest.mark.parametrize("how", STEPS)
def test_a_large_learning_rate_jumps_and_a_small_one_steps(how, learning_rate, b):
    # b = -5 with gradient -50: a = b = -5 and y = 45, as x = 0. eta = 1 jumps to -5 + 50 = 45,
    # eta = 0.01 steps to -5 + 0.5 = -4.5.
    network = fastbp.Network((1, 1))
    network.weights, network.biases = [[[0.0]]], [[-5.0]]
    assert network.gradients([[0.0]], [45.0])[2][0] == -50
    STEPS[how](network, np.array([0.0]), np.array([45.0]), learning_rate)
    assert network.biases[0][0] == pytest.approx(b, rel=1e-15)


# ----------------------------------------------------------------------------------------------
# Parameters
# ----------------------------------------------------------------------------------------------


def assert_same_parameters(network, expected):
    for parameter, other in zip(parameters_of(network), expected, strict=True):
        np.testing.assert_array_equal(parameter, other)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_parameters_are_writable_views_on_one_aligned_arena(dtype):
    network = fastbp.Network((3, 5, 7, 2), dtype=dtype)
    shapes = [W.shape for W in network.weights], [b.shape for b in network.biases]
    assert shapes == ([(3, 5), (5, 7), (7, 2)], [(5,), (7,), (2,)])
    addresses = []
    for view in (*network.weights, *network.biases):
        assert view.dtype == dtype
        assert view.flags.c_contiguous
        assert view.flags.writeable
        assert np.shares_memory(view, network._arena.values)
        assert view.ctypes.data % 64 == 0
        addresses.append((view.ctypes.data, view.nbytes))
    addresses.sort()
    for (start, n_bytes), (following, _) in itertools.pairwise(addresses):
        assert start + n_bytes <= following


def test_writing_into_a_view_changes_the_network():
    network = package_network()
    network.weights[1][0, 0] = 1.5
    network.biases[1] -= 1
    assert network.forward(STUDENT) == pytest.approx(5 * 1.5 + 0.75 * 2 - 2)


def test_assigning_parameters_copies_them_into_the_arena():
    network = package_network()
    views = [*network.weights, *network.biases]
    A = np.asfortranarray([[1.0, 2.0], [3.0, 4.0]])
    network.weights[0] = A
    network.weights = [network.weights[0], [[5], [6]]]
    network.biases = (np.float32([7, 8]), [9])
    A[0, 0] = 100
    for view, now in zip(views, [*network.weights, *network.biases], strict=True):
        assert np.shares_memory(view, now)
    assert_same_parameters(network, [[[1, 2], [3, 4]], [[5], [6]], [7, 8], [9]])
    assert network.forward([1.0, 1.0]) == pytest.approx((1 + 3 + 7) * 5 + (2 + 4 + 8) * 6 + 9)


def test_the_number_of_parameters_counts_weights_and_biases():
    assert fastbp.Network((2, 2, 1)).n_parameters == 9
    assert fastbp.Network((784, 128, 10)).n_parameters == 784 * 128 + 128 + 128 * 10 + 10


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_initial_parameters_are_drawn_layer_by_layer_within_glorots_bounds(dtype):
    network = fastbp.Network(
        (4, 6, 5, 3), activation=["logistic", "relu"], dtype=dtype, random_state=7
    )
    random = np.random.RandomState(7)
    bounds = math.sqrt(2 / 10), math.sqrt(6 / 11), math.sqrt(6 / 8)
    for W, b, bound in zip(network.weights, network.biases, bounds, strict=True):
        np.testing.assert_array_equal(W, random.uniform(-bound, bound, W.shape).astype(dtype))
        np.testing.assert_array_equal(b, random.uniform(-bound, bound, b.shape).astype(dtype))


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng, int])
def test_equal_random_states_draw_equal_parameters(make):
    first, second = (fastbp.Network((3, 4, 1), random_state=make(5)) for _ in range(2))
    assert_same_parameters(first, parameters_of(second))
    other = fastbp.Network((3, 4, 1), random_state=make(6))
    assert worst_difference(parameters_of(first), parameters_of(other)) > 0.1


def test_without_a_random_state_every_network_is_drawn_again():
    first, second = fastbp.Network((3, 4, 1)), fastbp.Network((3, 4, 1))
    assert worst_difference(parameters_of(first), parameters_of(second)) > 0


@pytest.mark.parametrize(
    ("loss", "n_outputs", "out_activation"),
    [
        ("squared_error", 2, "identity"),
        ("absolute_error", 1, "identity"),
        ("log_loss", 1, "logistic"),
        ("log_loss", 2, "softmax"),
        ("poisson", 1, "exp"),
    ],
)
def test_the_output_activation_follows_from_the_loss(loss, n_outputs, out_activation):
    assert fastbp.Network((3, n_outputs), loss=loss).out_activation == out_activation


def test_attributes_and_repr_describe_the_network():
    network = fastbp.Network(
        np.array([3, 4, 5, 1]), activation=("tanh", "relu"), loss="poisson", dtype=np.float32
    )
    assert network.layer_sizes == (3, 4, 5, 1)
    assert network.activation == ("tanh", "relu")
    assert network.loss_name == "poisson"
    assert network.dtype == np.dtype("float32")
    assert repr(network) == (
        "Network((3, 4, 5, 1), activation=['tanh', 'relu'], out_activation='exp', "
        "loss='poisson', dtype='float32')"
    )


def test_the_plan_names_instruction_set_and_dtype(isa):
    plan = fastbp.Network((3, 40, 2), dtype="float32").plan()
    assert plan.isa == isa
    assert plan.dtype == "float32"
    assert isa in str(plan)
    assert "float32" in str(plan)


# ----------------------------------------------------------------------------------------------
# Data in every form
# ----------------------------------------------------------------------------------------------

N_ROWS, N_FEATURES = 40, 6


def plain_data():
    random = np.random.default_rng(4)
    X = random.normal(size=(N_ROWS, N_FEATURES))
    X[random.uniform(size=X.shape) < 0.4] = 0
    X[5] = 0
    return X, random.normal(size=(N_ROWS, 2))


def small_network(dtype="float64"):
    return fastbp.Network((N_FEATURES, 7, 2), activation="tanh", dtype=dtype, random_state=0)


def misaligned(X):
    raw = np.zeros(X.nbytes + 1, dtype=np.uint8)
    view = raw[1:].view(X.dtype).reshape(X.shape)
    view[...] = X
    assert not view.flags.aligned
    return view


DENSE_FORMS = {
    "list": lambda X, _: X.tolist(),
    "Fortran-ordered": lambda X, _: np.asfortranarray(X),
    "read-only": lambda X, _: read_only(X),
    "memory-mapped": memory_mapped,
    "byte-swapped": lambda X, _: X.astype(X.dtype.newbyteorder()),
    "misaligned": lambda X, _: misaligned(X),
    "every other row": lambda X, _: np.repeat(X, 2, axis=0)[::2],
    "every other column": lambda X, _: np.repeat(X, 2, axis=1)[:, ::2],
    "rows backwards": lambda X, _: X[::-1].copy()[::-1],
    "columns backwards": lambda X, _: X[:, ::-1].copy()[:, ::-1],
    "columns of a wider table": lambda X, _: np.hstack([X, X])[:, :N_FEATURES],
    "objects": lambda X, _: X.astype(object),
}


def unsorted_with_duplicates(X, _):
    """Every value as two halves, the columns of each row backwards."""
    rows, columns = np.nonzero(X)
    order = np.lexsort((-columns, rows))
    rows, columns = np.repeat(rows[order], 2), np.repeat(columns[order], 2)
    starts = np.searchsorted(rows, np.arange(len(X) + 1))
    sparse = csr_array((X[rows, columns] / 2, columns, starts), shape=X.shape)
    assert not sparse.has_canonical_format
    return sparse


def with_explicit_zeros(X, _):
    columns = np.tile(np.arange(X.shape[1]), len(X))
    return csr_array((X.ravel(), columns, np.arange(0, X.size + 1, X.shape[1])), shape=X.shape)


def with_int64_indices(X, _):
    sparse = csr_array(X)
    sparse.indices, sparse.indptr = sparse.indices.astype(np.int64), sparse.indptr.astype(np.int64)
    return sparse


SPARSE_FORMS = {
    "CSR array": lambda X, _: csr_array(X),
    "CSR matrix": lambda X, _: csr_matrix(X),
    "CSC": lambda X, _: csc_array(X),
    "COO": lambda X, _: coo_array(X),
    "int64 indices": with_int64_indices,
    "unsorted, with duplicates": unsorted_with_duplicates,
    "explicit zeros": with_explicit_zeros,
}
FORMS = DENSE_FORMS | SPARSE_FORMS


def contents_of(X):
    if hasattr(X, "indptr"):
        return [array.tobytes() for array in (X.data, X.indices, X.indptr)]
    return (X.toarray() if hasattr(X, "toarray") else np.asarray(X)).tobytes()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("form", FORMS)
def test_data_in_every_form_gives_the_same_results(form, dtype, tmp_path):
    X, y = plain_data()
    X = X.astype(dtype)
    rows = FORMS[form](X, tmp_path)
    before = contents_of(rows)
    network, expected = small_network(dtype), small_network(dtype)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    assert worst_difference([network.forward(rows)], [expected.forward(X)]) < tolerance
    assert network.loss(rows, y) == pytest.approx(expected.loss(X, y), rel=tolerance)
    for options in ({}, {"alpha": 0.1}, {"batch_size": 7, "momentum": 0.5}):
        assert (
            worst_difference(
                np.hstack([g.ravel() for g in network.gradients(rows, y)[1]])[np.newaxis],
                np.hstack([g.ravel() for g in expected.gradients(X, y)[1]])[np.newaxis],
            )
            < tolerance
        )
        loss = network.train_epoch(rows, y, 0.05, **options)
        assert loss == pytest.approx(expected.train_epoch(X, y, 0.05, **options), rel=tolerance)
        assert worst_difference(parameters_of(network), parameters_of(expected)) < tolerance
    assert contents_of(rows) == before  # data are never written to


@pytest.mark.parametrize("form", DENSE_FORMS)
def test_one_row_in_every_form_gives_the_same_result(form, tmp_path):
    X, y = plain_data()
    network, expected = small_network(), small_network()
    x = FORMS[form](X, tmp_path)[3]
    np.testing.assert_array_equal(network.forward(x), expected.forward(X[3]))
    np.testing.assert_allclose(network.forward(x), expected.forward(X)[3], rtol=1e-14)
    assert network.forward(x).shape == (2,)
    assert network.step(x, y[3], 0.1) == expected.step(X[3], y[3], 0.1)
    assert_same_parameters(network, parameters_of(expected))


@pytest.mark.parametrize("kind", ["int8", "int64", "uint16", "bool", "float16", "float32"])
def test_numbers_of_other_types_are_converted(kind):
    X = np.random.default_rng(0).integers(0, 2, (9, N_FEATURES)).astype(kind)
    y = np.arange(18).reshape(9, 2).astype(kind)
    network, expected = small_network(), small_network()
    X64, y64 = X.astype(np.float64), y.astype(np.float64)
    np.testing.assert_array_equal(network.forward(X), expected.forward(X64))
    assert network.train_epoch(X, y, 0.01) == expected.train_epoch(X64, y64, 0.01)


def test_sparse_rows_that_are_empty_give_the_activation_of_the_bias():
    network = small_network()
    empty = csr_array((3, N_FEATURES))
    np.testing.assert_array_equal(network.forward(empty), network.forward(np.zeros((3, 6))))


def test_sparse_data_over_many_columns_follow_dense_data():
    random = np.random.default_rng(5)
    X = np.zeros((60, 5000))
    X[:, ::7] = random.normal(size=(60, 715))
    X[np.arange(60), random.integers(0, 5000, 60)] = 1
    y = random.normal(size=60)
    for form in ("CSR array", "unsorted, with duplicates"):
        dense = fastbp.Network((5000, 3, 1), activation="tanh", random_state=1)
        sparse = dense.copy()
        sparse.train_epoch(FORMS[form](X, None), y, 1e-3, alpha=0.1)
        dense.train_epoch(X, y, 1e-3, alpha=0.1)
        assert worst_difference(parameters_of(sparse), parameters_of(dense)) < 1e-11


def test_forward_takes_one_row_or_many():
    network, (X, _) = small_network(), plain_data()
    assert network.forward(X).shape == (N_ROWS, 2)
    assert network.forward(X[:1]).shape == (1, 2)
    assert network.forward(X[:0]).shape == (0, 2)
    assert network.forward(X[0]).shape == (2,)
    np.testing.assert_allclose(network.forward(X)[7], network.forward(X[7]), rtol=1e-14)
    assert not np.shares_memory(network.forward(X[0]), network.forward(X[0]))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_results_have_the_dtype_of_the_network(dtype):
    network, (X, y) = small_network(dtype), plain_data()
    assert network.forward(X).dtype == dtype
    assert network.forward(X[0]).dtype == dtype
    _, grad_weights, grad_biases = network.gradients(X, y)
    assert {g.dtype for g in (*grad_weights, *grad_biases)} == {np.dtype(dtype)}
    assert isinstance(network.loss(X, y), float)
    assert isinstance(network.train_epoch(X, y, 0.01), float)
    assert isinstance(network.step(X[0], y[0], 0.01), float)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("form", ["contiguous", "every other row", "rows backwards"])
def test_rows_that_are_contiguous_are_not_copied(form, dtype):
    X = np.random.default_rng(0).normal(size=(4000, 500)).astype(dtype)
    X = {"contiguous": X, "every other row": X[::2], "rows backwards": X[::-1]}[form]
    y = np.zeros(len(X), dtype)
    network = fastbp.Network((500, 1), dtype=dtype, random_state=0)
    assert np.shares_memory(as_rows(X, 500, np.dtype(dtype)), X)
    tracemalloc.start()
    try:
        network.train_epoch(X, y, 1e-6)
        network.loss(X, y)
        network.gradients(X, y)
        network.forward(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes / 3  # a mask of finite values is an eighth


def test_sparse_values_of_the_right_type_are_not_copied():
    X = csr_array(plain_data()[0])
    values, _, _ = as_rows(X, N_FEATURES, np.dtype("float64"))
    assert np.shares_memory(values, X.data)


# ----------------------------------------------------------------------------------------------
# Targets, losses, weights
# ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("loss", "out_activation"), PAIRS)
def test_loss_is_the_mean_over_rows_of_the_sum_over_outputs(loss, out_activation):
    network, X, y = random_case(loss, out_activation, (4, 5, 3), 20)
    reference = Reference(network)
    weights = np.random.default_rng(0).uniform(0, 3, 20)
    assert network.loss(X, y) == pytest.approx(reference.row_losses(X, y).mean(), rel=1e-12)
    weighted = np.average(reference.row_losses(X, y), weights=weights)
    assert network.loss(X, y, weights) == pytest.approx(weighted, rel=1e-12)
    assert network.loss(X, y, 3.0) == pytest.approx(network.loss(X, y), rel=1e-14)


@pytest.mark.parametrize(
    ("loss", "out_activation", "z", "y", "expected"),
    [
        ("squared_error", None, 3.0, 1.0, 2.0),
        ("absolute_error", None, -3.0, 1.0, 4.0),
        ("log_loss", "logistic", 800.0, 0.0, 800.0),  # -log(1 - p) with p = 1 to rounding
        ("log_loss", "logistic", -800.0, 1.0, 800.0),
        ("log_loss", "logistic", 800.0, 1.0, 0.0),
        ("poisson", None, 0.0, 0.0, 1.0),  # a = 1, y = 0: a
        ("poisson", None, 0.0, 1.0, 0.0),  # a = y
        ("poisson", None, math.log(2.0), 4.0, 4 * math.log(2) - 2),
    ],
)
def test_losses_of_single_outputs(loss, out_activation, z, y, expected):
    network = fastbp.Network((1, 1), loss=loss, out_activation=out_activation)
    network.weights, network.biases = [[[0.0]]], [[z]]
    assert network.loss([[0.0]], [y]) == pytest.approx(expected, rel=1e-14, abs=1e-15)


def test_log_loss_of_certain_and_wrong_classes_does_not_overflow():
    network = fastbp.Network((1, 3), loss="log_loss")
    network.weights, network.biases = [[[0, 0, 0]]], [[900.0, 0.0, -900.0]]
    assert network.loss([[0.0]], [0]) == 0
    assert network.loss([[0.0]], [1]) == pytest.approx(900)
    assert network.loss([[0.0]], [2]) == pytest.approx(1800)


def test_class_numbers_mean_one_output_each():
    X = plain_data()[0]
    classes = np.arange(N_ROWS) % 3
    one_hot = np.eye(3)[classes]
    network = fastbp.Network((N_FEATURES, 5, 3), loss="log_loss", random_state=0)
    other = network.copy()
    assert network.loss(X, classes) == other.loss(X, one_hot)
    assert network.step(X[0], 2, 0.1) == other.step(X[0], np.array([0.0, 0.0, 1.0]), 0.1)
    assert network.train_epoch(X, classes, 0.1) == other.train_epoch(X, one_hot, 0.1)
    assert_same_parameters(network, parameters_of(other))


@pytest.mark.parametrize("whole", [int, np.int64, np.uint8, np.int32])
def test_class_numbers_of_a_step_need_no_preparing(whole, monkeypatch):
    def prepared(*_):
        raise AssertionError("a row's class number was prepared in Python")

    network = fastbp.Network((N_FEATURES, 5, 3), loss="log_loss", random_state=0)
    expected = network.copy().step(plain_data()[0][0], np.array([0.0, 1.0, 0.0]), 0.1)
    monkeypatch.setattr(fastbp.Network, "_dense_targets", prepared)
    assert network.step(plain_data()[0][0], whole(1), 0.1) == expected


def test_targets_of_one_output_may_be_flat_or_a_column():
    X, y = plain_data()
    network = fastbp.Network((N_FEATURES, 4, 1), random_state=0)
    assert network.loss(X, y[:, 0]) == network.loss(X, y[:, :1]) == network.loss(X, list(y[:, 0]))


def test_multilabel_targets_count_each_output_for_itself():
    network = fastbp.Network((1, 2), loss="log_loss", out_activation="logistic")
    network.weights, network.biases = [[[0, 0]]], [[0, 0]]
    assert network.loss([[0.0]], [[1, 1]]) == pytest.approx(2 * math.log(2))


def test_gradients_are_means_over_rows_and_leave_the_network_alone():
    X, y = plain_data()
    network = small_network()
    before = parameters_of(network)
    loss, grad_weights, grad_biases = network.gradients(X, y)
    assert_same_parameters(network, before)
    assert loss == pytest.approx(network.loss(X, y), rel=1e-14)
    rows = [network.gradients(X[i : i + 1], y[i : i + 1]) for i in range(N_ROWS)]
    assert loss == pytest.approx(np.mean([row[0] for row in rows]), rel=1e-13)
    for layer in range(2):
        for analytic, kind in ((grad_weights, 1), (grad_biases, 2)):
            mean = np.mean([row[kind][layer] for row in rows], axis=0)
            np.testing.assert_allclose(analytic[layer], mean, rtol=1e-11, atol=1e-14)
    assert not np.shares_memory(grad_weights[0], network.gradients(X, y)[1][0])


def test_a_row_of_weight_two_counts_as_two_rows():
    X, y = plain_data()
    weights = np.ones(N_ROWS)
    weights[3], weights[8] = 2, 0
    repeated = np.repeat(np.arange(N_ROWS), weights.astype(int))
    network = small_network()
    weighted, plain = network.gradients(X, y, weights), network.gradients(X[repeated], y[repeated])
    assert weighted[0] == pytest.approx(plain[0], rel=1e-13)
    assert worst_difference(weighted[1], plain[1]) < 1e-13


# ----------------------------------------------------------------------------------------------
# Training
# ----------------------------------------------------------------------------------------------


def test_an_epoch_is_one_step_a_row_in_the_order_given():
    X, y = plain_data()
    for order in ([3, 1, 2], [0] * 20, np.arange(N_ROWS)[::-1], np.array([39, 0, 39], np.uint8)):
        network, stepped = small_network(), small_network()
        loss = network.train_epoch(X, y, 0.1, order=order)
        losses = [stepped.step(X[i], y[i], 0.1) for i in order]
        assert loss == pytest.approx(np.mean(losses), rel=1e-12)
        assert worst_difference(parameters_of(network), parameters_of(stepped)) < 1e-12


def test_without_an_order_rows_are_seen_from_first_to_last():
    X, y = plain_data()
    network, ordered = small_network(), small_network()
    assert network.train_epoch(X, y, 0.1) == ordered.train_epoch(X, y, 0.1, order=range(N_ROWS))
    assert_same_parameters(network, parameters_of(ordered))


def test_a_row_weight_scales_its_step_and_its_part_of_the_mean_loss():
    X, y = plain_data()
    weights = np.linspace(0, 2, N_ROWS)
    network, stepped = small_network(), small_network()
    losses = []
    for x, target, w in zip(X, y, weights, strict=True):
        losses.append(w * stepped.loss([x], [target]))
        if w:
            stepped.step(x, target, 0.1 * w)
    loss = network.train_epoch(X, y, 0.1, sample_weight=weights)
    assert loss == pytest.approx(np.sum(losses) / weights.sum(), rel=1e-12)
    assert worst_difference(parameters_of(network), parameters_of(stepped)) < 1e-12


@pytest.mark.parametrize("batch_size", [1, 7, N_ROWS, 10**30])
def test_a_batch_is_one_step_along_the_mean_gradient(batch_size):
    X, y = plain_data()
    network, stepped = small_network(), small_network()
    network.train_epoch(X, y, 0.1, batch_size=batch_size)
    for start in range(0, N_ROWS, min(batch_size, N_ROWS)):
        batch = slice(start, min(start + batch_size, N_ROWS))
        _, grad_weights, grad_biases = stepped.gradients(X[batch], y[batch])
        for layer in range(2):
            stepped.weights[layer] -= 0.1 * grad_weights[layer]
            stepped.biases[layer] -= 0.1 * grad_biases[layer]
    assert worst_difference(parameters_of(network), parameters_of(stepped)) < 1e-12


def test_l2_shrinks_weights_but_not_biases(isa):
    # y = forward(X), so that without the penalty nothing would move.
    for options in ({}, {"batch_size": 4}, {"momentum": 0.5, "nesterov": True}):
        network = fastbp.Network((3, 4, 1), activation="identity", random_state=0)
        x = np.zeros((1, 3))
        before = parameters_of(network)
        network.train_epoch(x, network.forward(x), 0.1, alpha=0.5, **options)
        factor = 1 - 0.1 * 0.5 * (1.5 if options.get("nesterov") else 1)
        np.testing.assert_allclose(network.weights[0], factor * before[0], rtol=1e-14)
        np.testing.assert_allclose(network.biases[0], before[2], rtol=1e-14)


def test_velocities_carry_on_between_calls_until_reset():
    x, y = np.array([[0.0]]), np.array([1.0])
    network = fastbp.Network((1, 1))
    network.weights, network.biases = [[[0.0]]], [[0.0]]
    network.train_epoch(x, y, 0.1, momentum=0.5)  # g = -1: v = 0.1, b = 0.1
    network.train_epoch(x, y, 0.1, momentum=0.5)  # g = -0.9: v = 0.05 + 0.09, b = 0.24
    assert network.biases[0][0] == pytest.approx(0.24)
    resumed = network.copy()
    network.reset_solver()
    network.train_epoch(x, y, 0.1, momentum=0.5)  # g = -0.76: v = 0.076, b = 0.316
    assert network.biases[0][0] == pytest.approx(0.316)
    resumed.train_epoch(x, y, 0.1, momentum=0.5)  # v = 0.07 + 0.076, b = 0.386
    assert resumed.biases[0][0] == pytest.approx(0.386)


def in_pieces(call, n, most):
    """The call for every `most` of n rows, one after another; the mean of what it returns."""
    pieces = [slice(start, min(start + most, n)) for start in range(0, n, most)]
    return sum(call(piece) * (piece.stop - piece.start) for piece in pieces) / n


@pytest.mark.parametrize(
    ("sizes", "solver", "seconds"),
    [
        ((20, 100, 2), {"batch_size": 32, "solver": "adam"}, (0.02, 0.02)),
        ((784, 100, 10), {}, (0.02, 0.02)),
        ((784, 100, 10), {"batch_size": 200, "solver": "adam"}, (0.05, 0.07)),
        ((784, 1000, 10), {"batch_size": 200, "momentum": 0.9}, (0.1, 0.1)),
    ],
)
def test_pieces_are_longer_where_more_is_laid_out_for_them_but_ctrl_c_waits_no_longer_than_a_tenth(
    sizes, solver, seconds
):
    network, follow = fastbp.Network(sizes, random_state=0), Solver(0.1, **solver)
    work = EpochWorkload(network._layers, network._arena, False, 1_000_000, follow)
    work.choose(1)
    together, rows = work.path.rows(work), work.rows_of_piece(1)
    seconds_per_row = work.seconds_per_row(work.path.moved(work) / together)
    longest = max(seconds[1], together * seconds_per_row)  # a batch is not cut
    assert 0.8 * seconds[0] <= rows * seconds_per_row <= longest


LONG_EPOCHS = [
    *itertools.product(
        [(100, 400, 3)], [7000], [False, True],
        [{}, {"momentum": 0.5}, {"alpha": 0.1}, {"batch_size": 7}],
    ),
    # Registers are that much faster.
    pytest.param((2, 3, 1), 2_500_000, False, {}, marks=pytest.mark.slow),
]  # fmt: skip


@pytest.mark.parametrize(("sizes", "n_rows", "sparse", "options"), LONG_EPOCHS, ids=str)
def test_long_epochs_equal_short_ones_in_a_row(sizes, n_rows, sparse, options):
    random = np.random.default_rng(0)
    X = np.round(random.normal(size=(n_rows, sizes[0])))
    y = random.normal(size=(n_rows, sizes[-1]))
    X = csr_array(X) if sparse else X
    long = fastbp.Network(sizes, activation="tanh", random_state=0)
    short = long.copy()
    work = Workload(long._layers, long._arena, long._rows(X))
    assert len(list(work.pieces(n_rows, 7))) >= 2  # cut inside, that is

    most = n_rows // 10
    expected = in_pieces(lambda rows: short.loss(X[rows], y[rows]), n_rows, most)
    assert long.loss(X, y) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(long.forward(X)[::97], short.forward(X[::97]), rtol=1e-12)
    gradient = in_pieces(lambda rows: short.gradients(X[rows], y[rows])[1][0], n_rows, most)
    assert worst_difference([long.gradients(X, y)[1][0]], [gradient]) < 1e-10
    expected = in_pieces(
        lambda rows: short.train_epoch(X[rows], y[rows], 1e-4, **options), n_rows, most
    )
    assert long.train_epoch(X, y, 1e-4, **options) == pytest.approx(expected, rel=1e-10)
    assert worst_difference(parameters_of(long), parameters_of(short)) < 1e-10


def test_training_learns_xor():
    X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0.0, 1, 1, 0])
    network = fastbp.Network((2, 8, 1), activation="tanh", random_state=0)
    losses = [network.train_epoch(X, y, learning_rate=0.1) for _ in range(2000)]
    assert losses[-1] < 1e-6 < losses[0]
    np.testing.assert_allclose(network.forward(X).ravel(), y, atol=0.01)


# ----------------------------------------------------------------------------------------------
# The same bits
# ----------------------------------------------------------------------------------------------


def bits_of(network):
    return hashlib.sha256(b"".join(p.tobytes() for p in parameters_of(network))).hexdigest()


def trained_network(seed):
    random = np.random.default_rng(seed)
    X, y = random.normal(size=(3000, 30)), random.normal(size=3000)
    network = fastbp.Network((30, 64, 1), activation="tanh", random_state=seed)
    for epoch in range(4):
        network.train_epoch(X, y, 1e-3, order=random.permutation(3000), batch_size=1 + epoch % 2)
    return network


SAME_BITS = """
    import sys, time, os
    sys.path[:0] = sys.argv[1:]
    import numpy as np
    import fastbp, test_network

    X = np.random.default_rng(0).normal(size=(200_000, 8))
    network = fastbp.Network((8, 16, 1), random_state=0)
    value = network.loss(X, X[:, 0])
    gradient = network.gradients(X, X[:, 0])[1][0].tobytes()
    epoch_loss = network.train_epoch(X, X[:, 0], 1e-3)
    print(test_network.bits_of(test_network.trained_network(1)), test_network.bits_of(network))
    print(value.hex(), epoch_loss.hex(), gradient.hex())
"""


def run_python(code, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | environment,
    )


@pytest.mark.slow
def test_the_same_random_state_gives_the_same_bits_in_every_process_for_any_number_of_threads():
    outputs = set()
    for threads in ("1", "2", "7"):
        names = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONHASHSEED"
        environment = dict.fromkeys(names, threads)
        run = run_python(
            SAME_BITS,
            os.path.dirname(__file__),
            os.path.dirname(os.path.dirname(__file__)),
            **environment,
        )
        assert run.returncode == 0, run.stderr
        outputs.add(run.stdout)
    assert len(outputs) == 1
    assert bits_of(trained_network(1)) in outputs.pop()


def test_models_trained_interleaved_in_threads_have_the_bits_of_those_trained_alone():
    alone = [bits_of(trained_network(seed)) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: bits_of(trained_network(seed)), range(8)))
    assert together == alone
    assert len(set(alone)) == 8


def test_threads_may_use_one_network_interleaved():
    X = np.random.default_rng(0).normal(size=(500, 30))
    network = trained_network(0)
    expected = network.forward(X).tobytes()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: network.forward(X).tobytes(), range(40)))
    assert set(results) == {expected}


def test_training_is_independent_of_what_an_earlier_epoch_left_behind():
    X, y = plain_data()
    used, fresh = small_network(), small_network()
    kept = parameters_of(used)
    used.train_epoch(X * 1e3, y, 1e-9)
    used.train_epoch(csr_array(X[:11]), y[:11], 0.1)
    used.weights, used.biases = kept[:2], kept[2:]
    for rows in (X, csr_array(X)):
        assert used.train_epoch(rows, y, 0.1) == fresh.train_epoch(rows, y, 0.1)
    assert_same_parameters(used, parameters_of(fresh))


# ----------------------------------------------------------------------------------------------
# Copies and pickles
# ----------------------------------------------------------------------------------------------


def through_joblib(network, folder):
    """Saved, and read back with its arrays memory-mapped, read-only."""
    joblib.dump(network, folder / "network.joblib")
    return joblib.load(folder / "network.joblib", mmap_mode="r")


COPIES = {
    "copy method": lambda network, _: network.copy(),
    "copy.copy": lambda network, _: copy.copy(network),
    "copy.deepcopy": lambda network, _: copy.deepcopy(network),
    "pickle": lambda network, _: pickle.loads(pickle.dumps(network)),
    "old pickle protocol": lambda network, _: pickle.loads(pickle.dumps(network, protocol=2)),
    "joblib, memory-mapped": through_joblib,
}


@pytest.mark.parametrize("how", COPIES)
def test_copies_are_equal_independent_and_train_on(how, tmp_path):
    X, y = plain_data()
    network = fastbp.Network(
        (N_FEATURES, 7, 5, 2), activation=["tanh", "logistic"], dtype="float32", random_state=0
    )
    network.train_epoch(X, y, 0.01, momentum=0.9)  # leaves velocities
    other = COPIES[how](network, tmp_path)
    assert repr(other) == repr(network)
    assert_same_parameters(other, parameters_of(network))
    kept = parameters_of(network)
    loss = other.train_epoch(X, y, 0.01, momentum=0.9)
    assert_same_parameters(network, kept)
    assert network.train_epoch(X, y, 0.01, momentum=0.9) == loss
    assert_same_parameters(other, parameters_of(network))
    for view in (*other.weights, *other.biases):
        assert view.flags.writeable
        assert view.ctypes.data % 64 == 0


def test_a_pickle_is_about_as_large_as_the_parameters():
    network = fastbp.Network((100, 100, 10), random_state=0)
    X = np.zeros((50, 100))
    network.train_epoch(X, np.zeros((50, 10)), 0.1)
    network.train_epoch(X, np.zeros((50, 10)), 0.1, batch_size=5)
    assert len(pickle.dumps(network)) < 8 * network.n_parameters + 2000


def test_pickled_parameter_lists_become_plain_lists_of_arrays():
    network = small_network()
    weights = pickle.loads(pickle.dumps(network.weights))
    assert type(weights) is list
    weights[0][...] = 7
    assert not np.any(network.weights[0] == 7)


# ----------------------------------------------------------------------------------------------
# Divergence and Ctrl-C
# ----------------------------------------------------------------------------------------------

OVERFLOWING = {
    "rows": {},
    "L2": {"alpha": 0.1},
    "momentum": {"momentum": 0.9},
    "Nesterov": {"momentum": 0.9, "nesterov": True},
    "batches": {"batch_size": 8},
}


def assert_finite(network):
    for parameter in parameters_of(network):
        assert np.isfinite(parameter).all()


@pytest.mark.parametrize("options", OVERFLOWING)
@pytest.mark.parametrize("sizes", [(6, 2), (6, 3, 2), (6, 40, 2), (6, 5, 5, 2)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("sparse", [False, True])
def test_divergence_warns_and_keeps_finite_weights(sparse, dtype, sizes, options):
    X, y = plain_data()
    rows = csr_array(X) if sparse else X
    network = fastbp.Network(sizes, activation="relu", dtype=dtype, random_state=0)
    with pytest.warns(
        fastbp.DivergenceWarning,
        match=r"learning_rate=1e\+06.*weights from before this call.*smaller learning_rate.*scale",
    ) as caught:
        losses = [network.train_epoch(rows, y, 1e6, **OVERFLOWING[options]) for _ in range(9)]
    assert not np.isfinite(losses[-1])
    assert caught[0].filename == __file__
    assert_finite(network)


@pytest.mark.parametrize("sizes", [(6, 2), (6, 3, 2), (6, 20, 2)])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("wild", [1e200, 1e6])  # the loss is infinite, or finite but absurd
def test_a_wild_row_leaves_the_weights_from_before(sparse, sizes, wild):
    X, y = plain_data()
    bad = X.copy()
    bad[21] = wild
    network = fastbp.Network(sizes, activation="identity", random_state=0)
    before = parameters_of(network)
    with pytest.warns(fastbp.DivergenceWarning):
        assert not np.isfinite(network.train_epoch(csr_array(bad) if sparse else bad, y, 0.01))
    assert_same_parameters(network, before)


@pytest.mark.parametrize("sizes", [(6, 3, 1), (6, 20, 2)])
@pytest.mark.parametrize("sparse", [False, True])
def test_weights_that_overflow_although_every_loss_is_finite_are_taken_back(sparse, sizes):
    X = np.full((1, 6), 1e300)
    network = fastbp.Network(sizes, activation="identity", loss="absolute_error", random_state=0)
    before = parameters_of(network)
    with pytest.warns(fastbp.DivergenceWarning):
        loss = network.train_epoch(csr_array(X) if sparse else X, np.zeros((1, sizes[-1])), 1e9)
    assert not np.isfinite(loss)
    assert_same_parameters(network, before)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"batch_size": 4}], ids=str)
@pytest.mark.parametrize("sizes", [(6, 5, 1), (6, 20, 2), (6, 20, 9, 2)])
@pytest.mark.parametrize("sparse", [False, True])
def test_training_goes_on_soundly_after_divergence(sparse, sizes, options):
    X, y = plain_data()
    rows, y = csr_array(X) if sparse else X, y[:, : sizes[-1]]
    network = fastbp.Network(sizes, activation="identity", random_state=0)
    fresh = network.copy()
    kept = parameters_of(network)
    n_layers = len(sizes) - 1
    for learning_rate in (1e300, 1e150, 1e10, 1e3) * 3:
        with pytest.warns(fastbp.DivergenceWarning):
            network.train_epoch(rows * 1e200, y, learning_rate, **options)
    network.reset_solver()
    network.weights, network.biases = kept[:n_layers], kept[n_layers:]
    for n in (3, 19, N_ROWS):
        loss = network.train_epoch(rows[:n], y[:n], 0.01, **options)
        assert loss == fresh.train_epoch(rows[:n], y[:n], 0.01, **options)
    assert_same_parameters(network, parameters_of(fresh))


def test_a_step_whose_loss_is_not_finite_is_not_taken():
    network = package_network()
    before = parameters_of(network)
    with pytest.warns(fastbp.DivergenceWarning, match="learning_rate=0.1"):
        assert network.step(np.array([1e300, 1e300]), PACKAGE, 0.1) == math.inf
    assert_same_parameters(network, before)


def test_a_step_that_overflows_a_weight_is_not_taken():
    network = package_network()
    before = parameters_of(network)
    with pytest.warns(fastbp.DivergenceWarning, match="learning_rate=1e\\+300"):
        network.step(np.array([1e100, 0.0]), PACKAGE, 1e300)
    assert_same_parameters(network, before)


@pytest.mark.parametrize("hidden", [1, 40_000])
def test_a_step_on_large_weights_that_the_loss_does_not_show_is_not_taken(hidden):
    network = fastbp.Network(
        (1, hidden, 1),
        activation="identity",
        out_activation="tanh",
        loss="huber",
        dtype="float32",
        random_state=0,
    )
    row = np.array([1e3], dtype=np.float32)
    for _ in range(3):
        assert network.step(row, 0.0, 1e-9) < math.inf
    # a[1] = 0, so that W[2] is not met on the way forward; dE/dW[1] = 1e3 W[2] overflows.
    network.weights = [np.zeros((1, hidden)), np.full((hidden, 1), 1e37)]
    network.biases = [np.zeros(hidden), [0.5]]
    before = parameters_of(network)
    with pytest.warns(fastbp.DivergenceWarning, match="learning_rate=1"):
        network.step(row, 0.0, 1.0)
    assert_same_parameters(network, before)


def test_a_divergence_warning_is_a_user_warning():
    assert issubclass(fastbp.DivergenceWarning, UserWarning)


def test_divergence_raised_as_an_error_leaves_the_network_usable():
    X, y = plain_data()
    network = small_network()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(fastbp.DivergenceWarning):
            network.train_epoch(X * 1e200, y * 1e200, 1e6)
    assert_finite(network)
    assert math.isfinite(network.train_epoch(X, y, 0.01))


INTERRUPTED = """
    import itertools, json, os, signal, sys, threading, time
    import numpy as np
    from scipy.sparse import csr_array
    import fastbp
    from fastbp.network import runner

    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where it was ignored before
    case = sys.argv[1]
    n_in = 20_000 if "sparse" in case else 200
    network = fastbp.Network((n_in, 400, 1), random_state=0)
    X, y = np.ones((1000, 200)), np.ones(1000)
    if "sparse" in case:
        X = csr_array((X.ravel(), np.tile(np.arange(0, 20_000, 100), 1000),
                       np.arange(0, 200_001, 200)), shape=(1000, n_in))
    options = {"sparse momentum": {"momentum": 0.5}, "sparse L2": {"alpha": 1e-9},
               "one batch": {"batch_size": 4_000_000}}.get(case, {})
    before = network.weights[0].copy()
    order = np.arange(4_000_000) % 1000  # half a minute of work, or more
    timed, in_second_piece, sent, n_pieces = runner.timed, threading.Event(), [], itertools.count()

    def timed_piece(*arguments):
        if next(n_pieces) == 1 or case == "one batch":
            in_second_piece.set()
        return timed(*arguments)

    def interrupt():
        in_second_piece.wait()
        begun = time.process_time()
        while time.process_time() < begun + 0.05:
            time.sleep(0.005)
        sent.append(time.process_time())
        os.kill(os.getpid(), signal.SIGINT)

    runner.timed = timed_piece
    interrupter = threading.Thread(target=interrupt, daemon=True)
    interrupter.start()
    try:
        network.train_epoch(X, y, 1e-9, order=order, **options)
    except KeyboardInterrupt:
        stopped = time.process_time()
        interrupter.join()
        print(json.dumps({
            "seconds": stopped - sent[0],
            "changed": bool((network.weights[0] != before).any()),
            "finite": bool(np.isfinite(network.weights[0]).all()),
            "loss": network.train_epoch(X, y, 1e-9),
        }))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to one process")
@pytest.mark.parametrize("case", ["dense", "sparse", "sparse momentum", "sparse L2", "one batch"])
def test_ctrl_c_stops_an_epoch_midway_and_leaves_a_usable_network(case):
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED), case],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    report = json.loads(child.stdout)
    # Of its processor's time, for machines are busy. Meant to be 0.2 s; kernels of plain numbers or
    # under a sanitizer are ten times as slow.
    assert report["seconds"] < 3
    assert report["changed"] == (case != "one batch")
    assert report["finite"]
    assert math.isfinite(report["loss"])


def test_ctrl_c_at_any_call_of_an_epoch_leaves_a_network_that_can_be_trained():
    X, y = plain_data()
    for nth in itertools.count(1):
        network = small_network()
        was_interrupted = interrupted_at(nth, network.train_epoch, X, y, 0.1)
        assert np.isfinite(network.train_epoch(X, y, 0.1)), nth
        if not was_interrupted:
            break
    assert nth > 30


def test_a_network_in_training_refuses_a_second_thread():
    network = small_network()
    X, y = plain_data()
    refused = []

    def train_too():
        try:
            network.train_epoch(X, y, 0.1)
        except RuntimeError as error:
            refused.append(str(error))

    with network._runner.lock:
        thread = threading.Thread(target=train_too)
        thread.start()
        thread.join()
    assert len(refused) == 1
    assert "another thread" in refused[0]
    network.train_epoch(X, y, 0.1)


def test_assigning_views_of_the_network_itself_copies_them_first():
    network = fastbp.Network((3, 3, 3), random_state=0)
    first, second = (np.array(W) for W in network.weights)
    network.weights = network.weights[::-1]
    np.testing.assert_array_equal(network.weights[0], second)
    np.testing.assert_array_equal(network.weights[1], first)


def test_lists_of_parameters_keep_one_array_a_layer():
    network = small_network()
    for change in (
        lambda weights: weights.reverse(),
        lambda weights: weights.append(np.ones((2, 2))),
        lambda weights: weights.pop(),
        lambda weights: weights.__delitem__(0),
    ):
        with pytest.raises(TypeError, match="weights has one array a layer"):
            change(network.weights)


@pytest.mark.parametrize("kind", ["coo", "bsr"])
def test_bad_indices_of_other_sparse_formats_are_refused(kind):
    X = {"coo": coo_array, "bsr": bsr_array}[kind](np.eye(4))
    (X.coords[1] if kind == "coo" else X.indices)[0] = 1000
    network = fastbp.Network((4, 3, 1), random_state=0)
    with pytest.raises(ValueError, match="not a valid"):
        network.forward(X)


def test_a_stale_flag_of_sorted_columns_is_not_believed():
    random = np.random.RandomState(0)
    X = csr_array(np.where(random.uniform(size=(60, 500)) < 0.1, 1 + random.uniform(), 0))
    X.data[:] = random.uniform(size=X.nnz)
    y = random.uniform(size=(60, 2))
    assert X.has_canonical_format
    shuffled = X.copy()
    assert shuffled.has_canonical_format
    for start, stop in itertools.pairwise(X.indptr):
        order = start + random.permutation(stop - start)
        shuffled.indices[start:stop], shuffled.data[start:stop] = X.indices[order], X.data[order]
    networks = [fastbp.Network((500, 20, 2), random_state=0) for _ in range(2)]
    for network, rows in zip(networks, (X, shuffled), strict=True):
        network.train_epoch(rows, y, 0.1)
    assert_same_parameters(networks[0], parameters_of(networks[1]))


def test_weights_with_an_infinite_sum_are_refused():
    X, y = plain_data()
    with pytest.raises(ValueError, match="too large to sum up"):
        small_network().loss(X, y, np.full(len(X), 1e308))
