"""The two estimators: what they learn, what they leave behind, and their place in scikit-learn."""

import contextlib
import math
import pickle
import signal
import sys
import threading
import time
import tracemalloc
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from cases import memory_mapped, parameters_of, read_only, worst_difference
from plain_models import BackpropClassifier, BackpropRegressor
from reference import Reference
from scipy.sparse import coo_array, csc_matrix, csr_array, csr_matrix
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.ensemble import BaggingClassifier, BaggingRegressor
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.linear_model import QuantileRegressor
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight
from sklearn.utils.estimator_checks import estimator_checks_generator

import fastbp

# Few epochs are enough for most tests, and then the loss still falls.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


KINDS = {
    "regressor": fastbp.BackpropRegressor,
    "classifier": fastbp.BackpropClassifier,
    "plain regressor": BackpropRegressor,
    "plain classifier": BackpropClassifier,
}


def common_checks():
    """Checks of the defaults; where rows are held out, copies of one may be held out apart."""
    for name, kind in KINDS.items():
        for i, (model, check) in enumerate(estimator_checks_generator(kind())):
            own = getattr(check, "func", check).__name__
            if ("sample_weight_equivalence" in own) == name.startswith("plain"):
                yield pytest.param(model, check, id=f"{name}-{own}-{i}")


@pytest.mark.filterwarnings("ignore")  # the checks train on data made to provoke warnings
@pytest.mark.parametrize(("model", "check"), [*common_checks()])
def test_scikit_learns_common_checks(model, check):
    check(model)


# -- data and models ---------------------------------------------------------------------------


