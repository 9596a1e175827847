"""Rows that are scaled where they are read train and predict as scaled copies of them do."""

import numpy as np
import pytest
from cases import parameters_of
from scipy import sparse

from fastbp import Network, _core
from fastbp.network.runner import Epochs
from fastbp.network.scaling import Moments, NonzeroMoments, Scaling, quantiles, scaling_of_columns
from fastbp.network.solver import Solver

RANDOM = np.random.default_rng(0)
N = 3000
LIMITS = [3.0, np.inf]
NETWORKS = {
    "registers": ((7, 5, 1), {}),
    "several outputs": ((7, 6, 3), {}),
    "blocks": ((7, 40, 12, 2), {}),
    "rows": ((7, 20, 1), {"solver": "adagrad"}),
    "momentum": ((7, 33, 1), {"momentum": 0.5}),
    "batches": ((7, 16, 1), {"batch_size": 32}),
    "one batch": ((7, 16, 1), {"batch_size": 10**6}),
    "dropout": ((7, 16, 1), {"dropout": 0.2}),
}


def scaled(X, center, factor, limit):
    t = (X - center) * factor
    return t if np.isinf(limit) else t / np.sqrt(1 + (t / limit) ** 2)


def data(dtype, n_outputs):
    X = (10 * RANDOM.normal(size=(N, 7)) + 5).astype(dtype)
    center, factor = X.mean(axis=0).astype(dtype), (1 / X.std(axis=0)).astype(dtype)
    return X, RANDOM.normal(size=(N, n_outputs)).astype(dtype), center, factor


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("name", NETWORKS)
def test_training_is_that_of_a_scaled_copy(name, limit):
    sizes, options = NETWORKS[name]
    X, y, center, factor = data("float64", sizes[-1])
    weights = RANDOM.uniform(0.5, 2, N)
    network = Network(sizes, random_state=0)
    other = network.copy()
    rows = network._rows(X, y, weights, needs_y=True).scaled(center, factor, limit)
    copies = other._rows(scaled(X, center, factor, limit), y, weights, needs_y=True)
    order = RANDOM.integers(0, N, 2 * N)
    for _ in range(2):
        losses = [
            one._run_epoch(Epochs(of, order, Solver(0.01, **options)))
            for one, of in ((network, rows), (other, copies))
        ]
        assert losses[0] == pytest.approx(losses[1], rel=1e-10)
    for own, expected in zip(parameters_of(network), parameters_of(other), strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-8, atol=1e-10)


SPARSE_NETWORKS = {
    "blocks": ((30, 8, 1), {}),
    "rows": ((30, 20, 2), {"solver": "adagrad"}),
    "momentum": ((30, 9, 1), {"momentum": 0.5}),
}


@pytest.mark.parametrize("name", SPARSE_NETWORKS)
def test_rows_of_a_csr_matrix_are_scaled_as_they_are_trained_on(name):
    sizes, options = SPARSE_NETWORKS[name]
    X = sparse.random(40_000, 30, 0.5, format="csr", random_state=0)  # several pieces
    X.data -= 0.3
    y, weights = RANDOM.normal(size=(40_000, sizes[-1])), RANDOM.uniform(0.5, 2, 40_000)
    factor = RANDOM.uniform(0.5, 2, 30)
    network = Network(sizes, random_state=0)
    other = network.copy()
    rows = network._rows(X, y, weights).scaled(np.zeros(30), factor, 3.0)
    order = RANDOM.permutation(40_000)[:30_000]
    for one, of in ((network, rows), (other, rows.plain(0, 40_000))):
        one._run_epoch(Epochs(of, order, Solver(0.001, **options)))
    for own, expected in zip(parameters_of(network), parameters_of(other), strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-8, atol=1e-10)


