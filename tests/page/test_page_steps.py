"""The page's own step, in JavaScript, gives fastbp's numbers. Needs node; skipped without it."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from cases import HIDDEN_ACTIVATIONS, PAIRS, SOLVERS, random_case
from plain_models import BackpropClassifier
from recordings import recorded_schedule
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from fastbp import record, trace_step
from fastbp.network.catalogue import HIDDEN_ACTIVATIONS as ALL_ACTIVATIONS
from fastbp.page import data as page_data

TAKE_STEPS = Path(__file__).parents[2] / "page" / "test" / "take-steps.js"
NODE = shutil.which("node")
# Sums run in another order, and exp and tanh are another library's.
TOLERANCES = {"float64": 1e-11, "float32": 2e-4}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NODE is None, reason="node is not installed; .ci/run page runs this"),
    pytest.mark.skipif(not TAKE_STEPS.exists(), reason="needs the page's sources"),
]


def computed(pages, changes=None):
    """The steps of these pages as JavaScript computes them."""
    lines = [json.dumps({"page": page, "changes": changes}) for page in pages]
    run = subprocess.run(
        [NODE, str(TAKE_STEPS)],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [json.loads(line) for line in run.stdout.splitlines()]


def assert_same(step, expected, tolerance):
    """Every number of a step's frame: relative to the largest of its array."""
    for name in ("loss", "new_loss"):
        np.testing.assert_allclose(step[name], expected[name], rtol=tolerance, err_msg=name)
    for l, (layer, right) in enumerate(zip(step["layers"], expected["layers"], strict=True), 1):
        assert layer.keys() == right.keys()
        for name in right:
            if name in ("state", "new_state"):
                continue
            assert_close(layer[name], right[name], tolerance, f"{name} of layer {l}")
        for when in ("state", "new_state"):
            assert layer[when].keys() == right[when].keys()
            for kept, pair in right[when].items():
                for kind in ("W", "b"):
                    what = f"{when} {kept} {kind} of layer {l}"
                    assert_close(layer[when][kept][kind], pair[kind], tolerance, what)


def assert_close(values, expected, tolerance, what):
    expected = np.array(expected, dtype=float)
    scale = max(np.abs(expected).max(), 1e-30)
    np.testing.assert_allclose(
        np.array(values, dtype=float),
        expected,
        rtol=tolerance,
        atol=tolerance * scale,
        err_msg=what,
    )


def page_and_expected(network, x, y, rate, **options):
    """The page of a step, and its frame as fastbp computed it."""
    page = page_data.step_page_data(trace_step(network, x, y, rate, **options))
    return page, page["frames"][0]


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("options", SOLVERS, ids=str)
def test_steps_are_fastbps_with_every_activation_loss_and_solver(options, dtype):
    pages, expected = [], []
    for loss, out_activation in PAIRS:
        for activation in HIDDEN_ACTIVATIONS:
            network, X, y = random_case(
                loss, out_activation, (3, 5, 2), 4, activation=activation, dtype=dtype
            )
            network.train_epoch(X, y, 0.02, **options)  # the solver has a state
            page, frame = page_and_expected(network, X[1], y[1], 0.03, **options)
            pages.append(page)
            expected.append(frame)
    for step, frame in zip(computed(pages), expected, strict=True):
        assert_same(step, frame, TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_steps_are_fastbps_with_the_other_activations(dtype):
    pages, expected = [], []
    for activation in ALL_ACTIVATIONS:
        for loss, out_activation in (("squared_error", activation), ("log_loss", "softmax")):
            model, X, y = random_case(
                loss, out_activation, (3, 5, 4, 2), 4, activation=activation, dtype=dtype
            )
            page, frame = page_and_expected(model, X[1], y[1], 0.03)
            pages.append(page)
            expected.append(frame)
    for step, frame in zip(computed(pages), expected, strict=True):
        assert_same(step, frame, TOLERANCES[dtype])


@pytest.mark.parametrize("sizes", [(1, 2), (2, 12, 12, 3), (40, 30, 20, 15)])
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_networks_drawn_in_part_are_computed_whole(sizes, dtype):
    network, X, y = random_case("log_loss", "softmax", sizes, 3, dtype=dtype)
    options = {"solver": "adam"}
    network.train_epoch(X, y, 0.01, **options)
    page, frame = page_and_expected(network, X[0], y[0], 0.01, **options)
    assert (frame["whole"] is None) == (max(sizes) <= 12)
    assert_same(computed([page])[0], frame, TOLERANCES[dtype])


def test_another_learning_rate_and_another_weight_are_fastbps_step_with_them():
    network, X, y = random_case("squared_error", "identity", (20, 16, 2), 1)
    page, _ = page_and_expected(network, X[0], y[0], 0.1)
    i, j = page["shown"][0][3], page["shown"][1][7]
    parameters = [
        {"layer": 1, "i": 3, "j": 7, "value": 0.75},
        {"layer": 2, "i": None, "j": 1, "value": -0.5},
    ]
    (step,) = computed([page], {"learning_rate": 0.4, "parameters": parameters})
    network.weights[0][i, j] = 0.75
    network.biases[1][page["shown"][2][1]] = -0.5
    changed = page_data.step_page_data(trace_step(network, X[0], y[0], 0.4))
    assert changed["shown"] == page["shown"], "a change of rank would compare other units"
    assert_same(step, changed["frames"][0], 1e-11)


def test_class_weights_are_taken_as_the_estimator_takes_them():
    X, y = load_iris(return_X_y=True)
    for options in ({}, {"batch_size": 8, "alpha": 0.01, "momentum": 0.9}):
        model = BackpropClassifier(
            hidden_layer_sizes=(4,),
            class_weight={0: 1, 1: 2.5, 2: 0.5},
            max_iter=2,
            tol=0,
            random_state=0,
            **options,
        )
        with pytest.warns(ConvergenceWarning):
            model.fit(X, y)
        page = page_data.step_page_data(trace_step(model, X[70], y[70]))
        assert page["frames"][0]["weight"] != 1
        assert_same(computed([page])[0], page["frames"][0], 1e-11)


def test_every_step_of_a_recording_can_be_computed():
    network, X, y = random_case("absolute_error", "identity", (2, 6, 1), 10)
    recording = record(network, X, y, epochs=4, learning_rate=0.01, momentum=0.5)
    page = page_data.recording_page_data(recording, recording._trace_or_one_more)
    for frame in page["frames"]:
        assert_same(computed([{**page, "frames": [frame]}])[0], frame, 1e-11)


def test_every_step_under_a_schedule_is_computed_with_its_own_rate():
    recording = recorded_schedule(momentum=0.5)
    page = page_data.recording_page_data(recording, recording._trace_or_one_more)
    for frame in page["frames"]:
        (step,) = computed([{**page, "frames": [frame]}])
        assert step["learning_rate"] == frame["learning_rate"]
        assert_same(step, frame, 1e-11)
    assert page["frames"][-1]["learning_rate"] < 0.5 * page["solver"]["learning_rate"]
