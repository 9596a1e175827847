"""Imports run one way, downward; what is light stays light; the public names are what they say."""

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import fastbp

SOURCES = Path(__file__).parents[2]
PACKAGE = SOURCES / "src" / "fastbp"
CSRC = SOURCES / "csrc"
CORE = sorted(path.stem for path in (PACKAGE / "_core").glob("*.pyx"))

# From the bottom up: a room may import those before it, and of other packages only these.
NUMPY, SCIKIT_LEARN = {"numpy"}, {"numpy", "scipy", "sklearn"}
LAYERS = {
    "_version": set(),
    "exceptions": set(),
    "_printable": set(),
    "_messages": set(),
    "_html": set(),
    "_docstrings": set(),
    "_core": NUMPY,
    "network": {*NUMPY, "narwhals", "pyarrow"},  # the others for frames and files, if there are any
    "gradient_check": NUMPY,
    "training": NUMPY,
    "distributed": NUMPY,
    "online": NUMPY,
    "estimators": SCIKIT_LEARN,
    "trace": {*NUMPY, "pandas"},  # the latter for `to_frame`
    "sensitivity": NUMPY,
    "recording": NUMPY,
    "measured": {*NUMPY, "pandas", "matplotlib"},  # the last two for results, when asked
    "io": {*NUMPY, "sklearn", "skops"},  # the last two for pipelines
    "dask": {*SCIKIT_LEARN, "dask", "distributed", "pandas", "pyarrow", "IPython"},  # when asked
    "export": {*NUMPY, "onnx", "skl2onnx"},  # the last two where a model becomes ONNX
    "neural_network": SCIKIT_LEARN,
    "patch": SCIKIT_LEARN,
    "page": {*NUMPY, "anywidget", "traitlets"},  # the last two for widgets, when asked
    "river": {*NUMPY, "narwhals", "river"},
    "plot": {*NUMPY, "sklearn", "matplotlib"},
    "cli": {*SCIKIT_LEARN, "pandas", "matplotlib", "joblib", "clevercsv", "skl2onnx"},
    "__main__": set(),
}
ORDER = list(LAYERS)
# What has a page, or can be exported, imports these when that is asked for.
ON_REQUEST = {"page", "io", "export"}
ROOMS = [room for room in LAYERS if room != "_core"]


def sources_of(module):
    """The Python files of a module of the package, which may be a folder."""
    path = PACKAGE / f"{module}.py"
    return [path] if path.exists() else sorted((PACKAGE / module).rglob("*.py"))


def imports_of(path, nodes=None):
    """Dotted names of all imports of a file, those inside functions included, from its package."""
    package = ["fastbp", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())) if nodes is None else nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def cython_imports(module):
    """Names of what a module of the compiled core imports, those of its own package after a dot."""
    names = set()
    for path in (PACKAGE / "_core").glob(f"{module}.p[yx]*"):
        if path.suffix in (".pyx", ".pxd"):
            code = re.sub(r'""".*?"""', "", path.read_text(), flags=re.DOTALL)
            names |= set(re.findall(r"^\s*(?:from|import|cimport)\s+([.\w]+)", code, re.MULTILINE))
            names |= {f".{one}" for one in re.findall(r"^from \. import (\w+)", code, re.MULTILINE)}
    return names - {"."}


def rooms_imported(path, nodes=None):
    """Rooms of fastbp that a file imports; public names count as the rooms they live in."""
    for name in imports_of(path, nodes):
        parts = name.split(".")
        if parts[0] == "fastbp" and len(parts) > 1:
            home = fastbp._HOME.get(parts[1], parts[1].replace("__version__", "_version"))
            yield home.split(".")[0]


def other_packages_imported(path):
    packages = {name.split(".")[0] for name in imports_of(path)} - {"fastbp"}
    return packages - set(sys.stdlib_module_names)


