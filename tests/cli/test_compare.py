"""`fastbp compare`: on bundled data, on files, without its extra, and when the user errs."""

import dataclasses
import io
import itertools
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
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from people import people
from people import run as run_command

import fastbp
from fastbp._printable import display_width
from fastbp.cli import main
from fastbp.cli.compare import picture, report
from fastbp.cli.compare import training as compare
from fastbp.cli.compare.table import table_task
from fastbp.cli.console import UserError
from fastbp.cli.parser import parser
from fastbp.cli.problem import problem_of
from fastbp.cli.progress import bar, epochs_of
from fastbp.cli.task import split

PNG = b"\x89PNG"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test runs in a folder of its own, which is where pictures go."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *arguments):
    """Return exit code, standard output and standard error."""
    return run_command(capsys, "compare", *arguments)


# -- on bundled data -------------------------------------------------------------------------


@pytest.mark.slow
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


@pytest.mark.slow
def test_columns_of_the_table_are_aligned(capsys, monkeypatch):
    monkeypatch.setattr(compare, "BUDGET_SECONDS", 0.0)  # scikit-learn is timed on a few rows
    _, out, _ = run(capsys, "--quick", "--epochs", "1", "--hidden", "4,3")
    table = out[out.index("data set") :].split("\n\n")[0].splitlines()
    assert len(table) == 4
    assert len({len(line) for line in table}) == 1
    assert "64-4-3-10" in table[1]


def test_version_is_printed(capsys):
    with pytest.raises(SystemExit) as ending:
        main(["--version"])
    assert ending.value.code == 0
    assert capsys.readouterr().out == f"fastbp {fastbp.__version__}\n"


# -- on the user's own file ------------------------------------------------------------------


def test_regression_on_a_csv_with_text_gaps_dates_and_truth_values(folder, capsys):
    people().to_csv("people.csv", index=False)
    code, out, err = run(capsys, "people.csv", "--target", "pay", "--output", "curves.png")
    assert (code, err) == (0, "")
    assert re.search(r"  name +left out: it is an identifier or free text", out)
    assert re.search(r"  id +left out: it numbers the rows", out)
    assert re.search(r"  country +left out: it is the same in every row", out)
    score = re.search(r"^people .* R2 +(\d\.\d+)", out, re.MULTILINE)
    assert float(score[1]) > 0.7
    assert (folder / "curves.png").read_bytes().startswith(PNG)


def test_classification_on_parquet(capsys):
    people().to_parquet("people.parquet")
    code, out, _ = run(capsys, "people.parquet", "--target", "city", "--quick")
    assert code == 0
    assert re.search(r"  city +the target: one of 3 classes", out)
    assert re.search(r"^people .* accuracy ", out, re.MULTILINE)


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
    code, *_ = run(capsys, "people.csv", "--target", "member", "--quick")
    assert code == 0


@pytest.mark.slow
def test_far_outliers_do_not_stop_training(folder, capsys):
    frame = people()
    frame.loc[frame.sample(5, random_state=0).index, "age"] = 1e12
    frame.to_csv("people.csv", index=False)
    code, out, _ = run(capsys, "people.csv", "--target", "pay", "--epochs", "5")
    assert code == 0
    assert "diverged" not in out


@pytest.mark.slow
def test_scikit_learn_is_only_timed_where_training_would_take_long(capsys, monkeypatch):
    monkeypatch.setattr(compare, "BUDGET_SECONDS", 0.0)
    code, out, _ = run(capsys, "--quick")
    assert code == 0
    assert "would take" in out
    assert re.search(r"^digits .* - +[\d,]+ +[\d,]+ x$", out, re.MULTILINE)


@pytest.mark.slow
def test_diverged_training_is_reported(capsys):
    people().to_csv("people.csv", index=False)
    arguments = ("people.csv", "--target", "pay", "--learning-rate", "1000")
    code, out, _ = run(capsys, *arguments)
    assert code == 1
    assert "people diverged: try --learning-rate 0.01, the default here" in out
    assert re.search(r"^people .* diverged +- +diverged +- +-$", out, re.MULTILINE)


