"""Which rows are held out, how given ones are checked, and what errors about them speak of."""

import numpy as np
import pandas as pd
import pytest
from plain_models import BackpropRegressor
from scipy.sparse import coo_array, issparse
from sklearn.model_selection import train_test_split

from fastbp.estimators.holdout import checked_like, held_out_rows, named_as_held_out

ROWS = np.arange(100, 160)
X = np.random.default_rng(0).normal(size=(6, 3))


# -- which rows ----------------------------------------------------------------------------------


def test_rows_are_drawn_as_scikit_learn_draws_them_and_ascend():
    _, drawn = train_test_split(ROWS, test_size=0.2, random_state=5)
    held_out = held_out_rows(ROWS, 0.2, 5, None, None)
    assert held_out.tolist() == sorted(drawn.tolist())
    assert held_out.tolist() != held_out_rows(ROWS, 0.2, 6, None, None).tolist()
    assert held_out.tolist() != held_out_rows(ROWS[::-1], 0.2, 5, None, None).tolist()


def test_weights_and_classes_are_those_of_the_rows_named_by_the_order():
    weights = np.zeros(160)
    weights[120:160] = 1
    classes = np.where(np.arange(160) < 150, 0, 1)  # 30 and 10 of those of weight 1
    held_out = held_out_rows(ROWS, 0.2, 0, weights, classes)
    assert np.bincount(classes[held_out]).tolist() == [6, 2]
    assert held_out.min() >= 120


def test_too_few_rows_of_weight_are_counted_and_said():
    weights = np.where(np.arange(160) < 101, 1.0, 0.0)
    with pytest.raises(ValueError, match=r"validation_fraction=0\.1 of 1 row: .*X_val and y_val"):
        held_out_rows(ROWS, 0.1, 0, weights, np.zeros(160, dtype=int))


# -- given rows ----------------------------------------------------------------------------------


def test_given_rows_come_back_in_the_dtype_and_the_estimator_learns_nothing_of_them():
    model = BackpropRegressor()
    before = dict(vars(model))
    for given in (X.tolist(), coo_array(X), pd.DataFrame(X)):
        checked = checked_like(model, X, given, np.dtype(np.float32))
        assert checked.dtype == np.float32
        assert issparse(checked) == issparse(given)
        values = checked.toarray() if issparse(checked) else checked
        np.testing.assert_array_equal(values, X.astype(np.float32))
    assert checked_like(model, X, coo_array(X), np.dtype(np.float64)).format == "csr"
    assert vars(model) == before


def test_values_that_are_not_finite_are_left_to_the_network():
    assert np.isnan(checked_like(BackpropRegressor(), X, [[1, np.nan, 2]], X.dtype)).any()


@pytest.mark.parametrize(
    ("like", "given", "message"),
    [
        (X, X[:, :2], "^X_val has 2 features, but BackpropRegressor is expecting 3"),
        (X, X[0], "^X_val: Expected 2D array"),
        (pd.DataFrame(X, columns=list("abc")), pd.DataFrame(X, columns=list("abd")), "^X_val: The"),
    ],
)
def test_other_features_are_an_error_about_x_val(like, given, message):
    with pytest.raises(ValueError, match=message):
        checked_like(BackpropRegressor(), like, given, X.dtype)


# -- what errors speak of ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("X has 2 rows, y has 3", "X_val has 2 rows, y_val has 3"),
        ("sample_weight has shape (3,)", "sample_weight_val has shape (3,)"),
        ("y contains 'X' and \"y\"", "y_val contains 'X' and \"y\""),
        ("Xy and yes are other words", "X_val or y_val: Xy and yes are other words"),
        ("X_val does not go with X", "X_val does not go with X"),
        ("y_val does not go with y", "y_val does not go with y"),
    ],
)
@pytest.mark.parametrize("kind", [ValueError, TypeError])
def test_errors_name_what_was_held_out(kind, said, heard):
    with pytest.raises(kind) as caught, named_as_held_out():
        raise kind(said)
    assert str(caught.value) == heard
    assert str(caught.value.__cause__) == said


def test_errors_of_other_kinds_pass_through_and_special_ones_become_plain():
    with pytest.raises(KeyError, match="X"), named_as_held_out():
        raise KeyError("X")
    with pytest.raises(ValueError, match="X_val or y_val: 'utf-8'") as caught, named_as_held_out():
        b"\xff".decode()
    assert type(caught.value) is ValueError  # a UnicodeDecodeError wants more than a text
