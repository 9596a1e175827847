"""Text from elsewhere (names of files, columns and classes) as it can be shown without harm.

A name may hold anything: escape sequences that a terminal obeys, line feeds, marks that turn the
direction of writing, bytes that are no text. What shows a name calls `printable`; the commands do
so with every line they print, see `fastbp.cli.console`.
"""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    r"""Return text on one line, with everything that is not plain to see escaped as in `repr`.

    Escaped are control characters, line breaks, invisible and directional marks, spaces other than
    the plain one, surrogates and unassigned characters. A backslash stays as it is.

    Examples
    --------
    >>> print(printable("pay\x1b[31m\n(\N{EURO SIGN})"))
    pay\x1b[31m\n(€)
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def printable_lines(text: str) -> str:
    """Return text of several lines, each made printable."""
    return "\n".join(map(printable, text.split("\n")))


def plain_label(text: str) -> str:
    """Return a name as a text of matplotlib's, in which dollars do not enclose a formula."""
    return printable(text).replace("$", r"\$")


def display_width(text: str) -> int:
    """Return the number of columns that printable text takes in a terminal."""
    return len(text) if text.isascii() else sum(map(_width_of_character, text))


def padded(text: str, width: int, *, left: bool = True) -> str:
    """Return text filled with spaces to a width, the text to the left of them or to the right."""
    space = " " * (width - display_width(text))
    return text + space if left else space + text


def shortened(text: str, width: int) -> str:
    """Return as much of printable text as fits a width; three dots stand for the rest."""
    if display_width(text) <= width:
        return text
    while display_width(text) > width - 3:
        text = text[:-1]
    return text + "..."


def _width_of_character(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):  # written onto the character before
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
