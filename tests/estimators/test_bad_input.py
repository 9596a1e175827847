"""Bad input of the estimators: a clear error, and a fitted model that is none the worse for it."""

import numpy as np
import pandas as pd
import pytest
from cases import parameters_of
from plain_models import BackpropClassifier, BackpropRegressor
from scipy.sparse import coo_array, csc_array, csr_array

from fastbp import Network

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 4))
Y = {
    BackpropRegressor: X[:, 0] * X[:, 1],
    BackpropClassifier: np.array(["a", "b", "c"])[np.arange(60) % 3],
}
KINDS = pytest.mark.parametrize("kind", [BackpropRegressor, BackpropClassifier])
SMALL = {"hidden_layer_sizes": 5, "max_iter": 3, "random_state": 0}


def with_item(array, index, value):
    array = array.astype(np.result_type(array, type(value)))
    array[index] = value
    return array


def state_of(model):
    """All that a failed call must leave alone."""
    return {
        "bits": [p.tobytes() for p in parameters_of(model.network_)],
        "curve": list(model.loss_curve_),
        "rows": model.t_,
        "random": str(model._random_state.get_state()),
        "classes": getattr(model, "classes_", np.array([])).tolist(),
        "features": (model.n_features_in_, list(getattr(model, "feature_names_in_", []))),
        "predictions": model.network_.forward(X).tobytes(),
    }


def assert_refused(model, message, *data, method="fit", **options):
    """Raise a ValueError or TypeError that says so; keep what was learnt before."""
    network, before = model.network_, state_of(model)
    with pytest.raises((ValueError, TypeError), match=message):
        getattr(model, method)(*data, **options)
    assert model.network_ is network
    assert state_of(model) == before


def fitted(kind, **parameters):
    return kind(**{**SMALL, **parameters}).fit(X, Y[kind])


# -- parameters ----------------------------------------------------------------------------------

HUGE = 10**400
PARAMETERS = [
    ("hidden_layer_sizes", 0, "hidden_layer_sizes must be at least 1; got 0"),
    ("hidden_layer_sizes", (8, -3), r"hidden_layer_sizes\[1\] must be at least 1; got -3"),
    ("hidden_layer_sizes", 2.5, "hidden_layer_sizes must be a whole number or a sequence.*got 2.5"),
    ("hidden_layer_sizes", (2.5,), r"hidden_layer_sizes\[0\] must be a whole number; got 2.5"),
    ("hidden_layer_sizes", "10", "hidden_layer_sizes must be \"auto\", or the sizes of.*got '10'"),
    ("hidden_layer_sizes", None, "hidden_layer_sizes must be a whole number or a.*got None"),
    ("hidden_layer_sizes", True, "hidden_layer_sizes must be a whole number; got True"),
    ("hidden_layer_sizes", (2**62,), "layer_sizes .* too large to address"),
    ("hidden_layer_sizes", (2**31, 2**31), "layer_sizes .* too large to address"),
    ("hidden_layer_sizes", HUGE, "layer_sizes .* too large to address"),
    (
        "activation",
        "rleu",
        "activation must be one of identity, logistic, tanh, relu, .*, mish; got 'rleu'",
    ),
    ("activation", ["relu", "tanh"], "activation lists 2 names, but the network has 1 hidden"),
    ("activation", ["softmax"], r"activation\[0\] must be one of .*; got 'softmax'"),
    ("activation", 3, r"activation.* must be one of .*; got 3"),
    ("solver", "lbfgs", "solver must be one of sgd, adam, .*, rmsprop; got 'lbfgs'"),
    ("beta_1", 1.0, "beta_1 must be"),
    ("beta_2", -0.1, "beta_2 must be"),
    ("epsilon", 0.0, "epsilon must be"),
    ("n_threads", 0, "n_threads must be"),
    ("alpha", -0.1, "alpha must be at least 0; got -0.1"),
    ("alpha", np.nan, "alpha must be at least 0; got nan"),
    ("batch_size", 0, "batch_size must be at least 1; got 0"),
    ("batch_size", "auto", "batch_size must be a whole number; got 'auto'"),
    ("batch_size", 1.0, "batch_size must be a whole number; got 1.0"),
    ("learning_rate_init", 0, "learning_rate_init must be greater than 0; got 0"),
    ("learning_rate_init", -0.1, "learning_rate_init must be greater than 0; got -0.1"),
    ("learning_rate_init", np.nan, "learning_rate_init must be greater than 0; got nan"),
    ("learning_rate_init", np.inf, "learning_rate_init must be greater than 0.*; got inf"),
    ("learning_rate_init", HUGE, "learning_rate_init must be greater than 0.*; got 1000"),
    ("learning_rate_init", "fast", "learning_rate_init must be \"auto\", or a number.*got 'fast'"),
    ("learning_rate_init", 1j, "learning_rate_init must be a number; got 1j"),
    ("learning_rate_init", None, "learning_rate_init must be a number; got None"),
    ("max_iter", 0, "max_iter must be at least 1; got 0"),
    ("max_iter", 2.5, "max_iter must be a whole number; got 2.5"),
    ("shuffle", "yes", "shuffle must be True or False; got 'yes'"),
    ("random_state", "seed", "'seed' cannot be used to seed"),
    ("random_state", -1, "[Ss]eed"),
    ("tol", -1, "tol must be at least 0; got -1"),
    ("tol", None, "tol must be a number; got None"),
    ("n_iter_no_change", 0, "n_iter_no_change must be at least 1; got 0"),
    ("verbose", "loud", "verbose must be a whole number; got 'loud'"),
    ("warm_start", "yes", "warm_start must be True or False; got 'yes'"),
    ("momentum", 1, "momentum must be at least 0 and below 1; got 1"),
    ("momentum", -0.1, "momentum must be at least 0 and below 1; got -0.1"),
    ("nesterovs_momentum", None, "nesterovs_momentum must be True or False; got None"),
]


