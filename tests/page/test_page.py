"""What a page holds, and how it is written."""

import html
import json
import math
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cases import random_case
from plain_models import BackpropClassifier
from recordings import recorded_schedule

from fastbp import DivergenceWarning, Network, record, trace_step
from fastbp.measured import ChainTuner, Knob, Stage
from fastbp.page.data import MAX_OF_CURVE, MAX_UNITS, _shown
from fastbp.trace.to_json import jsonable

ROOT = Path(__file__).parents[2]
MAX_BYTES = 1_500_000
EVIL = (
    "</script><script>alert('x')</script><img src=x onerror=alert(1)> & \" ' @@data@@ \u2028\u202e"
)


def held(page):
    """The data of a page, read as a browser reads it."""
    (text,) = re.findall(
        r'<script type="application/json" id="fastbp-data">(.*?)</script>', page, re.DOTALL
    )
    return json.loads(text)


@pytest.fixture(scope="module")
def small():
    network, X, y = random_case("squared_error", "identity", (2, 3, 1), 6)
    return record(network, X, y, epochs=3, learning_rate=0.05)


@pytest.fixture(scope="module")
def scheduled():
    return recorded_schedule()


# -- what it holds ---------------------------------------------------------------------------------


def test_the_page_of_a_step_holds_the_numbers_of_the_trace_to_the_bit(small):
    for dtype in ("float64", "float32"):
        network, X, y = random_case("poisson", "exp", (3, 5, 2), 1, dtype=dtype)
        trace = trace_step(network, X[0], y[0], 0.1, solver="adam")
        page, plain = held(trace.to_html()), trace.to_dict()
        (frame,) = page["frames"]
        assert page["shown"] == [[0, 1, 2], [0, 1, 2, 3, 4], [0, 1]]
        for name in ("x", "y", "weight", "n_steps", "loss", "new_loss"):
            assert frame[name] == plain[name]
        for layer, expected in zip(frame["layers"], plain["layers"], strict=True):
            assert layer == {name: expected[name] for name in layer}
            assert set(expected) - set(layer) == {"layer", "activation", "x"}
        solver = {name: page["solver"][name] for name in plain["solver"]}
        assert solver == plain["solver"]
        assert frame["whole"] is None


def test_the_page_of_a_recording_holds_the_trace_of_every_snapshot(small):
    page = held(small.to_html())
    assert [frame["snapshot"] for frame in page["frames"]] == list(range(len(small)))
    for k in range(len(small) - 1):
        frame, plain = page["frames"][k], small.trace(k).to_dict()
        assert frame["loss"] == plain["loss"]
        assert [frame["row"]] == small.rows[k].tolist()
        assert frame["n_rows"] == 1
        assert frame["probe_loss"] == small.losses[k]
        for layer, expected in zip(frame["layers"], plain["layers"], strict=True):
            assert layer == {name: expected[name] for name in layer}
    assert page["curve"]["losses"] == small.losses.tolist()
    assert page["points"]["X"] == small.probe_X.tolist()


def test_the_last_snapshot_shows_a_step_that_training_did_not_take(small):
    last = held(small.to_html())["frames"][-1]
    assert last["row"] is None
    assert last["n_rows"] == 0
    assert last["layers"][0]["W"] == small.weights(len(small) - 1)[0].tolist()
    trace = trace_step(small.network(len(small) - 1), small.probe_X[0], small.probe_y[0], 0.05)
    assert last["layers"][0]["new_W"] == trace.layers[0].new_W.tolist()


def test_every_step_under_a_schedule_has_its_own_learning_rate(scheduled):
    frames = held(scheduled.to_html())["frames"]
    rates = [frame["learning_rate"] for frame in frames]
    last = len(scheduled) - 1
    assert rates[:last] == [scheduled.trace(k).solver.learning_rate for k in range(last)]
    assert rates[0] == 0.1
    assert rates[-1] == rates[-2] < 0.05  # training would go on with the rate that it ended with
    for frame in frames:
        for layer in frame["layers"]:
            moved = np.array(layer["b"]) - frame["learning_rate"] * np.array(layer["grad_b"])
            np.testing.assert_allclose(layer["new_b"], moved, rtol=1e-12, atol=1e-15)


