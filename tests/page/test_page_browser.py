"""The page in Chromium: its numbers, its controls, its looks. Needs the extra `browser`.

Skipped without Chromium and its driver; `.ci/run page` installs them, and there nothing is skipped.
"""

import base64
import itertools
import json
import math
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cases import random_case
from chromium import missing
from plain_models import BackpropClassifier
from recordings import recorded_schedule
from sklearn.datasets import make_moons
from sklearn.exceptions import ConvergenceWarning

from fastbp import DivergenceWarning, Network, record, trace_step
from fastbp.measured import ChainTuner, Knob, Stage
from fastbp.page.document import program

AXE = Path(__file__).parents[2] / "page" / "node_modules" / "axe-core" / "axe.min.js"
QUANTITIES = """return [...document.querySelectorAll("[data-of]")].map((node) => ({
    of: node.dataset.of, text: node.textContent, short: node.dataset.short ?? null,
    value: node.dataset.short ?? node.value }))"""

SCRUB = """const one = document.querySelector(".scrub input"); one.value = arguments[0];
    one.dispatchEvent(new Event("input"))"""


@pytest.fixture(scope="module")
def nine():
    """The network of nine parameters: grades and a profile's score to a salary."""
    X = np.array([[8, 8], [7, 9], [6, 10], [5, 12], [7.5, 6], [9, 7]])
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    network = Network((2, 2, 1), activation="tanh", random_state=1)
    return record(network, X, [4, 5, 6, 7, 4.2, 6.5], epochs=6, learning_rate=0.05)


@pytest.fixture(scope="module")
def moons():
    X, y = make_moons(120, noise=0.2, random_state=0)
    frame = pd.DataFrame(X, columns=["left to right", "height"])
    model = BackpropClassifier(
        hidden_layer_sizes=(6, 3), solver="adam", max_iter=5, tol=0, random_state=0
    )
    with pytest.warns(ConvergenceWarning):
        return record(model, frame, np.array(["lower", "upper"])[y])


# -- every number is the trace's -------------------------------------------------------------------


def number(value):
    """A number as the page prints it, to compare with: five digits, as in the terminal."""
    if value is None:
        return "not finite"
    if value == 0:
        return "0"
    rounded = float(f"{value:.4e}")
    if 1e-4 <= abs(rounded) < 1e5:
        text = np.format_float_positional(rounded, trim="-")
    else:
        digits, exponent = np.format_float_scientific(rounded, trim="-", exp_digits=1).split("e")
        text = f"{digits}e{exponent.replace('+', '')}"
    return text.replace("-", "\N{MINUS SIGN}")


def looked_up(plain, path):
    for key in path.split("."):
        plain = plain[int(key) if isinstance(plain, list) else key]
    return plain


def check_numbers(browser, plain):
    """Compare what is on the page with the trace, and return where it is from."""
    found = browser.run(QUANTITIES)
    for one in found:
        expected = looked_up(plain, one["of"])
        if expected is None:
            assert one["text"] in ("not finite", "?")
            continue
        assert float(one["value"]) == expected, one
        if one["short"] is None:
            assert one["text"] == number(expected), one
        else:
            shown = float(one["text"].replace("\N{MINUS SIGN}", "-"))
            has_room = 0.00995 < abs(expected) < 999.5  # else it is one digit and a power of ten
            assert shown == pytest.approx(expected, rel=0.06 if has_room else 0.35)
    return {one["of"] for one in found}


def check_all(browser, plain, every=1):
    """Go through all ideas, then through (some) weights, and return all that was shown."""
    seen = set()
    n_ideas = int(browser.text(".phase").split()[-1])
    for idea in range(n_ideas):
        seen |= check_numbers(browser, plain)
        assert (
            browser.text(".phase").split(" \N{MIDDLE DOT} ")[1].lower()
            == f"{idea + 1} of {n_ideas}"
        )
        if idea < n_ideas - 1:
            browser.step()
    for layer in range(1, len(plain["layer_sizes"])):
        browser.choose(0, layer)
        n_in, n_out = plain["layer_sizes"][layer - 1 : layer + 1]
        for source in [*range(0, min(n_in, 12), every), "bias"]:
            for unit in range(0, min(n_out, 12), every):
                browser.choose(1, source)
                browser.choose(2, unit)
                seen |= check_numbers(browser, plain)
    return seen


