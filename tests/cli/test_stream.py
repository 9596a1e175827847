"""`fastbp stream`: rows predicted before they are learned, from files and pipes."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from people import done, people, refusal, result, run

import fastbp
from fastbp.online import OnlineClassifier, OnlineRegressor, learn_progressively


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test runs in a folder of its own, with a file of people."""
    monkeypatch.chdir(tmp_path)
    people(200).to_csv("people.csv", index=False)
    return tmp_path


def piped(monkeypatch, text, encoding="utf-8"):
    """Let a text stand for what comes from a pipe."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode(encoding))))


def rows(target):
    """The rows of the file as names and values."""
    lines = Path("people.csv").read_text(encoding="utf-8").splitlines()
    names = lines[0].split(",")
    for line in lines[1:]:
        x = {}
        for name, text in zip(names, line.split(","), strict=True):
            number = text.replace(".", "").replace("-", "", 1).isdigit() and "-" not in text[1:]
            if text and name != target:
                x[name] = float(text) if number else text
        y = line.split(",")[names.index(target)]
        if y:
            yield x, float(y) if target == "pay" else y


@pytest.mark.parametrize("target", ["member", "pay", "city"])
def test_scores_are_those_of_the_model_row_by_row(capsys, target):
    told = result(capsys, "stream", "people.csv", "--target", target)
    kind = OnlineRegressor if target == "pay" else OnlineClassifier
    expected = learn_progressively(kind(random_state=0), rows(target))
    assert told["rows"] == expected.rows[-1]
    assert told["metric"] == expected.metric
    assert told["score"] == pytest.approx(expected.score[-1], rel=1e-12)
    assert told["baseline"] == pytest.approx(expected.baseline[-1], rel=1e-12)


def test_scores_are_printed_on_the_way_and_at_the_end(capsys):
    out = done(capsys, "stream", "people.csv", "--target", "member", "--every", 80)
    assert [line.split()[0] for line in out.splitlines()] == ["member:", "80", "160", "200"]


def test_a_pipe_is_read_and_a_model_is_saved(capsys, monkeypatch):
    piped(monkeypatch, Path("people.csv").read_text(encoding="utf-8"))
    out = done(capsys, "stream", "-", "--target", "pay", "--save", "pay.fbp")
    assert "pay: a number" in out
    assert "saved: pay.fbp" in out
    model = fastbp.load("pay.fbp")
    expected = OnlineRegressor(random_state=0)
    for x, y in rows("pay"):
        expected.learn_one(x, y)
    x, _ = next(rows("pay"))
    assert model.predict_one(x) == expected.predict_one(x)


@pytest.mark.parametrize(
    ("values", "task", "metric"),
    [
        (["a", "b"], "auto", "accuracy"),
        (["0", "1"], "auto", "accuracy"),
        (["0.5", "1.5", "2.5"], "auto", "mean absolute error"),
        ([str(i) for i in range(50)], "auto", "mean absolute error"),
        (["1,5", "2,5"], "auto", "mean absolute error"),
        (["007", "7"], "auto", "accuracy"),
        (["0", "1"], "regression", "mean absolute error"),
        (["0.5", "1.5"], "classification", "accuracy"),
    ],
)
def test_the_task_is_decided_by_the_first_rows(capsys, values, task, metric):
    lines = "".join(f"{i};{values[i % len(values)]}\n" for i in range(100))
    Path("file.csv").write_text(f"x;y\n{lines}")
    told = result(capsys, "stream", "file.csv", "--target", "y", "--task", task)
    assert (told["metric"], told["rows"]) == (metric, 100)


def test_what_is_before_the_names_is_passed_over(capsys, monkeypatch):
    body = "a;b;y\n" + "".join(f"{i};{i % 3},5;{'pq'[i % 2]}\n" for i in range(50))
    for start in ("sep=;\n", "# exported\n\n", "Report; 2024\n"):
        piped(monkeypatch, start + body)
        assert result(capsys, "stream", "-", "--target", "y")["rows"] == 50
    piped(monkeypatch, body.replace("\n", "\r\n"), "utf-8-sig")
    assert result(capsys, "stream", "-", "--target", "y")["rows"] == 50


def test_rows_that_do_not_fit_are_passed_over_and_told(capsys):
    lines = [f"{i},{i % 7},{'pq'[i % 2]}" for i in range(60)]
    lines[40:43] = ["1,2", "1,2,p,4", '1,"2" x,p']
    lines[50] = "1,2,"
    Path("file.csv").write_text("a,b,y\n" + "\n".join(lines) + "\n")
    code, out, err = run(capsys, "stream", "file.csv", "--target", "y")
    assert code == 0
    assert "56 rows: accuracy" in out
    assert "4 rows passed over" in out
    assert "line 42 has 2 fields, and there are 3 names: passed over" in err
    assert "line 43 has 4 fields" in err
    assert err.count("passed over") == 3


def test_a_target_that_is_no_number_is_passed_over(capsys):
    lines = "".join(f"{i},{i}.5\n" for i in range(50)) + "7,unknown\n"
    Path("file.csv").write_text("x,y\n" + lines)
    code, out, err = run(capsys, "stream", "file.csv", "--target", "y")
    assert (code, "50 rows" in out) == (0, True)
    assert "line 52 has 'unknown' as y, no number: passed over" in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the stream has no rows"),
        ("a,b\n1,2\n", "no line of names with 'y' in it; the stream begins with 'a,b'"),
        ("x,y\n", "the stream has no rows with a target"),
        ("x,x,y\n1,2,3\n", "more than one column is called 'x'"),
    ],
)
def test_streams_of_nothing_are_refused(capsys, monkeypatch, text, said):
    piped(monkeypatch, text)
    assert said in refusal(capsys, "stream", "-", "--target", "y")


def test_mistakes_are_one_line(capsys):
    Path("latin.csv").write_bytes("x,y\n1,ä\n".encode("latin-1") * 40)
    for arguments, said in {
        ("none.csv",): "there is no file none.csv",
        (".",): ". is a folder",
        ("latin.csv", "--encoding", "utf-8"): "is not text in utf-8; leave --encoding out",
        ("people.csv", "--encoding", "cp9999"): "there is no encoding 'cp9999'",
        ("people.csv",): "people.csv has no column 'y'; did you mean pay?",
        ("people.csv", "--save", "nowhere/model.fbp"): "there is no folder nowhere",
    }.items():
        assert said in refusal(capsys, "stream", *arguments, "--target", "y")


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_a_pipe_is_learned_as_it_comes_and_ctrl_c_saves_the_model():
    command = [
        sys.executable,
        "-u",
        "-m",
        "fastbp",
        "stream",
        "-",
        "--target",
        "y",
        "--every",
        "50",
    ]
    command += ["--task", "classification", "--save", "model.fbp"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdin.write("x,y\n" + "".join(f"{i % 5},{'pq'[i % 5 > 2]}\n" for i in range(60)))
    process.stdin.flush()
    assert process.stdout.readline().startswith("y: a class")
    assert process.stdout.readline().startswith("50 rows: accuracy")  # the pipe is still open
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err.strip()) == (130, "")
    assert "60 rows: accuracy" in out
    assert fastbp.load("model.fbp").predict_one({"x": 4.0}) == "q"


def test_an_object_of_the_end_is_all_that_stdout_has_with_json(capsys):
    code, out, err = run(capsys, "stream", "people.csv", "--target", "member", "--json")
    assert code == 0
    assert json.loads(out)["rows"] == 200
    assert "200 rows: accuracy" in err
    assert np.isfinite(json.loads(out)["score"])


# -- models that go on -----------------------------------------------------------------------


def stream_of(n_rows, start=0):
    """Rows whose class is that of their number."""
    return "x,y\n" + "".join(f"{i % 5},{'pq'[i % 5 > 2]}\n" for i in range(start, start + n_rows))


def test_a_saved_model_goes_on(capsys):
    Path("first.csv").write_text(stream_of(100))
    Path("second.csv").write_text(stream_of(100, start=100))
    Path("both.csv").write_text(stream_of(200))
    stream = ("stream", "--target", "y")
    done(capsys, *stream, "first.csv", "--save", "model.fbp")
    out = done(capsys, *stream, "second.csv", "--from", "model.fbp", "--save", "model.fbp")
    assert "100 rows: accuracy 1.0" in out
    done(capsys, *stream, "both.csv", "-o", "at_once.fbp")
    for x in range(5):
        one, other = (fastbp.load(path) for path in ("model.fbp", "at_once.fbp"))
        assert one.predict_proba_one({"x": x}) == other.predict_proba_one({"x": x})


def test_the_model_of_yesterday_is_not_lost(capsys):
    Path("file.csv").write_text(stream_of(100))
    stream = ("stream", "file.csv", "--target", "y")
    done(capsys, *stream, "--save", "model.fbp")
    before = Path("model.fbp").read_bytes()
    said = refusal(capsys, *stream, "--save", "model.fbp")
    assert said == ("model.fbp is there: go on with it by --from model.fbp, or choose another file")
    done(capsys, *stream, "--save", "other.fbp")
    assert "other.fbp is there" in refusal(
        capsys, *stream, "--from", "model.fbp", "--save", "other.fbp"
    )
    assert Path("model.fbp").read_bytes() == before


def test_only_models_of_streams_go_on(capsys):
    fastbp.save(fastbp.Network((1, 2, 1), random_state=0), "network.fbp")
    stream = ("stream", "people.csv", "--target", "pay")
    assert "holds a Network: --from takes models of streams" in refusal(
        capsys, *stream, "--from", "network.fbp"
    )
    done(capsys, *stream, "--save", "pay.fbp")
    assert "predicts numbers: leave --task out" in refusal(
        capsys, *stream, "--from", "pay.fbp", "--task", "classification"
    )


def test_a_model_is_saved_on_the_way(monkeypatch, capsys):
    monkeypatch.setattr("fastbp.cli.stream.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("fastbp.network.pauses.SHARE", 1e9)
    seen = []

    def lines():
        yield "x,y\n"
        for i in range(60):
            seen.append(Path("model.fbp").exists())
            yield f"{i % 5},{'pq'[i % 5 > 2]}\n"

    monkeypatch.setattr("fastbp.cli.stream_rows._pipe", lambda encoding: lines())
    done(capsys, "stream", "-", "--target", "y", "--save", "model.fbp")
    assert seen.count(True) > 20


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_the_end_of_the_process_saves_the_model():
    command = [sys.executable, "-u", "-m", "fastbp", "stream", "-", "--target", "y"]
    command += ["--every", "50", "--save", "model.fbp"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        process.stdin.write(stream_of(60))
        process.stdin.flush()
        assert process.stdout.readline().startswith("y: a class")
        assert process.stdout.readline().startswith("50 rows: accuracy")
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (143, "")
    assert fastbp.load("model.fbp").predict_one({"x": 4.0}) == "q"


def test_a_stream_that_breaks_saves_the_model(capsys, monkeypatch):
    text = stream_of(3000).encode() + b"\xff,p\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    said = refusal(capsys, "stream", "-", "--target", "y", "--save", "model.fbp")
    assert "is not text in utf-8" in said
    assert fastbp.load("model.fbp").predict_one({"x": 4.0}) == "q"


# -- reading ---------------------------------------------------------------------------------


def test_a_file_is_read_in_the_dialect_and_encoding_of_fit(capsys):
    frame = people(60)
    plain = result(capsys, "stream", "people.csv", "--target", "city")
    text = people(200).to_csv(index=False, sep=";", decimal=",", quoting=1, quotechar="'")
    Path("leute.csv").write_bytes(text.encode("cp1252"))
    assert result(capsys, "stream", "leute.csv", "--target", "city")["score"] == plain["score"]
    Path("leute.csv").write_bytes(text.encode("utf-16"))
    assert result(capsys, "stream", "leute.csv", "--target", "city")["score"] == plain["score"]
    people(200).to_csv("people.csv.gz", index=False)
    assert result(capsys, "stream", "people.csv.gz", "--target", "city")["rows"] == plain["rows"]
    frame.to_parquet("people.parquet")
    said = refusal(capsys, "stream", "people.parquet", "--target", "city")
    assert "people.parquet is a Parquet file: stream reads text" in said


def test_a_pipe_without_names_is_refused_at_once():
    command = [sys.executable, "-m", "fastbp", "stream", "-", "--target", "y"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        process.stdin.write("1,p\n" * 10)  # as many as of `tail -f`
        process.stdin.flush()
        assert process.wait(timeout=60) == 1  # the pipe is still open
        said = process.stderr.read()
    assert "no line of names with 'y' in it" in said
    assert "tail -n +1 -f" in said


def test_columns_are_left_out(capsys):
    stream = ("stream", "people.csv", "--target", "pay", "--save")
    done(capsys, *stream, "pay.fbp", "--without", "id", "--without", "name")
    names = {str(name) for name in fastbp.load("pay.fbp").feature_names_}
    assert "age" in names
    assert not any("id" == name or "name" in name for name in names)
    assert "no column 'ida'; did you mean id" in refusal(
        capsys, *stream, "other.fbp", "--without", "ida"
    )


def test_words_among_numbers_count_as_missing(capsys):
    lines = [f"{i % 7},{'pq'[i % 7 > 3]},{'ab'[i % 2]}" for i in range(100)]
    lines[3] = "NA,p,NA"
    lines[60:63] = ["error,p,a", "n/a,p,b", "error,q,1e999"]
    Path("file.csv").write_text("x,y,z\n" + "\n".join(lines) + "\n")
    code, out, err = run(capsys, "stream", "file.csv", "--target", "y", "--save", "model.fbp")
    assert code == 0
    assert err == "line 62: x is 'error', and was a number before: counted as missing\n"
    assert "x: read as missing: 4 values" in out
    names = fastbp.load("model.fbp").feature_names_
    assert {"x", ("z", "a"), ("z", "b"), ("z", "NA"), ("z", "1e999")} == set(names)


def test_digits_that_are_text_are_told_with_what_can_be_done(capsys):
    lines = "".join(f"{i % 5:03},{'pq'[i % 2]}\n" for i in range(50))
    Path("file.csv").write_text("code,y\n" + lines)
    code, _, err = run(capsys, "stream", "file.csv", "--target", "y")
    assert code == 0
    assert err == (
        "code: digits such as '000' are text, an input for each; --without leaves a column out\n"
    )


def test_the_last_rows_are_not_more_than_there_are(capsys):
    out = done(capsys, "stream", "people.csv", "--target", "member", "--every", "60")
    assert "60 rows: accuracy" in out
    assert "last 60 rows" in out
    assert "baseline: the class of the row before" in out


# -- predictions -----------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["member", "pay", "city"])
def test_predictions_of_a_model_of_a_stream(capsys, target):
    run(capsys, "stream", "people.csv", "--target", target, "--save", "model.fbp")
    arguments = ["predict", "model.fbp", "people.csv"]
    predicted = result(capsys, *arguments)["prediction"]
    model = fastbp.load("model.fbp")
    some = [x for x, _ in rows(target)]
    expected = [model.predict_one(x) for x in some]
    assert len(predicted) == 200
    if target != "city":  # which has gaps: rows without it are predicted, too
        assert predicted == pytest.approx(expected) if target == "pay" else predicted == expected
    if target != "pay":
        told = result(capsys, *arguments, "--proba")
        names = [name for name in told if name.startswith("probability of ")]
        assert names == [f"probability of {label}" for label in model.classes_]
        assert sum(told[name][0] for name in names) == pytest.approx(1)