@KINDS
@pytest.mark.parametrize(("name", "value", "message"), PARAMETERS)
def test_a_bad_parameter_is_named_with_what_is_allowed(kind, name, value, message):
    model = fitted(kind).set_params(**{name: value})
    assert_refused(model, message, X, Y[kind])
    with pytest.raises((ValueError, TypeError), match=message):
        kind(**{**SMALL, name: value}).fit(X, Y[kind])


@pytest.mark.parametrize("loss", ["log_loss", "hinge", None])
def test_a_loss_that_does_not_exist(loss):
    message = f"one of squared_error, absolute_error, huber, quantile, poisson; got {loss!r}"
    assert_refused(fitted(BackpropRegressor).set_params(loss=loss), message, X, X[:, 0])


CLASS_WEIGHTS = [
    ("unbalanced", "class_weight must be None, \"balanced\" or a dict.*; got 'unbalanced'"),
    ([1, 2, 3], r"class_weight must be None, .*; got \[1, 2, 3\]"),
    ({"a": -1}, r"class_weight\['a'\] must be at least 0; got -1"),
    ({"a": "heavy"}, r"class_weight\['a'\] must be a number; got 'heavy'"),
    ({"z": 2}, "weight for 'z', which is not a class of y; the classes .* are not in class_weight"),
    ({"a": 0, "b": 0}, "only one class among the rows with a weight above 0: .'c'."),
]


def test_complex_rows_are_refused_in_a_short_sentence():
    rows = np.random.default_rng(0).normal(size=(300, 4)) + 1j
    for X in (rows, csr_array(rows)):
        with pytest.raises(ValueError, match=r"Complex data not supported: X holds complex128$"):
            BackpropClassifier().fit(X, np.arange(300) % 2)


