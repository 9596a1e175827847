"""Models as C on ARM under emulation: with Linux, and on bare microcontrollers.

The programs of the latter read and write files by semihosting. They run on boards that QEMU has; a
Cortex-M0 is one with a Cortex-M3 that is given the code of its smaller sibling.
"""

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from c_programs import STRICT, assert_learned, exported, programs_that_learn, run
from exported_models import (
    TOLERANCE,
    assert_predicts,
    estimators_of_every_kind,
    networks_of_every_activation,
)

import fastbp
from fastbp.export import description_of
from fastbp.export.int8 import outputs_of, quantized

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::fastbp.DivergenceWarning"
)
BARE = Path(__file__).parents[1] / "cortex_m"


@dataclasses.dataclass(frozen=True)
class Machine:
    """What compiles and runs programs for a processor, and the packages of Debian that have it."""

    compiler: str
    flags: tuple[str, ...]
    runner: tuple[str, ...]
    packages: str

    def check(self):
        """Skip the test where something is missing."""
        for command in (self.compiler, self.runner[0]):
            if not shutil.which(command):
                pytest.skip(f"there is no {command}: needs {self.packages}")

    def run(self, programs, folder):
        """What each program writes."""
        return run(programs, folder, self.compiler, ["-O1", *self.flags], self.runner)


def microcontroller(cpu, board, *flags):
    link = ("--specs=rdimon.specs", "-T", str(BARE / "memory.ld"), str(BARE / "startup.S"))
    runner = ("qemu-system-arm", "-M", board, "-display", "none", "-monitor", "none")
    runner += ("-serial", "none", "-semihosting-config", "enable=on,target=native", "-kernel")
    packages = "gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm"
    flags = ("-mthumb", f"-mcpu={cpu}", *flags, *link)
    return Machine("arm-none-eabi-gcc", flags, runner, packages)


WITH_FPU = ("-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
MACHINES = {
    "aarch64": Machine(
        "aarch64-linux-gnu-gcc",
        ("-static",),
        ("qemu-aarch64",),
        "gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user",
    ),
    "armhf": Machine(
        "arm-linux-gnueabihf-gcc",
        ("-static",),
        ("qemu-arm",),
        "gcc-arm-linux-gnueabihf, libc6-dev-armhf-cross and qemu-user",
    ),
    "cortex-m0": microcontroller("cortex-m0", "mps2-an385"),
    "cortex-m3": microcontroller("cortex-m3", "mps2-an385"),
    "cortex-m4": microcontroller("cortex-m4", "mps2-an386", *WITH_FPU),
}


@pytest.fixture(params=MACHINES)
def machine(request):
    MACHINES[request.param].check()
    return MACHINES[request.param]


def test_predictions_are_those_of_the_model(machine, tmp_path):
    cases = networks_of_every_activation()[::3] + estimators_of_every_kind()[::3]
    programs = [exported(name, model, X, **options) for name, model, X, options in cases]
    found = machine.run(programs, tmp_path)
    for (_, model, X, _), values in zip(cases, found, strict=True):
        assert_predicts(values, model, X)


def test_whole_numbers_are_those_of_numpy(machine, tmp_path):
    X = np.random.default_rng(0).normal(size=(100, 5)).astype(np.float32)
    model = fastbp.BackpropRegressor((24, 12), max_iter=20, ensemble=1, random_state=0)
    model.fit(X, X[:, 0] * X[:, 2])
    (found,) = machine.run([exported("m", model, X, dtype="int8", calibration=X)], tmp_path)
    described = description_of(model)
    error = found["outputs"] - outputs_of(described, quantized(described, X), X)
    assert np.quantile(np.abs(error), 0.95) < 1e-5


@pytest.mark.parametrize("math", [True, False])
def test_steps_are_those_of_the_library(machine, math, tmp_path, scalar_kernels):
    models = programs_that_learn(range(0, 36, 2), math=math)
    found = machine.run([one for one, *_ in models], tmp_path)
    for (one, network, rule), values in zip(models, found, strict=True):
        # erfc is that of another libm; without libm roots are rounded otherwise, too.
        is_rounded = "gelu" in (*network.activation, network.out_activation)
        is_rounded |= rule == "adagrad" and not math
        tolerance = {"rtol": TOLERANCE[network.dtype.name], "atol": TOLERANCE[network.dtype.name]}
        assert_learned(values, one, network, rule, **tolerance if is_rounded else {})


@pytest.mark.parametrize(
    "options",
    [{}, {"math": False}, {"learn": True}, {"learn": "adagrad"}, {"dtype": "int8"}],
    ids=lambda options: "-".join(map(str, options.values())) or "plain",
)
def test_the_comment_states_the_sizes_that_the_compiler_finds(options, tmp_path):
    MACHINES["cortex-m4"].check()
    X = np.random.default_rng(0).normal(size=(60, 4))
    texts = np.array(["ash", "beech", "cedar"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    for kind, y in (
        (fastbp.BackpropClassifier, texts),
        (fastbp.BackpropRegressor, 3 * X[:, 1:3] + 1),
    ):
        model = kind((16, 8), ensemble=1, max_iter=2, random_state=0).fit(X, y)
        rows = {"calibration": X} if "dtype" in options else {}
        model.to_c(tmp_path / "one.c", **options, **rows)
        sizes, stack = compiled_sizes(tmp_path)
        comment = (tmp_path / "one.h").read_text().split("*/")[0]
        flash, *ram = map(int, re.findall(r"(?:Flash: |RAM: |weights, )(\d+)", comment))
        constants = sum(n for name, n in sizes.items() if name.startswith(".rodata"))
        assert constants <= flash - sizes[".data"] < constants + 32  # short ones may be in the code
        assert sizes[".data"] + sizes[".bss"] == (ram[0] if len(ram) > 1 else 0)
        assert ram[-1] <= stack < ram[-1] + 128  # with registers and return addresses


def compiled_sizes(folder):
    """The sections of the object file of one.c, and the stack of the call that needs most of it."""
    flags = ["-Os", "-mthumb", "-mcpu=cortex-m4", *WITH_FPU, "-fstack-usage"]
    command = ["arm-none-eabi-gcc", *STRICT, *flags, "-c", "one.c", "-o", "one.o"]
    subprocess.run(command, cwd=folder, check=True)
    table = subprocess.check_output(["arm-none-eabi-size", "-A", "one.o"], cwd=folder, text=True)
    sizes = {name: int(size) for name, size in re.findall(r"^(\.\S+)\s+(\d+)", table, re.M)}
    usage = re.findall(r":one_(\w+)\t(\d+)", (folder / "one.su").read_text())
    frames = {name: int(size) for name, size in usage}
    return sizes, max(frames["outputs"] + frames.get("class", 0), frames.get("learn", 0))
