"""Data larger than the memory that is left: mapped files are read where they are."""

import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from plain_models import BackpropClassifier, BackpropRegressor

from fastbp import Network
from fastbp.network.arrays import BLOCK_BYTES, check_finite
from fastbp.network.data import as_targets

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_FEATURES = 250
N_ROWS = {"float64": 80_000, "float32": 160_000}  # 160 MB
BESIDE = 64  # MB beside the data and four times the parameters: what is promised
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 1, "learning_rate_init": 1e-3, "random_state": 0}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Rows of 160 MB as float64 and as float32: one block of them, written many times."""
    folder = tmp_path_factory.mktemp("rows")
    block = np.random.default_rng(0).normal(size=(2000, N_FEATURES))
    for dtype, n_rows in N_ROWS.items():
        with open(folder / dtype, "wb") as file:
            for _ in range(n_rows // len(block)):
                file.write(block.astype(dtype).tobytes())
    yield folder
    for dtype in N_ROWS:
        (folder / dtype).unlink()


PROGRAM = """
    import re, resource, sys, warnings
    import numpy as np
    from fastbp import BackpropClassifier, BackpropRegressor

    file, dtype, task, calls, n_features, beside = sys.argv[1:]
    warnings.simplefilter("ignore")
    X = np.memmap(file, dtype=dtype, mode="r").reshape(-1, int(n_features))
    y = {
        "regression": lambda: np.sin(X[:, 0].astype(float)),
        "two classes": lambda: (X[:, 0] > 0).astype(int),
        "ten classes": lambda: np.arange(len(X)) % 10,
    }[task]()
    if task == "two classes":
        X = X[:, :-3]  # rows with a gap between them
    kind = BackpropRegressor if task == "regression" else BackpropClassifier
    model = kind(hidden_layer_sizes=(4,), max_iter=1, early_stopping=False, random_state=0)
    model.fit(X[:100], y[:100]).score(X[:100], y[:100])  # whatever is imported late

    with open("/proc/self/status") as status:
        used = int(re.search(r"VmData:\\s+(\\d+)", status.read())[1]) * 1024
    most = used + int(beside) * 2**20 + 4 * model.network_.n_parameters * X.itemsize
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))  # mapped files do not count
    for call in calls.split():
        if call == "copy":
            np.array(X)
        else:
            getattr(model, call)(*[X, y][: 1 if call.startswith("predict") else 2])
"""


def run_with_little_memory(*arguments):
    program = textwrap.dedent(PROGRAM)
    arguments = [*map(str, arguments), str(N_FEATURES), str(BESIDE)]
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )


NEEDS_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_DATA of Linux")


@pytest.mark.slow
@NEEDS_LINUX
@pytest.mark.parametrize("dtype", N_ROWS)
@pytest.mark.parametrize("task", ["regression", "two classes", "ten classes"])
def test_a_mapped_file_larger_than_memory_is_learnt_from(files, task, dtype):
    calls = "fit partial_fit predict score"
    if task != "regression":
        calls += " predict_proba predict_log_proba"
    ended = run_with_little_memory(files / dtype, dtype, task, calls)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
@NEEDS_LINUX
def test_a_model_of_float32_predicts_rows_of_float64_in_blocks(files):
    program = PROGRAM.replace("model.fit(X[:100], y", 'model.fit(X[:100].astype("float32"), y')
    assert program != PROGRAM
    arguments = [files / "float64", "float64", "regression", "predict score", N_FEATURES, BESIDE]
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)], check=True
    )


@pytest.mark.slow
@NEEDS_LINUX
def test_a_copy_would_not_fit(files):
    ended = run_with_little_memory(files / "float64", "float64", "regression", "copy")
    assert "MemoryError" in ended.stderr


# -- blocks --------------------------------------------------------------------------------------

ROWS = 3 * BLOCK_BYTES // (8 * 40) + 7  # of 40 numbers: three blocks and a bit


def large(dtype="float64", order="C"):
    rows = np.random.default_rng(1).normal(size=(1000, 40))
    return np.asarray(np.resize(rows, (ROWS, 40)) * 10, dtype=dtype, order=order)


def small_model(kind, dtype="float64"):
    X = np.random.default_rng(0).normal(size=(90, 40)).astype(dtype)
    y = np.array(["a", "bb", "ccc"])[np.arange(90) % 3] if kind is BackpropClassifier else X[:, 0]
    return kind(**SMALL).fit(X, y)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int16"])
@pytest.mark.parametrize("kind", [BackpropRegressor, BackpropClassifier])
def test_predictions_do_not_depend_on_blocks(kind, dtype, order):
    model, X = small_model(kind), large(dtype, order)
    methods = ["predict"] + ["predict_proba", "predict_log_proba"] * (kind is BackpropClassifier)
    for method in methods:
        predict = getattr(model, method)
        found = predict(X)
        assert len(found) == ROWS
        for part in (slice(0, 1000), slice(ROWS // 2, ROWS // 2 + 1000), slice(ROWS - 1000, ROWS)):
            assert np.array_equal(found[part], predict(X[part]))


@pytest.mark.parametrize("row", [0, ROWS // 2, ROWS - 1])
@pytest.mark.parametrize("method", ["predict", "score", "fit", "partial_fit"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_row_of_a_missing_value_is_named_in_whichever_block(order, method, row):
    model, X = small_model(BackpropRegressor), large(order=order)
    X[row, 3] = np.nan
    with pytest.raises(ValueError, match=rf"X\[{row}, 3\] is nan"):
        getattr(model, method)(*[X, X[:, 0]][: 1 if method == "predict" else 2])


def test_check_finite_names_the_first_of_any_shape():
    for array in (
        np.zeros(()),
        np.zeros(5),
        np.zeros((0, 3)),
        np.zeros((3, 0)),
        np.zeros((2, 3, 4)),
    ):
        check_finite("z", array)
    array = np.zeros((2, 3, 4))
    array[1, 2, 0] = np.inf
    with pytest.raises(ValueError, match=re.escape("z[1, 2, 0] is inf")):
        check_finite("z", array)
    with pytest.raises(ValueError, match=re.escape("z[] is nan")):
        check_finite("z", np.array(np.nan))
    with pytest.raises(ValueError, match=re.escape("z[11, 0] is nan")):
        check_finite("z", np.array([[0], [np.nan]]), first=10)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_class_numbers_teach_what_their_indicators_do(dtype):
    random = np.random.default_rng(0)
    X, numbers = random.normal(size=(300, 5)).astype(dtype), random.integers(0, 4, 300)
    order = random.permutation(300)
    models = [Network((5, 9, 4), loss="log_loss", random_state=0, dtype=dtype) for _ in range(2)]
    for batch_size, momentum in ((1, 0), (1, 0.9), (16, 0), (16, 0.9)):
        losses = [
            network.train_epoch(X, y, 0.1, order, momentum, batch_size=batch_size)
            for network, y in zip(models, (numbers, np.eye(4)[numbers]), strict=True)
        ]
        assert losses[0] == losses[1]
        assert np.array_equal(models[0].weights[0], models[1].weights[0])
    assert models[0].loss(X, numbers) == models[0].loss(X, np.eye(4)[numbers])


def test_class_numbers_stay_numbers():
    dtype = np.dtype("float32")
    table, numbers = as_targets(np.arange(9) % 3, 9, 3, dtype, "log_loss", "softmax")
    assert np.array_equal(table[numbers], np.eye(3)[np.arange(9) % 3])
    assert (table.dtype, numbers.dtype) == (dtype, np.int32)
