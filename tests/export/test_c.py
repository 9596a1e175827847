"""Models as C: compiled strictly, run under sanitizers, against the models they were made of."""

import shutil
import subprocess

import numpy as np
import pytest
from c_programs import (
    COMPILERS,
    SANITIZED,
    Exported,
    assert_learned,
    exported,
    programs_that_learn,
    run,
)
from exported_models import (
    ACTIVATIONS,
    LABELS,
    assert_predicts,
    estimators_of_every_kind,
    networks_of_every_activation,
    random_estimator,
    random_network,
    random_rows,
)
from sklearn.exceptions import NotFittedError

import fastbp
from fastbp.export import description_of
from fastbp.export.int8 import outputs_of, quantized
from fastbp.neural_network import MLPRegressor

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::fastbp.DivergenceWarning"
)
needs_compiler = pytest.mark.skipif(not COMPILERS, reason="there is no C compiler: gcc or clang")


@pytest.fixture(params=COMPILERS)
def compiler(request):
    return request.param


@needs_compiler
def test_predictions_are_those_of_the_model(tmp_path, compiler):
    cases = networks_of_every_activation() + estimators_of_every_kind()
    models = [exported(name, model, X, **options) for name, model, X, options in cases]
    for (_, model, X, _), found in zip(
        cases, run(models, tmp_path, compiler, SANITIZED), strict=True
    ):
        assert_predicts(found, model, X)


@needs_compiler
def test_a_float64_model_in_float32_predicts_nearly_the_same(tmp_path, compiler):
    rng, cases = np.random.default_rng(2), []
    for _ in range(4):
        network = random_network(rng, "tanh", "float64")
        cases.append((network, random_rows(rng, 20, network.layer_sizes[0], "float32")))
    models = [exported(f"m{k}", *case) for k, case in enumerate(cases)]
    for (network, X), found in zip(cases, run(models, tmp_path, compiler), strict=True):
        np.testing.assert_allclose(found["outputs"], network.forward(X), atol=1e-5)


# -- learning --------------------------------------------------------------------------------------


@needs_compiler
def test_a_step_is_that_of_the_library_to_the_bit(tmp_path, compiler, scalar_kernels):
    models = programs_that_learn(range(36))
    for (one, network, rule), values in zip(
        models, run([one for one, *_ in models], tmp_path, compiler, SANITIZED), strict=True
    ):
        np.testing.assert_allclose(values["outputs"], network.forward(one.x), rtol=1e-4, atol=1e-6)
        assert_learned(values, one, network, rule)


@needs_compiler
def test_estimators_learn_from_rows_in_their_own_units(tmp_path, compiler):
    rng, models, fitted = np.random.default_rng(4), [], []
    for k, kind in enumerate(("texts", "two texts", "several", "numbers", "numbers")):
        model, X = random_estimator(rng, kind, standardize=True)
        one = exported(f"m{k}", model, X, learn=True)
        y = model.predict(X)  # other targets than those it was fitted on
        if kind == "numbers":
            one.y = 1.5 * y.reshape(len(X), -1)
        else:
            one.y = 1.0 - y if kind == "several" else np.searchsorted(model.classes_, y)
        one.parameters = {"W0": model.network_.weights[0].shape}
        models.append(one)
        fitted.append((model, kind))
    found = run(models, tmp_path, compiler, SANITIZED)
    for one, (model, kind), values in zip(models, fitted, found, strict=True):
        before = model.network_.weights[0].copy()
        for x, y in zip(one.x, one.y, strict=True):
            target = int(y) if np.ndim(y) == 0 else y
            if kind == "numbers":
                target = (y - model.target_scaling_.center) / model.target_scaling_.scale
            model.network_.step(model._row_as_seen(x), target, one.learning_rate)
        np.testing.assert_allclose(values["W0"], model.network_.weights[0], rtol=1e-9)
        assert (values["W0"] != before).any()


# -- int8 ------------------------------------------------------------------------------------------