def regression(n_rows=200, n_features=5, n_outputs=1, seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(size=(n_rows, n_features))
    y = np.sin(X @ random.normal(size=(n_features, n_outputs))) + 0.1 * X[:, :1]
    return X, y.ravel() if n_outputs == 1 else y


def classification(n_classes=3, n_rows=240, n_features=5, seed=0):
    random = np.random.default_rng(seed)
    y = random.integers(0, n_classes, n_rows)
    X = 3 * random.normal(size=(n_classes, n_features))[y] + random.normal(
        size=(n_rows, n_features)
    )
    return X, y


def multilabel(n_rows=300, seed=0):
    X = np.random.default_rng(seed).normal(size=(n_rows, 4))
    return X, (np.column_stack([X[:, 0], X[:, 1] + X[:, 2], -X[:, 3]]) > 0).astype(int)


def regressor(**parameters):
    small = {"hidden_layer_sizes": (8,), "activation": "tanh", "max_iter": 5, "random_state": 0}
    return BackpropRegressor(**{"learning_rate_init": 0.02, **small, **parameters})


def classifier(**parameters):
    small = {"hidden_layer_sizes": (8,), "activation": "tanh", "max_iter": 5, "random_state": 0}
    return BackpropClassifier(**{"learning_rate_init": 0.02, **small, **parameters})


def assert_same_bits(model, other):
    ours, theirs = parameters_of(model.network_), parameters_of(other.network_)
    for p, q in zip(ours, theirs, strict=True):
        assert np.array_equal(p, q)


def differ(model, other):
    ours, theirs = parameters_of(model.network_), parameters_of(other.network_)
    return any(not np.array_equal(p, q) for p, q in zip(ours, theirs, strict=True))


# -- training is the network's -----------------------------------------------------------------

WIDTHS = [(), (4,), (40,), (20, 10)]


@pytest.mark.parametrize("hidden", WIDTHS)
def test_fit_without_shuffling_is_train_epoch(hidden):
    X, y = regression(n_outputs=2)
    model = regressor(hidden_layer_sizes=hidden, shuffle=False).fit(X, y)
    network = fastbp.Network((5, *hidden, 2), activation="tanh", random_state=0)
    losses = [network.train_epoch(X, y, 0.02) for _ in range(5)]
    assert model.loss_curve_ == losses
    for p, q in zip(parameters_of(model.network_), parameters_of(network), strict=True):
        assert np.array_equal(p, q)


@pytest.mark.parametrize("hidden", WIDTHS)
def test_partial_fit_row_by_row_is_step(hidden):
    X, y = regression(30, n_outputs=2)
    model = regressor(hidden_layer_sizes=hidden, shuffle=False)
    network = fastbp.Network((5, *hidden, 2), activation="tanh", random_state=0)
    for i in range(len(X)):
        model.partial_fit(X[i : i + 1], y[i : i + 1])
        assert model.loss_ == network.step(X[i], y[i], 0.02)
    for p, q in zip(parameters_of(model.network_), parameters_of(network), strict=True):
        assert np.array_equal(p, q)


def test_partial_fit_on_many_rows_is_one_epoch():
    X, y = regression()
    model = regressor(shuffle=False)
    for _ in range(3):
        model.partial_fit(X, y)
    assert_same_bits(model, regressor(shuffle=False, max_iter=3).fit(X, y))
    assert model.n_iter_ == 3
    assert model.t_ == 600


SOLVERS = [
    {"batch_size": 16},
    {"batch_size": 16, "alpha": 0.1},
    {"momentum": 0.8, "nesterovs_momentum": False},
    {"momentum": 0.8, "batch_size": 7, "alpha": 0.01},
]


LOSSES = ["squared_error", "absolute_error", "huber", "quantile", "poisson"]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("options", SOLVERS)
def test_solver_and_loss_parameters_reach_the_network(options, loss):
    X, y = regression()
    y = np.abs(y)
    own = {"huber_delta": 0.2, "quantile": 0.7}
    model = regressor(loss=loss, shuffle=False, max_iter=1, **own, **options).fit(X, y)
    network = fastbp.Network((5, 8, 1), activation="tanh", loss=loss, random_state=0, **own)
    reference = Reference(network)
    nesterov = options.pop("nesterovs_momentum", True)
    options = {**options, "nesterov": nesterov}
    expected_loss = reference.train_epoch(X, y[:, np.newaxis], 0.02, **options)
    assert model.loss_ == pytest.approx(expected_loss, rel=1e-10)
    assert worst_difference(parameters_of(model.network_), reference.parameters) < 1e-10


@pytest.mark.parametrize(
    ("data", "out_activation"),
    [(classification(2), "logistic"), (classification(4), "softmax"), (multilabel(), "logistic")],
)
def test_classifier_minimises_the_cross_entropy(data, out_activation):
    X, y = data
    model = classifier(shuffle=False, max_iter=1).fit(X, y)
    assert model.out_activation_ == out_activation
    n_outputs = {"logistic": y.size // len(y), "softmax": 4}[out_activation]
    reference = fastbp.Network(
        (X.shape[1], 8, n_outputs),
        activation="tanh",
        loss="log_loss",
        out_activation=out_activation,
        random_state=0,
    )
    assert model.loss_ == reference.train_epoch(X, y, 0.02)
    assert np.array_equal(model.coefs_[0], reference.weights[0])


# -- what the order of training depends on -----------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"batch_size": 10, "momentum": 0.5}])
def test_fit_does_not_depend_on_the_order_of_the_table(options):
    X, y = classification()
    weights = np.random.default_rng(1).uniform(0, 3, len(X))
    moved = np.random.default_rng(2).permutation(len(X))
    model = classifier(**options).fit(X, y, weights)
    assert_same_bits(model, classifier(**options).fit(X[moved], y[moved], weights[moved]))
    assert differ(model, classifier(shuffle=False, **options).fit(X, y, weights))


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("options", [{}, {"batch_size": 10, "momentum": 0.5, "alpha": 0.01}])
def test_whole_weights_are_repeated_rows(shuffle, options):
    X, y = regression()
    weights = np.random.default_rng(1).integers(0, 6, len(X))
    model = regressor(shuffle=shuffle, **options).fit(X, y, weights)
    repeated = regressor(shuffle=shuffle, **options).fit(X.repeat(weights, 0), y.repeat(weights))
    assert_same_bits(model, repeated)
    assert model.t_ == 5 * weights.sum()


def test_fractional_weights_scale_the_steps_of_a_row():
    X, y = regression()
    weights = np.random.default_rng(1).uniform(0.1, 1, len(X))
    model = regressor(shuffle=False, max_iter=1).fit(X, y, weights)
    network = fastbp.Network((5, 8, 1), activation="tanh", random_state=0)
    assert model.loss_ == network.train_epoch(X, y, 0.02, sample_weight=weights)
    assert np.array_equal(model.coefs_[0], network.weights[0])


def test_the_same_random_state_gives_the_same_bits_and_another_does_not():
    X, y = regression()
    model = regressor(random_state=7).fit(X, y)
    assert_same_bits(model, regressor(random_state=7).fit(X, y))
    assert_same_bits(model, regressor(random_state=np.random.RandomState(7)).fit(X, y))
    assert differ(model, regressor(random_state=8).fit(X, y))


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
def test_models_trained_interleaved_are_those_trained_one_by_one(backend):
    X, y = regression(3000)
    jobs = [
        joblib.delayed(regressor(random_state=i, hidden_layer_sizes=64).fit)(X, y) for i in (0, 1)
    ]
    models = joblib.Parallel(n_jobs=2, backend=backend)(jobs)
    for i, model in enumerate(models):
        assert_same_bits(model, regressor(random_state=i, hidden_layer_sizes=64).fit(X, y))


def test_training_lets_other_threads_run():
    X, y = regression(20_000, 8)
    model = regressor(max_iter=40, tol=0, n_iter_no_change=40, hidden_layer_sizes=16)
    thread = threading.Thread(target=model.fit, args=(X, y))
    turns, interval = 0, sys.getswitchinterval()
    sys.setswitchinterval(100)  # no thread is made to give up the GIL: it has to let go of it
    try:
        thread.start()
        while thread.is_alive():
            turns += 1
            time.sleep(0)
    finally:
        sys.setswitchinterval(interval)
    assert model.n_iter_ == 40
    assert turns > 10  # one where the GIL is held throughout; how many depends on the machine


# -- kinds of input ----------------------------------------------------------------------------


FORMS = {
    "list": lambda X, _: X.tolist(),
    "DataFrame": lambda X, _: pd.DataFrame(X),
    "DataFrame of nullable floats": lambda X, _: pd.DataFrame(X).astype("Float64"),
    "objects": lambda X, _: X.astype(object),
    "read-only": lambda X, _: read_only(X),
    "Fortran": lambda X, _: np.asfortranarray(X),
    "every other column": lambda X, _: np.repeat(X, 2, axis=1)[:, ::2],
    "every other row": lambda X, _: np.repeat(X, 2, axis=0)[::2],
    "backwards": lambda X, _: X[::-1].copy()[::-1],
    "byte-swapped": lambda X, _: X.astype(X.dtype.newbyteorder()),
    "memory-mapped": memory_mapped,
    "unaligned": lambda X, _: (
        np.frombuffer(b"x" + X.tobytes(), np.uint8)[1:].view(X.dtype).reshape(X.shape)
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_numbers_gives_the_same_model(form, tmp_path):
    X, y = classification()
    model, same = classifier().fit(X, y), FORMS[form](X, tmp_path)
    assert_same_bits(model, classifier().fit(same, y))
    assert np.array_equal(model.predict_proba(same), model.predict_proba(X))


@pytest.mark.parametrize("form", [list, pd.Series, pd.Categorical, lambda y: y.astype(object)])
def test_labels_may_come_in_any_form(form):
    X, y = classification()
    names = np.array(["one", "two", "three"])[y]
    model = classifier().fit(X, form(names))
    assert_same_bits(model, classifier().fit(X, names))
    assert model.classes_.tolist() == ["one", "three", "two"]


SPARSE = [csr_array, csr_matrix, csc_matrix, coo_array]


@pytest.mark.parametrize("kind", SPARSE)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sparse_rows_train_and_predict_as_dense_ones(kind, dtype):
    X, y = regression()
    X[np.random.default_rng(0).uniform(size=X.shape) < 0.6] = 0
    X = X.astype(dtype)
    dense, sparse = regressor().fit(X, y), regressor().fit(kind(X), y)
    tolerance = 1e-11 if dtype == np.float64 else 1e-4
    assert (
        worst_difference(parameters_of(sparse.network_), parameters_of(dense.network_)) < tolerance
    )
    assert sparse.predict(kind(X)).dtype == dtype
    assert np.allclose(sparse.predict(kind(X)), dense.predict(X), rtol=0, atol=10 * tolerance)


def test_sparse_rows_may_be_unsorted_and_hold_columns_twice():
    X, y = regression()
    tidy = csr_array(X)
    values = np.column_stack([X[:, ::-1] / 2, X[:, ::-1] / 2]).ravel()
    columns = np.tile(np.arange(5)[::-1], 2 * len(X))
    untidy = csr_array((values, columns, np.arange(0, values.size + 1, 10)), shape=X.shape)
    before = untidy.copy()
    assert_same_bits(regressor().fit(tidy, y), regressor().fit(untidy, y))
    assert np.array_equal(untidy.indices, before.indices)


def test_sparse_indices_may_be_64_bit():
    X, y = regression()
    wide = csr_array(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    assert_same_bits(regressor().fit(csr_array(X), y), regressor().fit(wide, y))


def test_float32_stays_float32():
    X, y = classification()
    model = classifier().fit(X.astype(np.float32), y)
    assert {p.dtype for p in parameters_of(model.network_)} == {np.dtype(np.float32)}
    for method in (model.predict_proba, model.predict_log_proba):
        assert method(X.astype(np.float32)).dtype == np.float32
        assert method(X).dtype == np.float32
    unshuffled = classifier(shuffle=False)  # shuffled, other values are another order
    model32, model64 = clone(unshuffled).fit(X.astype(np.float32), y), unshuffled.fit(X, y)
    assert worst_difference(parameters_of(model32.network_), parameters_of(model64.network_)) < 1e-4


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, bool, np.float16])
def test_other_numbers_are_computed_in_float64(dtype):
    X, y = regression()
    model = regressor().fit((X > 0).astype(dtype), y)
    assert model.predict((X > 0).astype(dtype)).dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_contiguous_array_is_not_copied(dtype):
    X, y = regression(100_000, 50)
    X = X.astype(dtype)
    model = regressor(max_iter=1)
    for work in (
        lambda: model.fit(X, y),
        lambda: model.partial_fit(X, y),
        lambda: model.predict(X),
    ):
        tracemalloc.start()
        work()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < X.nbytes / 4


# -- classes, labels, outputs ------------------------------------------------------------------


@pytest.mark.parametrize("labels", [[0, 1], [-1, 1], [False, True], ["no", "yes"], [2.0, 7.0]])
def test_two_classes_of_any_kind(labels):
    X, y = classification(2)
    model = classifier(max_iter=20).fit(X, np.array(labels)[y])
    assert model.classes_.tolist() == labels
    assert model.n_outputs_ == 1
    assert np.mean(model.predict(X) == np.array(labels)[y]) > 0.95
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (len(X), 2)
    assert np.array_equal(probabilities[:, 1], model.network_.forward(X)[:, 0])
    assert np.allclose(probabilities.sum(axis=1), 1)


def test_many_classes():
    X, y = classification(5)
    names = np.array(["e", "d", "c", "b", "a"])[y]
    model = classifier(max_iter=30).fit(X, names)
    assert model.classes_.tolist() == ["a", "b", "c", "d", "e"]
    assert model.score(X, names) > 0.95
    assert np.array_equal(model.predict_proba(X), model.network_.forward(X))
    assert np.allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))


def test_several_labels_a_row():
    X, y = multilabel()
    model = classifier(max_iter=60).fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2]
    prediction = model.predict(X)
    assert prediction.shape == y.shape
    assert np.mean(prediction == y) > 0.95
    assert np.array_equal(prediction, model.predict_proba(X) > 0.5)
    assert_same_bits(model, classifier(max_iter=60).fit(X, csr_array(y)))


