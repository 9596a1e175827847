"""`python -m fastbp`: on bundled data, on files, without its extra, and when the user errs."""

import io
import os
import re
import subprocess
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fastbp
from fastbp._demo import compare, picture
from fastbp._demo.columns import as_values, is_text, why_useless
from fastbp._demo.command import main
from fastbp._demo.progress import Progress, bar
from fastbp._demo.table import table_task
from fastbp._demo.task import UserError, split

PNG = b"\x89PNG"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test runs in a folder of its own, which is where pictures go."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def people(n_rows=300, seed=0):
    """A table with numbers, text, truth values, dates, gaps, and columns of no use."""
    random = np.random.default_rng(seed)
    age = random.integers(18, 80, n_rows).astype(float)
    city = random.choice(["Bern", "Zürich", "Genève"], n_rows)
    member = random.integers(0, 2, n_rows).astype(bool)
    pay = 20 + 0.5 * age + 10 * (city == "Bern") + 5 * member + random.normal(size=n_rows)
    age[::7] = np.nan
    city[::11] = ""
    return pd.DataFrame(
        {
            "id": np.arange(n_rows),
            "name": [f"person {i}" for i in range(n_rows)],
            "age": age,
            "city": city,
            "member": member,
            "since": pd.date_range("2001-02-03", periods=n_rows, freq="37D").strftime("%Y-%m-%d"),
            "country": "CH",
            "pay": pay,
        }
    )


def run(capsys, *arguments):
    """Return exit code, standard output and standard error."""
    try:
        code = main(list(arguments))
    except SystemExit as exit_:
        code = exit_.code
    return code, *capsys.readouterr()


# -- on bundled data -------------------------------------------------------------------------


def test_quick_run_prints_a_table_and_writes_a_picture(folder):
    environment = {**os.environ, "MPLBACKEND": "gtk3agg"}  # which this machine may not have
    done = subprocess.run(
        [sys.executable, "-m", "fastbp", "--quick"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    for name in ("digits", "breast cancer", "diabetes"):
        assert re.search(rf"^{name} .* [\d,]+ x$", done.stdout, re.MULTILINE)
    assert "fastbp_learning_curves.png" in done.stdout
    assert (folder / "fastbp_learning_curves.png").read_bytes().startswith(PNG)
    assert "Warning" not in done.stderr


def test_columns_of_the_table_are_aligned(capsys):
    _, out, _ = run(capsys, "--quick", "--epochs", "1", "--hidden", "4,3")
    table = out[out.index("data set") :].split("\n\n")[0].splitlines()
    assert len(table) == 4
    assert len({len(line) for line in table}) == 1
    assert "64-4-3-10" in table[1]


def test_version_is_printed(capsys):
    assert run(capsys, "--version") == (0, f"fastbp {fastbp.__version__}\n", "")


# -- on the user's own file ------------------------------------------------------------------


def test_regression_on_a_csv_with_text_gaps_dates_and_truth_values(folder, capsys):
    people().to_csv("people.csv", index=False)
    code, out, err = run(
        capsys, "--data", "people.csv", "--target", "pay", "--output", "curves.png"
    )
    assert (code, err) == (0, "")
    assert "column name is left out: it is an identifier or free text" in out
    assert "column id is left out: it numbers the rows" in out
    assert "column country is left out: it is the same in every row" in out
    score = re.search(r"^people .* R2 +(\d\.\d+)", out, re.MULTILINE)
    assert float(score[1]) > 0.7
    assert (folder / "curves.png").read_bytes().startswith(PNG)


def test_classification_on_parquet(capsys):
    people().to_parquet("people.parquet")
    code, out, _ = run(capsys, "--data", "people.parquet", "--target", "city", "--quick")
    assert code == 0
    assert "city: one of 4 classes" in out
    assert re.search(r"^people .* accuracy ", out, re.MULTILINE)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_csv_of_other_delimiters_and_encodings(delimiter, encoding, folder):
    people().to_csv("people.csv", sep=delimiter, encoding=encoding, index=False)
    task, _ = table_task(folder / "people.csv", "pay", "auto", 0)
    assert set(task.X_train.columns) == {"age", "city", "member", "since"}
    assert "Zürich" in set(task.X_train["city"])


def test_compressed_csv(folder):
    people().to_csv("people.csv.gz", index=False)
    task, _ = table_task(folder / "people.csv.gz", "pay", "auto", 0)
    assert task.name == "people"


def test_rows_without_a_target_are_left_out_and_said_so(folder):
    frame = people()
    frame.loc[:9, "pay"] = np.nan
    frame.loc[10, "pay"] = np.inf
    frame.to_csv("people.csv", index=False)
    task, notes = table_task(folder / "people.csv", "pay", "auto", 0)
    assert len(task.y_train) + len(task.y_test) == 289
    assert "11 rows without a pay are left out" in notes


def test_classes_too_rare_to_split_are_only_trained_on():
    y = np.array(["a"] * 40 + ["b"] * 40 + ["c"] * 3 + ["d"])
    X = np.arange(len(y)).reshape(-1, 1)
    X_train, X_test, y_train, y_test = split(X, y, is_classification=True, seed=0)
    assert set(y_test) == {"a", "b"}
    assert list(y_train).count("c") == 3
    assert sorted(np.concatenate([X_train, X_test]).ravel()) == list(range(len(y)))


def test_many_classes_are_split_without_keeping_their_shares():
    y = np.repeat(np.arange(30), 4)
    *_, y_test = split(y.reshape(-1, 1), y, is_classification=True, seed=0)
    assert len(y_test) == 30


def test_categories_not_seen_in_training_are_no_error(folder, capsys):
    frame = people(40)
    frame["city"] = [f"place {i % 15}" for i in range(40)]
    frame.to_csv("people.csv", index=False)
    code, *_ = run(capsys, "--data", "people.csv", "--target", "member", "--quick")
    assert code == 0


def test_far_outliers_do_not_stop_training(folder, capsys):
    frame = people()
    frame.loc[frame.sample(5, random_state=0).index, "age"] = 1e12
    frame.to_csv("people.csv", index=False)
    code, out, _ = run(capsys, "--data", "people.csv", "--target", "pay")
    assert code == 0
    assert "diverged" not in out


def test_scikit_learn_is_only_timed_where_training_would_take_long(capsys, monkeypatch):
    monkeypatch.setattr(compare, "BUDGET_SECONDS", 0.0)
    code, out, _ = run(capsys, "--quick")
    assert code == 0
    assert "would take" in out
    assert re.search(r"^digits .* - +[\d,]+ +[\d,]+ x$", out, re.MULTILINE)


def test_diverged_training_is_reported(capsys):
    people().to_csv("people.csv", index=False)
    arguments = ("--data", "people.csv", "--target", "pay", "--learning-rate", "1000")
    code, out, _ = run(capsys, *arguments)
    assert code == 1
    assert "people diverged: try --learning-rate 100" in out


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([True, False], [1, 0]),
        ([1, None, np.inf], [1, np.nan, np.nan]),
        (["1.5", " 2 "], [1.5, 2]),
        (["1970-01-02", "1970-01-03T12:00"], [1, 2.5]),
        (pd.to_datetime(["1970-01-02T00:00+00:00", None]), [1, np.nan]),
        (pd.to_timedelta(["36h", None]), [1.5, np.nan]),
        (pd.array([3, None], dtype="Int64"), [3, np.nan]),
        (pd.array([True, None], dtype="boolean"), [1, np.nan]),
        (pd.Categorical([2.0, 3.0]), [2, 3]),
    ],
)
def test_columns_that_become_numbers(values, expected):
    np.testing.assert_array_equal(as_values(pd.Series(values)).to_numpy(), expected)


