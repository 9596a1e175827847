"""A traced step holds the numbers of the step that training takes, and writes them out."""

import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import sklearn.neural_network
from cases import (
    HIDDEN_ACTIVATIONS,
    PAIRS,
    SOLVERS,
    pairwise,
    parameters_of,
    random_case,
    worst_difference,
)
from plain_models import BackpropClassifier, BackpropRegressor
from reference import BACK_THROUGH, LOSS_DERIVATIVES, Reference
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastbp import DivergenceWarning, Network, trace_step
from fastbp.network import Solver

SIZES = [(3, 2), (3, 5, 2), (7, 20, 6, 3), (1, 1, 2)]


def bits(arrays):
    return [np.asarray(array).tobytes() for array in arrays]


def after(trace):
    return [*(layer.new_W for layer in trace.layers), *(layer.new_b for layer in trace.layers)]


# -- the numbers are those of training -------------------------------------------------------------


@pairwise(
    {
        "loss, out_activation": PAIRS,
        "activation": HIDDEN_ACTIVATIONS,
        "sizes": SIZES,
        "dtype": ["float64", "float32"],
    }
)
def test_weights_after_are_those_of_a_step_to_the_bit(
    loss, out_activation, activation, sizes, dtype, isa
):
    network, X, y = random_case(loss, out_activation, sizes, 1, activation=activation, dtype=dtype)
    before = parameters_of(network)
    trace = trace_step(network, X[0], y[0], 0.1)
    assert bits(parameters_of(network)) == bits(before)
    assert trace.loss == network.step(X[0], y[0], 0.1)
    assert bits(after(trace)) == bits(parameters_of(network))
    assert trace.new_loss == network.loss(X, y)


@pairwise({"loss, out_activation": PAIRS, "solver": SOLVERS, "dtype": ["float64", "float32"]})
def test_options_and_state_are_those_of_an_epoch_of_one_row(loss, out_activation, solver, dtype):
    network, X, y = random_case(loss, out_activation, (4, 6, 3), 5, activation="relu", dtype=dtype)
    last = []
    for row in range(5):  # the state of one step is where the next begins
        trace = trace_step(network, X[row], y[row], 0.05, **solver)
        one = slice(row, row + 1)
        if solver:
            network.train_epoch(X[one], y[one], 0.05, **solver)
        else:
            network.step(X[row], y[row], 0.05)
        assert bits(after(trace)) == bits(parameters_of(network))
        rule = Solver(1.0, **solver).rule
        names = list(rule.moments)
        if names:
            for name, kept in network._state.moments[rule.name].arenas.items():
                states = [layer.new_state[name] for layer in trace.layers]
                assert bits(W for W, _ in states) == bits(kept.weights)
                assert bits(b for _, b in states) == bits(kept.biases)
            before = [layer.state[name][0] for layer in trace.layers for name in names]
            assert bits(last) == bits(before) if row else not any(map(np.any, before))
            last = [layer.new_state[name][0] for layer in trace.layers for name in names]
            assert trace.n_steps == row
        else:
            assert all(layer.state == {} for layer in trace.layers)