@pytest.mark.slow
def test_where_everything_diverged_no_picture_is_written(folder, capsys):
    code, out, _ = run(capsys, "--quick", "--learning-rate", "1000")
    assert code == 1
    assert "No learning curves to draw: fastbp_learning_curves.png was not written" in out
    assert not list(folder.iterdir())


@pytest.mark.parametrize(("rate", "other"), [(0.01, "0.001"), (0.001, "0.0001"), (10, "0.01, the")])
def test_rate_to_try_after_divergence_is_the_default_or_a_tenth(rate, other):
    diverged = dataclasses.replace(a_run(), score=np.nan)
    (remark,) = report.remarks(a_comparison(diverged, learning_rate=rate), 0.01)
    assert f"try --learning-rate {other}" in remark


@pytest.mark.parametrize("losses", [[2.0, 6e246], [2.0, 1e4], [np.inf], [2.0, np.nan]])
def test_an_absurd_loss_is_divergence(losses):
    def fit(X, y):
        model.loss_curve_ = losses

    model = types.SimpleNamespace(fit=fit, hidden_layer_sizes=(3,), n_outputs_=1)
    task = types.SimpleNamespace(y_train=np.zeros(5), epochs=2)
    assert compare._run(model, task, np.zeros((5, 2)), "fastbp").diverged


def test_a_library_that_warns_of_divergence_or_raises_has_diverged():
    def warn(X, y):
        warnings.warn("the same output for every row", fastbp.DivergenceWarning, stacklevel=1)

    def fail(X, y):
        raise ValueError("Solver produced non-finite parameter weights.")

    for fit in (warn, fail):
        assert compare._fit(types.SimpleNamespace(fit=fit), None, None)[1]


def test_only_curves_that_did_not_diverge_are_drawn(monkeypatch):
    diverged = dataclasses.replace(a_run(), score=np.nan, loss_curve=[2.0, 6e246])
    both, ours = a_comparison(diverged, diverged), a_comparison(diverged)
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, file, format: figures.append(figure))
    picture.draw([both, ours, a_comparison()], Path("curves.png"))
    half, whole = figures[0].axes
    assert half.get_legend().get_texts()[0].get_text() == "fastbp: 1 s, diverged"
    assert [len(line.get_xdata()) for line in half.lines] == [0, 2]
    assert max(half.get_ylim()) < 3
    assert [len(line.get_xdata()) for line in whole.lines] == [2, 2]


@pytest.mark.parametrize("first", [0.003, 0.1, 1.3, 40])
@pytest.mark.parametrize("span", [1, 2, 4.5, 6, 12, 1e5])
def test_labels_of_the_time_axis_do_not_overlap(monkeypatch, span, first):
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, file, format: figures.append(figure))
    runs = [dataclasses.replace(a_run(), seconds=s) for s in (first, first * span)]
    picture.draw([a_comparison(*runs)] * 3, Path("curves.png"))
    FigureCanvasAgg(figures[0]).draw()
    for axes in figures[0].axes:
        low, high = axes.get_xlim()
        ticks = [*axes.xaxis.get_major_ticks(), *axes.xaxis.get_minor_ticks()]
        shown = [t.label1 for t in ticks if low <= t.get_loc() <= high and t.label1.get_text()]
        boxes = sorted((t.get_window_extent() for t in shown), key=lambda box: box.x0)
        assert boxes
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_a_score_below_guessing_is_said_in_one_line():
    bad = dataclasses.replace(a_run(), score=-0.2)
    expected = "points: fastbp's held-out R2 -0.200 is worse than guessing (0.000)"
    assert report.remarks(a_comparison(bad), 0.01) == [expected]
    assert report.remarks(a_comparison(), 0.01) == []