@pytest.mark.parametrize(
    "values", [["a", None, "b"], [True, None, "x"], pd.Categorical(["a", "b"]), [[1], [2]], [1j, 2]]
)
def test_columns_that_become_text(values):
    converted = as_values(pd.Series(values))
    assert is_text(converted)
    assert all(isinstance(value, str) for value in converted)


def test_whole_numbers_in_any_order_are_kept_unless_they_number_the_rows():
    years = pd.Series(np.arange(100.0)).sample(frac=1, random_state=0)
    assert why_useless(years) == "numbers the rows"
    assert why_useless(years * 2) is None
    assert why_useless(years.iloc[:30]) is None


@pytest.mark.parametrize(
    ("target", "kind", "is_classification"),
    [
        ([0, 1], "auto", True),
        ([0.5, 1.5], "auto", True),
        (list(range(7)), "auto", True),
        (list(range(7)), "regression", False),
        (list(range(50)), "auto", False),
        (list(range(50)), "classification", True),
        ([0.1, 0.2, 0.3], "auto", False),
        (["no", "yes"], "auto", True),
        ([True, False], "auto", True),
    ],
)
def test_task_is_decided_by_the_target(target, kind, is_classification, folder):
    frame = people(300).assign(target=[target[i % len(target)] for i in range(300)])
    frame.to_csv("people.csv", index=False)
    task, _ = table_task(folder / "people.csv", "target", kind, 0)
    assert task.is_classification == is_classification


# -- when the user errs ----------------------------------------------------------------------


def error(capsys, *arguments):
    """Return the one line on stderr of a run that the user has to put right."""
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert err.startswith("fastbp: ")
    assert err.count("\n") == 1
    return err


def test_missing_file(capsys):
    assert "no file nowhere.csv" in error(capsys, "--data", "nowhere.csv", "--target", "y")


