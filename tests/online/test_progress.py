"""Scores of a stream while it is learned, their picture, and recordings of single steps."""

import numpy as np
import pytest

import fastbp
from fastbp.online import OnlineClassifier, OnlineRegressor, learn_progressively


class Constant:
    """A model that predicts one thing, as river's models do."""

    def __init__(self, answer):
        self.answer = answer

    def predict_one(self, x):
        return self.answer

    def learn_one(self, x, y):
        pass


class ConstantClassifier(Constant):
    def predict_proba_one(self, x):
        return {self.answer: 1.0}


def test_scores_of_classes():
    rows = [({}, y) for y in "aabbba"]
    progress = learn_progressively(ConstantClassifier("a"), rows, window=2, every=1)
    assert progress.metric == "accuracy"
    assert progress.rows == [1, 2, 3, 4, 5, 6]
    assert progress.score == [1, 1, 2 / 3, 2 / 4, 2 / 5, 3 / 6]
    assert progress.window_score == [1, 1, 0.5, 0, 0, 0.5]
    assert progress.baseline == [0, 1 / 2, 1 / 3, 2 / 4, 3 / 5, 3 / 6]
    assert "6 rows: accuracy 0.5000 (baseline 0.5000" in str(progress)


def test_scores_of_numbers():
    progress = learn_progressively(Constant(1.0), [({}, 1.0), ({}, 3.0), ({}, 5.0)], every=1)
    assert progress.score == [0, 1, 2]
    assert progress.baseline == [1, (1 + 2) / 2, (1 + 2 + 3) / 3]


def test_points_are_thinned_out():
    progress = learn_progressively(Constant(0.0), (({}, 0.0) for _ in range(5000)))
    assert 500 < len(progress.rows) < 2000
    assert progress.rows[-1] == 5000
    assert np.unique(np.diff(progress.rows)[:-1]).size == 1
    assert all(len(values) == len(progress.rows) for values in (progress.score, progress.baseline))


def test_display():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from fastbp.plot import StreamDisplay

    rows = [({f"x{i // 50}": i % 2, "a": i % 3}, "ab"[i % 2]) for i in range(200)]
    display = StreamDisplay.from_model(OnlineClassifier(random_state=0), rows, window=50, name="m")
    assert display.line_.get_ydata()[-1] == display.progress.score[-1]
    assert display.window_line_.get_ydata()[-1] > 0.9
    assert display.baseline_.get_ydata()[-1] == 0
    assert display.ax_.get_ylabel() == "accuracy"
    assert display.growth_ax_.get_ylabel() == "features so far"
    again = display.plot()
    assert again.ax_ is not None
    regression = StreamDisplay.from_model(OnlineRegressor(), [([1.0], 2.0)] * 5)
    assert regression.growth_ax_ is None
    assert regression.ax_.get_ylabel() == "mean absolute error"


def rows_of_classes(n=40):
    rng = np.random.default_rng(0)
    for i in range(n):
        a, b = rng.normal(size=2)
        yield (
            {"a": a, "b": b, "color": ["red", "blue"][i % 2]},
            ["x", "y", "z"][int(a > 0) + (b > 1)],
        )


@pytest.mark.parametrize("options", [{}, {"replay": 0}, {"solver": "sgd"}])
def test_recording_takes_the_steps_that_the_model_took(options):
    model = OnlineClassifier(random_state=0, hidden_layer_sizes=(5,), **options)
    model.learn_one({"a": 1.0}, "x")
    other = OnlineClassifier(random_state=0, hidden_layer_sizes=(5,), **options)
    other.learn_one({"a": 1.0}, "x")
    recording = fastbp.record_stream(model, rows_of_classes())
    for x, y in rows_of_classes():
        other.learn_one(x, y)
    assert model.predict_proba_one({"a": 0.3}) == other.predict_proba_one({"a": 0.3})
    assert len(recording) == 41
    assert recording.names.outputs == ("x", "y", "z")
    assert set(recording.names.features) == {"a", "b", "color=red", "color=blue"}
    for k, atol in ((1, 1e-6), (7, 1e-6), (30, 1e-15)):  # at first there is no label "z"
        trace = recording.trace(k)
        for layer, W in zip(trace.layers, recording.weights(k + 1), strict=True):
            np.testing.assert_allclose(layer.new_W, W, rtol=1e-9, atol=atol)
    assert "<html" in recording.to_html()


def test_recording_of_numbers():
    model = OnlineRegressor(random_state=0, hidden_layer_sizes=(5,))
    rows = [({"a": i % 5, "b": i % 3}, {"u": i % 5, "v": 3}) for i in range(30)]
    recording = fastbp.record_stream(model, rows, max_rows=20)
    assert len(recording) == 21
    assert recording.names.outputs == ("u", "v")
    assert np.isfinite(recording.losses).all()


def test_recording_refuses_several_steps_a_row():
    with pytest.raises(ValueError, match="choose replay=0"):
        fastbp.record_stream(OnlineClassifier(solver="sgd", replay=3), rows_of_classes())
    with pytest.raises(ValueError, match="the stream has no rows"):
        fastbp.record_stream(OnlineClassifier(), [])
