"""Messages: what was wrong, and what to write instead."""

import numpy as np
import pytest
from plain_models import BackpropClassifier, BackpropRegressor

from fastbp import Network
from fastbp._messages import ALIASES, counted
from fastbp.network.catalogue import LOSSES, OUT_ACTIVATIONS
from fastbp.network.solver import SOLVERS
from fastbp.training.schedule import SCHEDULES

X = np.random.default_rng(0).normal(size=(20, 3))
Y = X[:, 0]


@pytest.mark.parametrize(
    ("n", "noun", "text"),
    [
        (0, "row", "0 rows"),
        (1, "row", "1 row"),
        (2, "row", "2 rows"),
        (12345, "hidden layer", "12,345 hidden layers"),
        (1, "epoch", "1 epoch"),
        (3, "epoch", "3 epochs"),
        (1, "class", "1 class"),
        (3, "class", "3 classes"),
    ],
)
def test_nouns_follow_their_number(n, noun, text):
    assert counted(n, noun) == text


def test_every_alias_stands_for_a_name_that_there_is():
    activations = {name for names in OUT_ACTIVATIONS.values() for name in names}
    known = {*LOSSES, *SOLVERS, *SCHEDULES, *activations}
    assert set(ALIASES.values()) <= known
    assert set(ALIASES) & known <= {"exponential"}  # an activation by another name, and a schedule


PARAMETERS = [
    ({"learning_rate": 0.01}, "got 0.01. It names a schedule; .* is learning_rate_init=0.01"),
    ({"learning_rate": "const"}, "got 'const'. Did you mean 'constant'"),
    ({"learning_rate_init": "adaptive"}, "got 'adaptive'. A schedule is learning_rate='adaptive'"),
    ({"activation": "sigmoid"}, "got 'sigmoid'. Did you mean 'logistic'"),
    ({"activation": "Linear"}, "got 'Linear'. Did you mean 'identity'"),
    ({"activation": ["ReLU"]}, "got 'ReLU'. Did you mean 'relu'"),
    ({"batch_size": "auto"}, "got 'auto'. scikit-learn's \"auto\" is batch_size=200"),
    ({"solver": "lbfgs"}, "got 'lbfgs'. It learns from all rows at once; scikit-learn's MLPClas"),
    ({"solver": "Adam"}, "got 'Adam'. Did you mean 'adam'"),
    ({"loss": "mse"}, "got 'mse'. Did you mean 'squared_error'"),
    ({"loss": "MAE"}, "got 'MAE'. Did you mean 'absolute_error'"),
    ({"loss": "pinball"}, "got 'pinball'. Did you mean 'quantile'"),
    ({"loss": "cross-entropy"}, "For classes there is BackpropClassifier, which has this loss"),
    ({"loss": "log_loss"}, "For classes there is BackpropClassifier, which has this loss"),
]


@pytest.mark.parametrize(("parameters", "message"), PARAMETERS)
def test_what_a_wrong_parameter_was_meant_to_be(parameters, message):
    with pytest.raises((ValueError, TypeError), match=message):
        BackpropRegressor(**parameters).fit(X, Y)


def test_nothing_is_suggested_where_nothing_is_near():
    with pytest.raises(ValueError, match=r"got 'hinge'$"):
        BackpropRegressor(loss="hinge").fit(X, Y)


NETWORKS = [
    ({"activation": "sigmoid"}, "got 'sigmoid'. Did you mean 'logistic'"),
    ({"out_activation": "linear"}, "with loss='squared_error'; got 'linear'. Did you mean 'ident"),
    ({"loss": "cross_entropy"}, "got 'cross_entropy'. Did you mean 'log_loss'"),
]


@pytest.mark.parametrize(("parameters", "message"), NETWORKS)
def test_what_a_wrong_parameter_of_a_network_was_meant_to_be(parameters, message):
    with pytest.raises(ValueError, match=message):
        Network((3, 2, 1), **parameters)


def test_sizes_of_layers_one_by_one():
    with pytest.raises(
        TypeError, match=r"as one sequence, and all else by name: Network\(\(4, 3, 1"
    ):
        Network(4, 3, 1)
    assert Network(layer_sizes=(4, 3, 1)).layer_sizes == (4, 3, 1)


@pytest.mark.parametrize("kind", [BackpropRegressor, BackpropClassifier])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_names_of_files_and_columns_are_no_data(kind, method, tmp_path):
    y = (Y > 0).astype(int)
    for path in ("rows.csv", tmp_path / "rows.csv"):
        with pytest.raises(ValueError, match=r"got the text .*rows.csv'. Read a file first"):
            getattr(kind(), method)(path, y)
        with pytest.raises(ValueError, match=r"y must be an array .* got the text .*rows.csv'"):
            getattr(kind(), method)(X, path)


def test_which_estimator_learns_such_targets():
    with pytest.raises(ValueError, match=r"Unknown label type: continuous.*BackpropRegressor"):
        BackpropClassifier().fit(X, Y)
    for text in (["1"] * 20, np.array(["a"] * 20), np.array(["a"] * 20, dtype=object)):
        with pytest.raises(ValueError, match=r"y\[0\] is the text .*BackpropClassifier"):
            BackpropRegressor().fit(X, text)


def test_labels_of_different_types():
    for y in ([1, "a"] * 10, np.array([1, "a"] * 10, dtype=object), [1, 2, "a", "b"] * 5):
        with pytest.raises(
            ValueError, match=r"y mixes labels of different types: y\[0\] is 1.*str\)"
        ):
            BackpropClassifier().fit(X, y)
    for gap in (None, np.nan):
        with pytest.raises(ValueError, match=r"y has a gap: y\[3\] is (None|nan)"):
            BackpropClassifier().fit(X, ["a", "b", "a", gap] * 5)
    with pytest.raises(ValueError, match="classes mixes labels of different types"):
        BackpropClassifier().partial_fit(X, ["a", "b"] * 10, classes=["a", 1])


def test_how_to_learn_a_class_that_is_unknown():
    model = BackpropClassifier(max_iter=1).partial_fit(X, ["a", "b"] * 10, classes=["a", "b"])
    for bad, classes in ((["a", "z"] * 10, None), (["a", "b"] * 10, ["a", "b", "z"])):
        with pytest.raises(ValueError, match="begin again with all of them: fit a new model"):
            model.partial_fit(X, bad, classes=classes)


def test_classes_that_are_no_list():
    for classes in (2, "ab"):
        with pytest.raises(ValueError, match=r"classes must list all labels.*such as"):
            BackpropClassifier().partial_fit(X, ["a", "b"] * 10, classes=classes)


def test_the_way_out_of_early_stopping_in_partial_fit():
    with pytest.raises(ValueError, match=r"partial_fit does not .*Set early_stopping=False.*score"):
        BackpropRegressor(early_stopping=True).partial_fit(X, Y)


def test_what_is_no_size_is_not_shown_as_one():
    with pytest.raises(TypeError, match=r"by name: Network\(\(8, 16, 1\), loss=...\)"):
        Network((4, 3, 1), "relu")
