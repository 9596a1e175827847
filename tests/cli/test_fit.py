"""`fastbp fit`: what columns become, the score with its baseline, the model and its program."""

import random
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from people import done, people, refusal, result, run

import fastbp
from fastbp.cli.problem import why_useless


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test runs in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def line_of(out, name):
    """What is said of a column."""
    return re.search(rf"^  {re.escape(name)} +(.*)$", out, re.MULTILINE)[1]


def about(capsys, target, *arguments):
    """What `fit` says of the columns of file.csv, without waiting for a training."""
    return done(capsys, "fit", "file.csv", "--target", target, "--no-code", *arguments)


@pytest.fixture
def no_training(monkeypatch):
    """Leave out what takes long: this is about what is read."""

    class Model:
        def fit(self, X, y):
            self.y = y
            return self

        def predict(self, X):
            return self.y[: len(X)]

        def score(self, X, y):
            return 0.0

    monkeypatch.setattr("fastbp.cli.fit._fitted", lambda problem, X, y, *_: Model().fit(X, y))


# -- the whole of it -------------------------------------------------------------------------


def test_a_regression_says_what_became_of_the_columns_and_how_good_the_model_is(capsys):
    people().to_csv("people.csv", index=False)
    out = done(capsys, "fit", "people.csv", "--target", "pay", "-o", "people.fbp")
    assert out.startswith("people.csv: 300 rows, 8 columns\n")
    assert line_of(out, "id") == "left out: it numbers the rows"
    assert line_of(out, "name").startswith("left out: it is an identifier or free text (300")
    assert line_of(out, "age") == "numbers; 43 gaps"
    assert line_of(out, "city") == "text: an input for each of 4 values; a gap is one of them"
    assert line_of(out, "since") == "dates, such as 2001-02-03 (ISO8601), as days"
    assert line_of(out, "country") == "left out: it is the same in every row"
    assert line_of(out, "pay").startswith("the target: a number from 28.5")
    assert "240 rows trained on, 60 held out" in out
    score, baseline = re.search(r"R2 (\S+) \(the mean: (\S+)\)", out).groups()
    assert float(score) > 0.7 > 0.1 > float(baseline)
    assert re.search(r"saved: people\.fbp \([\d,]+ kB\)", out)


@pytest.mark.parametrize("target", ["pay", "city"])
@pytest.mark.parametrize("kind", ["csv", "german", "parquet"])
def test_the_program_that_is_printed_makes_the_model_that_is_saved(capsys, target, kind):
    frame = people(120).drop(columns="name")
    frame["age"] += 0.5
    if kind == "parquet":
        path = "people.parquet"
        frame.assign(since=pd.to_datetime(frame["since"])).to_parquet(path)
    elif kind == "csv":
        path = "people.csv"
        frame.to_csv(path, index=False)
    else:
        path = "leute.csv"
        frame["since"] = pd.to_datetime(frame["since"]).dt.strftime("%d.%m.%Y")
        text = frame.to_csv(index=False, sep=";", decimal=",")
        Path(path).write_bytes(f"Leute\n\n{text}".encode("cp1252"))
    told = result(capsys, "fit", path, "--target", target, "-o", "people.fbp", "--seed", 3)
    names = {}
    exec(told["code"], names)
    saved = fastbp.load("people.fbp")
    columns = list(saved.feature_names_in_)
    expected = names["model"].predict(names["frame"][columns])
    np.testing.assert_array_equal(saved.predict(names["frame"][columns]), expected)
    assert saved.steps[-1][1].random_state == 3


def test_json_is_one_object_and_messages_are_on_stderr(capsys):
    people(60).to_csv("people.csv", index=False)
    told = result(capsys, "fit", "people.csv", "--target", "member")
    assert told["task"] == "classification"
    assert told["target"] == "member"
    assert told["columns"]["country"] == "left out: it is the same in every row"
    assert set(told["held_out"]) >= {"name", "model", "baseline", "n_train", "n_held_out"}
    assert told["held_out"]["n_train"] + told["held_out"]["n_held_out"] == 60


def test_the_seed_decides_and_nothing_else_does(capsys):
    people(80).to_csv("people.csv", index=False)
    arguments = ("fit", "people.csv", "--target", "pay", "--seed")
    first, again, other = (result(capsys, *arguments, seed)["held_out"] for seed in (0, 0, 1))
    assert first == again != other


