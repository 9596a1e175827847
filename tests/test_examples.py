"""The examples and the README's code run as they stand."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem
)
def test_example_runs(path, capsys):
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out


def test_salary_example_learns(capsys):
    runpy.run_path(str(ROOT / "examples" / "salary.py"))
    losses = re.findall(r"mean loss (\S+)", capsys.readouterr().out)
    assert float(losses[-1]) < 0.05 * float(losses[0])


def test_readme_code_runs(capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    out = capsys.readouterr().out
    assert float(re.search(r"(\S+) of the held-out digits", out)[1]) > 0.95
    assert float(re.search(r"R2 (\S+) on held-out rows", out)[1]) > 0.9


def test_readme_has_the_two_commands():
    blocks = re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert blocks == [
        'python -m pip install ".[demo]" && python -m fastbp\n',
        'python -m pip install -e ".[test]" && python -m pytest\n',
    ]


def test_every_file_that_the_readme_points_to_exists():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
