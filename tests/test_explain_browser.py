"""The pages of `python -m fastbp explain` in Chromium. Needs the extra `browser`; else skipped."""

import pytest
from test_page_browser import browser, chromium  # noqa: F401, fixtures

from fastbp._explain.salaries import salaries
from fastbp._explain.shower import PRESSURE, Shower, house_flow, shower_flow

LOOK = """const look = document.getElementById("look"); look.value = arguments[0];
    look.dispatchEvent(new Event("input"))"""
TURN = """for (const [knob, value] of Object.entries(arguments[0])) {
    const slider = document.getElementById(knob); slider.value = value;
    slider.dispatchEvent(new Event("input")) }"""


@pytest.fixture(scope="module")
def shower():
    return Shower()


def printed(value):
    """A number as the page prints it: five digits."""
    return f"{value:.5g}".replace("-", "\N{MINUS SIGN}")


def test_every_look_of_the_shower_is_shown_with_its_numbers(browser, shower, tmp_path):  # noqa: F811
    browser.open(shower.to_html(), tmp_path)
    for k, look in enumerate(shower.looks):
        browser.run(LOOK, k)
        text = browser.text("ol")
        for name in ("m", "h", "x", "y"):
            assert f"{name} = {printed(look[name])}" in text
            assert f"{name} = {printed(look[name])}" in browser.run(
                "return document.getElementById('pipes').textContent"
            )
        if look["slopes"][2]:
            dx_dm, dy_dx, dy_dh = look["slopes"]
            assert f"dy/dh = {printed(dy_dh)}" in text
            assert f"dy/dm = dy/dx \N{MULTIPLICATION SIGN} dx/dm = {printed(dy_dx * dx_dm)}" in text
        else:
            assert "not known yet" in text
    assert shower.message in browser.text("#update")


def test_the_shower_is_played_by_buttons_and_by_keys(browser, shower, tmp_path):  # noqa: F811
    browser.open(shower.to_html(), tmp_path)
    here = "return Number(document.getElementById('look').value)"
    browser.click("#on")
    browser.click("#on")
    browser.click("#back")
    assert browser.run(here) == 1
    browser.run("document.activeElement.blur()")
    browser.keys("ARROW_RIGHT", to="body")
    assert browser.run(here) == 2
    browser.keys("HOME", to="body")
    assert browser.run(here) == 0
    browser.click("#play")
    assert browser.run("return document.getElementById('play').ariaLabel") == "Pause"
    browser.click("#play")
    assert browser.run("return document.getElementById('play').ariaLabel") == "Play"


def test_valves_turned_by_hand_give_the_flow_of_the_pipes(browser, shower, tmp_path):  # noqa: F811
    browser.open(shower.to_html(), tmp_path)
    browser.run(TURN, {"m": 8.5, "h": 2.25})
    pipes = browser.run("return document.getElementById('pipes').textContent")
    x = house_flow(8.5)
    assert PRESSURE == 60
    assert f"x = {printed(x)}" in pipes
    assert f"y = {printed(shower_flow(x, 2.25))}" in pipes
    assert "Your turn: error" in browser.text("#says")


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("page", [Shower, salaries])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_pages_fit_the_screen(browser, tmp_path, page, width, scheme):  # noqa: F811
    text = page().to_html()
    assert len(text) < 1_500_000
    browser.open(text, tmp_path, width=width, prefers_color_scheme=scheme)
    assert browser.run("return document.documentElement.scrollWidth") <= width


def test_the_salary_page_names_what_goes_in_and_comes_out(browser, tmp_path):  # noqa: F811
    browser.open(salaries().to_html(), tmp_path)
    text = browser.run("return document.body.textContent")
    assert all(name in text for name in ("CGPA", "profile score", "package"))
