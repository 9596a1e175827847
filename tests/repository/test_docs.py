"""The pages of docs/ run as they stand and print what they say; so do the gallery's examples."""

import contextlib
import doctest
import importlib
import io
import pkgutil
import re
import runpy
import shlex
from pathlib import Path

import numpy as np
import pytest

import fastbp
from fastbp.cli import main
from fastbp.cli.explain.salaries import STUDENTS

DOCS = Path(__file__).parents[2] / "docs"
GALLERY = sorted((DOCS / "gallery").rglob("*.py"))
MODULES = [
    found.name
    for found in pkgutil.walk_packages(fastbp.__path__, "fastbp.")
    if found.name not in ("fastbp.__main__", "fastbp._core", "fastbp.neural_network")
]  # the last has scikit-learn's own docstrings
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Examples write their files, and draw their figures, where nobody sees them."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    monkeypatch.chdir(tmp_path)
    yield
    pyplot.close("all")


def run_page(name):
    """Run a page's code; return what it should print and what it prints, block by block."""
    page = (DOCS / name).read_text(encoding="utf-8")
    namespace, printed, pairs = {}, "", []
    for kind, text in BLOCK.findall(page):
        if kind == "python":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(text, name, "exec"), namespace)
            printed = "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"
        elif printed.strip():
            pairs.append((text, printed))
            printed = ""
    return pairs


@pytest.mark.parametrize(
    ("name", "n_outputs"),
    [
        ("guide.md", 8),
        ("defaults.md", 1),
        ("measured.md", 5),
        ("explain.md", 0),
        ("index.md", 1),
        ("streams.md", 3),
    ],
)
def test_the_page_prints_what_it_says(name, n_outputs):
    pairs = run_page(name)
    assert len(pairs) == n_outputs
    for expected, printed in pairs:
        assert printed == expected


def test_the_page_on_deployment_prints_what_it_says():
    pytest.importorskip("onnx")
    pairs = run_page("deploy.md")
    assert len(pairs) == 4
    for expected, printed in pairs:
        assert printed == expected
    assert Path("iris.h").exists()


def test_the_page_on_model_files_prints_what_it_says():
    for package in ("safetensors", "skops"):
        pytest.importorskip(package)
    pairs = run_page("model_files.md")
    assert len(pairs) == 4
    for expected, printed in pairs:
        assert printed == expected


def test_the_page_on_checkpoints_prints_what_it_says():
    pairs = run_page("checkpoints.md")
    assert len(pairs) == 2
    for expected, printed in pairs:
        assert printed == expected


def without_times(text):
    """Lines as they are, but for times and sizes, which are no other machine's."""
    text = re.sub(r"\d+\.\d s\b", "0.0 s", text)
    text = re.sub(r"[\d,]+ kB", "1 kB", text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def test_the_page_on_the_command_line_prints_what_it_says(capsys):
    for package in ("clevercsv", "pandas", "skl2onnx", "skops"):
        pytest.importorskip(package)
    page = (DOCS / "command_line.md").read_text(encoding="utf-8")
    printed, n_outputs = "", 0
    for kind, text in re.findall(r"^```(python|console|text)\n(.*?)^```", page, re.M | re.S):
        if kind == "python":
            exec(compile(text, "command_line.md", "exec"), {})
        elif kind == "text":
            assert without_times(text) == without_times(printed)
            n_outputs += 1
        elif text.startswith("$ fastbp "):
            assert main(shlex.split(text)[2:]) == 0
            printed, errors = capsys.readouterr()
            assert errors == ""
    assert n_outputs == 5


@pytest.mark.slow
@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_gallery_example_runs_and_draws(path):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    runpy.run_path(str(path), run_name="__main__")
    assert pyplot.get_fignums()


def test_there_is_an_example_for_every_display():
    from fastbp import plot

    sources = " ".join(path.read_text(encoding="utf-8") for path in GALLERY)
    assert [name for name in plot.__all__ if f"{name}.from_" not in sources] == []


@pytest.mark.parametrize("path", ["docs/gallery/stories/nine_parameters.py", "examples/salary.py"])
def test_the_story_the_example_and_explain_have_the_same_students(path):
    namespace = runpy.run_path(str(DOCS.parent / path))
    np.testing.assert_array_equal(namespace["students"], STUDENTS)


def test_the_page_on_defaults_has_the_numbers_of_the_code():
    from fastbp.estimators import defaults

    page = (DOCS / "defaults.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| \S+ \| (.*) \|$", page, re.MULTILINE))
    assert rows["max_iter"].startswith(
        f"{defaults.VISITS:,} divided by the number of rows, at least {defaults.MIN_EPOCHS}, at "
        f"most {defaults.MAX_EPOCHS};"
    )
    assert rows["ensemble"].startswith(
        f"{defaults.N_NETWORKS_OF_SMALL} networks on fewer than {defaults.SMALL:,} rows, else "
        f"{defaults.N_NETWORKS};"
    )
    assert rows["hidden_layer_sizes"] == (
        f"`{defaults.HIDDEN_LAYER_SIZES}` for each of several networks, "
        f"`{defaults.HIDDEN_LAYER_SIZES_OF_ONE}` for one"
    )
    assert f"from {defaults.MIN_ROWS_TO_HOLD_OUT} rows on" in rows["early_stopping"]
    few = round(defaults.MOST_RATE_TIMES_INPUTS / defaults.RATE)
    few_of_calls = round(defaults.MOST_RATE_OF_CALLS_TIMES_INPUTS / defaults.RATE_OF_CALLS)
    assert rows["learning_rate_init"].startswith(
        f"for SGD: {defaults.RATE:g}, from {few} inputs on {defaults.MOST_RATE_TIMES_INPUTS:g} "
        f"divided by their number; in `partial_fit` {defaults.RATE_OF_CALLS:g}, from "
        f"{few_of_calls} inputs on {defaults.MOST_RATE_OF_CALLS_TIMES_INPUTS:g} divided by their "
        f"number, and divided by the number of joined networks; with `standardize=False` "
        f"{defaults.RATE_IN_RAW_UNITS:g};"
    )


@pytest.mark.slow
def test_the_pictures_of_the_defaults_are_drawn(tmp_path):
    script = runpy.run_path(str(DOCS / "pictures" / "defaults.py"))
    script["main"](tmp_path)
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == sorted(path.name for path in (DOCS / "pictures").glob("defaults_*.svg"))


def test_every_file_that_a_page_points_to_exists():
    for page in DOCS.rglob("*.md"):
        links = re.findall(r"\]\((?!http)([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        assert [link for link in links if not (page.parent / link).exists()] == [], page.name


def test_every_public_name_is_in_the_reference():
    from fastbp import measured, online, plot

    page = (DOCS / "reference" / "index.md").read_text(encoding="utf-8")
    names = {*fastbp.__all__, *measured.__all__, *online.__all__, *plot.__all__} - {"__version__"}
    assert [name for name in sorted(names) if not re.search(rf"^   {name}$", page, re.M)] == []


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_print_what_they_say(module):
    failed, _ = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert not failed