def test_every_module_has_its_place():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    modules = {path.stem for path in PACKAGE.glob("*.py")} | folders | {"_core"}
    assert modules - {"__init__"} == set(LAYERS)


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_only_those_below_them(room):
    below = {*ORDER[: ORDER.index(room)], room}
    for path in sources_of(room):
        at_once = set(rooms_imported(path, ast.parse(path.read_text()).body))
        assert at_once <= below, f"{path} imports {at_once - below}"
        later = set(rooms_imported(path)) - at_once - ON_REQUEST
        assert later <= below, f"{path} imports {later - below}"


def test_no_files_of_a_room_import_each_other_in_a_circle():
    imports = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(["fastbp", *path.relative_to(PACKAGE).with_suffix("").parts])
        imports[name] = set(imports_of(path, ast.parse(path.read_text()).body))
    for name, found in imports.items():  # of names as of modules, the modules
        imports[name] = {
            module for one in found for module in (one, one.rpartition(".")[0]) if module in imports
        }
    assert list(TopologicalSorter(imports).static_order())


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_only_the_packages_of_their_layer(room):
    for path in sources_of(room):
        others = other_packages_imported(path) - LAYERS[room]
        assert not others, f"{path} imports {others}"


WRITES = {"write_text", "write_bytes", "mkstemp", "mkdtemp", "NamedTemporaryFile", "fdopen"}
RENAMES = {("os", "open"), ("os", "replace"), ("os", "rename"), ("shutil", "copy")}
MODES = {"w", "wb", "w+b", "a", "ab", "x", "xb", "r+", "r+b"}


def calls_that_write_files(path):
    """What a file calls to write files, by the names of functions and methods."""
    for call in (node for node in ast.walk(ast.parse(path.read_text())) if type(node) is ast.Call):
        words = ast.unparse(call.func).split(".")
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        modes = {node.value for node in given if type(node) is ast.Constant} & MODES
        if words[-1] in WRITES or tuple(words[-2:]) in RENAMES or (words[-1] == "open" and modes):
            yield ast.unparse(call)


def test_files_are_written_in_one_place_only():
    written = {
        path.relative_to(PACKAGE).as_posix(): list(calls_that_write_files(path))
        for path in PACKAGE.rglob("*.py")
    }
    written = {name: calls for name, calls in written.items() if calls}
    assert len(written.pop("io/files.py")) >= 4
    assert written == {"cli/console.py": ["os.open(os.devnull, os.O_WRONLY)"]}


def test_commands_print_by_the_console_only():
    apart = {"console.py", "config.py"}
    for path in (path for path in sources_of("cli") if path.name not in apart):
        nodes = ast.walk(ast.parse(path.read_text()))
        called = {ast.unparse(node.func) for node in nodes if type(node) is ast.Call}
        assert not called & {"print", "sys.stdout.write", "argparse.ArgumentParser"}, path.name
        assert "sys.stderr.write" not in called or path.name == "progress.py"


def test_importing_the_package_runs_nothing_but_its_version():
    (top,) = (ast.parse((PACKAGE / "__init__.py").read_text()),)
    relative = [node.module for node in top.body if isinstance(node, ast.ImportFrom) and node.level]
    assert relative == ["_version"]


def test_the_compiled_core_knows_nothing_of_the_package():
    imported = {name: cython_imports(name) for name in CORE}
    outside = {name.split(".")[0] for names in imported.values() for name in names}
    assert outside - {""} == {"cython", "cpython", "libc", "os", "numpy"}
    # Its own modules import those before them; all know what the kernels declare.
    within = {
        name: {one[1:] for one in names if one.startswith(".")} for name, names in imported.items()
    }
    order = list(TopologicalSorter(within).static_order())
    assert order[0] == "kernels"
    assert set(order) == {"kernels", *CORE}