def test_log_probabilities_are_finite_where_probabilities_are_not_above_zero():
    X, y = classification(2)
    model = classifier().fit(X, y)
    model.intercepts_[-1][:] = 1e4
    assert model.predict_proba(X)[0].tolist() == [0, 1]
    assert np.isfinite(model.predict_log_proba(X)).all()


def test_many_outputs():
    X, y = regression(400, n_outputs=3)
    model = regressor(max_iter=200, tol=0).fit(X, y)
    assert model.predict(X).shape == (400, 3)
    assert model.n_outputs_ == 3
    assert model.score(X, y) > 0.7


def test_a_single_column_of_targets_is_a_vector_with_a_warning():
    X, y = regression()
    with pytest.warns(DataConversionWarning):
        model = regressor().fit(X, y[:, np.newaxis])
    assert model.predict(X).shape == (200,)
    assert_same_bits(model, regressor().fit(X, y))


def test_class_weight_multiplies_the_weights_of_rows():
    X, y = classification(3)
    names, weights = np.array(["a", "b", "c"])[y], np.random.default_rng(0).uniform(0, 2, len(y))
    model = classifier(class_weight={"a": 2, "c": 0.5}).fit(X, names, weights)
    assert_same_bits(model, classifier().fit(X, names, weights * np.array([2, 1, 0.5])[y]))
    partial = classifier(class_weight={"a": 2, "c": 0.5}).partial_fit(X, names, ["a", "b", "c"])
    expected = classifier().partial_fit(X, names, ["a", "b", "c"], np.array([2, 1, 0.5])[y])
    assert_same_bits(partial, expected)


