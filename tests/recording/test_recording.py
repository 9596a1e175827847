"""Recorded training is training as it would have been, and its snapshots are where it went."""

import json

import numpy as np
import pandas as pd
import pytest
from cases import parameters_of, random_case, worst_difference
from plain_models import BackpropClassifier, BackpropRegressor
from scipy.sparse import csr_array

import fastbp
from fastbp import DivergenceWarning, Network, record

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(90, 4))
Y = X[:, 0] * X[:, 1]
LABELS = np.array(["a", "b", "c"])[np.arange(90) % 3]
SOLVERS = [
    {},
    {"alpha": 0.1},
    {"momentum": 0.9},
    {"batch_size": 7},
    {"batch_size": 7, "momentum": 0.9, "alpha": 0.01},
    {"solver": "adam"},
    {"solver": "adam", "batch_size": 7},
]


def bits(network):
    return [parameter.tobytes() for parameter in parameters_of(network)]


def small(kind=BackpropRegressor, **parameters):
    defaults = {"hidden_layer_sizes": 5, "max_iter": 6, "random_state": 0}
    return kind(**{**defaults, **parameters})


# -- training is not changed ----------------------------------------------------------------------


@pytest.mark.parametrize("every", [None, 1, 7, 10_000])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("hidden", [5, (40, 9)])
def test_a_recorded_fit_is_the_same_fit_to_the_bit(hidden, solver, every):
    for kind, y in ((BackpropRegressor, X[:, 0] * X[:, 1]), (BackpropClassifier, LABELS)):
        plain = small(kind, hidden_layer_sizes=hidden, **solver).fit(X, y)
        model = small(kind, hidden_layer_sizes=hidden, **solver)
        recording = record(model, X, y, every=every)
        assert bits(model.network_) == bits(plain.network_)
        assert model.loss_curve_ == plain.loss_curve_ == recording.epoch_losses
        assert str(model._random_state.get_state()) == str(plain._random_state.get_state())
        assert bits(recording.network(-1)) == bits(plain.network_)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_recorded_network_is_the_same_network_to_the_bit(solver, dtype):
    network, data, y = random_case("squared_error", "identity", (4, 30, 2), 50, dtype=dtype)
    plain = network.copy()
    losses = [plain.train_epoch(data, y, 0.01, **solver) for _ in range(3)]
    recording = record(network, data, y, epochs=3, learning_rate=0.01, **solver)
    assert bits(network) == bits(plain)
    assert recording.epoch_losses == losses


def test_threads_are_those_of_the_estimator():
    y, options = X[:, 0], {"solver": "adam", "batch_size": 30, "n_threads": 2}
    plain, model = small(**options).fit(X, y), small(**options)
    record(model, X, y, every=1)
    assert bits(model.network_) == bits(plain.network_)


def test_of_several_networks_the_one_that_is_kept_is_recorded():
    plain, model = small(n_init=3, solver="adam").fit(X, Y), small(n_init=3, solver="adam")
    recording = record(model, X, Y)
    assert bits(model.network_) == bits(plain.network_) == bits(recording.network(-1))
    assert recording.epoch_losses == model.loss_curve_
    side_by_side = small(n_init=3)
    with pytest.raises(RuntimeError, match="Record with n_init=1"):
        record(side_by_side, X, Y)
    assert bits(side_by_side.network_) == bits(small(n_init=3).fit(X, Y).network_)


def test_sparse_rows_and_weights_are_recorded():
    y, weights = X[:, 0], np.linspace(0, 3, 90)
    plain = small().fit(csr_array(X), y, weights)
    model = small()
    recording = record(model, csr_array(X), y, sample_weight=weights, every=11)
    assert bits(model.network_) == bits(plain.network_)
    assert recording.n_steps == model.t_


def test_nothing_is_watched_afterwards():
    y = X[:, 0]
    recording = record(small(), X, y, every=10)
    with pytest.raises(ValueError, match="NaN"):
        record(small(), np.full_like(X, np.nan), y)
    n_before = len(recording)
    small().fit(X, y)
    assert len(recording) == n_before
    assert fastbp.training.epochs.EPOCH_HOOK.get() is None


