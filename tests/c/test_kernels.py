"""Runs the C test of every kernel (tests/c), where there is a compiler."""

import os
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from fastbp import _core

HERE = Path(__file__).parents[1]
ROOT = HERE.parent
CSRC = ROOT / "csrc"


def objects_of_the_build():
    """The folder of kernels that this Python's build in place has compiled, if from this csrc/."""
    stem = f"flags-{sysconfig.get_config_var('SOABI')}"
    stamp, folder = ROOT / "build" / f"{stem}.txt", ROOT / "build" / "objects" / stem / "csrc"
    if not stamp.exists() or "-fsanitize" in stamp.read_text():
        return None
    sources = [*CSRC.glob("*.c"), *CSRC.glob("targets/*.c")]
    isas = _core.built_isas()
    sources = [s for s in sources if s.parent == CSRC or s.stem.split("_")[0] in isas]
    objects = [folder / source.relative_to(CSRC).with_suffix(".o") for source in sources]
    if not all(path.exists() for path in objects):
        return None
    newest_source = max(path.stat().st_mtime for path in CSRC.rglob("*.[ch]"))
    return folder if min(path.stat().st_mtime for path in objects) > newest_source else None


def test_every_kernel_agrees_with_naive_loops_and_stays_within_its_arrays(tmp_path):
    compiler = shlex.split(os.environ.get("CC", "cc"))[0]
    if not (shutil.which(compiler) and shutil.which("sh")):
        pytest.skip(f"needs a C compiler: there is no {compiler}")
    if not CSRC.is_dir():
        pytest.skip("needs the sources of the kernels: there is no csrc/")
    has_flags = any(name in os.environ for name in ("CC", "CFLAGS", "OBJECTS", "EMULATED"))
    objects = None if has_flags else objects_of_the_build()
    run = subprocess.run(
        ["sh", HERE / "c" / "run.sh", tmp_path],
        env=os.environ | ({"OBJECTS": str(objects)} if objects else {}),
        check=False,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    *tables, total = run.stdout.splitlines()
    tested = {line.split(" ")[0] for line in tables}
    assert tested >= set(_core.available_isas())
    assert total.endswith(" 0 failed")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_lanes_fill_a_vector_register(isa, dtype):
    register_bytes = {"neon": 16, "avx2": 32, "avx512": 64}.get(isa, np.dtype(dtype).itemsize)
    assert _core.lanes(isa, dtype) * np.dtype(dtype).itemsize == register_bytes


def test_all_finite_finds_a_single_bad_value(isa):
    values = np.ones(100)
    assert _core.all_finite(values)
    for bad in (np.nan, np.inf, -np.inf):
        values[77] = bad
        assert not _core.all_finite(values)


def test_a_build_whose_kernels_this_machine_cannot_run_says_so(monkeypatch):
    monkeypatch.delenv("FASTBP_ISA", raising=False)
    monkeypatch.setattr(_core.isa, "available_isas", lambda: ())
    with pytest.raises(ImportError, match=r"can run none of the kernels .* without FASTBP_ISAS"):
        _core.default_isa()


def test_a_build_without_avx2_runs_every_network_on_what_it_has(monkeypatch):
    monkeypatch.setattr(_core.isa, "ISA", "avx512")
    monkeypatch.setattr(_core.isa, "ISA_IS_FORCED", False)
    monkeypatch.setattr(_core.isa, "available_isas", lambda: ("avx512",))
    monkeypatch.setattr(_core.isa, "lanes", lambda isa, dtype: pytest.fail(f"{isa} was not built"))
    assert _core.isa_for((3, 2, 1), "float64") == "avx512"
