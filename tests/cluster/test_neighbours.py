"""Next to others on a cluster: searches, fits at once, fits inside tasks."""

import threading

import dask
import dask.array as da
import joblib
import numpy as np
import pytest
from rows import X_R, Y_R, X, Y, arrays, classifier, regressor, same
from sklearn.model_selection import GridSearchCV

from fastbp import BackpropClassifier, BackpropRegressor

pytestmark = pytest.mark.usefixtures("client")


def test_two_fits_at_once():
    alone = [classifier().fit(*arrays()), regressor().fit(*arrays(X, X[:, 0]))]
    models = [classifier(), regressor()]
    given = [arrays(), arrays(X, X[:, 0])]
    threads = [
        threading.Thread(target=model.fit, args=rows)
        for model, rows in zip(models, given, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for model, usual in zip(models, alone, strict=True):
        same(model, usual)


def fit_here():
    return classifier().fit(*arrays()).to_local()


def test_a_fit_inside_a_task(client):
    same(client.submit(fit_here, pure=False).result(), classifier().fit(*arrays()))


def test_a_search_with_joblib_on_dask():
    grid = {"learning_rate_init": [0.001, 0.01]}
    model = BackpropClassifier((4,), max_iter=3, ensemble=1, random_state=0)
    with joblib.parallel_backend("dask"):
        found = GridSearchCV(model, grid, cv=2).fit(X, Y)
    here = GridSearchCV(model, grid, cv=2).fit(X, Y)
    assert np.array_equal(found.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"])


def test_a_search_of_models_that_train_on_the_cluster():
    """Each fit of the search, in a task, makes tasks of its own."""
    with joblib.parallel_backend("dask"):
        found = GridSearchCV(classifier(rounds=2), {"outer_momentum": [0.0, 0.5]}, cv=2).fit(X, Y)
    here = GridSearchCV(classifier(rounds=2), {"outer_momentum": [0.0, 0.5]}, cv=2).fit(X, Y)
    assert np.array_equal(found.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"])


def test_incremental_of_dask_ml():
    wrappers = pytest.importorskip("dask_ml.wrappers")
    own = BackpropRegressor((8,), random_state=0, ensemble=1)
    chunks = (150, 150, 142)
    model = wrappers.Incremental(own, shuffle_blocks=False)
    model.fit(*arrays(X_R, Y_R, chunks))
    here = BackpropRegressor((8,), random_state=0, ensemble=1)
    for start, n in zip((0, 150, 300), chunks, strict=True):
        here.partial_fit(X_R[start : start + n], Y_R[start : start + n])
    same(model.estimator_, here)
    lazy = model.predict(da.from_array(X_R, chunks=(150, -1)))
    assert np.array_equal(lazy.compute(), here.predict(X_R))


def test_hyperband_of_dask_ml(client):
    search = pytest.importorskip("dask_ml.model_selection")
    own = BackpropClassifier((4,), random_state=0, ensemble=1)
    grid = {"learning_rate_init": [0.001, 0.003, 0.01, 0.03]}
    found = search.HyperbandSearchCV(own, grid, max_iter=3, random_state=0)
    # dask-ml 2025.1 calls dask.persist in a coroutine, which newer versions of Dask refuse unless
    # they are told with what to run it.
    with dask.config.set(scheduler=client.get):
        found.fit(*arrays(), classes=[0, 1, 2])
    assert found.best_params_["learning_rate_init"] in grid["learning_rate_init"]
    assert found.best_estimator_.score(X, Y) > 0.4