def test_numbers_written_as_text_are_converted_and_other_text_is_refused():
    rows = np.random.default_rng(0).normal(size=(20, 2)).round(2)
    y = np.arange(20) % 2
    model = BackpropClassifier(hidden_layer_sizes=2, random_state=0)
    expected = model.partial_fit(rows, y, classes=[0, 1]).predict_proba(rows)
    texts = rows.astype(str)
    frame = pd.DataFrame(texts, columns=["a", "b"])
    for X in (texts, texts.astype(object), texts.tolist(), frame):
        model = BackpropClassifier(hidden_layer_sizes=2, random_state=0)
        model.partial_fit(X, y, classes=[0, 1])
        np.testing.assert_array_equal(model.predict_proba(X), expected)
    frame.loc[3, "b"] = "tall"
    with pytest.raises(ValueError, match="column 'b' holds text, 'tall'"):
        BackpropClassifier().fit(frame, y)


@pytest.mark.parametrize(("class_weight", "message"), CLASS_WEIGHTS)
def test_bad_class_weights(class_weight, message):
    model = fitted(BackpropClassifier).set_params(class_weight=class_weight)
    assert_refused(model, message, X, Y[BackpropClassifier])


def test_class_weights_where_they_cannot_be_used():
    model = fitted(BackpropClassifier).set_params(class_weight="balanced")
    y = Y[BackpropClassifier]
    assert_refused(model, '"balanced" needs all rows at once', X, y, method="partial_fit")
    assert_refused(model, "class_weight is not supported where", X, np.eye(60, 3, dtype=int))


# -- X -------------------------------------------------------------------------------------------

column_of_text = pd.DataFrame(X)
column_of_text[1] = "red"
BAD_X = {
    "NaN": (with_item(X, (7, 2), np.nan), r"X has NaN or infinity: X\[7, 2\] is nan"),
    "infinity": (with_item(X, (7, 2), np.inf), r"X has NaN or infinity: X\[7, 2\] is inf"),
    "NaN, float32": (with_item(X, 5, np.nan).astype("f"), r"X has NaN .*: X\[5, 0\] is nan"),
    "NaN, strided": (with_item(X, (3, 2), np.nan)[:, ::2], r"X\[3, 1\] is nan"),
    "NaN, nullable": (pd.DataFrame(with_item(X, 2, np.nan)).astype("Float64"), r"X\[2, 0\] is nan"),
    "NaN, sparse": (csr_array(with_item(X, 2, np.nan)), r"X.data has NaN or infinity"),
    "one dimension": (X[:, 0], "Expected 2D array, got 1D array"),
    "three dimensions": (X.reshape(60, 2, 2), "Found array with dim 3"),
    "one number": (1.0, "Expected 2D array, got scalar array"),
    "ragged": ([[1, 2], [3]] * 30, "inhomogeneous|sequence"),
    "too few rows": (X[:50], r"inconsistent numbers of samples: \[50, 60\]"),
    "no rows": (X[:0], r"0 sample\(s\)"),
    "no columns": (X[:, :0], r"0 feature\(s\)"),
    "text": (np.full((60, 4), "red"), "X must hold numbers: .*'red'.*OneHotEncoder"),
    "column of text": (column_of_text, "X must hold numbers: .*'red'"),
    "objects": (with_item(X.astype(object), (0, 0), {}), "must be .*a.* number, not 'dict'"),
    "complex": (X + 1j, "Complex data not supported"),
    "None": (None, "Expected 2D array, got scalar array"),
}


@KINDS
@pytest.mark.parametrize("name", BAD_X)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_bad_X_when_training(kind, name, method):
    bad, message = BAD_X[name]
    model = fitted(kind)
    if method == "partial_fit":
        message += "|X has . features, but|feature names"
    assert_refused(model, message, bad, Y[kind], method=method)
    with pytest.raises((ValueError, TypeError), match=BAD_X[name][1]):
        kind(**SMALL).fit(bad, Y[kind])


@KINDS
@pytest.mark.parametrize("name", sorted(set(BAD_X) - {"too few rows"}))
def test_bad_X_when_predicting(kind, name):
    bad, message = BAD_X[name]
    message += "|X has . features, but|feature names"
    assert_refused(fitted(kind), message, bad, method="predict")