@pytest.mark.parametrize(
    "options",
    [{}, {"alpha": 0.1, "momentum": 0.9, "nesterov": True}, {"solver": "adam", "alpha": 0.1}],
    ids=str,
)
def test_every_number_on_the_page_is_the_traces(browser, tmp_path, options):
    for loss, out, sizes in (
        ("squared_error", "identity", (2, 2, 1)),
        ("log_loss", "softmax", (3, 2, 3)),
    ):
        network, X, y = random_case(loss, out, sizes, 3)
        network.train_epoch(X, y, 0.05, **options)
        trace = trace_step(network, X[0], y[0], 0.1, **options)
        browser.open(trace.to_html(), tmp_path)
        seen = check_all(browser, trace.to_dict())
        for l, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
            names = ["W", "new_W", "grad_W"]
            links = {
                f"layers.{l}.{name}.{i}.{j}"
                for name in names
                for i in range(n_in)
                for j in range(n_out)
            }
            units = {
                f"layers.{l}.{name}.{j}"
                for name in ("z", "a", "b", "dE_da", "delta", "grad_b", "new_b")
                for j in range(n_out)
            }
            state = {f"layers.{l}.new_state.{name}.W.0.0" for name in trace.layers[0].state}
            assert links | units | state <= seen
        assert {"x.0", "y.0", "loss", "new_loss", "solver.learning_rate"} <= seen


def test_numbers_of_a_network_drawn_in_part_are_the_traces(browser, tmp_path):
    network, X, y = random_case("log_loss", "logistic", (30, 20, 1), 1, dtype="float32")
    trace = trace_step(network, X[0], y[0], 0.1)
    browser.open(trace.to_html(), tmp_path)
    seen = check_all(browser, trace.to_dict(), every=4)
    assert sum(of.startswith("layers.0.grad_W") for of in seen) >= 16
    assert "12 of 30 inputs, 12 of 20 units of layer 1 shown" in browser.text("figcaption")


def test_every_step_of_a_recording_is_its_trace_and_its_loss(browser, tmp_path, nine):
    browser.open(nine.to_html(), tmp_path)
    for k in range(0, len(nine) - 1, 5):
        browser.run(SCRUB, k)
        plain = {**nine.trace(k).to_dict(), "curve": {"losses": nine.losses.tolist()}}
        assert f"curve.losses.{k}" in check_numbers(browser, plain)


def test_every_step_under_a_schedule_is_printed_with_its_own_rate(browser, tmp_path):
    recording = recorded_schedule()
    browser.open(recording.to_html(), tmp_path)
    browser.click(".jump[data-phase=update]")
    for k in (0, len(recording) // 2, len(recording) - 2):
        browser.run(SCRUB, k)
        trace = recording.trace(k)
        plain = {**trace.to_dict(), "curve": {"losses": recording.losses.tolist()}}
        assert "solver.learning_rate" in check_numbers(browser, plain)
        assert f"learning rate {number(trace.solver.learning_rate)}" in browser.text("header")
    assert trace.solver.learning_rate < 0.06


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"loss": "huber", "huber_delta": 0.7}, ["Huber loss, m = 0.7", "m = 0.7"]),
        ({"loss": "quantile", "quantile": 0.9}, ["quantile loss, q = 0.9", "q = 0.9"]),
    ],
    ids=str,
)
def test_the_number_of_a_loss_is_printed(browser, tmp_path, options, says):
    network = Network((2, 2, 1), out_activation="identity", random_state=0, **options)
    trace = trace_step(network, [1.0, 2.0], 3.0, 0.1)
    browser.open(trace.to_html(), tmp_path)
    assert says[0] in browser.text("header")
    browser.click(".jump[data-phase=loss]")
    assert says[1] in browser.text(".idea .rule")
    browser.click(".jump[data-phase=backward]")
    assert says[1] in browser.text(".idea .rule")
    (name,) = set(options) - {"loss"}
    assert f"({name} = {options[name]})" in str(trace).splitlines()[0]


# -- controls --------------------------------------------------------------------------------------


def test_play_step_and_rewind_by_mouse(browser, tmp_path, nine):
    browser.open(nine.trace(0).to_html(), tmp_path)
    assert browser.text(".idea h2") == "One row"
    assert browser.run("return document.querySelector('[aria-label=Back]').disabled")
    browser.step()
    assert browser.text(".idea h2") == "Layer 1: weighted sums"
    browser.click("[aria-label=Back]")
    assert browser.text(".idea h2") == "One row"
    browser.click(".jump[data-phase=backward]")
    assert browser.text(".idea h2") == "How the loss depends on the output"
    assert (
        browser.run("return document.querySelector('[aria-current=step]').dataset.phase")
        == "backward"
    )
    browser.click("[aria-label=Rewind]")
    assert browser.text(".idea h2") == "One row"
    browser.run("document.querySelector('[aria-label=Pace]').value = 'fast'")
    browser.click("[aria-label=Play]")
    until(lambda: browser.text(".idea h2") != "One row")
    browser.click("[aria-label=Pause]")
    browser.click(".jump[data-phase=update]")
    for _ in range(2):
        browser.step()
    assert browser.text(".idea h2") == "The same row again"
    assert browser.run("return document.querySelector('[aria-label=Step]').disabled")


