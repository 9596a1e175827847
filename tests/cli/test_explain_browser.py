"""The pages of `fastbp explain` in Chromium. Needs the extra `browser`; else skipped."""

import pytest

from fastbp.cli.explain.salaries import salaries
from fastbp.cli.explain.shower import shower

STORIES = {
    salaries: ("CGPA", "profile score", "package"),
    shower: ("main valve", "handle", "house flow", "shower flow"),
}


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("story", STORIES)
def test_both_stories_fit_the_screen_and_use_their_own_words(
    browser,
    tmp_path,
    story,
    width,
    scheme,
):
    text = story().to_html()
    assert len(text) < 1_500_000
    browser.open(text, tmp_path, width=width, prefers_color_scheme=scheme)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    shown = browser.run("return document.body.textContent")
    assert [word for word in STORIES[story] if word not in shown] == []