def test_balanced_classes_weigh_the_same():
    X, y = classification(3)
    X, y = X[(y < 2) | (np.arange(len(y)) % 4 == 0)], y[(y < 2) | (np.arange(len(y)) % 4 == 0)]
    model = classifier(class_weight="balanced").fit(X, y)
    factors = compute_class_weight("balanced", classes=np.unique(y), y=y)
    assert_same_bits(model, classifier().fit(X, y, factors[y]))
    weights = np.random.default_rng(0).integers(1, 4, len(y))
    model.fit(X, y, weights)
    repeated = compute_sample_weight("balanced", y.repeat(weights))
    expected = weights * repeated[np.r_[0, weights.cumsum()[:-1]]]
    assert_same_bits(model, classifier().fit(X, y, expected))


def test_sample_weight_reaches_the_score():
    X, y = classification(4)
    model = classifier(max_iter=1).fit(X, y)
    wrong = model.predict(X) != y
    assert 0 < wrong.sum() < len(y)
    assert model.score(X, y, sample_weight=wrong) == 0


# -- going on ----------------------------------------------------------------------------------


def test_partial_fit_needs_the_classes_once_and_knows_them_from_then_on():
    X, y = classification(3)
    model = classifier()
    for label in (0, 1, 2, 0):  # one class at a time
        model.partial_fit(X[y == label], y[y == label], classes=[2, 0, 1])
    assert model.classes_.tolist() == [0, 1, 2]
    model.partial_fit(X, y)
    assert model.predict_proba(X).shape == (len(X), 3)


