"""Models as arrays, and that every table of the exporters is complete."""

import io

import numpy as np
import pytest
from exported_models import ACTIVATIONS, LABELS, random_estimator, random_network, random_rows
from sklearn.exceptions import NotFittedError

import fastbp
from fastbp.export import c_layers, c_learn, description_of, forward, onnx_graph
from fastbp.network.tables import HIDDEN_ACTIVATIONS, LOSSES
from fastbp.neural_network import MLPClassifier

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::fastbp.DivergenceWarning"
)


def predicted(m, X):
    """The lines of the docstring, with all activations."""
    gaps = np.isnan(X)
    a = np.hstack([np.where(gaps, m["means"], X), gaps[:, m["marked"]]])
    a = (a - m["center"]) / m["scale"]
    a = a / np.sqrt(1 + (a / m["limit"]) ** 2)
    for l, name in enumerate(m["activations"]):
        a = forward.ACTIVATIONS[name](a @ m[f"W{l}"] + m[f"b{l}"])
    return a * m["target_scale"] + m["target_center"]


@pytest.mark.parametrize("kind", LABELS)
def test_a_few_lines_of_numpy_predict_the_same_from_a_file(kind):
    for seed in range(4):
        model, X = random_estimator(np.random.default_rng(seed), kind)
        file = io.BytesIO()
        np.savez(file, **model.to_numpy())
        file.seek(0)
        m = np.load(file)
        with np.errstate(over="ignore"):
            outputs = predicted(m, X)
        if kind == "numbers":
            np.testing.assert_allclose(outputs, model.predict(X).reshape(len(X), -1), rtol=1e-9)
            continue
        np.testing.assert_allclose(outputs[:, -1], model.predict_proba(X)[:, -1], rtol=1e-9)
        np.testing.assert_array_equal(m["classes"], model.classes_)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_exporters_own_forward_pass_is_that_of_networks(activation):
    rng = np.random.default_rng(0)
    network = random_network(rng, activation, "float64")
    X = random_rows(rng, 20, network.layer_sizes[0], "float64")
    outputs = forward.layer_inputs(description_of(network), X)[-1]
    np.testing.assert_allclose(outputs, network.forward(X), rtol=1e-9, atol=1e-14)


def test_arrays_are_copies_and_drop_ins_have_them():
    network = fastbp.Network((2, 3, 1))
    network.to_numpy()["W0"][...] = 7
    assert (network.weights[0] != 7).all()
    X = np.random.default_rng(0).normal(size=(30, 3))
    model = MLPClassifier(max_iter=1).fit(X, X[:, 0] > 0)
    np.testing.assert_allclose(
        predicted(model.to_numpy(), X)[:, 0], model.predict_proba(X)[:, 1], rtol=1e-9
    )
    with pytest.raises(NotFittedError, match="not fitted"):
        MLPClassifier().to_numpy()


def test_feature_names_and_text_of_objects_need_no_pickle():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(np.eye(4), columns=list("abcd"))
    y = pd.Series(["x", "y", "x", "y"], dtype=object)
    model = fastbp.BackpropClassifier(max_iter=1, early_stopping=False).fit(X, y)
    arrays = model.to_numpy()
    assert arrays["feature_names"].tolist() == list("abcd")
    assert {array.dtype.kind for array in arrays.values()} <= set("fiU")


def test_other_objects_are_refused():
    with pytest.raises(TypeError, match="a dict cannot be exported"):
        description_of({})


def test_every_activation_and_loss_can_be_exported():
    names = set(ACTIVATIONS)
    assert set(onnx_graph.ACTIVATIONS) == set(forward.ACTIVATIONS) == names
    assert {"identity", "softmax", *c_layers.UNITS} == names
    assert set(c_learn.SLOPES) == set(HIDDEN_ACTIVATIONS)
    assert set(c_learn.DELTAS) == set(LOSSES)