def until(holds, seconds=10):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def test_play_step_and_rewind_by_keyboard(browser, tmp_path, nine):
    browser.open(nine.trace(0).to_html(), tmp_path)
    browser.keys("ARROW_RIGHT", "ARROW_RIGHT", to="body")
    assert browser.text(".idea h2") == "Layer 1: activation"
    browser.keys("ARROW_LEFT", to="body")
    assert browser.text(".idea h2") == "Layer 1: weighted sums"
    browser.keys("HOME", to="body")
    assert browser.text(".idea h2") == "One row"
    browser.keys("SPACE", to="body")
    assert browser.run("return document.querySelector('[aria-label=Pause]') !== null")
    browser.keys("SPACE", to="body")
    assert browser.run("return document.querySelector('[aria-label=Play]') !== null")


def test_keys_go_on_after_a_button_was_clicked(browser, tmp_path, nine, shower):
    for one in (nine, shower):
        browser.open(one.to_html(), tmp_path)
        browser.step()
        place = browser.text(".idea .phase")
        browser.keys("ARROW_RIGHT")
        assert browser.text(".idea .phase") != place
        browser.keys("ARROW_LEFT")
        assert browser.text(".idea .phase") == place
        browser.keys("SPACE")  # presses the button that was clicked, once
        assert browser.run("return document.querySelector('[aria-label=Play]') !== null")
        assert browser.text(".idea .phase") != place
        browser.keys("HOME")
        browser.keys("ARROW_RIGHT")
        assert browser.text(".idea .phase") == place


def test_every_weight_is_reached_by_keyboard(browser, tmp_path, nine):
    trace = nine.trace(0)
    browser.open(trace.to_html(), tmp_path)
    browser.choose(0, 1)
    browser.choose(1, 0)
    browser.run("document.querySelector('.link[tabindex=\"0\"]').focus()")
    seen = []
    for _ in range(4):
        browser.keys("ARROW_DOWN")
        seen.append(browser.text(".change").split(" = ")[0])
        assert browser.run("return document.activeElement.getAttribute('aria-pressed')") == "true"
    assert sorted(seen) == ["W[1][0, 0]", "W[1][0, 1]", "W[1][1, 0]", "W[1][1, 1]"]
    browser.keys("ARROW_RIGHT")
    assert browser.text(".change").startswith("W[2][0, 0]")
    label = browser.run("return document.activeElement.getAttribute('aria-label')")
    assert label.startswith("Weight from unit 0 to output: ")
    assert len(browser.run("return [...document.querySelectorAll('.link[tabindex=\"0\"]')]")) == 1


def test_pointing_at_a_weight_shows_its_chain_rule(browser, tmp_path, nine):
    from selenium.webdriver import ActionChains

    browser.open(nine.trace(0).to_html(), tmp_path)
    place = """const path = document.querySelectorAll(".link .target")[arguments[0]];
        const p = path.getPointAtLength(path.getTotalLength() / 4);
        const box = path.ownerSVGElement.getBoundingClientRect();
        return [Math.round(box.x + p.x), Math.round(box.y + p.y)]"""
    first = browser.text(".change").split(" = ")[0]
    chain = ActionChains(browser.driver)
    chain.w3c_actions.pointer_action.move_to_location(*browser.run(place, 4))
    chain.perform()
    browser.settle()
    assert browser.text(".change").startswith("W[2][0, 0]")
    assert "dE/dW[2][0, 0]" in browser.text(".weight .worked").replace("\n", "")
    chain = ActionChains(browser.driver)
    chain.w3c_actions.pointer_action.move_to_location(2, 2)
    chain.perform()
    browser.settle()
    assert browser.text(".change").split(" = ")[0] == first, "pointing chooses nothing"
    chain = ActionChains(browser.driver)
    chain.w3c_actions.pointer_action.move_to_location(*browser.run(place, 4)).click()
    chain.w3c_actions.pointer_action.move_to_location(2, 2)
    chain.perform()
    browser.settle()
    assert browser.text(".change").startswith("W[2][0, 0]"), "a click does"


