"""What is relied upon inside scikit-learn's perceptrons, in the versions that are known."""

import copy
import inspect
import warnings

import numpy as np
import pytest

from fastbp.neural_network import sklearn_internals
from fastbp.neural_network.sklearn_internals import (
    AdamOptimizer,
    BaseMultilayerPerceptron,
    SGDOptimizer,
)

ROOM = dict.fromkeys(("activations", "deltas", "coef_grads", "intercept_grads"), ())
HAS_WEIGHTS = "sample_weight" in inspect.signature(sklearn_internals.MLPClassifier.fit).parameters


def since_1_7(self, X, y, sample_weight, activations, deltas, coef_grads, intercept_grads,
              layer_units, incremental): ...  # fmt: skip


def in_1_6(self, X, y, activations, deltas, coef_grads, intercept_grads,
           layer_units, incremental): ...  # fmt: skip


def in_the_future(self, X, y, sample_weight, mask, activations, deltas, coef_grads,
                  intercept_grads, layer_units, incremental): ...  # fmt: skip


# -- is it as known? -----------------------------------------------------------------------------


def test_the_installed_version_is_as_known():
    assert sklearn_internals.is_as_known()


@pytest.mark.parametrize("name", sklearn_internals._CALLED)
def test_a_method_that_is_gone_makes_it_unknown(name, monkeypatch):
    monkeypatch.delattr(BaseMultilayerPerceptron, name)
    assert not sklearn_internals.is_as_known()


@pytest.mark.parametrize(
    ("method", "known"), [(in_1_6, True), (since_1_7, True), (in_the_future, False)]
)
def test_arguments_tell_whether_it_is_known(method, known, monkeypatch):
    monkeypatch.setattr(BaseMultilayerPerceptron, "_fit_stochastic", method)
    assert sklearn_internals.is_as_known() == known


# -- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("method", [in_1_6, since_1_7])
def test_arguments_are_sorted_by_the_names_of_the_version(method, by_name, monkeypatch):
    monkeypatch.setattr(BaseMultilayerPerceptron, "_fit_stochastic", method)
    names = list(inspect.signature(method).parameters)[1:]
    given = {name: f"the {name}" for name in names}
    call = (
        sklearn_internals.Arguments.of(**given)
        if by_name
        else sklearn_internals.Arguments.of(*given.values())
    )
    for name in set(names) - {"layer_units", "sample_weight"}:
        assert getattr(call, name) == f"the {name}"
    assert call.sample_weight == given.get("sample_weight")


# -- methods of a subclass -----------------------------------------------------------------------


@pytest.mark.parametrize("name", sklearn_internals._GRADIENT)
def test_a_gradient_of_its_own_is_found_in_the_class_and_in_the_model(name):
    own = type("Own", (sklearn_internals.MLPRegressor,), {name: lambda self: None})
    assert sklearn_internals.overridden(own()) == name
    model = sklearn_internals.MLPRegressor()
    assert sklearn_internals.overridden(model) is None
    setattr(model, name, lambda: None)
    assert sklearn_internals.overridden(model) == name


# -- warnings ------------------------------------------------------------------------------------


def test_filters_that_name_scikit_learns_module_match():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings(
            "ignore", category=FutureWarning, module=r"sklearn\.neural_network\._multilayer"
        )
        sklearn_internals.warn("left out", FutureWarning)
        with pytest.raises(UserWarning, match="said"):
            sklearn_internals.warn("said")


# -- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "out_activation", "y", "a", "expected"),
    [
        # -(log 0.8 + log 0.5) / 2: the probability of class 1, given and taken away
        ("MLPClassifier", "logistic", [[1], [0]], [[0.8], [0.5]], -np.log(0.8 * 0.5) / 2),
        ("MLPClassifier", "softmax", [[0, 1, 0]], [[0.2, 0.7, 0.1]], -np.log(0.7)),
        # mean of (1/2 4, 1/2 1, 1/2 0, 1/2 9) over outputs, too
        ("MLPRegressor", "identity", [[1, 2], [3, 4]], [[3, 1], [3, 1]], (4 + 1 + 0 + 9) / 8),
    ],
)
def test_losses_are_the_means_worked_by_hand(kind, out_activation, y, a, expected):
    model = getattr(sklearn_internals, kind)()
    model.loss = "log_loss" if kind == "MLPClassifier" else "squared_error"
    model.out_activation_ = out_activation
    y, a = np.array(y, dtype=float), np.array(a, dtype=float)
    assert sklearn_internals.loss_of(model, y, a, None) == pytest.approx(expected)
    if HAS_WEIGHTS:
        assert sklearn_internals.loss_of(model, y, a, np.full(len(y), 1.0)) == pytest.approx(
            expected
        )


def optimizers(dtype):
    parameters = [np.ones(2, dtype) for _ in range(4)]
    adam, sgd = AdamOptimizer(parameters), SGDOptimizer(parameters, momentum=0.9)
    return {"adam": adam, "sgd": sgd}


@pytest.mark.parametrize("kind", ["adam", "sgd"])
@pytest.mark.parametrize("targets", ["float32", "float64"])
@pytest.mark.parametrize("weights", [None, "float32", "float64"])
def test_dtypes_of_the_state_are_those_after_a_step_of_the_optimizer(kind, targets, weights):
    optimizer = optimizers("float32")[kind]
    before = copy.deepcopy(vars(optimizer))
    weight = None if weights is None else np.ones(3, weights)
    found = sklearn_internals.dtypes_of_state(
        optimizer, np.dtype("float32"), np.dtype(targets), weight, 2
    )
    assert repr(vars(optimizer)) == repr(before)

    X, delta = np.ones((3, 2), "float32"), np.ones((3, 2), "float32") - np.ones((3, 2), targets)
    W = X.T @ delta  # as scikit-learn's _compute_loss_grad, of two layers alike
    W /= 3 if weight is None else weight.sum()
    b = np.sum(delta, axis=0) / (3 if weight is None else weight.sum())
    with np.errstate(all="ignore"):
        optimizer._get_updates([W[0], W[0], b, b])
    assert found == [
        [array.dtype for array in getattr(optimizer, name)]
        for name in sklearn_internals.moments_of(optimizer)
    ]


def test_moments_of_adam_are_the_first_and_then_the_second():
    adam = optimizers("float64")["adam"]
    adam._get_updates([np.full(2, 3.0)] * 4)
    first, second = (getattr(adam, name)[0] for name in sklearn_internals.moments_of(adam))
    np.testing.assert_allclose(first, 0.1 * 3)
    np.testing.assert_allclose(second, 0.001 * 9)