@pytest.mark.parametrize(
    "solver", [{}, {"momentum": 0.9}, {"alpha": 0.1}, {"batch_size": 4}, {"solver": "adam"}]
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", ["regressor", "two outputs", "binary", "classes", "labels"])
def test_weights_after_are_those_of_partial_fit_to_the_bit(kind, dtype, solver):
    random = np.random.default_rng(0)
    X = random.normal(size=(30, 4)).astype(dtype)
    y = {
        "regressor": X[:, 0] * X[:, 1],
        "two outputs": X[:, :2] ** 2,
        "binary": np.where(X[:, 0] > 0, "yes", "no"),
        "classes": np.array(["a", "b", "c"])[np.arange(30) % 3],
        "labels": (X[:, :3] > 0).astype(int),
    }[kind]
    estimator = BackpropRegressor if X.dtype == np.asarray(y).dtype else BackpropClassifier
    model = estimator(hidden_layer_sizes=(6,), random_state=0, **solver)
    if estimator is BackpropClassifier and y.ndim == 1:
        model.partial_fit(X, y, classes=np.unique(y))
    else:
        model.partial_fit(X, y)
    trace = trace_step(model, X[3], y[3])
    assert trace.solver.learning_rate == model.learning_rate_init
    model.partial_fit(X[3:4], y[3:4])
    assert bits(after(trace)) == bits([*model.coefs_, *model.intercepts_])
    other_rate = trace_step(model, X[3], y[3], learning_rate=0.5)
    model.set_params(learning_rate_init=0.5).partial_fit(X[3:4], y[3:4])
    assert bits(after(other_rate)) == bits([*model.coefs_, *model.intercepts_])


def test_a_class_weight_is_a_factor_on_the_gradient():
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    model = BackpropClassifier(
        hidden_layer_sizes=(4,), class_weight={1: 0.25}, random_state=0
    ).partial_fit(X, y, classes=[0, 1])
    trace = trace_step(model, X[1], 1)
    assert trace.weight == 0.25
    assert np.allclose(trace.layers[0].grad_b, 0.25 * trace.layers[0].delta, rtol=1e-14)
    assert trace.factors(1, 0, 2).product == pytest.approx(trace.layers[0].grad_W[0, 2])
    assert "weight x" in str(trace.factors(1, 0, 2))
    model.partial_fit(X[1:2], y[1:2])
    assert bits(after(trace)) == bits([*model.coefs_, *model.intercepts_])


@pytest.mark.parametrize(("loss", "out_activation"), PAIRS)
@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
def test_what_stands_between_agrees_with_the_reference(loss, out_activation, activation):
    network, X, y = random_case(loss, out_activation, (3, 5, 4, 2), 1, activation=activation)
    trace, reference = trace_step(network, X[0], y[0], 0.1), Reference(network)
    z, a = reference.forward(X)
    dE_da = LOSS_DERIVATIVES[reference.loss_name](a[-1], y, *reference.loss_parameters)
    gradients = reference.summed_gradients(X, y, np.ones(1))
    for l in (3, 2, 1):
        layer = trace.layers[l - 1]
        delta = BACK_THROUGH[layer.activation](z[l], dE_da)
        ours = [layer.x, layer.z, layer.a, layer.dE_da, layer.delta, layer.grad_W, layer.grad_b]
        theirs = [a[l - 1], z[l], a[l], dE_da, delta, gradients[l - 1], gradients[l + 2]]
        for one, expected in zip(ours, theirs, strict=True):
            assert np.allclose(one, np.reshape(expected, one.shape), rtol=1e-12, atol=1e-14)
        slopes = np.diag(layer.derivative) if layer.derivative.ndim == 1 else layer.derivative
        assert np.allclose(slopes @ layer.dE_da, delta, rtol=1e-9, atol=1e-12)
        dE_da = delta @ reference.weights[l - 1].T
    assert bits([trace.layers[-1].a]) == bits([network.forward(X)[0]])


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_factors_multiply_to_the_gradient_of_every_parameter(loss):
    network, X, y = random_case(loss, None, (3, 4, 2), 1)
    trace = trace_step(network, X[0], y[0], 0.1)
    _, grad_weights, grad_biases = network.gradients(X, y)
    for layer in (1, 2):
        for (i, j), gradient in np.ndenumerate(grad_weights[layer - 1]):
            factors = trace.factors(layer, i, j)
            assert factors.product == pytest.approx(gradient, rel=1e-13)
            assert factors.gradient == gradient
            assert factors.dz_dw == trace.layers[layer - 1].x[i]
            if factors.dE_da is not None:
                product = factors.dE_da * factors.da_dz * factors.dz_dw
                assert product == pytest.approx(gradient, rel=1e-12)
            if layer == 1:
                assert factors.terms().sum() == pytest.approx(factors.dE_da, rel=1e-12)
        for j, gradient in enumerate(grad_biases[layer - 1]):
            factors = trace.factors(layer, None, j)
            assert (factors.name, factors.dz_dw) == (f"b[{layer}][{j}]", 1)
            assert factors.product == pytest.approx(gradient, rel=1e-13)


def test_a_product_worked_out_by_hand():
    network = Network((1, 1, 1), activation="logistic", loss="squared_error", random_state=0)
    network.weights, network.biases = [[[0.0]], [[3.0]]], [[0.0], [0.5]]
    trace = trace_step(network, [2.0], 1.0, 0.1)  # z = 0, a = 1/2, f' = 1/4; output 2, E = 1/2
    factors = trace.factors(1, 0, 0)
    assert (factors.dE_da, factors.da_dz, factors.dz_dw) == (3.0, 0.25, 2.0)
    assert (trace.loss, factors.product, factors.before) == (0.5, 1.5, 0.0)
    assert factors.after == pytest.approx(-0.15)
    assert "= 3 x 0.25 x 2\n" in str(factors)
    assert "dE/da[1][0] = sum over k of dE/dz[2][k] x W[2][0, k]" in str(factors)
    assert "= (1 x 3) = 3" in str(factors)


# -- as dict, table and text -----------------------------------------------------------------------


def test_the_dict_is_json_and_complete():
    network, X, y = random_case("log_loss", "softmax", (3, 4, 3), 1, dtype="float32")
    trace = trace_step(network, X[0], y[0], 0.1, momentum=0.9)
    again = json.loads(json.dumps(trace.to_dict(), allow_nan=False))
    assert again["format"] == "fastbp.step/1"
    assert again["solver"]["momentum"] == 0.9
    assert again["names"] == {"features": ["0", "1", "2"], "outputs": ["0", "1", "2"]}
    for layer, expected in zip(again["layers"], trace.layers, strict=True):
        for name in ("z", "a", "delta", "W", "b", "grad_W", "grad_b", "new_W", "new_b"):
            assert bits([np.array(layer[name], "float32")]) == bits([getattr(expected, name)])
        for part, array in zip("Wb", expected.new_state["velocities"], strict=True):
            assert np.array_equal(layer["new_state"]["velocities"][part], array)
    assert json.dumps(trace.factors(1, 0, 0).to_dict(), allow_nan=False)


def test_infinite_slopes_of_the_loss_are_none_in_the_dict():
    network = Network((1, 2), loss="log_loss", random_state=0)
    network.weights = [[[800.0, -800.0]]]
    trace = trace_step(network, [1.0], 1, 0.1)
    assert np.isinf(trace.layers[0].dE_da[1])
    assert json.loads(json.dumps(trace.to_dict(), allow_nan=False))["layers"][0]["dE_da"][1] is None
    assert "a - y" in str(trace.factors(1, 0, 1))


def test_the_tables_have_a_row_for_each_parameter_and_unit():
    network, X, y = random_case("squared_error", "identity", (3, 4, 2), 1)
    trace = trace_step(network, X[0], y[0], 0.1, momentum=0.5)
    table = trace.to_frame()
    assert len(table) == network.n_parameters
    row = table.query("layer == 2 and kind == 'weight' and i == 3 and j == 1").iloc[0]
    layer = trace.layers[1]
    assert row["before"] == layer.W[3, 1]
    assert row["after"] == layer.new_W[3, 1]
    assert row["gradient"] == layer.grad_W[3, 1]
    assert (row["a"], row["delta"]) == (layer.x[3], layer.delta[1])
    assert row["velocities_after"] == layer.new_state["velocities"][0][3, 1]
    assert table.query("kind == 'bias'")["i"].isna().all()
    units = trace.to_frame("units")
    assert units["z"].tolist() == [*trace.layers[0].z, *trace.layers[1].z]
    with pytest.raises(ValueError, match='of must be "parameters" or "units"'):
        trace.to_frame("rows")


def test_a_table_without_pandas_says_what_to_do():
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        "from fastbp import Network, trace_step\n"
        "trace = trace_step(Network((1, 1), random_state=0), [1.0], 1.0, 0.1)\n"
        "try: trace.to_frame()\nexcept ImportError as error: print(error)\n"
        "print('sklearn' in sys.modules, 'scipy' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [
        "to_frame needs pandas: python -m pip install pandas. to_dict does without.",
        "False False",
    ]


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_text_goes_from_forward_to_the_loss_after(solver):
    network, X, y = random_case("squared_error", "identity", (3, 40, 2), 1)
    text = str(trace_step(network, X[0], y[0], 0.1, **solver))
    heads = ["Forward", "Loss: E = 1/2", "Backward", "Update", "Loss after the step"]
    places = [text.index(head) for head in heads]
    assert places == sorted(places)
    assert "the 8 of 40 units with the largest |delta|" in text
    assert "the 25 largest of 160" in text
    for option in solver:
        assert f"{option} = " in text or option in ("nesterov", "solver")
    assert max(map(len, text.splitlines())) < 120


