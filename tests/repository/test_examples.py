"""The examples and the README's code run as they stand."""

import ast
import os
import re
import runpy
import sys
import urllib.error
from pathlib import Path

import pytest

from fastbp.cli.explain.salaries import STUDENTS

ROOT = Path(__file__).parents[2]
MNIST = Path(os.environ.get("FASTBP_DATA", ROOT.parent / "shared" / "data" / "mnist.npz"))
EXAMPLES = sorted(set((ROOT / "examples").glob("*.py")) - {ROOT / "examples" / "mnist.py"})
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path, capsys):
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out


def run_mnist(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["mnist.py", *arguments])
    runpy.run_path(str(ROOT / "examples" / "mnist.py"), run_name="__main__")


@pytest.mark.slow
@pytest.mark.skipif(not MNIST.exists(), reason=f"needs MNIST: FASTBP_DATA, or {MNIST}")
def test_mnist_example_reaches_its_accuracy(monkeypatch, capsys):
    run_mnist(monkeypatch, "--data", str(MNIST))
    out = capsys.readouterr().out
    assert re.search(r"^97 % after \S+ s of training$", out, re.MULTILINE)
    assert re.search(r"^98 % after \S+ s of training$", out, re.MULTILINE)
    assert len(re.findall(r"rows/s", out)) == 18


def test_mnist_example_learns_from_openml_or_says_that_it_needs_a_network(monkeypatch):
    def no_network(*_, **__):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.delenv("FASTBP_DATA", raising=False)
    monkeypatch.setattr("sklearn.datasets.fetch_openml", no_network)
    with pytest.raises(SystemExit, match=r"needs a network.*--data mnist.npz") as ending:
        run_mnist(monkeypatch)
    assert "Name or service not known" in str(ending.value)


def test_mnist_example_names_a_file_that_is_not_there(monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match=r"missing\.npz"):
        run_mnist(monkeypatch, "--data", str(tmp_path / "missing.npz"))


def test_salary_example_learns(capsys):
    runpy.run_path(str(ROOT / "examples" / "salary.py"))
    losses = re.findall(r"mean loss (\S+)", capsys.readouterr().out)
    assert float(losses[-1]) < 0.05 * float(losses[0])


@pytest.mark.parametrize("path", ["examples/salary.py", "docs/gallery/stories/nine_parameters.py"])
def test_those_who_tell_of_the_students_each_for_themselves_tell_the_same(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    (table,) = re.findall(
        r"^students = np\.array\(.*?(\[.*?\n    \])\n\)", text, re.DOTALL | re.MULTILINE
    )
    assert ast.literal_eval(table) == STUDENTS.tolist()


def test_readme_code_runs(capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    out = capsys.readouterr().out
    for said in re.findall(r"^```text\n(.*?)^```", README, re.MULTILINE | re.DOTALL):
        assert said in out


def test_readme_has_the_two_commands():
    blocks = re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert blocks == [
        'python -m pip install ".[cli]" && python -m fastbp\n',
        'python -m pip install -e ".[test]" && python -m pytest\n',
    ]


def test_every_file_that_the_readme_points_to_exists():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