# -- snapshots ------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
def test_snapshots_are_where_training_went(solver):
    network, data, y = random_case("squared_error", "identity", (4, 30, 2), 50)
    plain, batch = network.copy(), solver.get("batch_size", 1)
    recording = record(network, data, y, epochs=2, learning_rate=0.01, every=3, **solver)
    steps_an_epoch = -(-50 // batch)
    order = [
        np.arange(50)[start : start + batch]
        for _ in range(2)
        for start in range(0, 50, batch)
    ]  # fmt: skip
    assert recording.n_steps == 2 * steps_an_epoch == len(order)
    expected = [*range(0, recording.n_steps, 3), recording.n_steps]
    assert recording.steps.tolist() == sorted(set(expected))
    assert np.array_equal(recording.epochs, recording.steps / steps_an_epoch)
    snapshots = dict(zip(recording.steps.tolist(), range(len(recording)), strict=True))
    running = []
    for step in range(recording.n_steps + 1):
        if step in snapshots:
            k = snapshots[step]
            assert (
                worst_difference(parameters_of(recording.network(k)), parameters_of(plain)) < 1e-12
            )
            if step:
                assert recording.running_losses[k] == pytest.approx(np.mean(running))
            running = []
            following = order[step].tolist() if step < recording.n_steps else []
            assert recording.rows[k].tolist() == following
        if step < recording.n_steps:
            rows = order[step]
            running += [plain.loss(data[i : i + 1], y[i : i + 1]) for i in rows]
            plain.train_epoch(data, y, 0.01, order=rows, **solver)
    assert np.isnan(recording.running_losses[0])


def test_losses_and_norms_are_those_of_the_probe():
    network, data, y = random_case("squared_error", "identity", (4, 6, 2), 50)
    recording = record(network, data, y, epochs=1, learning_rate=0.01, every=10, n_probe=20)
    assert len(recording.probe_X) == 20
    for k in range(len(recording)):
        loss, grad_weights, grad_biases = recording.network(k).gradients(
            recording.probe_X, recording.probe_y
        )
        assert recording.losses[k] == loss
        for l in (0, 1):
            norm = np.linalg.norm([*grad_weights[l].ravel(), *grad_biases[l]])
            assert recording.gradient_norms[k, l] == pytest.approx(norm, rel=1e-12)


@pytest.mark.parametrize("every", [1, 3])
def test_a_snapshot_can_be_traced_into_the_next(every):
    model = small(BackpropClassifier, momentum=0.9, class_weight={"a": 0.5}, max_iter=1)
    recording = record(model, X[:20], LABELS[:20], every=every)
    assert len(recording) == 20 // every + 1 + (every == 3)
    for k in range(len(recording) - 1):
        trace = recording.trace(k)
        (row,) = recording.rows[k]
        assert np.array_equal(trace.x, X[row])
        assert trace.y.argmax() == "abc".index(LABELS[row])
        assert trace.weight == (0.5 if LABELS[row] == "a" else 1)
        assert np.array_equal(trace.layers[0].W, recording.weights(k)[0])
        if every == 1:
            after = [layer.new_W for layer in trace.layers]
            assert worst_difference(after, recording.weights(k + 1)) < 1e-12
    with pytest.raises(ValueError, match="no step follows"):
        recording.trace(-1)


def test_limits_are_kept_by_thinning_out_evenly():
    recording = record(small(tol=0, n_iter_no_change=99), X, X[:, 0], max_snapshots=10)
    assert recording.n_steps == 540
    assert 5 <= len(recording) <= 11
    assert recording.steps.tolist() == [*range(0, 540, recording.every), 540]
    weights = np.diff(recording.steps)
    total = np.nansum(recording.running_losses[1:] * weights)
    assert total == pytest.approx(90 * sum(recording.epoch_losses), rel=1e-9)

    network = Network((50, 20, 1), random_state=0)
    wide = RANDOM.normal(size=(100, 50))
    n_bytes = 10 * 8 * network.n_parameters
    recording = record(network, wide, wide[:, 0], learning_rate=0.001, epochs=2, max_bytes=n_bytes)
    assert 4 <= len(recording) <= 11
    with pytest.raises(ValueError, match=r"max_bytes=9000 is too little.* takes .* bytes"):
        record(network, wide, wide[:, 0], learning_rate=0.001, max_bytes=9000)


def test_the_dict_is_json_and_complete():
    model = small(BackpropClassifier, momentum=0.9, max_iter=2)
    recording = record(model, X, LABELS, every=50)
    again = json.loads(json.dumps(recording.to_dict(), allow_nan=False))
    assert again["format"] == "fastbp.recording/1"
    assert again["layer_sizes"] == [4, 5, 3]
    assert again["activation"] == ["relu", "softmax"]
    assert again["names"]["outputs"] == ["a", "b", "c"]
    assert again["solver"]["momentum"] == 0.9
    assert len(again["snapshots"]) == len(recording) == 5
    assert np.array_equal(again["probe"]["X"], recording.probe_X)
    for k, snapshot in enumerate(again["snapshots"]):
        assert snapshot["step"] == recording.steps[k]
        assert snapshot["loss"] == recording.losses[k]
        assert np.array_equal(snapshot["layers"][1]["W"], recording.weights(k)[1])
        assert np.array_equal(snapshot["layers"][1]["b"], recording.biases(k)[1])
        if k < 4:
            assert snapshot["next"]["rows"] == recording.rows[k].tolist()
            assert np.array_equal(snapshot["next"]["x"], X[recording.rows[k][0]])
    assert again["snapshots"][0]["running_loss"] is None
    assert again["snapshots"][-1]["next"] is None
    velocities = again["snapshots"][-1]["state"]["velocities"]
    assert np.array_equal(
        velocities[0]["W"],
        model.network_._state.moments["momentum"].arenas["velocities"].weights[0],
    )


def test_going_on_where_a_model_is():
    model = small(warm_start=True).fit(X, X[:, 0])
    before = bits(model.network_)
    recording = record(model, X, X[:, 0])
    assert bits(recording.network(0)) == before
    assert len(recording.epoch_losses) == len(model.loss_curve_) / 2


def test_diverging_training_is_recorded_up_to_its_end():
    for every in (1, 1000):
        model = small(learning_rate_init=1e6)
        with pytest.warns(DivergenceWarning):
            recording = record(model, X, 1e3 * X[:, 0], every=every)
        assert recording.epoch_losses == [np.inf]
        assert bits(recording.network(-1)) == bits(model.network_)
        assert json.dumps(recording.to_dict(), allow_nan=False)
        assert recording.diverged
        assert '"diverged_in":1' in recording.to_html()
        assert "from before it diverged" in recording.to_html()


@pytest.mark.parametrize("every", [90, 1000])
def test_the_last_snapshot_of_training_that_diverged_late_is_what_was_kept(every):
    def rate(done):  # learns, then makes it worse, then diverges
        return 0.02 if done < 0.5 else 0.25 if done < 0.8 else 1e9

    model = small(learning_rate_init=1.0, learning_rate=rate, activation="tanh")
    model.set_params(max_iter=10, tol=0)
    with pytest.warns(DivergenceWarning):
        recording = record(model, X, 2 * X[:, 0], every=every)
    losses = recording.epoch_losses
    assert min(losses) < 0.2 * losses[-2]
    assert recording.diverged
    assert bits(recording.network(-1)) == bits(model.network_)


def test_a_recording_prints_as_one_line():
    recording = record(small(), X, X[:, 0])
    line = repr(recording)
    assert str(recording) == line
    sizes = "-".join(map(str, recording.layer_sizes))
    assert line.startswith(f"Recording of {sizes}, {len(recording)} snapshots, loss ")
    assert line.endswith(f" to {recording.losses[-1]:.3g}")
    assert "\n" not in line
    assert len(line) < 100


def test_outputs_are_called_what_the_targets_are():
    pay = pd.Series(X[:, 0], name="pay")
    assert record(small(), X, pay).names.outputs == ("pay",)
    assert record(small(), X, pay.to_numpy()).names.outputs == ("0",)
    both = pd.DataFrame({"pay": X[:, 0], "age": X[:, 1]})
    assert record(small(), X, both).names.outputs == ("pay", "age")
    labels = pd.Series(np.where(X[:, 0] > 0, "rich", "poor"), name="kind")
    model = BackpropClassifier(hidden_layer_sizes=2, max_iter=2, tol=0)
    assert record(model, X, labels).names.outputs == ("rich",)


def test_snapshots_that_are_not_there_are_refused_with_those_that_are():
    recording = record(small(), X, X[:, 0])
    assert not recording.diverged
    last = len(recording) - 1
    for method in (recording.trace, recording.network, recording.weights, recording.biases):
        for k in (last + 1, 999, -last - 2):
            with pytest.raises(IndexError, match=f"snapshot must be 0 to {last}; got {k}"):
                method(k)


NETWORK = Network((4, 3, 1), random_state=0)
BAD = {
    "rate": ((NETWORK, X, X[:, 0]), {}, ValueError, "A network needs a learning_rate"),
    "option": ((NETWORK, X, X[:, 0]), {"speed": 1}, TypeError, "no option 'speed'"),
    "fit option": ((small(), X, X[:, 0]), {"momentum": 0.5}, TypeError, "momentum is an option"),
    "fit epochs": ((small(), X, X[:, 0]), {"epochs": 5}, TypeError, "epochs is an option"),
    "weights": (
        (NETWORK, X, X[:, 0]),
        {"sample_weight": X[:, 0], "learning_rate": 1},
        TypeError,
        "sample_weight is an option for estimators",
    ),
    "every": ((small(), X, X[:, 0]), {"every": 0}, ValueError, "every must be at least 1"),
    "most": ((small(), X, X[:, 0]), {"max_snapshots": 3}, ValueError, "max_snapshots must be"),
    "probe": ((small(), X, X[:, 0]), {"n_probe": 0}, ValueError, "n_probe must be at least 1"),
    "y": ((NETWORK, X, X[:50, 0]), {"learning_rate": 0.1}, ValueError, "y has shape"),
    "no model": ((None, X, X[:, 0]), {}, TypeError, "model must be a fastbp.Network"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_recorded_is_refused_with_a_reason(case):
    arguments, options, error, message = BAD[case]
    with pytest.raises(error, match=message):
        record(*arguments, **options)


class OtherWhenAskedAgain:
    """An array at first, and NaN ever after."""

    shape, ndim = X.shape, 2

    def __init__(self):
        self.arrays = [X]

    def __len__(self):
        return len(X)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.arrays.pop() if self.arrays else X * np.nan, dtype=dtype)


@pytest.mark.parametrize("kind", ["network", "estimator"])
def test_x_is_read_once(kind):
    if kind == "network":
        model, expected = Network((4, 5, 1), random_state=0), Network((4, 5, 1), random_state=0)
        options = {"epochs": 2, "learning_rate": 0.01}
    else:
        model, expected, options = small(), small(), {}
    recording = record(model, OtherWhenAskedAgain(), Y, **options)
    np.testing.assert_array_equal(recording.losses, record(expected, X, Y, **options).losses)
