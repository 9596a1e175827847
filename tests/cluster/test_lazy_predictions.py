"""Predictions for collections of Dask: as lazy as they are, and what one process predicts."""

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas
import pytest
from rows import CHUNKS, PARTS, X_R, Y_R, X, Y, arrays, classifier, regressor
from scipy.sparse import csr_matrix

from fastbp import BackpropClassifier, BackpropRegressor

NAMES = ["a", "b", "c", "d"]
FRAME = pandas.DataFrame(X, columns=NAMES, index=np.arange(150) * 2)


def fitted(model, X, y, names=False):
    """Return a model of Dask that was fitted without a cluster."""
    local = (BackpropClassifier if hasattr(model, "predict_proba") else BackpropRegressor)(
        (8,), random_state=0, max_iter=3, ensemble=1
    ).fit(pandas.DataFrame(X, columns=NAMES) if names else X, y)
    model.__dict__.update(local.__dict__)
    return model


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_of_arrays(method):
    model = fitted(classifier(), X, np.array(["x", "y", "z"])[Y])
    expected = getattr(model, method)(X)
    lazy = getattr(model, method)(arrays()[0])
    assert isinstance(lazy, da.Array)
    assert lazy.dtype == expected.dtype
    assert lazy.chunks == ((CHUNKS,) if expected.ndim == 1 else (CHUNKS, (3,)))
    assert lazy._meta.ndim == expected.ndim
    assert lazy.shape == expected.shape
    assert np.array_equal(lazy.compute(scheduler="synchronous"), expected)


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_of_frames(method):
    model = fitted(classifier(), X, Y, names=True)
    lazy = getattr(model, method)(dd.from_pandas(FRAME, npartitions=3))
    found = lazy.compute(scheduler="synchronous")
    assert found.index.tolist() == FRAME.index.tolist()
    assert np.array_equal(found.to_numpy(), getattr(model, method)(FRAME))
    if method == "predict":
        assert lazy.dtype == found.dtype
    else:
        assert list(lazy.columns) == list(found.columns) == [0, 1, 2]


def test_of_regressions_and_of_several_outputs():
    for y in (Y_R, np.column_stack([Y_R, -Y_R])):
        model = fitted(regressor(), X_R, y)
        lazy = model.predict(da.from_array(X_R, chunks=(100, -1)))
        assert lazy.shape == y.shape
        assert np.array_equal(lazy.compute(scheduler="synchronous"), model.predict(X_R))


def test_of_delayed_blocks_sparse_ones_empty_ones_and_unknown_sizes():
    model = fitted(classifier(), X, Y)
    expected = model.predict(X)
    blocks = [dask.delayed(X[part]) for part in [slice(0, 0), *PARTS]]
    found = dask.compute(*model.predict(blocks), scheduler="synchronous")
    assert np.array_equal(np.concatenate(found), expected)
    dX = arrays()[0]
    some = dX[dX[:, 0] > 5]
    found = model.predict(some).compute(scheduler="synchronous")
    assert np.array_equal(found, expected[X[:, 0] > 5])
    found = model.predict(dX[dX[:, 0] > 99]).compute(scheduler="synchronous")
    assert found.shape == (0,)
    sparse = dX.map_blocks(csr_matrix)
    assert np.array_equal(model.predict(sparse).compute(scheduler="synchronous"), expected)


def test_bad_rows():
    model = fitted(classifier(), X, Y)
    with pytest.raises(ValueError, match=r"X is chunked along columns, into 2 blocks: \(2, 2\)"):
        model.predict(da.from_array(X, chunks=(50, 2)))
    with pytest.raises(ValueError, match="X has 3 features, but the model was fitted with 4"):
        model.predict(da.from_array(X[:, :3], chunks=(50, 3)))


def test_of_a_cluster(client):
    model = fitted(classifier(), X, Y)
    assert np.array_equal(model.predict(arrays()[0]).compute(), model.predict(X))
    assert model.score(*arrays()) == model.score(X, Y)
    weights = np.arange(150.0)
    lazy = da.from_array(weights, chunks=(CHUNKS,))
    assert model.score(*arrays(), lazy) == pytest.approx(model.score(X, Y, weights))