def test_sliders_compute_the_step_that_fastbp_takes(browser, tmp_path, nine):
    trace = nine.trace(0)
    browser.open(trace.to_html(), tmp_path)
    browser.choose(0, 1)
    browser.choose(1, 1)
    browser.choose(2, 0)
    browser.keys(*["ARROW_RIGHT"] * 20, to=".slider:nth-of-type(1) input")
    browser.keys(*["ARROW_LEFT"] * 10, to=".slider:nth-of-type(2) input")
    assert "not the recorded ones" in browser.text(".edited")
    rate = 0.05 * 10**0.2
    network = nine.network(0)
    reach = max(2, 2 * abs(network.weights[0][1, 0]))
    network.weights[0][1, 0] -= 10 * reach / 200
    x, y = trace.x, trace.y
    right = trace_step(network, x, y, rate).to_dict()
    found = {one["of"]: float(one["value"]) for one in browser.run(QUANTITIES)}
    at = "layers.0.new_W.1.0"
    for of in (at, "layers.0.grad_W.1.0", "layers.0.W.1.0"):
        assert found[of] == pytest.approx(looked_up(right, of), rel=1e-9)
    losses = browser.run(
        "return [...document.querySelectorAll('.outcome data')].map((d) => Number(d.value))"
    )
    assert losses == pytest.approx([right["loss"], right["new_loss"]], rel=1e-9)
    browser.click(".changes button")
    assert check_numbers(browser, trace.to_dict()) >= {at}
    assert not browser.driver.find_element("css selector", ".edited").is_displayed()


def test_the_loss_is_scrubbed_with_the_network(browser, tmp_path, nine):
    browser.open(nine.to_html(), tmp_path)
    before = browser.text(".change")
    browser.keys("ARROW_RIGHT", "ARROW_RIGHT", to=".scrub input")
    assert "After step 2," in browser.text(".where")
    assert browser.text(".change") != before
    mark = "return Number(document.querySelector('.curve .mark').getAttribute('cx'))"
    at_two = browser.run(mark)
    browser.keys("END", to=".scrub input")
    assert browser.run(mark) > at_two
    assert "Training has ended here" in browser.text(".where")
    browser.run("document.querySelector('[aria-label=Pace]').value = 'fast'")
    browser.click(".scrub button")
    until(lambda: "Training has ended" in browser.text(".where"), 20)
    place = """const box = document.querySelector(".curve svg").getBoundingClientRect();
        return [Math.round(box.x + box.width / 2), Math.round(box.y + 80)]"""
    from selenium.webdriver import ActionChains

    browser.run("document.querySelector('.curve svg').scrollIntoView({ block: 'center' })")
    chain = ActionChains(browser.driver)
    chain.w3c_actions.pointer_action.move_to_location(*browser.run(place)).click()
    chain.perform()
    browser.settle()
    assert "epoch 3" in browser.text(".where") or "epoch 2" in browser.text(".where")


def test_three_rates_are_drawn_and_named(browser, tmp_path, nine):
    browser.open(nine.trace(0).to_html(), tmp_path)
    browser.choose(0, 2)
    browser.choose(1, "bias")
    browser.settle()
    figures = browser.run(
        "return [...document.querySelectorAll('.three figure')].map((f) => f.dataset.rate)"
    )
    assert figures == ["small", "right", "large"]
    # Along the output's bias E = 1/2 (z - y)^2: one step of rate 1 lands in the minimum.
    rates = browser.run(
        "return [...document.querySelectorAll('.three data')].map((d) => Number(d.value))"
    )
    assert rates[:2] == pytest.approx([0.06, 0.6], rel=1e-4)
    assert rates[2] > 2
    slope = browser.run("return Number(document.querySelector('.parameter .role-backward').value)")
    assert slope == pytest.approx(nine.trace(0).layers[1].grad_b[0], rel=1e-12)


def test_training_that_diverged_says_so_and_its_curve_is_broken(browser, tmp_path):
    X = np.random.default_rng(0).normal(size=(50, 2))
    network = Network((2, 4, 1), random_state=0)
    with pytest.warns(DivergenceWarning):
        diverged = record(network, X, 100 * X[:, :1], epochs=5, learning_rate=5.0)
    browser.open(diverged.to_html(), tmp_path)
    assert "diverged in epoch 1" in browser.text("header")
    pieces = browser.run("return document.querySelector('.curve-line').getAttribute('d')")
    assert pieces.count("M") == 2
    browser.keys("END", to=".scrub input")
    assert "weights kept from before" in browser.text(".where")


