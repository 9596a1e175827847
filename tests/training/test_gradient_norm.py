"""The norm of the mean gradient of an epoch, from what its steps have changed."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes

from fastbp import BackpropRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_diabetes(return_X_y=True)
SLOW = {
    "hidden_layer_sizes": (8,),
    "learning_rate_init": 1e-7,
    "early_stopping": False,
    "random_state": 0,
}


def norm_of_gradients(model, X, y):
    """Return the norm of the mean gradient of all rows, at the weights of the model."""
    rows = X if model.input_scaling_ is None else model.input_scaling_.transform(X)
    _, *gradients = model.network_.gradients(rows, model._units.scaled_targets(y))
    return np.sqrt(sum(np.square(one).sum() for each in gradients for one in each))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": 32},
        {"learning_rate": "constant"},
        {"momentum": 0.9, "learning_rate": "constant", "max_iter": 3},
    ],
    ids=["rows", "batches", "constant", "momentum"],
)
@pytest.mark.parametrize("n_rows", [96, 416])  # whole batches
def test_it_is_that_of_the_gradients_where_the_weights_hardly_move(options, n_rows):
    model = BackpropRegressor(**{**SLOW, "max_iter": 1, **options}).fit(X[:n_rows], Y[:n_rows])
    found = model.history_["gradient_norm"][-1]
    rel = 0.06 if "momentum" in options else 0.02  # which begins from rest
    assert found == pytest.approx(norm_of_gradients(model, X[:n_rows], Y[:n_rows]), rel=rel)


def test_rates_that_change_within_an_epoch_are_summed_up():
    rows, y = np.repeat(X, 60, axis=0), np.repeat(Y, 60)  # more than 10,000
    model = BackpropRegressor(**SLOW, max_iter=1).fit(rows, y)
    found = model.history_["gradient_norm"][0]
    assert found == pytest.approx(norm_of_gradients(model, rows, y), rel=0.02)


def test_csr_rows_have_the_same():
    dense = np.where(np.random.RandomState(0).uniform(size=X.shape) < 0.8, 0, X)
    model = BackpropRegressor(**SLOW, max_iter=1).fit(sparse.csr_array(dense), Y)
    found = model.history_["gradient_norm"][0]
    assert found == pytest.approx(norm_of_gradients(model, dense, Y), rel=0.02)


@pytest.mark.parametrize("solver", ["sgd", "adam", "adamw", "adagrad", "rmsprop"])
@pytest.mark.parametrize("ensemble", [1, 3])
def test_each_epoch_of_each_solver_has_one(solver, ensemble):
    model = BackpropRegressor(random_state=0, solver=solver, ensemble=ensemble, max_iter=6)
    norms = np.array(model.fit(X, Y).history_["gradient_norm"])
    assert len(norms) == model.n_iter_
    assert (norms > 0).all()


def test_that_of_an_ensemble_is_the_mean():
    options = {**SLOW, "max_iter": 1, "shuffle": False}
    model = BackpropRegressor(**options, ensemble=2).fit(X, Y)
    alone = BackpropRegressor(**options).fit(X, Y)
    (of_two,), (of_one,) = (one.history_["gradient_norm"] for one in (model, alone))
    assert 0.2 < of_two / of_one < 5
    assert of_two != of_one


def test_it_falls_as_training_comes_to_rest():
    norms = BackpropRegressor(random_state=0).fit(X, Y).history_["gradient_norm"]
    assert norms[0] > 3 * norms[-1]


def test_an_epoch_that_diverged_has_none():
    with pytest.warns(UserWarning, match="diverged"):
        model = BackpropRegressor(
            standardize=False, learning_rate_init=10.0, random_state=0, early_stopping=False
        ).fit(X * 100, Y)
    assert np.isnan(model.history_["gradient_norm"][-1])


def test_calls_of_partial_fit_leave_the_history_of_the_fit():
    model = BackpropRegressor(random_state=0, max_iter=4).fit(X, Y)
    before = model.history_
    assert model.partial_fit(X[:1], Y[:1]).partial_fit(X, Y).history_ == before