def test_of_large_layers_the_units_that_pass_on_most_are_held():
    network, X, y = random_case("log_loss", "softmax", (40, 20, 15), 1)
    trace = trace_step(network, X[0], y[0], 0.1)
    page = held(trace.to_html())
    assert [len(units) for units in page["shown"]] == [MAX_UNITS] * 3
    passed_on = np.abs(trace.x[:, np.newaxis] * trace.layers[0].W).sum(axis=1)
    assert page["shown"][0] == sorted(np.argsort(-passed_on)[:MAX_UNITS].tolist())
    units = page["shown"][1]
    assert page["frames"][0]["layers"][0]["z"] == trace.layers[0].z[units].tolist()
    expected = trace.layers[0].new_W[np.ix_(page["shown"][0], units)]
    assert page["frames"][0]["layers"][0]["new_W"] == expected.tolist()


def test_pages_are_smaller_than_a_megabyte_and_a_half():
    random = np.random.default_rng(0)
    network = Network(
        (784, 128, 10), activation="relu", out_activation="softmax", loss="log_loss", random_state=0
    )
    X = random.uniform(size=(150, 784))
    y = np.eye(10)[random.integers(0, 10, 150)]
    step = trace_step(network, X[0], y[0], 0.01).to_html()
    assert len(step.encode()) < MAX_BYTES
    assert held(step)["frames"][0]["whole"] is not None
    recording = record(network, X, y, epochs=2, learning_rate=0.01, every=1)
    page = recording.to_html()
    assert len(page.encode()) < MAX_BYTES
    frames = held(page)["frames"]
    assert frames[0]["snapshot"] == 0
    assert frames[-1]["snapshot"] == len(recording) - 1
    assert frames[0]["whole"] is None  # many whole networks would not fit
    assert len(frames) > 20


@pytest.mark.slow
@pytest.mark.parametrize(("n_rows", "batch_size", "epochs"), [(40, 1, 500), (30_000, 30_000, 30)])
def test_pages_of_many_snapshots_and_of_large_batches_are_no_larger(n_rows, batch_size, epochs):
    network = Network((2, 2, 1), out_activation="identity", random_state=0)
    X = np.random.default_rng(0).normal(size=(n_rows, 2))
    recording = record(
        network,
        X,
        X[:, 0] - X[:, 1],
        epochs=epochs,
        learning_rate=1e-3,
        batch_size=batch_size,
        every=1,
        max_snapshots=50_000,
        n_probe=8,
    )
    page = recording.to_html()
    assert len(page.encode()) < MAX_BYTES
    data = held(page)
    kept = [frame["snapshot"] for frame in data["frames"]]
    assert (kept[0], kept[-1]) == (0, len(recording) - 1)
    assert len(kept) > min(300, len(recording) - 1)
    gaps = np.diff(kept)
    assert gaps.max() - gaps.min() <= 1, "frames are evenly spaced"
    assert [frame["n_rows"] for frame in data["frames"][:-1]] == [batch_size] * (len(kept) - 1)
    curve = data["curve"]
    assert len(curve["epochs"]) == len(curve["losses"]) == min(len(recording), MAX_OF_CURVE)
    assert curve["losses"][0] == recording.losses[0]
    assert curve["losses"][-1] == recording.losses[-1]
    assert np.isin(curve["losses"], recording.losses).all()
    gaps = np.diff(curve["epochs"])
    assert gaps.max() - gaps.min() <= 1.001 / recording.n_steps * epochs


def test_what_is_drawn_is_ranked_over_all_of_a_training():
    """Units that matter at the end only are drawn, too."""
    first, last = (rank_trace(unit) for unit in (15, 19))
    assert _shown([first])[0] == [*range(MAX_UNITS - 1), 15]
    assert {15, 19} <= set(_shown([first, last])[0])


