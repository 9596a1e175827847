"""What the commands print: lines of plain text in any encoding, whatever the names hold."""

import os
import subprocess
import sys
import warnings

import pytest

from fastbp.cli.console import Parser, UserError, exit_code_of, say

EVIL = "\x1b]0;mine\x07\u202e\nfastbp: all is well\r"
SHOWN = r"\x1b]0;mine\x07\u202e\nfastbp: all is well\r"


def test_lines_are_printed_as_text(capsys):
    say("first", EVIL)
    assert capsys.readouterr().out == f"first\n{SHOWN}\n"


def test_a_mistake_is_one_line_of_text(capsys):
    def fails():
        raise UserError(f"there is no file {EVIL}")

    assert exit_code_of(fails) == 1
    assert capsys.readouterr() == ("", f"fastbp: there is no file {SHOWN}\n")


def test_a_package_that_is_broken_is_said_line_by_line(capsys):
    def fails():
        raise ImportError("numpy is broken\nread this \x1b[2J")

    assert exit_code_of(fails) == 1
    assert capsys.readouterr().err == "fastbp: numpy is broken\nread this \\x1b[2J\n"


def test_warnings_are_printed_as_text_without_the_code_they_come_from(capsys):
    def command():
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(f"column {EVIL[:9]}", stacklevel=1)
        return 0

    before = warnings.showwarning
    assert exit_code_of(command) == 0
    assert warnings.showwarning is before
    assert capsys.readouterr().err == f"fastbp: warning: column {SHOWN[:15]}\n"


def test_the_same_warning_is_shown_once(capsys):
    def command():
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            for what in ("first", "second", "first"):
                warnings.warn(f"the {what} network diverged", stacklevel=1)
        return 0

    assert exit_code_of(command) == 0
    assert [line.split()[3] for line in capsys.readouterr().err.splitlines()] == ["first", "second"]


def test_arguments_that_are_refused_are_printed_as_text(capsys):
    with pytest.raises(SystemExit):
        Parser(prog="fastbp").parse_args([EVIL])
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"fastbp: error: unrecognized arguments: {SHOWN}"
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_terminal_that_lacks_a_character_shows_its_escape(encoding):
    code = "from fastbp.cli.console import *; exit_code_of(lambda: say('Z\\xfcrich \\u58f2') or 0)"
    run = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    umlaut = rb"\xfc" if encoding == "ascii" else b"\xfc"
    assert run.stdout.splitlines() == [b"Z" + umlaut + rb"rich \u58f2"]
    assert not run.stderr
