"""Recordings that several tests share."""

import pytest
from cases import random_case
from plain_models import BackpropRegressor
from sklearn.exceptions import ConvergenceWarning

from fastbp import record


def recorded_schedule(**options):
    """A recording whose learning rate falls from epoch to epoch."""
    _, X, y = random_case("squared_error", "identity", (2, 3, 1), 12)
    model = BackpropRegressor(
        hidden_layer_sizes=(3,),
        learning_rate="invscaling",
        learning_rate_init=0.1,
        max_iter=8,
        tol=0,
        random_state=0,
        **options,
    )
    with pytest.warns(ConvergenceWarning):
        return record(model, X, y.ravel())
