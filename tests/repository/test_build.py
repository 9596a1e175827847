"""What a build from the sources needs and accepts: setup.py and pyproject.toml."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

if not (ROOT / "setup.py").exists():
    pytest.skip("needs the sources", allow_module_level=True)


def test_the_extra_dev_holds_what_a_rebuild_in_place_needs():
    with open(ROOT / "pyproject.toml", "rb") as file:
        settings = tomllib.load(file)
    extras = settings["project"]["optional-dependencies"]
    assert extras["build"] == settings["build-system"]["requires"]
    (dev,) = extras["dev"]
    assert "build" in dev.removeprefix("fastbp[").removesuffix("]").split(",")


def test_an_unknown_instruction_set_is_refused_by_name():
    for package in ("Cython", "setuptools"):
        pytest.importorskip(package)
    run = subprocess.run(
        [sys.executable, "setup.py", "--version"],
        cwd=ROOT,
        env=os.environ | {"FASTBP_ISAS": "avx2,mmx"},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode != 0
    assert "avx2, mmx: choose from avx2, avx512, neon, scalar" in run.stderr
