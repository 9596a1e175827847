"""Models of streams compute what a reference in NumPy computes."""

import numpy as np
import pytest

from fastbp.online import OnlineClassifier, OnlineRegressor

from .reference import Model, Network

SETTINGS = {
    "mixture": {},
    "one network": {"replay": 0},
    "one network, replaying": {"solver": "adagrad", "replay": 3, "buffer_size": 30},
    "mixture, fewer replays": {"replay": 2},
    "two layers": {"hidden_layer_sizes": (6, 5), "solver": "adagrad", "learning_rate_init": 0.05},
    "linear": {"hidden_layer_sizes": (), "solver": "rmsprop"},
}


def reference_of(model, n_inputs, n_classes):
    """Return a reference that begins as the model did, whose names are all known."""
    experts = []
    for expert in model._experts.all:
        network = expert.in_use(n_inputs, n_classes or 1)
        solver = expert.kind.solver
        adagrad = solver.solver == "adagrad"
        keep = 1.0 if adagrad else solver.beta_2
        one = Network(
            network.weights,
            network.biases,
            solver.learning_rate,
            keep,
            1.0 if adagrad else 1 - keep,
        )
        experts.append((one, expert.kind.replay, expert.kind.margin, expert.kind.share))
    return Model(experts, model._experts.seed, n_inputs, n_classes, model.buffer_size)


def begin(kind, settings, n_inputs, classes):
    """Return a model with all names, which has learned nothing, and its reference."""
    model = kind(random_state=3, **settings)
    row = dict.fromkeys(range(n_inputs), 0.0)
    for label in classes or [0.0]:
        model._prepare(row, label)
    n_classes = len(classes) or None
    return model, model._change(lambda: reference_of(model, n_inputs, n_classes))


@pytest.mark.parametrize("name", SETTINGS)
def test_classifier(name):
    rng = np.random.default_rng(0)
    model, reference = begin(OnlineClassifier, SETTINGS[name], 3, ["a", "b", "c"])
    for _ in range(120):
        x = rng.normal([5, -3, 100], [1, 10, 0.1])
        y = int(x[0] > 5) + int(x[2] > 100)
        found = list(model.predict_proba_one(x).values())
        np.testing.assert_allclose(found, reference.predict(x), rtol=1e-7, atol=1e-12)
        model.learn_one(x, "abc"[y])
        reference.learn(x, y)


@pytest.mark.parametrize("name", SETTINGS)
def test_regressor(name):
    rng = np.random.default_rng(0)
    model, reference = begin(OnlineRegressor, SETTINGS[name], 3, [])
    for _ in range(120):
        x = rng.normal([5, -3, 100], [1, 10, 0.1])
        y = 1000 + 30 * (x[0] - 5) ** 2 + x[1]
        assert model.predict_one(x) == pytest.approx(reference.predict(x), rel=1e-7)
        weight = float(rng.choice([1.0, 0.5, 2.0]))
        model.learn_one(x, y, weight)
        reference.learn(x, y, weight)


@pytest.mark.parametrize("buffer_size", [60, 150, 1000])
def test_rows_are_forgotten_where_the_loss_jumps(buffer_size):
    rng = np.random.default_rng(0)
    settings = {"buffer_size": buffer_size, "hidden_layer_sizes": (8,)}
    model, reference = begin(OnlineClassifier, settings, 2, ["a", "b"])
    for i in range(700):
        x = rng.normal(size=2)
        y = int((x[0] > 0) != (i > 400))  # another world
        if i % 20 == 0:
            found = list(model.predict_proba_one(x).values())
            np.testing.assert_allclose(found, reference.predict(x), rtol=1e-6, atol=1e-9)
        model.learn_one(x, "ab"[y])
        reference.learn(x, y)
        assert len(model._past.to_dict()["weights"]) == len(reference.kept)
    assert reference.n_jumps >= 1


def test_moments_forget_and_bound_what_is_far():
    model, reference = begin(OnlineRegressor, {"replay": 0}, 1, [])
    rng = np.random.default_rng(0)
    for i in range(3000):
        x = rng.normal(size=1) * (1e6 if i > 2000 else 1)
        x = x * (1e9 if i == 1500 else 1)
        model.learn_one(x, float(x[0]))
        reference.learn(x, float(x[0]))
    weight, mean, squares = model._experts.inputs[0, :3]
    moments = reference.inputs[0]
    expected = [moments.weight, moments.mean, moments.squares]
    np.testing.assert_allclose([weight, mean, squares], expected, rtol=1e-9)
    assert 0.5e6 < np.sqrt(squares / weight) < 2e6
