"""What commands write: to readers that go away, to full devices, and never over their own input."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from people import done, people, refusal

from fastbp.cli import main

SCRIPT = [sys.executable, "-c", "import sys; from fastbp.cli import main; sys.exit(main())"]
FULL = Path("/dev/full")
posix = pytest.mark.skipif(os.name != "posix", reason="pipes as POSIX has them")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="a device that is full, as Linux has")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with rows and a model of them."""
    folder = tmp_path_factory.mktemp("files")
    people(80).to_csv(folder / "people.csv", index=False)
    assert main(["fit", f"{folder}/people.csv", "--target", "pay", "-o", f"{folder}/pay.fbp"]) == 0
    return folder


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, files):
    """Each test runs in a folder of its own, which has the files."""
    for path in files.iterdir():
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# -- readers that go away --------------------------------------------------------------------


def without_reader(*arguments):
    """Run a command whose stdout nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return subprocess.run(
            [*SCRIPT, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120
        )
    finally:
        os.close(writer)


@posix
@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "people.csv", "--target", "pay", "-o", "out.fbp"],
        ["fit", "people.csv", "--target", "pay", "-o", "out.fbp", "--json"],
        ["stream", "people.csv", "--target", "pay", "--every", "1", "--save", "out.fbp"],
        ["predict", "pay.fbp", "people.csv", "-o", "out.fbp"],
    ],
)
def test_what_nobody_reads_is_finished_and_saved(arguments):
    ran = without_reader(*arguments)
    assert (ran.returncode, "Traceback" in ran.stderr) == (0, False)
    assert Path("out.fbp").stat().st_size > 100


@posix
def test_a_stream_ends_that_nobody_reads_and_nothing_is_saved_of():
    reader, writer = os.pipe()
    os.close(reader)
    command = [*SCRIPT, "stream", "-", "--target", "y", "--every", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=writer) as process:
        os.close(writer)
        process.stdin.write(b"x,y\n" + b"1,p\n2,q\n" * 40)
        process.stdin.flush()
        assert process.wait(timeout=60) == 0  # the pipe is still open


@needs_full
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["fit", "people.csv", "--target", "pay", "-o", "out.fbp"],
        ["info", "pay.fbp", "--json"],
        ["predict", "pay.fbp", "people.csv"],
        ["stream", "people.csv", "--target", "pay"],
    ],
)
def test_a_full_device_is_one_sentence(arguments):
    with FULL.open("w") as full:
        ran = subprocess.run([*SCRIPT, *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
    said = "fastbp: what should be printed cannot be written: No space left on device\n"
    assert (ran.returncode, ran.stderr[-len(said) :]) == (1, said)
    assert "Traceback" not in ran.stderr
    assert "-o" not in arguments or Path("out.fbp").exists()


# -- inputs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        "fit people.csv --target pay -o people.csv",
        "fit people.csv --target pay -o ./people.csv",
        "fit people.csv --target pay -o link.csv",
        "fit people.csv --target pay --checkpoint people.csv",
        "predict pay.fbp people.csv -o people.csv",
        "predict pay.fbp people.csv -o pay.fbp",
        "export pay.fbp --onnx pay.fbp",
        "export same.h --c same.c",
        "stream people.csv --target pay --save people.csv",
        "compare people.csv --target pay --output people.csv",
        "explain --data people.csv --target pay --output people.csv --no-open",
        "explain pay.fbp --output pay.fbp --no-open",
    ],
)
def test_no_output_goes_over_an_input(capsys, arguments):
    Path("link.csv").symlink_to("people.csv")
    shutil.copy("pay.fbp", "same.h")
    before = {path: path.read_bytes() for path in Path().iterdir()}
    assert "is what is read: choose another" in refusal(capsys, *arguments.split())
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        "fit people.csv --target pay -o notes.txt",
        "fit people.csv --target pay -o out.fbp --checkpoint notes.txt",
        "stream people.csv --target pay --save notes.txt",
    ],
)
def test_a_model_replaces_models_only(capsys, arguments):
    Path("notes.txt").write_text("important: 1, 2, 3\n")
    assert "notes.txt is there, and is no model" in refusal(capsys, *arguments.split())
    assert Path("notes.txt").read_text() == "important: 1, 2, 3\n"


@pytest.mark.parametrize(
    "arguments",
    [
        "predict pay.fbp people.csv -o other.fbp",
        "export pay.fbp --onnx other.fbp",
    ],
)
def test_a_model_is_replaced_by_models_only(capsys, arguments):
    shutil.copy("pay.fbp", "other.fbp")
    assert "other.fbp is there, and is a model" in refusal(capsys, *arguments.split())
    assert Path("other.fbp").read_bytes() == Path("pay.fbp").read_bytes()


def test_a_checkpoint_is_no_output(capsys):
    fit = ["fit", "people.csv", "--target", "pay", "-o", "out.fbp", "--checkpoint", "./out.fbp"]
    assert "is deleted at the end" in refusal(capsys, *fit)
    assert not Path("out.fbp").exists()


def test_models_and_empty_files_are_replaced(capsys):
    Path("new.fbp").touch()
    for path in ("new.fbp", "pay.fbp"):
        before = Path(path).read_bytes()
        done(capsys, "fit", "people.csv", "--target", "member", "-o", path, "--no-code")
        assert Path(path).read_bytes() != before
