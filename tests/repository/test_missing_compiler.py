"""A build without a compiler says what to install."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="needs the sources")
@pytest.mark.skipif(sys.platform == "win32", reason="CC names no compiler there")
def test_a_missing_compiler_is_named_with_what_to_install(tmp_path):
    pytest.importorskip("Cython")
    pytest.importorskip("setuptools", minversion="77.0.3")  # as pyproject.toml asks
    package = tmp_path / "src" / "fastbp"
    (package / "_core").mkdir(parents=True)
    (package / "_core" / "memory.pyx").write_text("n = 1\n")  # all take long
    (package / "__init__.py").touch()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copy(ROOT / "src" / "fastbp" / "_version.py", package)
    run = subprocess.run(
        [sys.executable, "setup.py", "build_ext"],
        cwd=tmp_path,
        env={**os.environ, "CC": "no-such-compiler"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    assert "no-such-compiler" in run.stderr
    assert "apt install gcc python3-dev" in run.stderr
    assert "Traceback" not in run.stderr
