"""The guide docs/see.md runs as it stands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "see.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_the_guide_runs(capsys, tmp_path, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 10
    names = {}
    for block in blocks:
        exec(compile(block, "docs/see.md", "exec"), names)
    pyplot.close("all")
    out = capsys.readouterr().out
    assert "One step on one row: 4-5-3, log_loss, float64" in out
    assert "dE/dW[1][1, 0] = dE/da[1][0] x da[1][0]/dz[1][0] x dz[1][0]/dW[1][1, 0]" in out
    before, after = re.search(r"^(\S+) -> (\S+)$", out, re.MULTILINE).groups()
    assert float(after) < 0.1 * float(before)
    assert {"network.svg", "step.html", "training.html"} <= {
        path.name for path in tmp_path.iterdir()
    }