def test_in_the_order_of_time_the_last_rows_are_held_out(capsys, monkeypatch):
    people(80).to_csv("people.csv", index=False)
    seen = []
    from fastbp.cli import fit

    parts = fit._parts
    monkeypatch.setattr(fit, "_parts", lambda *given: seen.append(parts(*given)) or seen[-1])
    done(capsys, "fit", "people.csv", "--target", "pay", "--order", "time")
    X_train, X_test, *_ = seen[0]
    assert X_train.index.tolist() == list(range(64))
    assert X_test.index.tolist() == list(range(64, 80))


def test_a_training_that_was_stopped_goes_on_to_the_same_model(capsys, monkeypatch):
    people(80).to_csv("people.csv", index=False)
    fit = ("fit", "people.csv", "--target", "pay", "--no-code", "-o")
    done(capsys, *fit, "whole.fbp")
    whole_fit = fastbp.BackpropRegressor.fit

    def stopped(model, X, y, **more):
        whole_fit(model, X, y, **more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(fastbp.BackpropRegressor, "fit", stopped)
        code, _, err = run(capsys, *fit, "part.fbp", "--checkpoint", "run.fbp")
    assert code == 130
    assert "the same command goes on from run.fbp" in err
    assert Path("run.score.fbp").exists()
    assert not Path("part.fbp").exists()
    out = done(capsys, *fit, "part.fbp", "--checkpoint", "run.fbp")
    assert "going on from run.score.fbp" in out
    assert not list(Path().glob("run*"))
    frame = people(80).assign(member=lambda frame: frame["member"].astype(str))
    frame["since"] = (pd.to_datetime(frame["since"]) - pd.Timestamp(0)) / pd.Timedelta(days=1)
    whole, part = fastbp.load("whole.fbp"), fastbp.load("part.fbp")
    X = frame[list(whole.feature_names_in_)]
    np.testing.assert_array_equal(part.predict(X), whole.predict(X))


def test_checkpoints_of_other_trainings_are_refused(capsys, monkeypatch):
    people(60).to_csv("people.csv", index=False)
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    fit = ("fit", "people.csv", "--target", "pay", "--no-code", "--checkpoint", "run.fbp")
    done(capsys, *fit, "--order", "time")
    done(capsys, *fit, "--order", "time")
    for arguments, said in {
        ("--order", "time", "--seed", "1"): "has other settings: --seed 0",
        ("--order", "random"): "run.score.fbp",
    }.items():
        assert refusal(capsys, *fit, *arguments).endswith("To train anew, delete this file")
        assert said in refusal(capsys, *fit, *arguments)
    Path("run.score.fbp").write_bytes(b"junk")
    assert "cannot read run.score.fbp" in refusal(capsys, *fit)


# -- files that were read wrong once ---------------------------------------------------------


def write(name, text, encoding="utf-8"):
    Path(name).write_bytes(text.encode(encoding))


def test_rows_that_end_in_a_delimiter_do_not_shift_the_columns(capsys, no_training):
    draw = random.Random(0)
    rows = [(t := draw.uniform(0, 30), 100 + 7 * t, "yes" if t > 15 else "no") for _ in range(200)]
    body = "".join(f"{t:.2f},{price:.2f},{sold},\n" for t, price, sold in rows)
    write("file.csv", "temp,price,sold\n" + body)
    out = about(capsys, "price")
    assert line_of(out, "price").startswith("the target: a number from 10")
    assert line_of(out, "sold") == "text: an input for each of 2 values"


def test_the_words_none_and_na_are_values_and_said_to_be(capsys, no_training):
    rows = [f"{i % 7},{('NA', 'ZA', 'MZ')[i % 3]},{('None', 'Mild')[i % 2]}\n" for i in range(300)]
    write("file.csv", "thickness,country,defect\n" + "".join(rows))
    out = about(capsys, "defect")
    assert line_of(out, "defect") == (
        "the target: one of 2 classes, None, Mild; 'None' is a value, not a gap"
    )
    assert line_of(out, "country") == (
        "text: an input for each of 3 values; 'NA' is a value, not a gap"
    )


@pytest.mark.parametrize("codes", [(1234561, 1234562, 1234571), (2**53, 2**53 + 1, 2**53 + 3)])
def test_long_codes_are_classes_called_by_their_digits(capsys, codes):
    draw = random.Random(0)
    rows = [f"{(x := draw.uniform(0, 3)):.3f},{codes[int(x)]}\n" for _ in range(150)]
    write("file.csv", "x,zone\n" + "".join(rows))
    out = about(capsys, "zone", "-o", "zones.fbp")
    assert "one of 3 classes" in line_of(out, "zone")
    assert sorted(fastbp.load("zones.fbp").classes_) == list(map(str, codes))


def test_leading_zeros_are_kept(capsys, no_training):
    rows = [f"{('007', '07', '7')[i % 3]},{i % 5},{'abc'[i % 3]}\n" for i in range(300)]
    write("file.csv", "code,noise,y\n" + "".join(rows))
    assert line_of(about(capsys, "y"), "code") == (
        "text (digits with leading zeros, such as 007): an input for each of 3 values; "
        "it determines y (--without leaves it out)"
    )
    assert "one of 3 classes, 007, 07, 7" in line_of(about(capsys, "code"), "code")


def test_a_target_that_is_there_twice_is_refused(capsys):
    write("file.csv", "a,y,y\n" + "1,2,2\n3,4,4\n" * 20)
    said = refusal(capsys, "fit", "file.csv", "--target", "y")
    assert said.startswith("file.csv has more than one column y: rename all but the one to predict")


def test_a_column_that_is_the_target_again_is_left_out(capsys, no_training):
    rows = "".join(f"{i % 7},{i % 3},{'xyz'[i % 3]},{'xyz'[i % 3]}\n" for i in range(60))
    write("file.csv", "a,code,y,again\n" + rows)
    out = about(capsys, "y")
    assert line_of(out, "again") == "left out: it is the same as y in every row"
    assert line_of(out, "code") == "numbers; it determines y (--without leaves it out)"
    assert line_of(out, "a") == "numbers"
    out = about(capsys, "y", "--without", "code")
    assert line_of(out, "code") == "left out: it is not wanted"
    said = refusal(capsys, "fit", "file.csv", "--target", "y", "--without", "kode")
    assert said == "file.csv has no column 'kode'; did you mean code?"
    said = refusal(capsys, "fit", "file.csv", "--target", "y", "--without", "y")
    assert "cannot be left out" in said


def test_a_number_that_is_the_target_in_another_unit_is_said_to_be(capsys, no_training):
    rows = "".join(f"{0.25 + i**1.5},{2.54 * i**1.5 - 3},{i % 7}\n" for i in range(60))
    write("file.csv", "inches,cm,x\n" + rows)
    out = about(capsys, "cm")
    assert line_of(out, "inches") == "numbers; it determines cm (--without leaves it out)"
    assert line_of(out, "x") == "numbers"


# -- the target ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "kind", "task"),
    [
        ([0, 1], "auto", "classification"),
        ([0.5, 1.5], "auto", "classification"),
        (list(range(7)), "auto", "classification"),
        (list(range(7)), "regression", "regression"),
        (list(range(50)), "auto", "regression"),
        (list(range(50)), "classification", "classification"),
        ([0.1, 0.2, 0.3], "auto", "regression"),
        (["no", "yes"], "auto", "classification"),
        ([True, False], "auto", "classification"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_task_is_decided_by_the_target(capsys, no_training, target, kind, task, suffix):
    frame = people(300).assign(target=[target[i % len(target)] for i in range(300)])
    path = f"people.{suffix}"
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    told = result(capsys, "fit", path, "--target", "target", "--task", kind)
    assert told["task"] == task
    assert told["held_out"]["name"] == ("R2" if task == "regression" else "accuracy")


def test_rows_without_a_target_are_left_out_and_said_so(capsys, no_training):
    frame = people()
    frame.loc[:9, "pay"] = np.nan
    frame.loc[10, "pay"] = np.inf
    frame.to_csv("file.csv", index=False)
    out = about(capsys, "pay")
    assert "left out: 11 rows without it; read as missing: 1 value such as 'inf'" in out
    assert "231 rows trained on, 58 held out" in out
    assert "numbers the rows" in line_of(out, "id")


def test_a_target_with_a_currency_is_refused_with_an_example(capsys):
    people().assign(pay=[f"\u20ac1,{i}" for i in range(100, 400)]).to_csv("file.csv", index=False)
    expected = "pay is text, for example '\u20ac1,100'"
    assert expected in refusal(capsys, "fit", "file.csv", "--target", "pay")
    assert expected in refusal(capsys, "fit", "file.csv", "--target", "pay", "--task", "regression")


def test_an_unknown_target_gets_close_names(capsys):
    people().to_csv("file.csv", index=False)
    for target, said in (("CITTY", "did you mean city, country?"), ("xyz", "it has id, name, age")):
        assert said in refusal(capsys, "fit", "file.csv", "--target", target)
    assert "with --target; file.csv has id, name" in refusal(capsys, "fit", "file.csv")


def test_a_file_without_names_is_said_how_to_read(capsys, no_training):
    write("file.csv", "".join(f"{i},{i % 4},{'ab'[i % 2]}\n" for i in range(60)))
    assert "--no-names" in refusal(capsys, "fit", "file.csv", "--target", "y")
    out = about(capsys, "column 3", "--no-names")
    assert "one of 2 classes" in line_of(out, "column 3")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n3,4\n", "2 rows with a b are too few; 10 are needed"),
        ("a,b\n" + "1,2\n3,2\n" * 20, "b is the same in every row"),
        ("a,b\n" + "1,x\n1,y\n" * 20, "no column is left to learn from"),
        ("a,b\n" + "".join(f"{i % 3},x{i}\n" for i in range(40)), "too many for classes"),
        ("a,b\n" + "".join(f"{i},x{i}\n" for i in range(12)), "too many for classes"),
        ("", "file.csv is empty"),
    ],
)
def test_tables_one_cannot_learn_from(capsys, content, message):
    write("file.csv", content)
    assert message in refusal(capsys, "fit", "file.csv", "--target", "b")


def test_a_place_where_nothing_can_be_written_is_named_before_anything_is_read(capsys):
    said = refusal(capsys, "fit", "none.csv", "--target", "y", "-o", "nowhere/model.fbp")
    assert "there is no folder nowhere" in said


# -- columns ---------------------------------------------------------------------------------


def test_values_read_as_missing_are_told(capsys, no_training):
    frame = people()
    frame["age"] = frame["age"].astype(object)
    frame.loc[[1, 2, 3], "age"] = "unknown"
    frame.to_csv("file.csv", index=False)
    out = about(capsys, "pay")
    assert line_of(out, "age") == ("numbers; 43 gaps; read as missing: 3 values such as 'unknown'")


def test_a_table_of_very_many_columns_is_told_in_part(capsys, no_training):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 99)).round(3))
    frame.columns = [f"x{i}" for i in range(99)]
    frame.to_csv("file.csv", index=False)
    assert "\n  and 39 more\n" in about(capsys, "x98")