@pytest.mark.skipif(not CSRC.is_dir(), reason="needs the sources of the kernels")
def test_the_kernels_neither_know_python_nor_allocate():
    for path in CSRC.rglob("*.[ch]"):
        code = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        assert "Python.h" not in code
        assert not re.search(r"\b(malloc|calloc|realloc|free|alloca)\b", code), path


@pytest.mark.parametrize(
    "use",
    [
        "fastbp.__all__",
        "fastbp.Network((2, 3, 1)).train_epoch([[1, 2.0]], [1.0], 0.1)",
        "fastbp.check_gradients(fastbp.Network((2, 3, 1)), [[1, 2.0]], [1.0])",
        "fastbp.show_config()",
        "fastbp.trace_step(fastbp.Network((2, 3, 1)), [1, 2.0], 1.0, 0.1).to_dict()",
        "fastbp.record(fastbp.Network((2, 1)), [[1, 2.0]], [1.0], learning_rate=0.1).to_dict()",
        "fastbp.trace_step(fastbp.Network((2, 3, 1)), [1, 2.0], 1.0, 0.1).to_html()",
        "fastbp.sensitivity_of_loss(fastbp.Network((2, 1)), [[1, 2.0]], [1.0])",
        "fastbp.Network((2, 3, 1)).to_c()",
        "fastbp.Network((2, 3, 1)).to_numpy()",
        "fastbp.save(fastbp.Network((2, 3, 1)), __import__('os').devnull)",
        "m = fastbp.measured; m.ChainTuner(m.Stage('y', abs, m.Knob('k', 0, 9)), 3).tune(9)",
    ],
)
def test_a_network_needs_nothing_but_numpy(use):
    heavy = {
        *("scipy", "sklearn", "joblib", "threadpoolctl", "pandas", "matplotlib"),
        *("anywidget", "traitlets", "IPython"),
    }
    code = f"import json, sys, fastbp; {use}; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = json.loads(run.stdout.splitlines()[-1])
    assert not heavy & {name.split(".")[0] for name in loaded}
    assert "fastbp" in loaded


@pytest.mark.parametrize("name", fastbp.__all__)
def test_public_names_resolve_and_explain_themselves(name):
    value = getattr(fastbp, name)
    assert name in dir(fastbp)
    if name == "__version__":
        assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+)?", value)
        return
    assert value.__module__.startswith("fastbp.")
    assert value.__doc__
    methods = inspect.getmembers(value, callable) if inspect.isclass(value) else []
    for method, function in methods:
        if not method.startswith("_") and getattr(function, "__module__", "").startswith("fastbp"):
            assert function.__doc__, f"{name}.{method}"


@pytest.mark.parametrize("module", CORE)
def test_the_stub_of_a_compiled_module_names_what_is_in_it(module):
    stub, compiled = {}, importlib.import_module(f"fastbp._core.{module}")
    path = PACKAGE / "_core" / f"{module}.pyi"
    for node in ast.parse(path.read_text()).body if path.exists() else []:
        if isinstance(node, ast.ClassDef):
            members = (getattr(n, "name", None) or n.target.id for n in node.body)
            stub[node.name] = {member for member in members if not member.startswith("__")}
        elif isinstance(node, ast.FunctionDef):
            stub[node.name] = set()
        elif isinstance(node, ast.AnnAssign):
            stub[node.target.id] = set()
    for name, members in stub.items():
        assert members <= set(dir(getattr(compiled, name))), name
    functions = {
        name
        for name, value in vars(compiled).items()
        if inspect.isbuiltin(value) and value.__module__ == compiled.__name__
    }
    classes = {
        name
        for name, value in vars(compiled).items()
        if inspect.isclass(value) and value.__module__ == compiled.__name__
    }
    defined = {name for name in functions | classes if not name.startswith("_")}
    assert defined <= set(stub)
    for name in classes & defined:
        public = {m for m in vars(getattr(compiled, name)) if not m.startswith("_")}
        assert public <= stub[name], name