# -- a tuned system --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shower():
    def house_flow(main_valve):
        return 8 * (1 - math.exp(-main_valve / 4))

    stages = [
        Stage("house", house_flow, Knob("main valve", 1, 10, start=4)),
        Stage("shower", lambda x, h: x * (h / 10) ** 1.5, Knob("handle {loss:x}", 1, 10, start=4)),
    ]
    return ChainTuner(stages, target=3, learning_rate="auto").tune()


def test_every_number_of_a_tuned_system_is_the_results(browser, tmp_path, shower):
    browser.open(shower.to_html(), tmp_path)
    columns = {name: values.tolist() for name, values in shower.history.items()}
    plain = {
        "columns": columns,
        "error": columns["error"],
        "target": shower.target,
        "sensitivities": {
            stage: {name: past.tolist() for name, past in inputs.items()}
            for stage, inputs in shower.sensitivity_history.items()
        },
    }
    seen = set()
    assert "Nothing has been measured yet" in browser.text(".chains")
    for number_of_look in range(shower.n_evaluations):
        assert f"{number_of_look + 1} of {shower.n_evaluations}" in browser.text(".phase").lower()
        seen |= check_numbers(browser, plain)
        if number_of_look + 1 < shower.n_evaluations:
            browser.step()
    for name in ("house", "shower", "main valve", "handle {loss:x}"):
        assert {f"columns.{name}.{k}" for k in range(shower.n_evaluations)} <= seen
    assert {f"sensitivities.shower.house.{k}" for k in range(3, shower.n_evaluations)} <= seen
    assert not {f"sensitivities.shower.house.{k}" for k in range(2)} & seen
    assert "target.shower" in seen
    product = shower.sensitivities["shower"]["house"] * shower.sensitivities["house"]["main valve"]
    shown = browser.run(
        "return [...document.querySelectorAll('.chains data')].map((d) => +d.value)"
    )
    assert product in shown
    assert "d shower / d handle {loss:x} = " in browser.text(".chains")


def test_a_tuned_system_is_played_and_scrubbed(browser, tmp_path, shower):
    browser.open(shower.to_html(), tmp_path)
    browser.keys("ARROW_RIGHT", "ARROW_RIGHT", to="body")
    assert browser.text(".idea h2") == "A knob is moved, to learn"
    assert "d house / d main valve \N{ALMOST EQUAL TO} (" in browser.text(".idea .worked")
    browser.keys("END", to=".scrub input")
    assert browser.text(".idea h2") == "A move towards the target"
    browser.click("[aria-label=Rewind]")
    assert browser.text(".idea h2") == "First settings"
    browser.run("document.querySelector('[aria-label=Pace]').value = 'fast'")
    browser.click("[aria-label=Play]")
    until(lambda: browser.text(".idea h2") == "The same again")
    browser.click("[aria-label=Pause]")


# -- what it looks like ----------------------------------------------------------------------------


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_nothing_is_wider_than_the_window(browser, tmp_path, nine, moons, shower, width):
    random = np.random.default_rng(0)
    large = Network((784, 128, 10), out_activation="softmax", loss="log_loss", random_state=0)
    x = random.uniform(size=784)
    for one in (shower, nine, moons, trace_step(large, x, np.eye(10)[3], 0.1)):
        browser.open(one.to_html(), tmp_path, width=width)
        for _ in range(4):
            assert browser.run("return document.documentElement.scrollWidth") == width
            if one is not shower:
                browser.click(".jump[data-phase=backward]")
            browser.step()
        smallest = """const hasText = (node) => !["SUP", "SUB"].includes(node.tagName) &&
                [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
            return Math.min(...[...document.querySelectorAll(".fastbp *")]
                .filter((node) => node.checkVisibility() && hasText(node))
                .map((node) => parseFloat(getComputedStyle(node).fontSize)))"""
        assert browser.run(smallest) >= 11


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_rules_hold_in_light_and_dark(browser, tmp_path, moons, shower, scheme):
    if not AXE.exists():
        missing("axe-core (npm ci in page/)")
    browser.open(shower.to_html(), tmp_path, prefers_color_scheme=scheme)
    assert violations(browser) == []
    browser.open(moons.to_html(), tmp_path, prefers_color_scheme=scheme)
    background = browser.run(
        "return getComputedStyle(document.querySelector('.fastbp')).backgroundColor"
    )
    lightness = np.mean([int(part) for part in background[4:-1].split(",")])
    assert (lightness > 200) == (scheme == "light")
    for phase in ("forward", "loss", "backward", "update"):
        browser.click(f".jump[data-phase={phase}]")
        assert violations(browser) == []