@KINDS
@pytest.mark.parametrize("n_features", [3, 5])
def test_another_number_of_features(kind, n_features):
    bad = np.ones((60, n_features))
    message = f"X has {n_features} features, but {kind.__name__} is expecting 4 features"
    model = fitted(kind)
    for form in (bad, csr_array(bad), pd.DataFrame(bad)):
        assert_refused(model, message, form, method="predict")
        assert_refused(model, message, form, Y[kind], method="partial_fit")
        assert_refused(model, message, form, Y[kind], method="score")
    assert_refused(model.set_params(warm_start=True), message, bad, Y[kind])


@KINDS
def test_numbers_too_large_for_the_dtype_of_the_model(kind):
    model = kind(**SMALL).fit(X.astype(np.float32), Y[kind])
    with np.errstate(over="ignore"):
        assert_refused(model, "X has NaN or infinity", 1e300 * X, method="predict")


@KINDS
def test_names_of_a_failed_fit_are_not_kept(kind):
    model = kind(**SMALL).fit(pd.DataFrame(X, columns=list("abcd")), Y[kind])
    other = pd.DataFrame(with_item(X, 0, np.nan), columns=list("efgh"))
    assert_refused(model, "NaN", other, Y[kind])
    mixed = pd.DataFrame(X, columns=["a", "b", 3, 4])
    assert_refused(model, "all input features have string names", mixed, Y[kind])


def broken(kind, **arrays):
    """A sparse matrix whose arrays were changed after it was made."""
    matrix = kind(np.ones((60, 4)))
    for name, change in arrays.items():
        array = getattr(matrix, name).copy()
        index, value = change
        array[index] = value
        setattr(matrix, name, array)
    return matrix


BROKEN = [
    ({"indices": (3, 1000)}, "it has indices outside 0..{}"),
    ({"indices": (3, -1)}, "it has indices outside 0..{}"),
    ({"indptr": (-1, 10**6)}, "its indptr does not match its data"),
    ({"indptr": (2, 10**6)}, "its indptr does not match its data"),
    ({"indptr": (0, 1)}, "its indptr does not match its data"),
]


@KINDS
@pytest.mark.parametrize("form", [csr_array, csc_array])
@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_sparse_matrices_with_bad_indices(kind, form, change, message):
    bad = broken(form, **change)
    message = f"X is not a valid {bad.format.upper()} matrix: " + message.format(
        3 if form is csr_array else 59
    )
    model = fitted(kind)
    assert_refused(model, message, bad, Y[kind])
    assert_refused(model, message, bad, method="predict")
    with pytest.raises(ValueError, match=message):
        Network((4, 1)).forward(bad)


# -- y -------------------------------------------------------------------------------------------

y = X[:, 0] * X[:, 1]
BAD_Y = {
    "NaN": (with_item(y, 3, np.nan), r"y has NaN or infinity: y\[3\] is nan"),
    "infinity": (with_item(y, 3, -np.inf), r"y has NaN or infinity: y\[3\] is -inf"),
    "too few": (y[:50], r"inconsistent numbers of samples: \[60, 50\]"),
    "none": (y[:0], r"inconsistent numbers of samples: \[60, 0\]"),
    "no columns": (X[:, :0], r"y must have shape .*; got an array of shape \(60, 0\)"),
    "three dimensions": (X.reshape(60, 2, 2), r"y must have shape .*; got .* \(60, 2, 2\)"),
    "one number": (1.0, "a valid collection|Expected|got"),
    "text": (
        Y[BackpropClassifier],
        r"y must hold numbers, but y\[0\] is the text 'a'. .*BackpropClassifier",
    ),
    "text as objects": (Y[BackpropClassifier].astype(object), r"y\[0\] is the text 'a'"),
    "objects": (np.full(60, {}), "y must be an array of numbers"),
    "complex": (y + 1j, "Complex data not supported: y has dtype complex128"),
    "None": (None, "requires y to be passed, but the target y is None"),
}


