"""The comparison on streams runs, judges alike, and writes what it found."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("river", reason="streams come with river")

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.machine import THREAD_VARIABLES  # noqa: E402
from benchmarks.streams import models, picture, report, scores, sources  # noqa: E402
from benchmarks.streams.__main__ import main  # noqa: E402
from benchmarks.tables.datasets import CLASSES, NUMBERS, Unavailable  # noqa: E402

SOURCES = [*sources.COMPARED, *sources.HELD_BACK]
ALL = {**models.BASELINES, **models.MODELS}
pytestmark = pytest.mark.filterwarnings("ignore")  # of models that have seen few rows


def small(name, n_rows=40):
    source = next(one for one in SOURCES if one.name == name)
    return sources.stream(source, n_rows)


def score(stream, model, *values, kind=CLASSES, seconds=1e-6):
    return scores.Score(stream, kind, (10, 2), model, values, (seconds,) * len(values))


@pytest.mark.parametrize("source", SOURCES, ids=lambda one: one.name)
def test_a_stream_is_the_same_every_time_and_has_named_features(source):
    first, again = sources.stream(source, 50), sources.stream(source, 50)
    assert first == again
    assert len(first.rows) == 50
    for x, y in first.rows:
        assert x
        assert all(isinstance(name, str) for name in x)
        assert isinstance(y, (int, float)) if source.kind == NUMBERS else y in first.classes


def test_fifteen_streams_are_compared_of_which_five_are_held_back():
    assert (len(sources.COMPARED), len(sources.HELD_BACK)) == (10, 5)
    assert len({one.name for one in SOURCES}) == 15


def test_a_stream_that_turns_reverses_its_classes_after_4000_rows():
    options = {"seed": 3, "classification_function": 0}
    reverse = {"seed": 3, "classification_function": 1}
    rows = list(sources.turned("Sine", options, reverse))
    assert len(rows) == 8000
    for (x, y), (same_x, other_y) in zip(rows[:4000], rows[4000:], strict=True):
        assert x == same_x
        assert y != other_y


def test_without_river_a_stream_is_left_out_with_a_reason(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "river.datasets", None)
    monkeypatch.setitem(sys.modules, "river", None)
    assert list(sources.streams(sources.COMPARED[:1])) == []
    assert "Phishing is left out" in capsys.readouterr().out
    with pytest.raises(Unavailable):
        sources.stream(sources.COMPARED[0])


def test_text_is_a_column_for_each_value():
    assert sources.numbers({"a": 2, "word": "yes", "b": True}) == {"a": 2, "b": 1, "word=yes": 1}
    assert "3=red" in small("Mv, with text").columns


@pytest.mark.parametrize("stream", ["Bananas", "LED", "ChickWeights", "Mv, with text"])
@pytest.mark.parametrize("name", ALL)
def test_every_model_predicts_and_learns_text_classes_and_numbers(name, stream):
    if name not in models.BASELINES and not models.version(name):
        pytest.skip(f"{models.package(name)} is not installed")
    result = scores.run(small(stream), ALL[name], seed=0)
    if result is None:
        assert name == "naive Bayes"
        assert small(stream).kind == NUMBERS
        return
    value, seconds = result
    assert 0 <= value < 1e6
    assert seconds > 0


def test_rows_are_predicted_before_they_are_learned():
    class Tape:
        def __init__(self, stream, seed):
            self.calls = []

        def predict_one(self, x):
            self.calls.append(("predict", x))
            return True

        def learn_one(self, x, y):
            assert self.calls[-1] == ("predict", x)
            self.calls.append(("learn", x))

    rows = [({"a": 0}, True), ({"a": 1}, False), ({"a": 2}, True), ({"a": 3}, True)]
    value, _ = scores.run(sources.Stream("s", CLASSES, rows), Tape, 0)
    assert value == 0.75


def test_baselines_are_the_target_before_and_the_most_frequent_one_or_the_mean():
    classes = sources.Stream("s", CLASSES, [({"a": 0}, y) for y in "aaabba"])
    numbers = sources.Stream("s", NUMBERS, [({"a": 0}, y) for y in (1.0, 2.0, 6.0)])
    assert scores.run(classes, models.Last, 0)[0] == pytest.approx(3 / 6)
    assert scores.run(classes, models.Mean, 0)[0] == pytest.approx(3 / 6)
    assert scores.run(numbers, models.Last, 0)[0] == pytest.approx((1 + 1 + 4) / 3)
    assert scores.run(numbers, models.Mean, 0)[0] == pytest.approx((1 + 1 + 4.5) / 3)


def test_known_results_are_taken_up_and_new_ones_are_added(tmp_path):
    stream = small("Bananas")
    makers = {name: ALL[name] for name in (models.LAST, "linear")}
    known = {"Bananas": {"linear": {"scores": [0.9], "seconds": [1.0], "version": "river 1"}}}
    results = scores.measured(stream, makers, 1, known)
    assert [one.mean for one in results if one.model == "linear"] == [0.9]
    assert set(known["Bananas"]) == {"linear", models.LAST}
    scores.write(tmp_path / "known.json", known)
    again = scores.measured(stream, makers, 1, scores.read(tmp_path / "known.json"))
    assert again == results


def test_equal_models_share_their_places_and_baselines_have_none():
    results = [score("a", "linear", 0.5), score("a", "k neighbours", 0.5), score("a", "fastbp", 1)]
    results += [score("a", models.LAST, 1.0)]
    results += [score("b", name, n, kind=NUMBERS) for n, name in enumerate(("fastbp", "linear"))]
    expected = {"linear": [2.5, 2], "k neighbours": [2.5], "fastbp": [1, 1]}
    assert scores.ranks(results) == expected


def test_streams_where_fastbp_is_behind_are_named():
    results = [score("a", "fastbp", 0.5), score("a", "linear", 0.6)]
    results += [score("b", "fastbp", 2.0, kind=NUMBERS), score("b", "linear", 3.0, kind=NUMBERS)]
    text = report.comparison(results)
    assert "ahead of all of river's models on 1 of 2 streams" in text
    assert "behind on: a (0.500; linear 0.600)." in text


def test_the_best_model_is_in_bold_but_no_baseline():
    row = [score("a", models.LAST, 0.9), score("a", "fastbp", 0.5, 0.7), score("a", "linear", 0.6)]
    (line,) = [line for line in report.table(row, 2).splitlines() if line.startswith("| a ")]
    assert line == "| a | 10 x 2 | accuracy | 0.900 | **0.600** ± 0.14 | **0.600** |"


def test_the_page_has_a_place_for_every_part_and_shows_the_picture():
    page = (ROOT / "docs" / report.PAGE).read_text(encoding="utf-8")
    for part in ("compared", "held_back", "models"):
        assert page.count(f"<!-- {part} -->") == page.count(f"<!-- end of {part} -->") == 1
    assert picture.FILE in page


def test_the_picture_shows_every_model_that_has_all_streams(tmp_path):
    results = [score("a", name, 0.7) for name in ALL]
    results += [score("b", name, 2.0, kind=NUMBERS) for name in ALL if name != "naive Bayes"]
    text = picture.write(tmp_path, results).read_text(encoding="utf-8")
    for name in models.MODELS:
        assert name in text
    assert models.LAST not in text


@pytest.mark.parametrize("arguments", [["--seeds", "0"], ["--only", "LED", "--docs", "docs"]])
def test_arguments_that_make_no_sense_are_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert "error: " in capsys.readouterr().err


def test_the_command_prints_and_keeps_what_it_measured(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sources, "COMPARED", [sources.real("ChickWeights", NUMBERS)])
    monkeypatch.setattr(sources, "HELD_BACK", [])
    for name in THREAD_VARIABLES:
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr("benchmarks.streams.__main__.pin", lambda all_cores: None)
    file = tmp_path / "known.json"
    main(["--model", "linear", "--known", str(file)])
    printed = capsys.readouterr().out
    assert "| ChickWeights | 578 x 3 | mean error | 31.5 | 50.3 | **23.8** |" in printed
    assert "| linear | 1 | 1.00 | - |" in printed
    assert set(scores.read(file)["ChickWeights"]) == {*models.BASELINES, "linear"}


def test_the_time_of_a_row_is_measured_for_each_kind(monkeypatch):
    from benchmarks.streams import rows

    monkeypatch.setattr(rows, "N_ROWS", 30)
    monkeypatch.setattr(rows, "ROUNDS", 1)
    table = rows.table().splitlines()
    assert len(table) == 2 + 5
    assert all(float(line.split("|")[2]) > 0 for line in table[2:])
