"""`patch_sklearn`, `unpatch_sklearn` and ``python -m fastbp.patch``."""

import json
import pickle
import subprocess
import sys

import pytest
import sklearn.neural_network
from sklearn.neural_network import _multilayer_perceptron as home

import fastbp
import fastbp.neural_network as fast

SCRIPT = """
import json
import pickle
import sys

from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier

model = MLPClassifier(max_iter=2, random_state=0)
model.fit(*load_iris(return_X_y=True))
with open(sys.argv[1], "wb") as file:
    pickle.dump(model, file)
print(json.dumps([type(model).__module__, sys.argv, __name__, sys.path[0]]))
"""


def run(*arguments, cwd):
    command = [sys.executable, "-W", "ignore", "-m", "fastbp.patch", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=100)


@pytest.fixture
def patched():
    fastbp.patch_sklearn()
    yield
    fastbp.unpatch_sklearn()


def test_a_patch_hands_out_the_fast_classes_until_it_is_undone():
    for _ in range(2):  # twice does no harm
        fastbp.patch_sklearn()
    assert sklearn.neural_network.MLPClassifier is fast.MLPClassifier
    assert sklearn.neural_network.MLPRegressor is fast.MLPRegressor
    for _ in range(2):
        fastbp.unpatch_sklearn()
    assert sklearn.neural_network.MLPClassifier is home.MLPClassifier
    assert sklearn.neural_network.MLPRegressor is home.MLPRegressor


@pytest.mark.usefixtures("patched")
def test_models_from_before_a_patch_can_still_be_pickled():
    before = home.MLPClassifier(alpha=0.5)
    assert type(pickle.loads(pickle.dumps(before))) is home.MLPClassifier
    after = sklearn.neural_network.MLPClassifier(alpha=0.5)
    assert type(pickle.loads(pickle.dumps(after))) is fast.MLPClassifier
    assert isinstance(after, home.MLPClassifier)


@pytest.mark.slow
def test_a_script_gets_the_fast_classes_and_its_pickles_load(tmp_path):
    script = tmp_path / "scripts" / "train.py"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    done = run(script, "model.pickle", "--option", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    module, argv, name, first = json.loads(done.stdout)
    assert module == "fastbp.neural_network"
    assert argv == [str(script), "model.pickle", "--option"]
    assert (name, first) == ("__main__", str(script.parent))
    model = pickle.loads((tmp_path / "model.pickle").read_bytes())
    assert type(model) is fast.MLPClassifier
    assert model.n_iter_ == 2


@pytest.mark.slow
def test_a_script_knows_its_own_absolute_path(tmp_path):
    (tmp_path / "where.py").write_text("print(__file__)")
    assert run("where.py", cwd=tmp_path).stdout.strip() == str(tmp_path / "where.py")


@pytest.mark.slow
def test_a_module_is_run_likewise(tmp_path):
    (tmp_path / "training.py").write_text(SCRIPT)
    done = run("-m", "training", "model.pickle", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0] == "fastbp.neural_network"


@pytest.mark.slow
def test_a_script_ends_as_it_wants_to(tmp_path):
    (tmp_path / "fails.py").write_text("import sys; sys.exit(3)")
    assert run("fails.py", cwd=tmp_path).returncode == 3
    (tmp_path / "raises.py").write_text("1 / 0")
    done = run("raises.py", cwd=tmp_path)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "usage: python -m fastbp.patch script.py"),
        (["--help"], 0, "usage: python -m fastbp.patch script.py"),
        (["--fast", "x.py"], 2, "usage"),
        (["missing.py"], 2, "there is no file missing.py"),
        (["-m"], 2, "usage"),
    ],
)
def test_arguments_that_make_no_sense_are_explained(arguments, code, says, tmp_path):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert says in done.stdout + done.stderr