@pytest.mark.parametrize("name", BAD_Y)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_bad_targets_of_a_regression(name, method):
    bad, message = BAD_Y[name]
    assert_refused(fitted(BackpropRegressor), message, X, bad, method=method)


def test_negative_targets_of_a_poisson_regression():
    model = fitted(BackpropRegressor).set_params(loss="poisson")
    assert_refused(model, "poisson loss needs targets of at least 0", X, y)


labels = Y[BackpropClassifier]
BAD_LABELS = {
    "one class": (np.full(60, "a"), r"only one class: \['a'\]. A classifier needs"),
    "numbers": (y, "Unknown label type: continuous"),
    "NaN": (with_item(np.arange(60) % 3.0, 3, np.nan), r"y has a gap: y\[3\] is nan"),
    "too few": (labels[:50], r"inconsistent numbers of samples: \[60, 50\]"),
    "columns of classes": (np.arange(120).reshape(60, 2) % 3, "multiclass-multioutput"),
    "three dimensions": (X.reshape(60, 2, 2), "dim 3"),
    "mixed": (np.array(["a", 1, None] * 20, dtype=object), r"y has a gap: y\[2\] is None"),
    "complex": (y + 1j, "Complex data not supported"),
    "None": (None, "requires y to be passed, but the target y is None"),
}


@pytest.mark.parametrize("name", BAD_LABELS)
def test_bad_labels(name):
    bad, message = BAD_LABELS[name]
    assert_refused(fitted(BackpropClassifier), message, X, bad)


def test_labels_that_partial_fit_does_not_know():
    model = fitted(BackpropClassifier)
    unseen = with_item(labels, [1, 2], "z")
    message = (
        r"y contains classes that this model does not know: \['z'\]. It knows \['a', 'b', 'c'\]"
    )
    assert_refused(model, message, X, unseen, method="partial_fit")
    assert_refused(model.set_params(warm_start=True), message, X, unseen)
    numbers = np.arange(60) % 3
    assert_refused(model, r"does not know: \[0, 1, 2\]", X, numbers, method="partial_fit")


def test_classes_of_partial_fit():
    model = BackpropClassifier(**SMALL)
    with pytest.raises(ValueError, match="classes must be passed in the first call"):
        model.partial_fit(X, labels)
    with pytest.raises(ValueError, match=r"at least two classes; got \['a'\]"):
        model.partial_fit(X, labels, classes=["a"])
    with pytest.raises(ValueError, match=r"does not know: \['c'\]"):
        model.partial_fit(X, labels, classes=["a", "b"])
    assert not hasattr(model, "network_")
    assert not hasattr(model, "n_features_in_")
    model.partial_fit(X, labels, classes=["a", "b", "c"])
    message = r"classes is \['a', 'b'\], but the model was fitted with \['a', 'b', 'c'\]"
    assert_refused(model, message, X, labels, method="partial_fit", classes=["a", "b"])


def test_one_label_a_row_and_several_do_not_mix():
    one, several = fitted(BackpropClassifier), BackpropClassifier(**SMALL)
    indicator = np.column_stack([labels == "a", labels != "b"]).astype(int)
    assert_refused(one, "fitted on one column of labels", X, indicator, method="partial_fit")
    several.fit(X, indicator)
    assert_refused(several, "fitted on columns of labels", X, labels, method="partial_fit")
    wider = np.column_stack([indicator, indicator])
    message = "fitted with number of outputs 2, now it is 4"
    assert_refused(several, message, X, wider, method="partial_fit")


# -- weights -------------------------------------------------------------------------------------

