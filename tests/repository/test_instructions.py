"""What the check of instruction counts says, and that counting works where valgrind is."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import instructions

ROOT = Path(__file__).parents[2]
BASELINE = {
    "compiler": "gcc 12",
    "instructions_per_row": {"2-2-1": {"avx2 float64": 100.0, "avx2 float32": 50.0}},
}


def verdict(float64, float32, compiler="gcc 12"):
    counts = {"2-2-1": {"avx2 float64": float64, "avx2 float32": float32}}
    lines, passes = instructions.verdict(counts, compiler, BASELINE)
    return "\n".join(lines), passes


def test_a_tenth_more_passes():
    assert verdict(110.0, 50.0) == ("0 counts grew by more than 10%", True)


def test_more_than_a_tenth_fails_and_is_named():
    text, passes = verdict(111.0, 50.0)
    assert not passes
    assert "GREW: 2-2-1, avx2 float64: 100 -> 111 (+11%)" in text
    assert "--update" in text


def test_what_shrank_is_told_and_passes():
    text, passes = verdict(100.0, 25.0)
    assert passes
    assert "shrank: 2-2-1, avx2 float32: 50 -> 25 (-50%)" in text


def test_another_compiler_is_not_compared_and_says_so():
    text, passes = verdict(1000.0, 50.0, compiler="clang 19")
    assert passes
    assert text.startswith("NOT COMPARED: this build is of clang 19, the baseline of gcc 12")


def test_a_new_case_is_told_and_passes():
    counts = {"9-9-9": {"avx2 float64": 1.0}}
    lines, passes = instructions.verdict(counts, "gcc 12", BASELINE)
    assert passes
    assert "not in the baseline yet: 9-9-9" in lines


def test_the_baseline_holds_every_case():
    baseline = json.loads(instructions.BASELINE.read_text(encoding="utf-8"))
    names = [case.name for case in instructions.CASES]
    assert list(baseline["instructions_per_row"]) == names
    assert len(set(names)) == len(names)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
def test_counts_are_of_the_kernels():
    command = [sys.executable, "-m", "benchmarks.instructions", "--only", "2-2-1, tanh"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    header, counts = done.stdout.splitlines()
    assert "float64" in header
    assert all(30 < float(count.replace(",", "")) < 2000 for count in counts.split()[2:])