def test_batches_of_a_csr_matrix_are_not_scaled_as_they_are_read():
    X, y = sparse.random(50, 5, 0.5, format="csr", random_state=0), np.zeros((50, 1))
    network = Network((5, 3, 1), random_state=0)
    rows = network._rows(X, y).scaled(np.zeros(5), np.ones(5), 3.0)
    with pytest.raises(ValueError, match="scaled before training"):
        network._run_epoch(Epochs(rows, np.arange(50), Solver(0.01, batch_size=2)))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_outputs_losses_and_single_rows_are_those_of_a_scaled_copy(isa, dtype):
    X, y, center, factor = data(dtype, 2)
    network = Network((7, 12, 2), random_state=0, dtype=dtype)
    rows = network._rows(X, y).scaled(center, factor, 3.0)
    copies = scaled(X, center, factor, 3.0)
    close = {"rtol": 1e-10, "atol": 1e-12} if dtype == "float64" else {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(network._forward_rows(rows, N), network.forward(copies), **close)
    assert network._loss_of(rows) == pytest.approx(network.loss(copies, y), rel=close["rtol"])
    np.testing.assert_allclose(_core.scaled(X, center, factor, 3.0), copies, **close)
    np.testing.assert_allclose(_core.scaled(X[5], center, factor, 3.0), copies[5], **close)
    np.testing.assert_allclose(_core.scaled(X[::-2], center, factor, 3.0), copies[::-2], **close)


@pytest.mark.parametrize("limit", LIMITS)
def test_of_a_csr_matrix_zeros_stay_and_factors_count(limit):
    X = sparse.random(200, 30, 0.2, format="csr", random_state=0)
    factor = RANDOM.uniform(0.5, 2, 30)
    network = Network((30, 4, 1), random_state=0)
    y = RANDOM.normal(size=200)
    rows = network._rows(X, y).scaled(np.ones(30), factor, limit)
    dense = scaled(X.toarray(), 0, factor, limit)
    assert network._loss_of(rows.plain(0, 200)) == pytest.approx(network.loss(dense, y))
    part = rows.part(50, 120).plain(10, 60)
    assert network._loss_of(part) == pytest.approx(network.loss(dense[60:110], y[60:110]))


def table(form, dtype):
    """Return 3,000 rows of 30 numbers, and their targets: classes, or numbers."""
    X = RANDOM.normal(size=(N, 30)) * (RANDOM.uniform(size=(N, 30)) < 0.5)
    X = X.astype(dtype)
    return sparse.csr_array(X) if form == "CSR" else X


@pytest.mark.parametrize("is_scaled", [False, True])
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("form", ["dense", "CSR"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_picked_rows_give_the_bits_of_copies_of_them(dtype, form, loss, is_scaled):
    X, weights = table(form, dtype), RANDOM.uniform(0.5, 2, N)
    y = RANDOM.integers(0, 3, N) if loss == "log_loss" else RANDOM.normal(size=(N, 3))
    network = Network((30, 12, 3), loss=loss, random_state=0, dtype=dtype)
    numbers = np.sort(RANDOM.permutation(N)[: N - 7])
    rows, copies = network._rows(X, y), network._rows(X[numbers], y[numbers], weights[numbers])
    if is_scaled:
        scaling = np.zeros(30, dtype), RANDOM.uniform(0.5, 2, 30).astype(dtype), 3.0
        rows, copies = rows.scaled(*scaling), copies.scaled(*scaling).plain(0, copies.n)
    picked = rows.picked(numbers, weights[numbers])
    assert (picked.n, picked.weight()) == (copies.n, copies.weight())
    assert network._loss_of(picked) == network._loss_of(copies)
    assert network._loss_of(picked.part(5, 9)) == network._loss_of(copies.part(5, 9))
    for n in (3, picked.n):
        found = network._forward_rows(picked, n)
        np.testing.assert_array_equal(found, network._forward_rows(copies, n))


@pytest.mark.parametrize("n_columns", [1, 3, 10, 63, 64, 65])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rows_scaled_together_have_the_bits_of_single_rows(isa, dtype, n_columns):
    X = (10 * RANDOM.normal(size=(53, n_columns)) + 5).astype(dtype)
    scaling = scaling_of_columns(X)
    expected = np.stack([scaling.transform(row) for row in X])
    np.testing.assert_array_equal(scaling.transform(X), expected)
    network = Network((n_columns, 2), random_state=0, dtype=dtype)
    rows = scaling.rows(network._rows(X, X[:, [0, 0]]), X.dtype)
    numbers = RANDOM.permutation(53)
    copies = network._forward_rows(network._rows(expected[numbers]), 53)
    np.testing.assert_array_equal(network._forward_rows(rows.picked(numbers), 53), copies)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_moments_of_any_number_of_columns(isa, dtype):
    for n_columns in [*range(1, 68), 131]:
        X = (RANDOM.normal(size=(40, n_columns)) + 1000 * np.arange(n_columns)).astype(dtype)
        X[7] = X[0]
        weights = RANDOM.integers(0, 3, 40).astype(float)
        X[np.flatnonzero(weights == 0)] = 1e30  # does not count
        for table in (X, X[::2], np.asfortranarray(X)):
            w = weights[:: len(X) // len(table)].copy()
            moments = Moments.of_nothing(n_columns).updated(table, w)
            kept = table[w > 0].astype(float)
            mean = np.average(kept, axis=0, weights=w[w > 0])
            rtol, atol = (1e-13, 1e-13) if dtype == "float64" else (1e-6, 1e-5)
            np.testing.assert_allclose(moments.mean, mean, rtol=rtol, atol=atol)
            squares = w[w > 0] @ np.square(kept - mean)
            rtol = 1e-11 if dtype == "float64" else 1e-3
            np.testing.assert_allclose(moments.squares, squares, rtol=rtol)
            np.testing.assert_array_equal(moments.low, kept.min(axis=0))
            np.testing.assert_array_equal(moments.high, kept.max(axis=0))


def test_moments_of_no_weight_are_those_of_nothing():
    moments = Moments.of_nothing(3).updated(np.ones((5, 3)), np.zeros(5))
    assert moments.weight == 0
    assert (moments.low > moments.high).all()


def test_moments_of_rows_far_from_the_first_keep_their_digits():
    X = RANDOM.normal(size=(10_000, 2))
    X += [1e8, -1e8]
    X[0] = 0
    moments = Moments.of_nothing(2).updated(X[1:]).updated(X[:1])
    at_once = Moments.of_nothing(2).updated(X)
    np.testing.assert_allclose(at_once.mean, X.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(at_once.squares, moments.squares, rtol=1e-9)


def test_moments_of_the_largest_numbers_are_numbers():
    X = np.array([[1.7e308, 1.0], [-1.7e308, 2.0], [1.7e308, 3.0]])
    moments = Moments.of_nothing(2).updated(X)
    assert np.isfinite(moments.mean).all()
    assert np.isfinite(moments.scaling().transform(X)).all()


@pytest.mark.parametrize("n_columns", [1, 5, 70])
def test_a_scaled_copy_has_the_hashes_of_rows_that_are_scaled_as_they_are_read(n_columns):
    X = RANDOM.normal(size=(150, n_columns))
    X[RANDOM.uniform(size=X.shape) < 0.2] = 0
    X[0], X[1] = 0.5, 0.5 + 1e-9  # rounded alike
    for form in (X, sparse.csr_array(X)):
        for y in (X[:, 0], np.sign(X[:, 0]).astype(int) + 1):
            of_classes = y.dtype.kind == "i"
            loss = "log_loss" if of_classes else "squared_error"
            network = Network((n_columns, 3 if of_classes else 1), loss=loss, random_state=0)
            rows = Scaling(np.zeros(n_columns), np.full(n_columns, 0.7), 3.0).rows(
                network._rows(form, y), np.dtype(float)
            )
            found, expected, exact = np.zeros((3, 150), np.uint64)
            rows.hash(0, 150, found, True)
            rows.plain(0, 150).hash(0, 150, expected, True)
            rows.hash(0, 150, exact)
            np.testing.assert_array_equal(found, expected)
            assert len(np.unique(exact)) > len(np.unique(found))


def test_what_is_huge_is_as_good_as_the_limit():
    x = np.array([1e308, -1e308, 1e200, 0.0, 1e20])
    found = _core.scaled(x, np.zeros(5), np.array([1.0, 1.0, 1e-150, 0.0, 1.0]), 3.0)
    np.testing.assert_allclose(found, [3, -3, 3, 0, 3])


def test_moments_in_pieces_are_those_of_all_rows():
    X = RANDOM.normal(size=(500, 4)) * [1, 1e-8, 1e6, 1] + [0, 1, -1e6, 1e9]
    weights = RANDOM.integers(0, 4, 500).astype(float)
    copies = np.repeat(X, weights.astype(int), axis=0)
    moments = Moments.of_nothing(4)
    for start in range(0, 500, 7):
        moments = moments.updated(X[start : start + 7], weights[start : start + 7])
    assert moments.weight == len(copies)
    np.testing.assert_allclose(moments.mean, copies.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.deviation(), copies.std(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(moments.low, copies.min(axis=0))


def test_moments_of_what_is_not_zero_are_those_of_all_blocks(monkeypatch):
    X = table("CSR", "float32")
    X.data[3] = 0
    monkeypatch.setattr("fastbp.network.arrays.BLOCK_BYTES", 1000)
    for form in (X, X.toarray()):
        moments = NonzeroMoments.of_nothing(30).updated(form)
        values = X.toarray().astype(float)
        np.testing.assert_array_equal(moments.counts, (values != 0).sum(axis=0))
        np.testing.assert_allclose(moments.squares, np.square(values).sum(axis=0), rtol=1e-12)
        np.testing.assert_array_equal(moments.largest, np.abs(values).max(axis=0))


def test_the_spread_of_two_values_is_how_far_apart_they_are():
    pair = RANDOM.integers(0, 2, 300)
    X = np.column_stack([pair * 6.0, pair + 1e6, np.full(300, 0.1), RANDOM.normal(size=300)])
    spread = Moments.of_nothing(4).updated(X).spread()
    np.testing.assert_allclose(spread, [6, 1, np.inf, X[:, 3].std()], rtol=1e-6)


def test_columns_whose_squares_overflow_are_scaled_by_their_size():
    X = RANDOM.normal(size=(100, 2)) * [1e200, 1e-200]
    scaling = scaling_of_columns(X)
    found = scaling.transform(X)
    assert np.isfinite(found).all()
    assert np.abs(found).max(axis=0).min() > 0.1


def test_a_single_huge_value_leaves_a_column_its_spread():
    X = RANDOM.normal(size=(1000, 2))
    X[17, 0] = 1e9
    scaling = scaling_of_columns(X)
    assert 0.8 < scaling.scale[0] < 1.2
    assert np.median(np.abs(scaling.transform(X)[:, 0])) > 0.5


def test_slopes_are_the_derivatives_of_the_scaling():
    scaling = Scaling(np.array([1.0, -2.0]), np.array([2.0, 0.5]), 3.0)
    x, step = RANDOM.normal(size=(6, 2)) * 5, 1e-6
    expected = (scaling.transform(x + step) - scaling.transform(x - step)) / (2 * step)
    np.testing.assert_allclose(scaling.slopes(x), expected, rtol=1e-7)


def test_quantiles_count_weights_as_copies():
    values, weights = RANDOM.normal(size=40), RANDOM.integers(0, 5, 40).astype(float)
    copies = np.repeat(values, weights.astype(int))
    shares = (0.25, 0.5, 0.9)
    expected = np.quantile(copies, shares, method="inverted_cdf")
    np.testing.assert_array_equal(quantiles(values, shares, weights), expected)