def test_names_are_those_of_columns_and_classes():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 2)), columns=["height", "weight"])
    y = np.where(X["height"] > 0, "tall", "small")
    model = BackpropClassifier(hidden_layer_sizes=(3,), random_state=0)
    model.partial_fit(X, y, classes=["small", "tall"])
    by_series, by_frame = trace_step(model, X.iloc[4], y[4]), trace_step(model, X[4:5], y[4:5])
    assert bits(after(by_series)) == bits(after(by_frame))
    assert by_series.names.features == ("height", "weight")
    assert by_series.names.outputs == ("tall",)


def test_a_sparse_row_is_the_same_as_a_dense_one():
    network, X, y = random_case("squared_error", "identity", (6, 4, 2), 1)
    X[0, [1, 3]] = 0
    dense, sparse = trace_step(network, X[0], y[0], 0.1), trace_step(network, csr_array(X), y, 0.1)
    assert np.array_equal(sparse.x, X[0])
    assert worst_difference(after(sparse), after(dense)) < 1e-14


# -- bad input -------------------------------------------------------------------------------------

NETWORK = Network((3, 4, 2), random_state=0)
FITTED = BackpropClassifier(hidden_layer_sizes=(3,), random_state=0).partial_fit(
    np.eye(3), ["a", "b", "a"], classes=["a", "b"]
)
PIPELINE = make_pipeline(StandardScaler(), BackpropClassifier())
BAD = {
    "no rate": ((NETWORK, [1, 2, 3], [1, 2]), {}, ValueError, "A network needs a learning_rate"),
    "bad rate": ((NETWORK, [1, 2, 3], [1, 2], -1), {}, ValueError, "learning_rate must be greater"),
    "width": ((NETWORK, [1, 2], [1, 2], 1), {}, ValueError, "X has 2 features, but this network"),
    "rows": ((NETWORK, np.ones((2, 3)), [1, 2], 1), {}, ValueError, "x must be one row; got.*2, 3"),
    "number": ((NETWORK, 3.0, [1, 2], 1), {}, ValueError, r"x must be one row; got.*\(\)"),
    "NaN": ((NETWORK, [1, np.nan, 3], [1, 2], 1), {}, ValueError, r"X\[0, 1\] is nan"),
    "NaN in y": ((NETWORK, [1, 2, 3], [1, np.nan], 1), {}, ValueError, r"y\[0, 1\] is nan"),
    "y": ((NETWORK, [1, 2, 3], [1, 2, 3], 1), {}, ValueError, "y has shape .* need"),
    "option": (
        (NETWORK, [1, 2, 3], [1, 2], 1),
        {"speed": 3},
        TypeError,
        "no option 'speed'.*alpha",
    ),
    "unfitted": ((BackpropRegressor(), [1], 2), {}, NotFittedError, "not fitted"),
    "label": ((FITTED, [1, 2, 3], "z"), {}, ValueError, r"does not know: \['z'\]"),
    "width, fitted": ((FITTED, [1, 2], "a"), {}, ValueError, "X has 2 features, but Backprop"),
    "NaN, fitted": ((FITTED, [1, np.nan, 3], "a"), {}, ValueError, "NaN"),
    "pipeline": ((PIPELINE, [1], 2), {}, TypeError, r"got Pipeline. Of a pipeline pass the last"),
    "no model": (("model", [1], 2), {}, TypeError, "model must be a fastbp.Network, or .*got str"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_traced_is_refused_with_a_reason(case):
    arguments, options, error, message = BAD[case]
    with pytest.raises(error, match=message):
        trace_step(*arguments, **options)


@pytest.mark.parametrize(
    "place", [(0, 0, 0), (3, 0, 0), (1, 3, 0), (1, -1, 0), (2, 0, 2), (1, 0, "x")]
)
def test_a_parameter_that_does_not_exist(place):
    trace = trace_step(NETWORK, [1, 2, 3], [1, 2], 0.1)
    with pytest.raises((ValueError, TypeError), match=r"(layer|i|j) must be"):
        trace.factors(*place)


def test_a_step_that_diverges_is_not_taken_and_says_so():
    network = Network((1, 1), random_state=0)
    for solver in ({}, {"momentum": 0.9}):
        with pytest.warns(DivergenceWarning, match=re.escape("learning_rate=1e+300")):
            trace = trace_step(network, [1e100], [1.0], 1e300, **solver)
        assert bits(after(trace)) == bits(parameters_of(network))


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_scikit_learns_perceptron_is_refused_with_the_way_to_convert_it(kind):
    model = getattr(sklearn.neural_network, f"MLP{kind}")()
    way = rf"got MLP{kind}\. Convert it: Backprop{kind}\.from_sklearn\(model\)"
    with pytest.raises(TypeError, match=way):
        trace_step(model, [1.0], 1.0)


def test_derivatives_too_large_for_the_dtype_are_infinite_without_a_word_of_numpy():
    network = Network((3, 4, 2), activation="identity", random_state=0)
    network.weights[1][...] = 1e200
    with pytest.warns(DivergenceWarning) as caught:
        trace = trace_step(network, np.ones(3), [1.0, 0.0], 0.1)
    assert {warning.category for warning in caught} == {DivergenceWarning}
    assert trace.refused
    factors = trace.factors(1, 0, 0)  # a warning here would be an error, as everywhere in the tests
    assert "inf" in str(factors)
    assert "<html" in trace.to_html()
    assert np.isinf(trace.layers[0].dE_da).all()
    assert np.isinf(factors.terms()).all()
