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
        (".",): "cannot be read",
        ("latin.csv",): "is not text in utf-8-sig: name its encoding with --encoding",
        ("people.csv", "--encoding", "cp9999"): "cannot be read",
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