@pytest.mark.slow
def test_a_picture_that_was_there_is_said_to_be_replaced(folder, capsys):
    people().to_csv("people.csv", index=False)
    for told in ("curves.png\n", "curves.png (replaced)\n"):
        arguments = ("people.csv", "--target", "pay", "--quick", "--output", "curves.png")
        assert f"Learning curves: {told}" in run(capsys, *arguments)[1]


def test_the_network_is_shown_as_python(capsys):
    people().to_csv("people.csv", index=False)
    _, out, _ = run(capsys, "people.csv", "--target", "city", "--quick", "--hidden", "4")
    model = eval(out[out.index("of the comparison:") :].partition("\n")[2], vars(fastbp).copy())
    assert model.hidden_layer_sizes == (4,)


# -- when the user errs ----------------------------------------------------------------------


def error(capsys, *arguments):
    """Return the one line on stderr of a run that the user has to put right."""
    code, _, err = run(capsys, *arguments)
    assert code == 1
    assert err.startswith("fastbp: ")
    assert err.count("\n") == 1
    return err


def test_regression_on_text(capsys):
    people().to_csv("people.csv", index=False)
    arguments = ("people.csv", "--target", "city", "--task", "regression")
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
    assert "usage: fastbp" in err


def test_picture_that_could_not_be_written_is_refused_before_training(capsys):
    assert "no folder nowhere" in error(capsys, "--quick", "--output", "nowhere/curves.png")
    assert "should end in" in error(capsys, "--quick", "--output", "curves.xyz")


def test_picture_that_cannot_be_written_after_all(folder):
    (folder / "curves.png").mkdir()
    with pytest.raises(UserError, match=r"cannot write curves\.png: it is a folder"):
        picture.draw([a_comparison()], Path("curves.png"))


def a_run():
    return compare.Run(10.0, 1.0, 0.5, [2.0, 1.0], (2, 3, 1))


def a_comparison(ours=None, theirs=None, learning_rate=0.01):
    task = types.SimpleNamespace(
        name="points", score_name="R2", guess=0.0, learning_rate=learning_rate
    )
    return compare.Comparison(task, ours or a_run(), theirs or a_run())


# -- names from the file, and paths -----------------------------------------------------------

RED, CLEAR = "\x1b[31mred\x07", "\x1b[2J"
HOSTILE = {RED: 1.5, "two\nlines": "a\x08b", "cost $ (in $)": 2.0, "\u58f2\u4e0a\u202e": 0.5}


def hostile_table(name):
    """Write a table whose names and texts a terminal would obey; return its path."""
    frame = pd.DataFrame({key: [value] * 60 for key, value in HOSTILE.items()})
    frame[RED] = np.arange(60.0)[::-1] % 7
    frame["cost $ (in $)"] = np.random.default_rng(0).normal(size=60)
    frame["two\nlines"] = np.where(frame.index % 3 == 0, "a\x08b", f"{CLEAR}c")
    frame["kind\x9b"] = np.where(frame[RED] > 3, f"{CLEAR}yes", "no\r")
    frame.to_csv(name, index=False)
    return name


def is_plain(text):
    return all(line.isprintable() for line in text.split("\n"))


@pytest.mark.skipif(os.name != "posix", reason="names as POSIX has them")
@pytest.mark.parametrize("target", [r"kind\x9b", "two\nlines", "cost $ (in $)"])
def test_names_from_a_file_are_printed_as_text(target, capsys):
    path = hostile_table(f"{CLEAR} $x$ \udcff.csv" if sys.platform == "linux" else f"{CLEAR}.csv")
    code, out, err = run(capsys, path, "--target", target, "--epochs", "1", "--hidden", "2")
    assert (code, err) == (0, "")
    assert is_plain(out)
    assert r"\x1b[2J" in out
    assert {r"two\nlines", r"\x1b[31mred\x07", r"kind\x9b"} <= set(re.findall(r"[^\s,:]+", out))
    assert Path("fastbp_learning_curves.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--target", "kin"),
        ("--target", RED, "--task", "classification", "--output", f"{CLEAR}/a.png"),
        ("--target", f"none{CLEAR}"),
        ("--target", "two\nlines", "--task", "regression"),
        (),
    ],
)
def test_names_in_mistakes_are_printed_as_text(arguments, capsys):
    path = hostile_table(f"{CLEAR}.csv" if os.name == "posix" else "table.csv")
    assert is_plain(error(capsys, path, *arguments))