def rank_trace(strong):
    """A step of a network of 20 inputs of which one passes on much more than the others."""
    network = Network((20, 1), out_activation="identity", random_state=0)
    network.weights[0][...] = 0.01
    network.weights[0][strong] = 5
    return trace_step(network, np.ones(20), 1.0, 0.1)


def test_points_in_the_plane_have_the_targets_of_the_outputs_that_are_drawn():
    network, X, y = random_case("squared_error", "identity", (2, 4, 20), 12)
    recording = record(network, X, y, epochs=1, learning_rate=0.01)
    page = held(recording.to_html())
    assert page["points"]["y"] == recording.probe_y[:, page["shown"][-1]].tolist()


def test_numbers_that_are_not_finite_are_null(small):
    network = Network((1, 1), out_activation="identity", random_state=0)
    with pytest.warns(DivergenceWarning):
        trace = trace_step(network, [1e200], 1e200, 0.1)
    frame = held(trace.to_html())["frames"][0]
    assert frame["loss"] is None
    assert frame["layers"][0]["grad_W"] == [[None]]


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"solver": "adam"}], ids=str)
def test_a_refused_first_step_is_said_and_leaves_all_as_it_was(options):
    network = Network((2, 2, 1), out_activation="identity", random_state=0)
    with pytest.warns(DivergenceWarning):
        trace = trace_step(network, [1.0, 2.0], 1e200, 0.1, **options)
    assert trace.refused
    assert "This step is refused" in str(trace)
    (frame,) = held(trace.to_html())["frames"]
    assert frame["refused"]
    kept = {"adam": {"first_moments", "second_moments"}}.get(
        options.get("solver"), {"velocities"} if options else set()
    )
    for layer in trace.layers:
        np.testing.assert_array_equal(layer.new_W, layer.W)
        assert set(layer.state) == set(layer.new_state) == kept
        assert not any(np.any(array) for pair in layer.new_state.values() for array in pair)


def test_a_training_that_diverged_is_told_from_one_that_did_not(small):
    network = Network((2, 2, 1), out_activation="identity", random_state=0)
    X = np.random.default_rng(0).normal(size=(4, 2))
    with pytest.warns(DivergenceWarning):
        recording = record(network, X, X[:, 0], epochs=50, learning_rate=3.0)
    for one, diverged in ((recording, True), (small, False)):
        assert one.diverged is one.to_dict()["diverged"]
        assert one.diverged is diverged
        assert ("diverged" in one._page_text()) is diverged
    assert not small.trace(0).refused
    assert "refused" not in str(small.trace(0))


def test_names_cannot_end_the_element_they_stand_in_and_are_shown_as_text():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 2)), columns=[EVIL, "b"])
    y = np.where(X["b"] > 0, EVIL, "other")
    model = BackpropClassifier(hidden_layer_sizes=(2,), random_state=0)
    model.partial_fit(X, y, classes=sorted({EVIL, "other"}))
    page = trace_step(model, X.iloc[0], y[0]).to_html()
    shown = EVIL.replace("\u2028", "\\u2028").replace("\u202e", "\\u202e")
    assert held(page)["names"]["features"] == [shown, "b"]
    scripts = re.findall(r"<script[^>]*>", page)
    assert len(scripts) == 2
    assert "<img" not in page


# -- how it is written -----------------------------------------------------------------------------


def test_to_html_writes_the_text_and_returns_the_path(small, tmp_path):
    for one in (small, small.trace(0)):
        path = one.to_html(tmp_path / "page.html")
        assert path == tmp_path / "page.html"
        assert path.read_text(encoding="utf-8") == one.to_html()
        assert path == one.to_html(str(path)), "a page that is there is replaced"
        assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


def test_a_page_that_cannot_be_written_is_said_and_leaves_the_old_one(small, tmp_path):
    path = small.to_html(tmp_path / "page.html")
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        small.to_html(tmp_path / "nowhere" / "page.html")
    with pytest.raises(IsADirectoryError, match="add the name of a file"):
        small.to_html(tmp_path)
    with pytest.raises(TypeError):
        small.to_html(3.5)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="symbolic links as POSIX has them")
