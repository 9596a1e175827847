"""Units that no longer learn, and rates too small to lead anywhere, are noticed."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning

from fastbp import BackpropClassifier, BackpropRegressor

X, Y = load_diabetes(return_X_y=True)


def with_dead_units(n_dead, layer=0, **options):
    """Return a model that goes on from one with so many units of 100 that cannot be above 0."""
    options = {"hidden_layer_sizes": (100, 100), "random_state": 0, "max_iter": 3, **options}
    model = BackpropRegressor(**options, warm_start=True).fit(X, Y)
    model.intercepts_[layer][:n_dead] = -1e3
    return model


# -- dead units ------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [0, 1])
def test_a_layer_of_dead_units_is_warned_of(layer):
    model = with_dead_units(95, layer)
    with pytest.warns(ConvergenceWarning, match=rf"9\d of 100 units of hidden layer {layer + 1}"):
        model.fit(X, Y)
    assert model.dead_units_[layer] >= 95
    assert model.dead_units_[1 - layer] < 20
    assert f"of 100 units of hidden layer {layer + 1} are dead." in model.convergence_


@pytest.mark.parametrize("rows", [X, sparse.csr_array(X)], ids=["dense", "CSR"])
def test_some_dead_units_are_only_said(rows):
    model = with_dead_units(40)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(rows, Y)
    assert 40 <= model.dead_units_[0] < 50
    assert "of 100 units of hidden layer 1 are dead." in model.convergence_


def test_a_few_are_not_worth_saying():
    model = with_dead_units(5).fit(X, Y)
    assert model.dead_units_[0] >= 5
    assert "layer 1" not in model.convergence_


def test_those_of_an_ensemble_are_counted_together():
    model = BackpropRegressor(random_state=0, ensemble=3, max_iter=3).fit(X, Y)
    rows = model.input_scaling_.transform(X)
    for n_dead, W, b in zip(model.dead_units_, model.coefs_, model.intercepts_, strict=False):
        rows = np.maximum(rows @ W + b, 0)
        assert n_dead == (rows == 0).all(axis=0).sum()


def test_other_activations_have_none():
    model = BackpropRegressor((5, 5), "tanh", random_state=0, max_iter=3).fit(X, Y)
    assert model.dead_units_ == []
    model = BackpropRegressor((5, 5), ["relu", "tanh"], random_state=0, max_iter=3).fit(X, Y)
    assert len(model.dead_units_) == 1
    assert BackpropRegressor((), random_state=0, max_iter=3).fit(X, Y).dead_units_ == []


def test_a_call_of_partial_fit_looks_at_none():
    assert with_dead_units(95).partial_fit(X[:1], Y[:1]).dead_units_ == []


# -- rates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("learning_rate", ["constant", "cosine"])
@pytest.mark.parametrize("kind", [BackpropRegressor, BackpropClassifier])
def test_a_rate_that_is_too_small_is_noticed(kind, learning_rate):
    rows, y = (X, Y) if kind is BackpropRegressor else load_iris(return_X_y=True)
    model = kind(
        learning_rate=learning_rate,
        learning_rate_init=1e-5,
        n_iter_no_change=np.inf,
        max_iter=20,
        random_state=0,
    )
    with pytest.warns(ConvergenceWarning, match="learning_rate_init=1e-05 is too small"):
        model.fit(rows, y)
    assert "The loss still fell as it did at first" in model.convergence_


@pytest.mark.parametrize("rate", [0.005, 0.02, "auto"])
@pytest.mark.parametrize("load", [load_diabetes, load_iris])
def test_ordinary_rates_are_not(load, rate):
    kind = BackpropRegressor if load is load_diabetes else BackpropClassifier
    model = kind(learning_rate_init=rate, random_state=0, n_iter_no_change=np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(*load(return_X_y=True))
    assert "at first" not in model.convergence_


def test_the_rate_of_a_schedule_that_falls_fast_is_nobodys_fault():
    model = BackpropRegressor(
        learning_rate="exponential",
        learning_rate_options={"gamma": 0.1},
        learning_rate_init=1e-3,
        max_iter=20,
        n_iter_no_change=np.inf,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, Y)


def test_too_few_epochs_at_the_default_rate_are_said_but_not_warned_of():
    model = BackpropRegressor(
        learning_rate_init="auto", solver="adam", batch_size=442, max_iter=6, random_state=0,
        early_stopping=False,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, Y)
    assert "would have led further" in model.convergence_
