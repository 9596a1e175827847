"""The page of a step of a model that scales: the numbers of the user, and how they were scaled."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

import fastbp
from fastbp.page.data import step_page_data


@pytest.mark.parametrize("kind", [fastbp.BackpropRegressor, fastbp.BackpropClassifier])
def test_a_step_of_a_model_that_scales_has_the_numbers_of_the_user(kind):
    X, y = load_diabetes(return_X_y=True, scaled=False)
    y = y if kind is fastbp.BackpropRegressor else y > 100
    model = kind(hidden_layer_sizes=(4,), max_iter=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    trace = fastbp.trace_step(model, X[5], y[5])
    units = step_page_data(trace)["frames"][0]["units"]
    assert units["x"] == X[5].tolist()
    t = (X[5] - units["center"]) / units["scale"]
    np.testing.assert_allclose(t / np.sqrt(1 + (t / units["limit"]) ** 2), trace.x)
    if kind is fastbp.BackpropClassifier:
        assert units["y"] is None
    else:
        assert units["y"] == [y[5]]
        assert (y[5] - units["target_center"][0]) / units["target_scale"][0] == trace.y[0]


def test_a_step_in_own_units_has_none():
    network = fastbp.Network((2, 1), random_state=0)
    trace = fastbp.trace_step(network, [1.0, 2.0], [1.0], learning_rate=0.1)
    assert step_page_data(trace)["frames"][0]["units"] is None