@needs_compiler
def test_whole_numbers_predict_what_their_comment_says(tmp_path, compiler):
    rng, cases = np.random.default_rng(5), []
    X = rng.normal(size=(300, 5)).astype(np.float32) * [1, 10, 1, 1, 1e-3]
    X = X.astype(np.float32)
    classes = np.digitize(X[:, 0], [-0.5, 0.5])
    for activation in ("relu", "tanh", "gelu"):
        options = {"activation": activation, "max_iter": 20, "ensemble": 1, "random_state": 0}
        classifier = fastbp.BackpropClassifier((24, 12), **options).fit(X, classes)
        regressor = fastbp.BackpropRegressor((24, 12), **options).fit(X, X[:, 0] * X[:, 2] + 5)
        cases += [classifier, regressor]
    models = [
        exported(f"m{k}", model, X, dtype="int8", calibration=X, math=bool(k % 2))
        for k, model in enumerate(cases)
    ]
    found = run(models, tmp_path, compiler, SANITIZED)
    for one, model, values in zip(models, cases, found, strict=True):
        described = description_of(model)
        expected = outputs_of(described, quantized(described, X), X)
        spread = expected.std()
        error = np.abs(values["outputs"] - expected) / spread
        comment = " ".join(one.source.split("*/")[0].replace("\n *", " ").split())
        assert np.quantile(error, 0.95) < 1e-5  # where no number was rounded the other way
        assert error.max() < 0.1
        if hasattr(model, "classes_"):
            same = (values["class"] == model.predict(X)).mean()
            assert same > 0.97
            assert f"{100 * same:.4g} % of the classes" in comment
        else:
            differences = values["outputs"][:, 0] - model.predict(X)
            assert np.sqrt(np.square(differences).mean()) < 0.05 * spread
            assert "% of their standard deviation" in comment


@pytest.mark.parametrize("lowest", [-255, -100, 0])
def test_whole_numbers_are_exact_where_all_numbers_are_whole(lowest):
    rng = np.random.default_rng(0)
    X = rng.integers(lowest, lowest + 256, size=(50, 4)).astype(float)
    X[:2] = [[lowest], [lowest + 255]]
    network = fastbp.Network((4, 3))
    network.weights, network.biases = [rng.choice([-1.0, 1.0], (4, 3))], [[0.5, -2.0, 0.0]]
    described = description_of(network)
    outputs = outputs_of(described, quantized(described, X), X)
    np.testing.assert_allclose(outputs, network.forward(X), atol=1e-3)


def test_whole_numbers_take_about_a_quarter_of_the_flash():
    X = np.random.default_rng(0).normal(size=(100, 20))
    network = fastbp.Network((20, 64, 32, 3), random_state=0)
    whole = flash_of(network.to_c(dtype="int8", calibration=X))
    assert 0.25 < whole / flash_of(network.to_c()) < 0.32


def flash_of(source):
    return int(source.split("Flash: ")[1].split()[0])


# -- functions without libm ------------------------------------------------------------------------


@needs_compiler
def test_functions_without_libm_are_correct_to_two_units_in_the_last_place(tmp_path, compiler):
    z = np.concatenate([np.linspace(-88, 88, 40001), np.linspace(-1, 1, 40001) ** 3])
    X = z.astype(np.float32)[:, np.newaxis]
    exact = {"exp": np.exp, "tanh": np.tanh, "logistic": lambda x: 1 / (1 + np.exp(-x))}
    models = []
    for name in exact:
        loss = {"exp": "poisson"}.get(name, "squared_error")
        network = fastbp.Network((1, 1), out_activation=name, loss=loss, dtype="float32")
        network.weights, network.biases = [[[1.0]]], [[0.0]]
        models.append(exported(name, network, X, math=False))
        assert "math.h" not in models[-1].source
    exact["root"] = lambda x: np.sqrt(np.abs(x))
    models.append(Exported("root", root_source(), np.abs(X), 1))
    for name, found in zip(exact, run(models, tmp_path, compiler), strict=True):
        expected = exact[name](X.astype(np.float64))
        unit = np.spacing(np.abs(expected).astype(np.float32)).astype(np.float64)
        assert (np.abs(found["outputs"] - expected) / unit).max() < 2


def root_source():
    """The source of a model that takes roots, to scale its inputs, with a function for one."""
    model, _ = random_estimator(np.random.default_rng(0), "numbers", standardize=True)
    head = "void root_outputs(const float *x, float *outputs)"
    source = model.to_c(name="scaled", math=False)
    return f"{source}{head};\n{head} {{ outputs[0] = scaled_sqrt(x[0]); }}\n"


