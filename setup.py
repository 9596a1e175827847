"""Build the modules of `fastbp._core` with Cython and csrc/; all else stands in pyproject.toml.

FASTBP_OPT replaces the optimisation flags, for instance by "-g -O1 -fsanitize=address,undefined".
FASTBP_ISAS names the instruction sets to build kernels for, for instance "avx2"; default: all.
"""

import os
import shlex
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError, CompileError

MSVC = sys.platform == "win32"
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
LIMITED_API = ("Py_LIMITED_API", "0x030B0000")
NUMPY_API = ("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")

# What setuptools reads from the environment when it compiles and links.
COMPILER_VARIABLES = ("ARCHFLAGS", "CC", "CFLAGS", "CPPFLAGS", "LDFLAGS", "LDSHARED")

# Levels of optimisation: of the kernels, in `isa`, and of modules with loops over rows and layers.
# Of the others less to compile is worth more: docs/decisions/0022-levels.md.
LEVELS = {"isa": 2, "backprop": 3, "batches": 3, "columns": 2, "experts": 2, "online": 2}
given = os.environ.get("FASTBP_OPT", "/O2" if MSVC else "")


def optimisation_of(name):
    """Return the optimisation flags for a module."""
    return shlex.split(given) if given else [f"-O{LEVELS.get(name, 1)}", "-g0"]


portable = ["/std:c11"] if MSVC else ["-std=gnu11", "-ffp-contract=off", "-fvisibility=hidden"]
sanitizers = [flag for flag in shlex.split(given) if flag.startswith("-fsanitize")]
targets = sorted(Path("csrc", "targets").glob("*.c"))
known_isas = sorted({path.stem.split("_")[0] for path in targets})
isas = os.environ.get("FASTBP_ISAS", "").replace(",", " ").split() or known_isas
if not set(isas) <= set(known_isas):
    sys.exit(f"FASTBP_ISAS names {', '.join(isas)}: choose from {', '.join(known_isas)}")
macros = [(f"FBP_WITHOUT_{isa.upper()}", "1") for isa in known_isas if isa not in isas]
# The limited API has no free-threaded build: there the module is built for one version.
macros += [NUMPY_API] if FREE_THREADED else [NUMPY_API, LIMITED_API]


WHAT_IT_TAKES = """\
fastbp is written in C. To build it takes a C compiler and the headers of Python:
    Debian, Ubuntu   apt install gcc python3-dev
    Fedora           dnf install gcc python3-devel
    Alpine           apk add build-base python3-dev
    macOS            xcode-select --install
    Windows          "Desktop development with C++" of the Visual Studio Build Tools
A wheel takes neither: pip install --only-binary fastbp fastbp"""


def flags_stamp():
    """Return a file that is newer than the objects once the flags have changed."""
    stamp = Path("build", f"flags-{sysconfig.get_config_var('SOABI') or sys.platform}.txt")
    environment = [f"{name}={os.environ.get(name, '')}" for name in COMPILER_VARIABLES]
    defined = [f"-D{name}={value}" for name, value in macros]
    flags = shlex.join([*portable, given or str(LEVELS), *defined, *environment, np.__version__])
    if not stamp.exists() or stamp.read_text() != flags:
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(flags)
    return str(stamp)


def is_fresh(compiled, source, depends):
    """Whether an object is newer than its source, the headers that it may include and the flags.

    Templates (.inc.h) are for the kernels: what Cython wrote includes none.
    """
    if "csrc" not in Path(source).parts:
        depends = [path for path in depends if not path.endswith(".inc.h")]
    times = [os.path.getmtime(path) for path in [source, *depends]]
    return os.path.exists(compiled) and os.path.getmtime(compiled) > max(times)


class BuildSideBySide(build_ext):
    """Compiles the files of an extension side by side, and only those that have changed."""

    def finalize_options(self):
        """Keep objects where the next build finds them, which `pip install` would not."""
        super().finalize_options()
        self.build_temp = str(Path("build", "objects", Path(flags_stamp()).stem))

    def run(self):
        """Build, or say what to install where that fails."""
        try:
            super().run()
        except (BaseError, CCompilerError) as error:
            raise CompileError(f"{error}\n\n{WHAT_IT_TAKES}") from error

    def build_extension(self, ext):
        """Build it as setuptools does, which compiles each file, one after another."""
        compile_files, names = self.compiler.compile, self.compiler.object_filenames

        def compile_one(source, options):
            (compiled,) = names([source], output_dir=options["output_dir"])
            if not self.force and is_fresh(compiled, source, options["depends"]):
                return compiled
            return compile_files([source], **options)[0]

        def compile_each(sources, **options):
            with ThreadPoolExecutor(os.cpu_count()) as processors:
                return list(processors.map(lambda source: compile_one(source, options), sources))

        self.compiler.compile = compile_each
        super().build_extension(ext)


# What of csrc/ belongs to which module: the others reach the kernels through the tables of `isa`.
kernels = [str(path) for path in targets if path.stem.split("_")[0] in isas]
LINKED = {
    "batches": ["csrc/tasks.c"],
    "isa": ["csrc/dispatch.c", *kernels],
    "rows": ["csrc/shuffle.c"],
    "training": ["csrc/shuffle.c"],
}
extensions = [
    Extension(
        f"fastbp._core.{path.stem}",
        sources=[str(path), *LINKED.get(path.stem, [])],
        include_dirs=["csrc", np.get_include()],
        extra_compile_args=[*portable, *optimisation_of(path.stem)],
        extra_link_args=sanitizers,
        libraries=[] if MSVC else ["m"],
        define_macros=macros,
        py_limited_api=not FREE_THREADED,
    )
    for path in sorted(Path("src/fastbp/_core").glob("*.pyx"))
]
modules = cythonize(extensions, build_dir="build/cython")
for module in modules:
    module.depends = [*sorted(map(str, Path("csrc").rglob("*.h"))), flags_stamp()]

setup(
    ext_modules=modules,
    cmdclass={"build_ext": BuildSideBySide},
    options={} if FREE_THREADED else {"bdist_wheel": {"py_limited_api": "cp311"}},
)