def violations(browser):
    """What axe finds against the rules of WCAG and good practice."""
    browser.run(AXE.read_text(encoding="utf-8"))
    found = browser.driver.execute_async_script(
        "const done = arguments[0]; axe.run(document).then((r) => done(r.violations))"
    )
    return [(one["id"], one["help"], [n["html"][:200] for n in one["nodes"]]) for one in found]


def test_motion_is_reduced_where_asked_for(browser, tmp_path, nine):
    animation = "return getComputedStyle(document.querySelector('.link.flows .flow')).animationName"
    for value, expected in (("reduce", "none"), ("no-preference", "fastbp-flow")):
        browser.open(nine.trace(0).to_html(), tmp_path, prefers_reduced_motion=value)
        browser.step()
        assert browser.run(animation) == expected


def test_the_plane_shows_the_rows_and_follows_the_weights(browser, tmp_path, moons):
    browser.open(moons.to_html(), tmp_path)
    n_rows = "return document.querySelectorAll('.data path.row').length"
    assert browser.run(n_rows) == len(moons.probe_X)
    surface = "return document.querySelector('.data .boundary path').getAttribute('d')"
    before = browser.run(surface)
    browser.keys("END", to=".scrub input")
    browser.settle()
    assert browser.run(surface) != before
    assert "“upper” as the network answers it" in browser.text(".data")


# -- what the pictures say -------------------------------------------------------------------------

LINES = """return [...document.querySelectorAll(".link")].map((link) => {
    const path = link.querySelector(".weight"), n = path.getTotalLength();
    const [from, to] = [path.getPointAtLength(0), path.getPointAtLength(n)];
    const canvas = document.createElement("canvas").getContext("2d");
    canvas.fillStyle = getComputedStyle(path).stroke;
    canvas.fillRect(0, 0, 1, 1);
    return { x: from.x, from: from.y, to: to.y, width: Number(path.getAttribute("stroke-width")),
        names: [...link.classList], hue: [...canvas.getImageData(0, 0, 1, 1).data] } })"""
TICKS = """return [...document.querySelector(arguments[0]).querySelectorAll(".axis")].map((axis) =>
    [...axis.querySelectorAll(".tick")].map((tick) => {
        const { e, f } = tick.transform.baseVal.consolidate().matrix;
        return [(e || f) - 0.5, tick.textContent] }))"""  # D3 draws ticks half a pixel on


def axes_of(browser, picture, is_log=False):
    """Functions from pixels to the values that a picture's axes give them, read off the ticks."""
    values = []
    for ticks, log in zip(browser.run(TICKS, picture), (False, is_log), strict=True):
        places, texts = zip(*ticks, strict=True)
        numbers = np.array([float(text.replace("\N{MINUS SIGN}", "-")) for text in texts])
        slope, start = np.polyfit(places, np.log10(numbers) if log else numbers, 1)
        values.append(
            lambda at, a=slope, b=start, log=log: 10 ** (a * at + b) if log else a * at + b
        )
    return values


def test_hue_and_width_of_lines_are_sign_and_size_of_the_weights(browser, tmp_path, moons):
    trace = moons.trace(0)
    browser.open(trace.to_html(), tmp_path)
    lines = browser.run(LINES)
    columns = sorted({line["x"] for line in lines})
    for layer, x in zip(trace.layers, columns, strict=True):
        own = [line for line in lines if line["x"] == x]
        froms, tos = (sorted({round(line[end]) for line in own}) for end in ("from", "to"))
        assert layer.W.shape == (len(froms), len(tos))
        for line in own:
            w = layer.W[froms.index(round(line["from"])), tos.index(round(line["to"]))]
            red, _, blue, _ = line["hue"]
            assert ("positive" in line["names"], "negative" in line["names"]) == (w >= 0, w < 0)
            assert (blue > red) == (w >= 0)
            share = abs(w) / np.abs(layer.W).max()
            assert line["width"] == pytest.approx(0.6 + 6.4 * share, rel=1e-6)


def test_the_curve_goes_through_the_losses(browser, tmp_path, nine):
    browser.open(nine.to_html(), tmp_path)
    is_log = "logarithmic" in browser.text(".curve")
    to_epoch, to_loss = axes_of(browser, ".curve svg", is_log)
    path = browser.run("return document.querySelector('.curve .curve-line').getAttribute('d')")
    points = np.array([list(map(float, point.split(","))) for point in path[1:].split("L")])
    np.testing.assert_allclose(to_epoch(points[:, 0]), nine.epochs, atol=1e-3)
    np.testing.assert_allclose(to_loss(points[:, 1]), nine.losses, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("layer", "i", "j"), [(1, 0, 1), (2, 1, 0)])