# -- the text --------------------------------------------------------------------------------------


def test_joined_networks_leave_their_zeros_out():
    X = np.random.default_rng(0).normal(size=(100, 4))
    model = fastbp.BackpropClassifier(max_iter=1, random_state=0).fit(X, X[:, 0] > 0)
    assert model.network_.layer_sizes == (4, 512, 512, 1)
    source = model.to_c(name="joined")
    assert "8 blocks of 64 x 64" in source
    parameters = 8 * (4 * 64 + 64 + 64 * 64 + 64 + 64) + 1
    assert 4 * parameters < flash_of(source) < 4 * parameters + 100


def test_the_files_are_the_text_and_its_declarations(tmp_path):
    pd = pytest.importorskip("pandas")
    model, X = random_estimator(np.random.default_rng(0), "texts")
    names = [f"size */ ??/ {i}\n" for i in range(X.shape[1])]
    y = LABELS["texts"][np.arange(len(X)) % 3]
    model.fit(pd.DataFrame(X, columns=names), y)
    text = model.to_c(tmp_path / "shop.c", name="shop")
    source, header = (tmp_path / "shop.c").read_text(), (tmp_path / "shop.h").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shop.c", "shop.h"]
    assert '#include "shop.h"' in source
    assert text.count("size * / ? ?/ 0") == 1
    for line in ("int shop_class(const float *x);", "    SHOP_CLASS_GR_SSE_1 = 1,"):
        assert line in header
        assert line in text
        assert line not in source
    assert '"\\042quoted\\042 \\134n \\077\\077/"' in source


def test_calibration_is_read_by_name():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)) * [1, 100], columns=["a", "b"])
    model = fastbp.BackpropRegressor((4,), max_iter=1).fit(X, X["a"])
    source = model.to_c(dtype="int8", calibration=X)
    assert model.to_c(dtype="int8", calibration=X[["b", "a"]]) == source
    with pytest.raises(ValueError, match="no column 'b'"):
        model.to_c(dtype="int8", calibration=X[["a"]])


@needs_compiler
def test_the_files_compile_together(tmp_path, compiler):
    model, X = random_estimator(np.random.default_rng(0), "whole numbers")
    model.to_c(tmp_path / "model.c", dtype="float64")
    source = '#include "model.c"\n#include "model.h"\n'
    found = run(
        [Exported("model", source, X, 4, 4, "class")], tmp_path, compiler, ["-Wmissing-prototypes"]
    )
    np.testing.assert_array_equal(model.classes_[found[0]["class"]], model.predict(X))


LIBM = {"erfc", "exp", "expm1", "log1p", "sqrt", "tanh"}
LIBM |= {f"{name}f" for name in LIBM}