def test_a_page_is_written_through_a_symbolic_link(small, tmp_path):
    (tmp_path / "link.html").symlink_to("page.html")
    assert small.to_html(tmp_path / "link.html") == tmp_path / "link.html"
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == small.to_html()


def test_the_page_asks_for_nothing_and_says_what_it_holds_without_scripts(small):
    trace = small.trace(0)
    page = trace.to_html()
    program = page[page.rindex("<script") :]
    assert not re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//""", page[: -len(program)])
    assert "default-src 'none'" in page
    assert html.escape(str(trace)) in page
    assert "Training of a network of 2-3-1 units" in small.to_html()


def test_the_licences_of_what_is_bundled_are_in_the_page(small):
    page = small.to_html()
    for package in ("d3-array", "d3-axis", "d3-contour", "d3-scale", "d3-selection", "d3-shape"):
        assert re.search(rf"^{package} \d", page, re.MULTILINE), package
    assert page.count("Permission to use, copy, modify, and/or distribute this software") >= 6


# -- a tuned system --------------------------------------------------------------------------------


def street(n_houses):
    yield Stage("main", lambda m: 8 * (1 - math.exp(-m / 4)), Knob("main_valve", 0, 10, start=3))
    for i in range(n_houses):
        handle = Knob(f"handle_{i}", 0, 10, start=3)
        yield Stage(f"shower_{i}", lambda x, h: x * (h / 10) ** 1.5, handle, upstream="main")


def test_the_page_of_a_tuned_system_holds_every_look(tmp_path):
    result = ChainTuner(street(2), target=1.0, learning_rate="auto").tune()
    page = held(result.to_html())
    assert page["error"] == result.history["error"].tolist()
    for name in ("main_valve", "handle_0", "handle_1", "main", "shower_0", "shower_1"):
        assert page["columns"][name] == result.history[name].tolist()
    assert page["sensitivities"] == {
        stage: {name: jsonable(past) for name, past in inputs.items()}
        for stage, inputs in result.sensitivity_history.items()
    }
    assert page["sensitivities"]["main"]["main_valve"][:2] == [None, None]  # nothing measured yet
    assert page["message"] == result.message
    assert result.to_html(tmp_path / "tuned.html").read_text(encoding="utf-8") == result.to_html()
    assert html.escape(str(result)) in result.to_html()
    assert result._repr_html_().startswith("<iframe ")


@pytest.mark.slow
def test_of_many_stages_and_looks_a_part_is_held():
    result = ChainTuner(street(50), target=1.0, learning_rate=2e-5).tune(max_evaluations=4000)
    page = held(result.to_html())
    assert page["n_stages"] == 51
    assert page["stages"] == ["main", *(f"shower_{i}" for i in range(6))]
    assert page["evaluation"][0] == 1
    assert page["evaluation"][-1] == result.n_evaluations == page["n_evaluations"]
    assert len(page["evaluation"]) < result.n_evaluations
    assert len(result.to_html().encode()) < MAX_BYTES


# -- in notebooks ----------------------------------------------------------------------------------


def test_a_page_within_another_is_kept_apart_from_it(small):
    for one in (small, small.trace(0)):
        text = one._repr_html_()
        (frame,) = re.findall(r"<iframe [^>]*></iframe>", text)
        assert frame == text
        assert 'sandbox="allow-scripts"' in frame
        (srcdoc,) = re.findall(r'srcdoc="([^"]*)"', frame)
        assert html.unescape(srcdoc) == one.to_html()


def test_a_widget_holds_the_page_and_can_be_moved(small):
    pytest.importorskip("anywidget")
    for one in (small, small.trace(0)):
        widget = one.to_widget()
        assert json.loads(widget.page) == held(one.to_html())
        widget.frame, widget.idea = 2, 3
        assert "export" in str(widget._esm)
        widget.close()


def test_without_anywidget_it_is_said_what_to_install(small, monkeypatch):
    from fastbp.page import widget

    widget._widget_class.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "anywidget", None)
    with pytest.raises(ImportError, match=r"fastbp\[widget\]"):
        small.to_widget()
    widget._widget_class.cache_clear()