def test_messages_of_pandas_are_printed_as_text(folder, capsys):
    (folder / "data.csv").write_bytes(b'a,b\n1,2\n3,4,\x1b[2J,6,"7\n')
    assert is_plain(error(capsys, "data.csv", "--target", "b"))


def test_columns_of_the_table_are_aligned_whatever_the_width_of_names():
    comparisons = [a_comparison() for _ in range(3)]
    names = ["digits", "\u58f2\u4e0a", "\u58f2\u4e0a" * 20]
    for comparison, name in zip(comparisons, names, strict=True):
        comparison.task.name = name
    lines = report.table(comparisons)
    assert len({display_width(line) for line in lines}) == 1
    assert "..." in lines[-1]


@pytest.mark.skipif(os.name != "posix", reason="symbolic links as POSIX has them")
@pytest.mark.parametrize("suffix", ["png", "svg", "PDF"])
def test_a_picture_is_written_through_a_link_in_the_format_of_the_name_given(folder, suffix):
    (folder / f"link.{suffix}").symlink_to("target.xyz")
    path = Path(f"link.{suffix}")
    assert picture.is_possible(path)
    picture.draw([a_comparison()], path)
    assert path.is_symlink()
    begins = {"png": PNG, "svg": b"<?xml", "PDF": b"%PDF"}[suffix]
    assert Path("target.xyz").read_bytes().startswith(begins)


def test_a_picture_that_a_full_disk_cuts_short_leaves_the_old_one(folder, monkeypatch):
    (folder / "curves.png").write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fastbp.io.files.os.write", full)
    with pytest.raises(UserError, match=r"cannot write curves\.png: No space left"):
        picture.draw([a_comparison()], Path("curves.png"))
    monkeypatch.undo()
    assert [path.read_bytes() for path in folder.iterdir()] == [b"old"]


@pytest.mark.parametrize(
    ("path", "name"), [("people.v2.csv", "people"), (".people.csv", "people"), (".csv", "csv")]
)
def test_a_data_set_is_called_as_its_file(path, name):
    people().to_csv(path, index=False)
    options = parser().parse_args(["compare", path, "--target", "pay"])
    assert table_task(problem_of(options), seed=0).name == name


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


@pytest.mark.slow
def test_without_matplotlib_there_is_a_table_and_a_word(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    monkeypatch.setattr(compare, "BUDGET_SECONDS", 0.0)
    code, out, _ = run(capsys, "--quick", "--epochs", "1")
    assert code == 0
    assert "matplotlib is not installed: no picture" in out
    assert "diabetes" in out
    assert not list(folder.iterdir())


def test_without_pandas_a_file_is_refused_with_the_remedy(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    message = error(capsys, "people.csv", "--target", "pay")
    assert 'python -m pip install "fastbp[cli]"' in message


# -- progress --------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def progress_on(stream, monkeypatch):
    """Return what a progress bar writes to a stream that stands for stderr."""
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr("fastbp.cli.progress.REFRESH_SECONDS", 0.001)
    monkeypatch.setattr("fastbp.cli.progress.PATIENCE_SECONDS", 0.0)
    model = types.SimpleNamespace(loss_curve_=[0.5, 0.4, 0.3])
    with epochs_of("fastbp", model, 12) as progress:
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
