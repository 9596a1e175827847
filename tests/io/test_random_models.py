"""Models drawn at random come back from files, and go on with training to the same bits."""

import warnings

import numpy as np
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from fastbp import BackpropClassifier, BackpropRegressor
from fastbp.io.models import model_of, network_in, tree_of
from fastbp.io.tree import pack, unpack
from fastbp.network.rules import RULES
from fastbp.network.tables import HIDDEN_ACTIVATIONS
from fastbp.online import OnlineClassifier, OnlineRegressor
from fastbp.training.schedule import SCHEDULES

LIMIT = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
N_ROWS = 24
X = np.random.default_rng(0).normal(size=(N_ROWS, 3))
NUMBERS = np.exp(X[:, 0] - X[:, 1])

FORMS = {
    "dense": X,
    "float32": X.astype(np.float32),
    "in Fortran's order": np.asfortranarray(X),
    "whole numbers": np.round(9 * X).astype(np.int16),
    "sparse": csr_array(np.where(X > 0.3, X, 0)),
    "gaps": np.where(X > 1, np.nan, X),
}
OPTIONS = st.fixed_dictionaries(
    {
        "hidden_layer_sizes": st.sampled_from(["auto", 3, (3, 2)]),
        "activation": st.sampled_from(HIDDEN_ACTIVATIONS),
        "max_iter": st.integers(1, 3),
        "random_state": st.one_of(st.integers(0, 2**32 - 1), st.builds(np.random.RandomState)),
    },
    optional={
        "solver": st.sampled_from(tuple(RULES)),
        "alpha": st.sampled_from([0.0, 1e-3, np.float32(0.5)]),
        "batch_size": st.sampled_from([1, 5]),
        "learning_rate": st.sampled_from(tuple(SCHEDULES)),
        "learning_rate_init": st.floats(1e-6, 0.01),
        "early_stopping": st.booleans(),
        "n_iter_no_change": st.sampled_from([1, 3, np.inf]),
        "momentum": st.sampled_from([0.0, 0.9]),
        "dropout": st.sampled_from([0.0, 0.25]),
        "n_init": st.just(2),
        "standardize": st.booleans(),
        "warm_start": st.booleans(),
    },
)
LABELS = st.one_of(
    st.lists(st.text(max_size=5), min_size=2, max_size=4),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=4),
    st.lists(st.integers(-9, 9).map(float), min_size=2, max_size=4),
    st.lists(st.datetimes(), min_size=2, max_size=4).map(lambda dates: np.array(dates, "M8[us]")),
    st.just([False, True]),
).map(np.unique)
WORD = st.text("ab\N{EURO SIGN} ", max_size=3)  # no numbers, of which models warn
ROW = st.dictionaries(
    st.one_of(st.text(max_size=3), st.integers(-(2**70), 2**70), st.floats(allow_nan=False)),
    st.one_of(st.floats(-1e6, 1e6), st.booleans(), WORD),
    max_size=4,
)


def content(model):
    """All of a model, without its times."""
    tree = tree_of(model)
    tree.get("fitted", {}).get("history", {}).pop("seconds", None)
    return bytes(pack(tree))


def trained(model, X, y, calls):
    """A model after some calls, or nothing if these are refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for call in calls:
                getattr(model, call)(X, y)
        except ValueError:
            reject()
    return model


CALLS = st.lists(st.sampled_from(["fit", "partial_fit"]), min_size=1, max_size=2)


def check_round_trip(model, X, y):
    loaded = model_of(unpack(pack(tree_of(model))))
    assert content(loaded) == content(model)
    for _ in range(2):
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
        network = network_in(unpack(pack(tree_of(model))))
        rows = X.toarray() if hasattr(X, "toarray") else X
        np.testing.assert_array_equal(network.predict(rows), model.predict(X))
        for one in (model, loaded):
            trained(one.set_params(early_stopping=False), X, y, ["partial_fit"])
        assert content(loaded) == content(model)


@LIMIT
@given(OPTIONS, LABELS, st.sampled_from(tuple(FORMS)), CALLS)
def test_a_classifier_comes_back_and_goes_on(options, labels, form, calls):
    y = labels[np.arange(N_ROWS) % len(labels)]
    options["missing"] = "indicator" if form == "gaps" else "error"
    if len(labels) < 2 or calls[0] == "partial_fit":
        calls = ["fit"]
    check_round_trip(
        trained(BackpropClassifier(ensemble=1, **options), FORMS[form], y, calls), FORMS[form], y
    )


@LIMIT
@given(
    OPTIONS,
    st.sampled_from(["squared_error", "huber", "quantile", "poisson"]),
    st.sampled_from([1, 2]),
    st.sampled_from(tuple(FORMS)),
    CALLS,
)
def test_a_regressor_comes_back_and_goes_on(options, loss, n_targets, form, calls):
    y = NUMBERS if n_targets == 1 else np.stack([NUMBERS, NUMBERS[::-1]], axis=1)
    options["missing"] = "mean" if form == "gaps" else "error"
    model = BackpropRegressor(ensemble=1, loss=loss, **options)
    check_round_trip(trained(model, FORMS[form], y, calls), FORMS[form], y)


@LIMIT
@given(
    st.lists(st.tuples(ROW, st.text(max_size=3), st.floats(-1e3, 1e3)), min_size=1, max_size=12),
    st.sampled_from([None, 8]),
    st.sampled_from([None, 3]),
    st.sampled_from(["last", "sample", "both"]),
)
def test_a_model_of_a_stream_comes_back_and_goes_on(rows, hashed, most, buffer):
    own = {"hashed_features": hashed, "max_features": most, "buffer": buffer, "buffer_size": 5}
    own |= {"random_state": 0, "hidden_layer_sizes": 4}
    for model in (OnlineClassifier(**own), OnlineRegressor(**own)):
        try:
            for row, label, number in rows:
                model.learn_one(row, label if isinstance(model, OnlineClassifier) else number)
        except (ValueError, TypeError):  # such as a name that is text once and a number then
            reject()
        loaded = model_of(unpack(pack(tree_of(model))))
        assert content(loaded) == content(model)
        for row, label, number in rows:
            np.testing.assert_equal(loaded.predict_one(row), model.predict_one(row))
            for one in (loaded, model):
                one.learn_one(row, label if isinstance(one, OnlineClassifier) else number)
        assert content(loaded) == content(model)