def test_partial_fit_learns_several_labels_a_row():
    X, y = multilabel()
    model = classifier(shuffle=False)
    for _ in range(5):
        model.partial_fit(X, y)
    assert_same_bits(model, classifier(shuffle=False).fit(X, y))


def test_partial_fit_shuffles_and_goes_on_with_other_orders():
    X, y = regression()
    once = regressor().partial_fit(X, y)
    assert differ(once, regressor(shuffle=False).partial_fit(X, y))
    assert_same_bits(once, regressor().partial_fit(X, y))
    random = np.random.RandomState(0)
    network = fastbp.Network((5, 8, 1), activation="tanh", random_state=random)
    for _ in range(3):
        order = np.arange(len(X))
        random.shuffle(order)
        network.train_epoch(X, y, 0.02, order=order)
    assert np.array_equal(once.partial_fit(X, y).partial_fit(X, y).coefs_[0], network.weights[0])


def test_momentum_lasts_from_one_partial_fit_to_the_next():
    X, y = regression()
    model, whole = regressor(momentum=0.9, shuffle=False), regressor(momentum=0.9, shuffle=False)
    for part in (slice(0, 50), slice(50, 200)):
        model.partial_fit(X[part], y[part])
    whole.partial_fit(X, y)
    assert worst_difference(parameters_of(model.network_), parameters_of(whole.network_)) < 1e-10


def test_partial_fit_goes_on_from_fit():
    X, y = regression()
    model = regressor(shuffle=False, max_iter=2).fit(X, y).partial_fit(X, y)
    assert_same_bits(model, regressor(shuffle=False, max_iter=3).fit(X, y))
    assert model.n_iter_ == len(model.loss_curve_) == 3


@pytest.mark.parametrize("options", [{}, {"batch_size": 10}, {"momentum": 0.9}])
def test_warm_start_goes_on_where_the_last_fit_ended(options):
    X, y = regression()
    model = regressor(warm_start=True, max_iter=2, **options).fit(X, y)
    network = model.network_
    model.set_params(max_iter=3).fit(X, y)
    whole = regressor(max_iter=5, **options).fit(X, y)
    assert model.network_ is network
    assert_same_bits(model, whole)
    assert model.loss_curve_ == whole.loss_curve_
    assert model.t_ == whole.t_ == 1000


def test_without_warm_start_fit_begins_again():
    X, y = regression()
    model = regressor().fit(X, y)
    assert_same_bits(regressor().fit(X, y), model.fit(X[:, :3], y).fit(X, y))
    assert model.n_iter_ == 5
    assert model.n_features_in_ == 5


# -- what fit leaves behind --------------------------------------------------------------------


def test_attributes_of_a_fitted_model():
    X, y = regression()
    model = regressor(hidden_layer_sizes=(8, 4)).fit(X, y)
    assert isinstance(model.network_, fastbp.Network)
    assert [W.shape for W in model.coefs_] == [(5, 8), (8, 4), (4, 1)]
    assert [b.shape for b in model.intercepts_] == [(8,), (4,), (1,)]
    assert len(model.loss_curve_) == model.n_iter_ == 5
    assert model.loss_ == model.loss_curve_[-1]
    assert model.best_loss_ == min(model.loss_curve_)
    assert (model.t_, model.n_layers_, model.n_outputs_) == (1000, 4, 1)
    assert model.out_activation_ == "identity"
    assert regressor(loss="poisson").fit(X, np.abs(y)).out_activation_ == "exp"
    assert model.n_features_in_ == 5
    assert not hasattr(model, "feature_names_in_")


ATTRIBUTES = [
    "coefs_",
    "intercepts_",
    "loss_",
    "loss_curve_",
    "best_loss_",
    "n_iter_",
    "t_",
    "n_layers_",
    "n_outputs_",
    "out_activation_",
    "network_",
    "classes_",
]


def test_an_unfitted_model_has_none_of_them_and_says_so():
    for model in (BackpropRegressor(), BackpropClassifier()):
        assert not any(hasattr(model, name) for name in ATTRIBUTES)
        with pytest.raises(NotFittedError):
            model.predict([[1.0]])
        with pytest.raises(NotFittedError):
            model.coefs_ = []