def test_many_categories_share_inputs(capsys):
    frame = people(240)
    frame["code"] = [f"c{min(i, 239 - i) // 2}" for i in range(240)]
    frame.to_csv("file.csv", index=False)
    out = about(capsys, "pay", "-o", "people.fbp")
    assert line_of(out, "code") == (
        "text: an input for each of 50 values (the rarest of 60 share one)"
    )


def test_whole_numbers_in_any_order_are_kept_unless_they_number_the_rows():
    years = pd.Series(np.arange(100.0)).sample(frac=1, random_state=0)
    assert why_useless(years) == "numbers the rows"
    assert why_useless(years * 2) is None
    assert why_useless(years.iloc[:30]) is None


def test_points_that_stand_for_thousands_are_told(capsys):
    rows = "".join(f"{i}.{100 + i};{i},5;{i % 7},25\n" for i in range(1, 60))
    Path("file.csv").write_text("a;b;y\n" + rows)
    out = done(capsys, "fit", "file.csv", "--target", "y", "--no-code")
    assert "numbers with a decimal comma, such as 1.101, read as 1101" in out


def test_a_score_no_better_than_the_baseline_is_said_to_be(capsys):
    random = np.random.default_rng(3)
    frame = pd.DataFrame({"x": random.normal(size=80), "y": random.normal(size=80)})
    frame.to_csv("noise.csv", index=False)
    told = result(capsys, "fit", "noise.csv", "--target", "y")["held_out"]
    assert told["model"] <= told["baseline"]
    out = done(capsys, "fit", "noise.csv", "--target", "y", "--no-code")
    assert "the model predicts no better than the mean: these columns may say little" in out
    people().to_csv("people.csv", index=False)
    assert "no better" not in done(capsys, "fit", "people.csv", "--target", "pay")


def test_pipes_are_for_streams(capsys):
    assert refusal(capsys, "fit", "-", "--target", "y") == (
        "there is no file -: only fastbp stream reads pipes"
    )