ONES = np.ones(60)
BAD_WEIGHTS = {
    "NaN": (
        with_item(ONES, 3, np.nan),
        r"sample_weight has NaN or infinity: sample_weight\[3\] is",
    ),
    "infinity": (with_item(ONES, 3, np.inf), r"sample_weight\[3\] is inf"),
    "negative": (with_item(ONES, 3, -2.0), r"not be negative; sample_weight\[3\] is -2.0"),
    "zero": (np.zeros(60), "Every sample_weight is zero"),
    "too few": (ONES[:50], r"sample_weight has shape \(50,\), but X has 60 rows"),
    "two dimensions": (np.ones((60, 2)), r"sample_weight has shape \(60, 2\)"),
    "text": (np.full(60, "1"), "sample_weight must hold numbers; got dtype <U1"),
    "complex": (ONES + 0j, "Complex data not supported: sample_weight"),
    "objects": (np.full(60, {}), "sample_weight must be an array of numbers"),
}


@KINDS
@pytest.mark.parametrize("name", BAD_WEIGHTS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_bad_weights(kind, name, method):
    bad, message = BAD_WEIGHTS[name]
    assert_refused(fitted(kind), message, X, Y[kind], method=method, sample_weight=bad)


def test_weights_that_leave_one_class():
    model, only_b = fitted(BackpropClassifier), (labels == "b") * 1.0
    message = r"only one class among the rows with a weight above 0: \['b'\]"
    assert_refused(model, message, X, labels, sample_weight=only_b)


# -- going on with another network ---------------------------------------------------------------

CHANGES = [
    ({"hidden_layer_sizes": (6,)}, r"fitted with hidden_layer_sizes \(5,\), now it is \(6,\)"),
    ({"hidden_layer_sizes": ()}, r"fitted with hidden_layer_sizes \(5,\), now it is \(\)"),
    ({"activation": "tanh"}, r"fitted with activation \('relu',\), now it is \('tanh',\)"),
]


@KINDS
@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_training_cannot_go_on_with_another_network(kind, change, message):
    model = fitted(kind, warm_start=True).set_params(**change)
    assert_refused(model, message, X, Y[kind])
    assert_refused(model, message, X, Y[kind], method="partial_fit")


def test_training_cannot_go_on_with_another_loss_or_number_of_targets():
    model = fitted(BackpropRegressor, warm_start=True)
    two = np.column_stack([y, y])
    assert_refused(model, "fitted with number of outputs 1, now it is 2", X, two)
    model.set_params(loss="absolute_error")
    message = "fitted with loss squared_error, now it is absolute_error.*warm_start=False"
    assert_refused(model, message, X, y)


def test_sparse_labels_of_one_dimension_are_labels():
    labels = np.arange(40) % 2
    model = BackpropClassifier(hidden_layer_sizes=3, max_iter=1, n_iter_no_change=np.inf)
    model.fit(np.ones((40, 2)), coo_array(labels))
    assert model.classes_.tolist() == [0, 1]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", [BackpropRegressor, BackpropClassifier])
@pytest.mark.parametrize("type_", [np.uint8, np.int8, np.uint64])
def test_small_whole_numbers_of_numpy_do_not_wrap_around(kind, type_):
    """Neither 2 * 100 epochs nor 127 + 1 that do not improve, nor a negative quotient."""
    most = int(np.iinfo(np.int8).max)
    numbers = {"batch_size": 100, "n_iter_no_change": most, "max_iter": 100, "n_init": 2}
    if type_ is np.uint8:
        numbers["n_iter_no_change"] = 255
    X = np.random.default_rng(0).normal(size=(300, 3))
    y = (X[:, 0] > 0).astype(int)
    expected = kind(hidden_layer_sizes=3, random_state=0, tol=0.5, **numbers).fit(X, y)
    numbers = {name: type_(number) for name, number in numbers.items()}
    found = kind(hidden_layer_sizes=3, random_state=0, tol=0.5, **numbers).fit(X, y)
    assert found.loss_curve_ == expected.loss_curve_
    found.partial_fit(X, y)
    assert found.network_.plan(batch_size=type_(100)) == found.network_.plan(batch_size=100)