@needs_compiler
@pytest.mark.skipif(not shutil.which("nm"), reason="there is no nm, of the binutils")
def test_nothing_is_called_but_libm_if_that_is_wanted(tmp_path, compiler):
    rng, called = np.random.default_rng(6), {}
    networks = [random_network(rng, activation) for activation in ACTIVATIONS]
    for math in (True, False):
        sources = []
        for k, network in enumerate(networks):
            options = [{}, {"learn": True}, {"learn": "adagrad"}, {"dtype": "int8"}][k % 4]
            if "dtype" in options:
                X = random_rows(rng, 20, network.layer_sizes[0], "float32")
                options["calibration"] = X
            sources.append(network.to_c(name=f"m{k}", math=math, **options))
        (tmp_path / "models.c").write_text("\n".join(sources))
        subprocess.run([compiler, "-O1", "-c", "models.c"], cwd=tmp_path, check=True)
        undefined = subprocess.check_output(["nm", "-u", "models.o"], cwd=tmp_path, text=True)
        called[math] = set(undefined.split()[1::2])
    by_compilers = {"memcpy", "memset", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_"}
    assert called[True] & LIBM
    assert called[True] <= LIBM | by_compilers
    assert called[False] <= by_compilers


@needs_compiler
@pytest.mark.skipif(not shutil.which("g++"), reason="there is no compiler for C++: g++")
def test_a_program_in_cpp_calls_the_functions(tmp_path, compiler):
    model, X = random_estimator(np.random.default_rng(0), "texts", missing="error")
    model.to_c(tmp_path / "model.c", dtype="float64")
    numbers = ", ".join(map(repr, X[0].tolist()))
    program = f"""#include "model.h"
    int main() {{
        const double x[MODEL_N_INPUTS] = {{{numbers}}};
        double outputs[MODEL_N_OUTPUTS], probabilities[MODEL_N_CLASSES];
        model_outputs(x, outputs);
        model_probabilities(x, probabilities);
        return model_class(x);
    }}"""
    (tmp_path / "program.cpp").write_text(program)
    subprocess.run([compiler, "-O1", "-c", "model.c"], cwd=tmp_path, check=True)
    link = ["g++", "-Wall", "-Wextra", "-pedantic", "-Werror", "program.cpp", "model.o", "-lm"]
    subprocess.run([*link, "-o", "program"], cwd=tmp_path, check=True)
    number = subprocess.run([tmp_path / "program"]).returncode
    assert model.classes_[number] == model.predict(X[:1])[0]


def test_labels_that_become_one_name_have_different_ones():
    model, _ = random_estimator(np.random.default_rng(0), "texts")
    model.classes_ = np.array(["a b", "a-b", "ä"])
    text = model.to_c()
    for line in ("MODEL_CLASS_A_B = 0", "MODEL_CLASS_A_B_1 = 1", "MODEL_CLASS_2 = 2"):
        assert line in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "2nd"}, "identifier of C"),
        ({"name": "while"}, "identifier of C"),
        ({"name": "größe"}, "identifier of C"),
        ({"name": 7}, "identifier of C"),
        ({"dtype": "float16"}, "dtype must be"),
        ({"dtype": None}, "dtype must be"),
        ({"dtype": "int8"}, "needs calibration"),
        ({"calibration": [[1.0, 2.0]]}, 'calibration is for dtype="int8"'),
        ({"dtype": "int8", "calibration": [[1.0]]}, "X has 1 feature"),
        ({"dtype": "int8", "calibration": np.empty((0, 2))}, "no rows"),
        ({"dtype": "int8", "calibration": [[1.0, np.nan]]}, "NaN"),
        ({"dtype": "int8", "learn": True, "calibration": [[1.0, 2.0]]}, "learn needs dtype"),
        ({"learn": "adam"}, "learn must be"),
        ({"learn": 1.5}, "learn must be"),
    ],
)
def test_bad_options_leave_no_file(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        fastbp.Network((2, 1)).to_c(tmp_path / "model.c", **options)
    assert list(tmp_path.iterdir()) == []


def test_bad_models_and_paths_leave_no_file(tmp_path):
    for model in (fastbp.BackpropClassifier(), MLPRegressor()):
        with pytest.raises(NotFittedError, match="not fitted"):
            model.to_c(tmp_path / "model.c")
    network = fastbp.Network((2, 1))
    with pytest.raises(ValueError, match=r'must end in "\.c"'):
        network.to_c(tmp_path / "model.cpp")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        network.to_c(tmp_path / "nowhere" / "model.c")
    (tmp_path / "model.h").mkdir()
    with pytest.raises(IsADirectoryError, match=r"model\.h"):
        network.to_c(tmp_path / "model.c")
    (tmp_path / "model.h").rmdir()
    model, _ = random_estimator(np.random.default_rng(0), "two texts")
    for text, message in (("a\0b", "zero byte"), ("x" * 5000, "up to 4000 bytes")):
        model.classes_ = np.array(["a", text], dtype=object)
        with pytest.raises(ValueError, match=message):
            model.to_c(tmp_path / "model.c")
    network.weights[0][0, 0] = 1e300
    with pytest.raises(ValueError, match="W0 has numbers too large for float32"):
        network.to_c(tmp_path / "model.c")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "name"),
    [("shop.c", "shop"), ("my-shop.v2.c", "my_shop_v2"), ("2024.c", "model_2024"),
     ("int.c", "int_"), ("_.c", "model"), ("größe.c", "gr__e")],
)  # fmt: skip
def test_names_begin_with_that_of_the_file(file, name, tmp_path):
    text = fastbp.Network((2, 1), random_state=0).to_c(tmp_path / file)
    assert f"void {name}_outputs(" in text
    assert f"{name.upper()}_N_INPUTS" in (tmp_path / file).with_suffix(".h").read_text()