def test_coefficients_share_the_memory_of_the_network():
    X, y = regression()
    model = regressor().fit(X, y)
    assert np.shares_memory(model.coefs_[0], model.network_.weights[0])
    assert np.shares_memory(model.intercepts_[1], model.network_.biases[1])
    model.coefs_[1][:] = 0
    assert np.ptp(model.predict(X)) == 0
    other = regressor(random_state=1).fit(X, y)
    view = model.coefs_[0]
    model.coefs_, model.intercepts_ = other.coefs_, other.intercepts_
    assert np.array_equal(model.predict(X), other.predict(X))
    assert np.array_equal(view, other.coefs_[0])
    assert not np.shares_memory(view, other.coefs_[0])
    with pytest.raises(ValueError, match=r"weights\[1\] has shape \(8, 1\)"):
        model.coefs_ = [other.coefs_[0], np.zeros(3)]


def test_feature_names_come_from_the_data_frame():
    X, y = regression()
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = regressor().fit(frame, y)
    assert model.feature_names_in_.tolist() == list("abcde")
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("edcba")])
    with pytest.warns(UserWarning, match="feature names"):
        model.predict(X)
    assert not hasattr(model.fit(X, y), "feature_names_in_")


def test_a_pickled_model_predicts_and_goes_on_as_the_original():
    X, y = classification()
    model = classifier(momentum=0.5).fit(X, y)
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.predict_proba(X), model.predict_proba(X))
    assert np.shares_memory(copy.coefs_[0], copy.network_.weights[0])
    assert not np.shares_memory(copy.coefs_[0], model.coefs_[0])
    assert_same_bits(model.partial_fit(X, y), copy.partial_fit(X, y))
    assert copy.loss_curve_ == model.loss_curve_


def test_a_clone_is_unfitted_and_learns_the_same():
    X, y = regression()
    model = regressor(activation=["relu", "tanh"], hidden_layer_sizes=[4, 3]).fit(X, y)
    copy = clone(model)
    assert not hasattr(copy, "network_")
    assert_same_bits(model, copy.fit(X, y))


# -- when training ends ------------------------------------------------------------------------


@contextlib.contextmanager
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_running_out_of_epochs_is_a_convergence_warning_of_fit_alone():
    X, y = regression()
    with pytest.warns(ConvergenceWarning, match="max_iter=3"):
        model = regressor(max_iter=3).fit(X, y)
    with no_warnings():
        model.partial_fit(X, y)


def test_fit_ends_without_warning_when_the_loss_no_longer_falls():
    X, y = regression()
    with no_warnings():
        model = regressor(max_iter=5000, tol=1e-3, n_iter_no_change=3).fit(X, y)
    assert 4 < model.n_iter_ < 5000
    curve = np.array(model.loss_curve_)
    improved = curve[1:] <= np.minimum.accumulate(curve)[:-1] - 1e-3
    assert not improved[-4:].any()
    assert improved[-5]


@pytest.mark.parametrize("kind", ["regressor", "classifier", "several labels"])
def test_the_loss_falls(kind):
    models = {
        "regressor": (regressor(), regression()),
        "classifier": (classifier(), classification(3)),
        "several labels": (classifier(), multilabel()),
    }
    model, (X, y) = models[kind]
    curve = model.set_params(max_iter=50, tol=0).fit(X, y).loss_curve_
    assert curve[-1] < 0.4 * curve[0]
    assert np.mean(np.diff(curve) < 0) > 0.55


def test_verbose_prints_a_line_an_epoch(capsys):
    X, y = regression()
    model = regressor(verbose=True).fit(X, y)
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == [f"Epoch {i} of 5" for i in range(1, 6)]
    assert last == model.convergence_
    model.partial_fit(X, y)
    assert capsys.readouterr().out.startswith("Epoch 6, loss = ")


@pytest.mark.parametrize("kind", [BackpropClassifier, BackpropRegressor])
def test_layers_and_activation_may_be_positional_and_nothing_else(kind):
    model = kind((8, 3), "tanh")
    assert (model.hidden_layer_sizes, model.activation) == ((8, 3), "tanh")
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(TypeError, match="positional argument"):
        kind((8, 3), "tanh", "squared_error")


def test_divergence_warns_once_stops_and_leaves_a_usable_model():
    X, y = regression()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        model = regressor(learning_rate_init=50, activation="relu", max_iter=100).fit(100 * X, y)
    assert [w.category for w in warned] == [fastbp.DivergenceWarning]
    message = str(warned[0].message)
    assert "smaller learning_rate_init" in message
    assert "scale the inputs" in message
    assert warned[0].filename == __file__
    with pytest.warns(fastbp.DivergenceWarning, match="learning_rate_init") as warned:
        model.partial_fit(1e200 * X, y)
    assert warned[0].filename == __file__
    assert model.n_iter_ < 100
    assert model.loss_ == math.inf
    assert all(np.isfinite(p).all() for p in parameters_of(model.network_))
    assert model.predict(X).shape == y.shape


