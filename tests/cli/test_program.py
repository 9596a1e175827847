"""The command line as a whole: its commands, old spellings, exit codes, and pipes that close."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from people import people, run

from fastbp.cli import program
from fastbp.cli.parser import COMMANDS, EXAMPLES
from fastbp.cli.progress import Bar

SCRIPT = [sys.executable, "-c", "import sys; from fastbp.cli import main; sys.exit(main())"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test runs in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_has_a_module_help_and_examples(capsys):
    assert set(COMMANDS) == set(program.MODULES) == set(EXAMPLES) - {""}
    for command in COMMANDS:
        code, out, _ = run(capsys, command, "--help")
        assert code == 0
        assert f"usage: fastbp {command} " in out
        assert f"  fastbp {command}" in out
    code, out, _ = run(capsys, "--help")
    assert all(f"\n    {command} " in out for command in COMMANDS)
    assert "exit codes: 0 done, 1 it cannot be done" in out


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ([], ["compare"]),
        (["--data", "a.csv", "--target", "y"], ["compare", "--data", "a.csv", "--target", "y"]),
        (["--quick"], ["compare", "--quick"]),
        (["explain", "--no-open"], ["explain", "--no-open"]),
        (["--help"], ["--help"]),
        (["--version"], ["--version"]),
    ],
)
def test_old_spellings_keep_working(arguments, command):
    assert program._with_command(arguments) == command


def test_wrong_arguments_end_with_2(capsys):
    for arguments in (["fit"], ["nonsense"], ["predict", "a.fbp"], ["stream", "-"], ["--nonsense"]):
        code, _, err = run(capsys, *arguments)
        assert code == 2
        assert err.startswith("usage: fastbp")


def test_the_console_script_is_the_function_that_is_tested():
    project = Path(__file__).parents[2] / "pyproject.toml"
    assert '\n[project.scripts]\nfastbp = "fastbp.cli:main"\n' in project.read_text()


def test_a_process_prints_one_object_and_ends_with_0_or_1():
    people(60).to_csv("people.csv", index=False)
    command = [*SCRIPT, "fit", "people.csv", "--target"]
    ran = subprocess.run([*command, "pay", "--json"], capture_output=True, text=True)
    assert (ran.returncode, json.loads(ran.stdout)["task"]) == (0, "regression")
    assert "Traceback" not in ran.stderr
    ran = subprocess.run([*command, "none"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("fastbp: people.csv has no column 'none'")


@pytest.mark.skipif(os.name != "posix", reason="pipes as POSIX has them")
def test_a_reader_that_goes_away_ends_it_quietly():
    lines = "".join(f"{i % 5},{'pq'[i % 2]}\n" for i in range(60_000))
    Path("file.csv").write_text("x,y\n" + lines)
    command = [*SCRIPT, "stream", "file.csv", "--target", "y", "--every", "1"]
    command += ["--save", "model.fbp"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline().startswith("y: a class")
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0
    assert Path("model.fbp").exists()


@pytest.mark.skipif(os.name != "posix", reason="pipes as POSIX has them")
@pytest.mark.parametrize(
    "arguments", [["--help"], ["stream", "file.csv", "--target", "y", "--json"]]
)
def test_a_reader_that_was_never_there_is_no_error_at_the_end(arguments):
    """What is left in the buffer is written when the command ends."""
    Path("file.csv").write_text("x,y\n" + "1,p\n2,q\n" * 20)
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run([*SCRIPT, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert ran.returncode == 0
    assert "Traceback" not in ran.stderr
    assert "Exception" not in ran.stderr


def test_a_bar_is_shown_after_two_seconds_on_terminals_only(capsys, monkeypatch):
    with Bar("Reading", 100) as bar:
        bar.show(50)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("fastbp.cli.progress.PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with Bar("Reading", 100) as bar:
        bar.show(50)
    shown = capsys.readouterr().err
    assert "[####" in shown
    assert shown.endswith("\r")