def test_the_tangent_has_the_slope_of_the_loss(browser, tmp_path, nine, layer, i, j):
    trace = nine.trace(0)
    browser.open(trace.to_html(), tmp_path)
    for picker, value in enumerate((layer, i, j)):
        browser.choose(picker, value)
    browser.settle()
    to_weight, to_loss = axes_of(browser, ".parameter .drawing svg")
    ends = browser.run(
        "const line = document.querySelector('.parameter .tangent');"
        "return ['x1', 'y1', 'x2', 'y2'].map((name) => Number(line.getAttribute(name)))"
    )
    (w1, w2), (loss1, loss2) = map(to_weight, ends[::2]), map(to_loss, ends[1::2])
    at = trace.layers[layer - 1]
    assert (loss2 - loss1) / (w2 - w1) == pytest.approx(at.grad_W[i, j], rel=0.01)
    on_tangent = loss1 + (at.W[i, j] - w1) * at.grad_W[i, j]
    assert on_tangent == pytest.approx(trace.loss, rel=0.01)


def test_the_ground_of_the_plane_is_what_the_network_answers(browser, tmp_path, moons):
    browser.open(moons.to_html(), tmp_path)
    browser.keys("END", to=".scrub input")
    browser.settle()
    script = """const areas = [...document.querySelectorAll(".data .surface path")];
        return [...document.querySelectorAll(".data path.row")].map((row) => {
            const { e, f } = row.transform.baseVal.consolidate().matrix;
            const held = areas.map((area) => area.isPointInFill(new DOMPoint(e, f)));
            return [e, f, held.lastIndexOf(true)] })"""
    x, y, band = np.array(browser.run(script)).T
    X = moons.probe_X
    assert np.corrcoef(x, X[:, 0])[0, 1] == pytest.approx(1)
    assert np.corrcoef(y, X[:, 1])[0, 1] == pytest.approx(-1)
    last = moons.network(len(moons) - 1)
    low = 0.5 + (band - 16) / 32  # of the band of 1/32 that the point lies in

    def off(answers):
        return np.maximum(low - answers, answers - low - 1 / 32).max()

    assert off(last.forward(X)[:, 0]) < 0.01
    assert off(last.forward(X[:, ::-1])[:, 0]) > 0.1, "inputs swapped would be seen"
    assert len(set(band)) > 4


# -- alone, within others, and with bad data -------------------------------------------------------


def test_the_page_requests_nothing(browser, tmp_path, nine):
    browser.open(nine.to_html(), tmp_path)
    browser.click("[aria-label=Step]")
    events = [
        json.loads(entry["message"])["message"] for entry in browser.driver.get_log("performance")
    ]
    sent = [
        e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"
    ]
    assert [url.split(":")[0] for url in sent if not url.startswith("data:,")] == ["file"]


def test_names_are_text_only(browser, tmp_path):
    evil = "</script><script>window.evil = 1</script><img src=x onerror='window.evil = 1'>"
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 2)), columns=[evil, "b"])
    y = np.where(X["b"] > 0, evil, "{backward:x}^2^")
    model = BackpropClassifier(hidden_layer_sizes=(2,), random_state=0)
    model.partial_fit(X, y, classes=sorted(set(y)))
    browser.open(trace_step(model, X.iloc[0], y[0]).to_html(), tmp_path)
    for _ in range(8):
        browser.step()
    assert browser.run("return window.evil ?? null") is None
    assert browser.run("return document.querySelectorAll('img').length") == 0
    assert evil in browser.run("return document.querySelector('.pickers').textContent")


def test_numbers_that_are_not_finite_leave_no_blank_page(browser, tmp_path):
    network = Network((2, 2, 1), out_activation="identity", random_state=0)
    with pytest.warns(DivergenceWarning):
        trace = trace_step(network, [1e200, 1e200], 1e300, 0.1)
    browser.open(trace.to_html(), tmp_path)
    check_all(browser, trace.to_dict())
    browser.choose(0, 1)
    browser.choose(1, 0)
    assert "not finite" in browser.text("section.weight")


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"solver": "adam"}], ids=str)
def test_a_refused_first_step_is_shown_and_said(browser, tmp_path, options):
    network = Network((2, 2, 1), out_activation="identity", random_state=0)
    with pytest.warns(DivergenceWarning):
        trace = trace_step(network, [1.0, 2.0], 1e200, 0.1, **options)
    browser.open(trace.to_html(), tmp_path)
    assert "This step is refused" in browser.text("header [role=note]")
    seen = check_all(browser, trace.to_dict())
    assert {"layers.0.new_W.0.0", "layers.1.new_b.0"} <= seen
    browser.click(".jump[data-phase=update]")
    assert "This step is refused" in browser.text(".idea")