def test_a_fit_that_blows_up_though_finite_has_diverged():
    X, y = load_diabetes(return_X_y=True, scaled=False)
    with pytest.warns(fastbp.DivergenceWarning, match="smaller learning_rate_init"):
        model = BackpropRegressor(random_state=0).fit(X, y)
    assert np.abs(model.predict(X)).max() < 1e3 * y.max()


@pytest.mark.parametrize("wild", [1e6, 1e12])
def test_a_wild_row_in_a_stream_leaves_the_model_as_it_was(wild):
    X, y = regression()
    model = regressor(activation="relu", max_iter=20).fit(X, y)
    before = model.predict(X)
    with pytest.warns(fastbp.DivergenceWarning):
        model.partial_fit(wild * X[:1], y[:1])
    np.testing.assert_array_equal(model.predict(X), before)


def test_a_network_whose_units_have_all_died_is_reported():
    X, y = load_wine(return_X_y=True)
    model = BackpropClassifier(random_state=0)
    with pytest.warns(fastbp.DivergenceWarning, match="same output for every row"):
        model.fit(X, y)
    assert len(np.unique(model.predict(X))) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", fastbp.DivergenceWarning)
        model.fit(StandardScaler().fit_transform(X), y)


def test_dates_are_refused_as_text_is():
    frame = pd.DataFrame({"size": [1.0, 2.0], "day": pd.to_datetime(["2020-01-01", "2021-01-01"])})
    with pytest.raises(ValueError, match="column 'day' holds dates"):
        regressor().fit(frame, [1.0, 2.0])


@pytest.mark.parametrize("loss", LOSSES)
def test_data_out_of_all_proportion_warn_but_do_not_fail(loss):
    X, y = regression()
    with pytest.warns(fastbp.DivergenceWarning):
        BackpropRegressor(loss=loss, random_state=0).fit(1e6 * X, 1e9 * np.abs(y))


def test_a_warning_made_an_error_leaves_a_fitted_model():
    X, y = regression()
    model = regressor()
    with no_warnings(), pytest.raises(ConvergenceWarning):
        model.fit(X, y)
    assert_same_bits(model, regressor(tol=1e9, n_iter_no_change=3).fit(X, y))


class TestCtrlC:
    """A job that would take hours is interrupted once it has learned something."""

    def interrupt(self, model, *data, has_begun=lambda: True, **options):
        """Fit, and interrupt it when the weights have changed since they were drawn."""

        def send():
            drawn = None
            while True:
                network = model.__dict__.get("network_")
                # What a piece of work begins with: other than the first had, once one has ended.
                unfinished = network._runner._unfinished if network else None
                begun_with = unfinished.parameters.values.copy() if unfinished else None
                if begun_with is not None:
                    drawn = begun_with if drawn is None else drawn
                    if has_begun() and not np.array_equal(drawn, begun_with):
                        break
                time.sleep(0.001)
            signal.raise_signal(signal.SIGINT)

        thread = threading.Thread(target=send)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            model.fit(*data, **options)
        thread.join()

    @pytest.mark.parametrize("shape", [(8, 16), (30, 256), (200, 400)])
    @pytest.mark.parametrize("options", [{}, {"batch_size": 32, "momentum": 0.9}])
    def test_ends_fit_soon_and_leaves_a_usable_model(self, shape, options):
        X, y = regression(5000, shape[0])
        model = regressor(
            hidden_layer_sizes=shape[1:],
            max_iter=10**7,
            n_iter_no_change=np.inf,
            learning_rate_init=1e-4,
            **options,
        )
        self.interrupt(model, X, y)
        assert np.isfinite(model.predict(X)).all()
        assert model.n_iter_ == len(model.loss_curve_)
        assert model.t_ == model.n_iter_ * 5000
        drawn = fastbp.Network(model.network_.layer_sizes, activation="tanh", random_state=0)
        assert not np.array_equal(model.coefs_[0], drawn.weights[0])
        model.partial_fit(X, y)
        assert pickle.loads(pickle.dumps(model)).predict(X).shape == y.shape

    def test_in_the_first_epoch_leaves_what_was_learnt_in_it(self):
        X, y = classification(2, 40_000, 50)
        model = classifier(hidden_layer_sizes=(200, 200), learning_rate_init=1e-4)
        self.interrupt(model, X, y, sample_weight=np.full(40_000, 8.0))
        assert model.n_iter_ == model.t_ == 0
        assert math.isnan(model.loss_)
        assert math.isnan(model.best_loss_)
        assert model.classes_.tolist() == [0, 1]
        assert model.n_features_in_ == 50
        drawn = classifier(hidden_layer_sizes=(200, 200), learning_rate_init=1e-300, max_iter=1)
        drawn.partial_fit(X[:1], y[:1], classes=[0, 1])
        assert model.network_.loss(X, y) < drawn.network_.loss(X, y)

    def test_in_a_warm_start_keeps_the_epochs_before(self):
        X, y = regression(5000)
        model = regressor(warm_start=True).fit(X, y)
        model.set_params(max_iter=10**7, n_iter_no_change=np.inf)
        self.interrupt(model, X, y, has_begun=lambda: model.n_iter_ > 5)
        assert model.n_iter_ > 5