def test_folder_instead_of_a_file(capsys, folder):
    assert "is a folder" in error(capsys, "--data", str(folder), "--target", "y")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a,b\n", "has no rows"),
        (b"PK\x03\x04\x00\x00", "is not text"),
        (b'a,b\n1,2\n3,4,5,6,"7\n', "cannot be read"),
        (b"a,b\n1,2\n3,4\n", "2 rows with a b are too few"),
        (b"a,b\n" + b"1,2\n3,2\n" * 20, "b is the same in every row"),
        (b"a,b\n" + b"1,x\n1,y\n" * 20, "no column is left"),
        (b"a,b\n" + b"".join(b"%d,x%d\n" % (i % 3, i) for i in range(40)), "too many for classes"),
    ],
)
def test_files_one_cannot_learn_from(content, message, capsys, folder):
    (folder / "data.csv").write_bytes(content)
    assert message in error(capsys, "--data", "data.csv", "--target", "b")


def test_broken_parquet(capsys, folder):
    (folder / "data.parquet").write_bytes(b"PAR1 and then nothing of the kind")
    assert "cannot be read" in error(capsys, "--data", "data.parquet", "--target", "b")


def test_unknown_target_gets_close_names(capsys):
    people().to_csv("people.csv", index=False)
    assert "did you mean city" in error(capsys, "--data", "people.csv", "--target", "CITTY")
    assert "it has id, name, age" in error(capsys, "--data", "people.csv", "--target", "xyz")
    assert "with --target" in error(capsys, "--data", "people.csv")


def test_regression_on_text(capsys):
    people().to_csv("people.csv", index=False)
    arguments = ("--data", "people.csv", "--target", "city", "--task", "regression")
    assert "city is text" in error(capsys, *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--epochs", "0"),
        ("--epochs", "many"),
        ("--hidden", "8,,8"),
        ("--learning-rate", "-1"),
        ("--learning-rate", "nan"),
        ("--seed", "-1"),
        ("--target", "y"),
        ("--nonsense",),
    ],
)
def test_options_that_make_no_sense(arguments, capsys):
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert "usage: python -m fastbp" in err


def test_picture_that_could_not_be_written_is_refused_before_training(capsys):
    assert "no folder nowhere" in error(capsys, "--quick", "--output", "nowhere/curves.png")
    assert "should end in" in error(capsys, "--quick", "--output", "curves.xyz")


def test_picture_that_cannot_be_written_after_all(folder):
    (folder / "curves.png").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        picture.draw([a_comparison()], Path("curves.png"))


def a_comparison():
    run_ = compare.Run(10.0, 1.0, 0.5, [2.0, 1.0], (2, 3, 1))
    task = types.SimpleNamespace(name="points", score_name="R2")
    return compare.Comparison(task, run_, run_)


# -- Ctrl-C ----------------------------------------------------------------------------------


def test_ctrl_c_ends_with_one_line(capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(compare, "train_fastbp", interrupted)
    code, _, err = run(capsys, "--quick")
    assert (code, err) == (130, "\nfastbp: stopped\n")


def test_ctrl_c_that_scikit_learn_turns_into_a_warning_is_heeded():
    def fit(X, y):
        warnings.warn("Training interrupted by user.", stacklevel=1)

    with pytest.raises(KeyboardInterrupt):
        compare._fit(types.SimpleNamespace(fit=fit), None, None)


# -- without the extra -----------------------------------------------------------------------


def test_without_matplotlib_there_is_a_table_and_a_word(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    code, out, _ = run(capsys, "--quick")
    assert code == 0
    assert "matplotlib is not installed: no picture" in out
    assert "diabetes" in out
    assert not list(folder.iterdir())


def test_without_pandas_a_file_is_refused_with_the_remedy(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    message = error(capsys, "--data", "people.csv", "--target", "pay")
    assert "python -m pip install pandas pyarrow" in message


# -- progress --------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def progress_on(stream, monkeypatch):
    """Return what a progress bar writes to a stream that stands for stderr."""
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr("fastbp._demo.progress.REFRESH_SECONDS", 0.001)
    model = types.SimpleNamespace(loss_curve_=[0.5, 0.4, 0.3])
    with Progress("fastbp", model, 12) as progress:
        progress._finished.wait(0.1)
    return stream.getvalue()


def test_progress_is_shown_on_a_terminal_and_wiped_after(monkeypatch):
    shown = progress_on(Terminal(), monkeypatch)
    assert "3 of 12 epochs" in shown
    assert shown.endswith("\r")


def test_progress_is_silent_elsewhere(monkeypatch):
    assert progress_on(io.StringIO(), monkeypatch) == ""


def test_bar_is_filled_to_its_share():
    assert bar(0.25, 8) == "[##......]"
    assert bar(2.0, 4) == "[####]"
    assert bar(0.5, 2) == ""
