"""Names as text: nothing in them is obeyed, and columns stay aligned."""

import sys

import pytest

from fastbp._printable import display_width, padded, plain_label, printable, shortened

HOSTILE = {
    "escape sequence": ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
    "title of the window": ("\x1b]0;mine\x07", r"\x1b]0;mine\x07"),
    "C1 control": ("\x9b2J", r"\x9b2J"),
    "backspaces": ("safe\x08\x08\x08\x08evil", r"safe\x08\x08\x08\x08evil"),
    "carriage return": ("a\rb", r"a\rb"),
    "line breaks": ("a\nb\x0bc\x85d\u2028e", r"a\nb\x0bc\x85d\u2028e"),
    "directions": ("\u202etxt.exe\u2066", r"\u202etxt.exe\u2066"),
    "invisible": ("a\u200bb\ufeff\xad\u2060\xa0", r"a\u200bb\ufeff\xad\u2060\xa0"),
    "byte that is no text": ("\udcff", r"\udcff"),
    "private and unassigned": ("\ue000\U000e0001\u0378", r"\ue000\U000e0001\u0378"),
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.values(), ids=HOSTILE)
def test_what_a_terminal_would_obey_is_escaped(text, shown):
    assert printable(text) == shown
    assert printable(shown) == shown


@pytest.mark.parametrize(
    "text", ["", "pay (CHF)", "C:\\new", "Zürich", "売上", "👩", "e\u0301", "$x$"]
)
def test_text_that_is_plain_to_see_stays_as_it_is(text):
    assert printable(text) == text


@pytest.mark.slow
def test_of_all_characters_only_printable_ones_are_left():
    for code in range(sys.maxunicode + 1):
        assert printable(chr(code)).isprintable()


WIDTHS = [("", 0), ("abc", 3), ("売上", 4), ("e\u0301", 1), ("\uff41", 2), ("Zürich", 6)]


@pytest.mark.parametrize(("text", "width"), WIDTHS)
def test_width_is_counted_in_columns_of_a_terminal(text, width):
    assert display_width(text) == width
    assert padded(text, 8) == text + " " * (8 - width)
    assert padded(text, 8, left=False) == " " * (8 - width) + text


@pytest.mark.parametrize("text", ["a" * 30, "売" * 30, "売上a" * 9, "e\u0301" * 40])
def test_what_is_too_long_ends_in_dots(text):
    short = shortened(text, 24)
    assert short.endswith("...")
    assert 23 <= display_width(short) <= 24
    assert text.startswith(short[:-3])
    assert shortened(text, 90) == text


@pytest.mark.parametrize("name", ["cost in $", "$a$", "$\\frac$", "a\\$b$c", "_^{}\\", "$\x1b$"])
def test_labels_of_pictures_are_no_formulas(name):
    from matplotlib.figure import Figure

    figure = Figure()
    text = figure.text(0, 0, plain_label(name))
    shown, is_formula = text._preprocess_math(text.get_text())
    assert not is_formula
    assert shown == printable(name)
    figure.canvas.draw()
