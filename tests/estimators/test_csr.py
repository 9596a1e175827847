"""Dense rows of mostly zeros are trained as lists of non-zeros."""

import numpy as np
import pytest
from plain_models import BackpropRegressor
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning

from fastbp.estimators import csr
from fastbp.estimators.csr import to_csr_if_sparse
from fastbp.network.arrays import BLOCK_BYTES

ROWS_AT_ONCE = BLOCK_BYTES // 800  # of 100 features in float64


def rows_of(n_rows, n_features, share, dtype="float64"):
    random = np.random.RandomState(0)
    X = random.uniform(0.5, 1, (n_rows, n_features)).astype(dtype)
    X[random.uniform(size=X.shape) > share] = 0
    return X


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n_rows", [2, 5, ROWS_AT_ONCE, ROWS_AT_ONCE + 1])
def test_lists_hold_the_same_rows(n_rows, dtype):
    X = rows_of(n_rows, 100, 0.1, dtype)
    lists = to_csr_if_sparse(X)
    assert issparse(lists)
    assert lists.dtype == X.dtype
    assert lists.has_canonical_format
    np.testing.assert_array_equal(lists.toarray(), X)


def test_all_zero_rows_are_listed():
    np.testing.assert_array_equal(to_csr_if_sparse(np.zeros((3, 64))).toarray(), np.zeros((3, 64)))


@pytest.mark.parametrize("X", [rows_of(50, 100, 0.5), rows_of(50, 63, 0.1), rows_of(1, 100, 0.1)])
def test_rows_that_lists_would_not_serve_stay_as_they_are(X):
    assert to_csr_if_sparse(X) is X


def test_lists_beside_a_file_are_small(tmp_path, monkeypatch):
    X = rows_of(50, 100, 0.1)
    X.tofile(tmp_path / "X")
    mapped = np.memmap(tmp_path / "X", dtype=X.dtype, mode="r", shape=X.shape)
    for array in (X, mapped, np.asarray(mapped), mapped[10:]):
        assert issparse(to_csr_if_sparse(array))
    monkeypatch.setattr(csr, "MAX_BYTES_BESIDE_A_FILE", 12 * np.count_nonzero(X) - 1)
    for array in (mapped, np.asarray(mapped)):
        assert to_csr_if_sparse(array) is array
    assert issparse(to_csr_if_sparse(X))


def test_fit_takes_either_way_to_the_same_model(monkeypatch):
    X = rows_of(300, 80, 0.2)
    y = X[:, :3].sum(axis=1)
    kinds, models = [], []
    for as_rows_are_kept in (to_csr_if_sparse, lambda X: X):

        def note(X, as_rows_are_kept=as_rows_are_kept):
            kept = as_rows_are_kept(X)
            kinds.append(issparse(kept))
            return kept

        monkeypatch.setattr("fastbp.estimators.preparation.to_csr_if_sparse", note)
        model = BackpropRegressor(hidden_layer_sizes=20, max_iter=3, random_state=0)
        with pytest.warns(ConvergenceWarning):
            models.append(model.fit(X, y))
    lists, dense = models
    assert kinds == [True, False]
    np.testing.assert_allclose(lists.coefs_[0], dense.coefs_[0], rtol=0, atol=1e-10)