def test_the_end_of_a_training_that_diverged_is_said(browser, tmp_path):
    browser.open(diverged().to_html(), tmp_path)
    assert "Training diverged" in browser.text("header .note")
    browser.keys("END", to=".scrub input")
    assert "Training had diverged and was stopped" in browser.text(".where")


def test_a_step_of_a_batch_is_said_to_be_that_of_its_first_row(browser, tmp_path):
    network, X, y = random_case("squared_error", "identity", (2, 3, 1), 12)
    recording = record(network, X, y, epochs=2, learning_rate=0.05, batch_size=4)
    browser.open(recording.to_html(), tmp_path)
    says = "Training moved along the mean of 4 rows here; this is what the first of them alone"
    assert says in browser.text("header [role=note]")
    assert says not in browser.text(".idea"), "the passes are those of the row"
    browser.click(".jump[data-phase=update]")
    assert says in browser.text(".idea")
    browser.keys("END", to=".scrub input")
    assert not browser.run("return document.querySelectorAll('.remark').length")


def diverged():
    """A recording of steps so large that the second epoch is not finished."""
    network = Network((2, 2, 1), out_activation="identity", random_state=0)
    X = np.random.default_rng(0).normal(size=(4, 2))
    with pytest.warns(DivergenceWarning):
        return record(network, X, X[:, 0], epochs=50, learning_rate=3.0)


def test_an_embedded_page_runs_within_its_frame(browser, tmp_path, nine):
    browser.open(f"<!doctype html><body>{nine.trace(0)._repr_html_()}", tmp_path)
    until(lambda: frame_says(browser, "One step of backpropagation"))
    assert browser.run("return document.querySelectorAll('.fastbp').length") == 0


def frame_says(browser, title):
    browser.driver.switch_to.frame(0)
    try:
        return (
            browser.driver.execute_script("return document.querySelector('h1')?.innerText") == title
        )
    finally:
        browser.driver.switch_to.default_content()


def test_the_widget_shows_the_page_and_tells_where_it_is(browser, tmp_path, nine):
    browser.open("<!doctype html><html lang=en><body><div id=cell></div>", tmp_path)
    source = "data:text/javascript;base64," + base64.b64encode(program().encode()).decode()
    script = """const [source, page, done] = arguments;
        const values = { page, frame: 0, idea: 0 }, handlers = {};
        window.model = {
            get: (name) => values[name],
            set: (name, value) => { values[name] = value; },
            save_changes: () => { window.saved = { ...values }; },
            on: (name, handler) => { handlers[name] = handler; },
            off: (name, handler) => { if (handlers[name] === handler) delete handlers[name]; },
            move: (name, value) => { values[name] = value; handlers["change:" + name]?.(); },
            listens: () => Object.keys(handlers).length };
        import(source).then((module) => {
            const el = document.querySelector("#cell");
            window.end = module.default.render({ model: window.model, el });
            window.shadow = el.shadowRoot; done(); })"""
    page = json.dumps(nine.trace(0).to_html().split('id="fastbp-data">')[1].split("</script>")[0])
    browser.driver.execute_async_script(script, source, json.loads(page))
    title = "return window.shadow.querySelector('.idea h2').innerText"
    assert browser.run(title) == "One row"
    browser.run("window.shadow.querySelector('[aria-label=Step]').click()")
    assert browser.run("return window.saved.idea") == 1
    browser.run("window.model.move('idea', 3)")
    assert browser.run(title) == "Layer 2: weighted sums"
    browser.run("window.model.move('page', window.model.get('page'))")
    assert browser.run("return window.shadow.querySelectorAll('.fastbp').length") == 1
    assert browser.run(title) == "Layer 2: weighted sums"
    browser.run("window.shadow.querySelector('[aria-label=Play]').click(); window.end()")
    assert browser.run("return window.shadow.querySelectorAll('.fastbp').length") == 0
    assert browser.run("return window.model.listens()") == 0
    browser.run("window.model.move('idea', 1)")


def test_what_cannot_be_shown_is_said(chromium, tmp_path, nine):
    page = nine.trace(0).to_html().replace("fastbp.page/1", "fastbp.page/9", 1)
    broken = page.replace('"format":"fastbp.page/1"', '"format":"fastbp.page/9"')
    chromium.open(broken, tmp_path)
    assert "This page cannot be shown: a page of the format fastbp.page/9" in chromium.text(
        "[role=alert]"
    )
    chromium.complaints()