# -- in scikit-learn's company -----------------------------------------------------------------


def test_in_a_pipeline_and_a_grid_search_on_two_threads():
    X, y = classification(3)
    pipeline = make_pipeline(StandardScaler(), classifier())
    grid = {
        "backpropclassifier__learning_rate_init": [1e-6, 0.05],
        "backpropclassifier__hidden_layer_sizes": [(), (5, 5)],
    }
    with joblib.parallel_backend("threading", n_jobs=2):
        search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert search.best_params_["backpropclassifier__learning_rate_init"] == 0.05
    assert search.score(X, y) > 0.9


def test_in_cross_validation():
    X, y = regression(400)
    model = regressor(max_iter=100, learning_rate_init=0.05)
    assert cross_val_score(model, X, y, cv=3).min() > 0.6


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_in_bagging():
    X, y = regression()
    bag = BaggingRegressor(regressor(max_iter=60), n_estimators=5, random_state=0).fit(X, y)
    assert bag.score(X, y) > 0.7
    X, y = classification(3)
    bag = BaggingClassifier(classifier(max_iter=20), n_estimators=5, random_state=0).fit(X, y)
    assert bag.score(X, y) > 0.9


# -- real data, default parameters -------------------------------------------------------------


def held_out(model, X, y):
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    return make_pipeline(StandardScaler(), model).fit(X_train, y_train).score(X_test, y_test)


@pytest.mark.parametrize(("load", "accuracy"), [(load_digits, 0.95), (load_breast_cancer, 0.94)])
def test_default_parameters_classify_real_data(load, accuracy):
    assert held_out(BackpropClassifier(random_state=0), *load(return_X_y=True)) > accuracy


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_a_quantile_without_hidden_layers_is_the_one_that_linear_programming_finds(quantile):
    X, y = regression(400)
    exact = QuantileRegressor(quantile=quantile, alpha=0).fit(X, y)
    model = regressor(
        hidden_layer_sizes=(), loss="quantile", quantile=quantile, batch_size=400,
        learning_rate_init=0.02, max_iter=3000, tol=0, n_iter_no_change=3000,
    ).fit(X, y)  # fmt: skip
    assert np.mean(y <= model.predict(X)) == pytest.approx(quantile, abs=0.02)
    losses = [mean_pinball_loss(y, m.predict(X), alpha=quantile) for m in (model, exact)]
    assert losses[1] <= losses[0] < 1.002 * losses[1]


def test_huber_cares_less_about_wild_targets():
    X, y = regression(400)
    wild = y.copy()
    wild[::20] += 30
    options = {"learning_rate_init": 0.005, "max_iter": 200, "hidden_layer_sizes": 16}
    huber = regressor(loss="huber", huber_delta=0.5, **options).fit(X, wild)
    squares = regressor(**options).fit(X, wild)
    errors = [np.abs(model.predict(X) - y).mean() for model in (huber, squares)]
    assert errors[0] < 0.2 * errors[1]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("huber_delta", 0, "huber_delta must be greater than 0; got 0"),
        ("huber_delta", "1", "huber_delta must be a number"),
        ("quantile", 1.0, "quantile must be greater than 0 and below 1; got 1.0"),
        ("quantile", None, "quantile must be a number"),
    ],
)
def test_parameters_of_losses_are_checked_and_cannot_change_in_a_warm_start(name, value, message):
    X, y = regression()
    loss = name.split("_")[0]
    model = regressor(loss=loss, warm_start=True).fit(X, y)
    before = pickle.dumps(model.network_)
    with pytest.raises((ValueError, TypeError), match=message):
        model.set_params(**{name: value}).fit(X, y)
    with pytest.raises(ValueError, match=f"fitted with {name} .*, now it is 0.25"):
        model.set_params(**{name: 0.25}).fit(X, y)
    assert pickle.dumps(model.network_) == before
    with pytest.raises((ValueError, TypeError), match=message):
        fastbp.Network((3, 1), **{name: value})


def test_default_parameters_predict_real_data():
    model = TransformedTargetRegressor(
        BackpropRegressor(random_state=0), transformer=StandardScaler()
    )
    assert held_out(model, *load_diabetes(return_X_y=True)) > 0.2
