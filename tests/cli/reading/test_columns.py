"""What columns of text are: numbers in all notations, dates, codes and text."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp.cli.reading.columns import (
    COMMA,
    DATES,
    ISO,
    NUMBERS,
    PLAIN,
    TEXT,
    THOUSANDS,
    Survey,
    columns_of,
    dates_of,
)


def column(values, **options):
    """What a column of these values is."""
    return Survey(pd.Series(list(values), dtype=str)).result(**options)


def days(values, date_format):
    """Dates as days since 1970."""
    dates = dates_of(pd.Series(values), date_format)
    return ((dates - pd.Timestamp(0)) / pd.Timedelta(days=1)).tolist()


@pytest.mark.parametrize(
    ("values", "notation", "expected"),
    [
        (["56,4", "-1.234,5", "7"], COMMA, [56.4, -1234.5, 7]),
        (["0,123", "1,234"], COMMA, [0.123, 1.234]),
        (["186902,0", "1 234,5"], COMMA, [186902, 1234.5]),
        (["1,234", "999", "1,234,567.5"], THOUSANDS, [1234, 999, 1234567.5]),
        (["1'234", "12"], THOUSANDS, [1234, 12]),
        (["1\u202f234", "12"], THOUSANDS, [1234, 12]),
        (["1,234", "2,345"], THOUSANDS, [1234, 2345]),
    ],
)
def test_notations_of_numbers(values, notation, expected):
    read = column(values)
    assert (read.kind, read.notation, read.n_unread) == (NUMBERS, notation, 0)
    np.testing.assert_allclose(notation.numbers(pd.Series(values)), expected)


def test_plain_numbers():
    for values in (["1.5e3", "2"], ["1.234", "2.345"], [" 1", "2 "], ["-.5", "+3."]):
        assert column(values).notation is PLAIN
        assert column(values).kind == NUMBERS


def test_the_code_of_a_notation_does_the_same():
    for notation, values in (
        (COMMA, ["56,4", "-1.234,5", "7", "1 234,5e-3"]),
        (THOUSANDS, ["1,234,567.5", "1'234", "-12"]),
    ):
        texts = pd.Series(values)
        made = pd.to_numeric(eval(notation.code("texts")))
        np.testing.assert_array_equal(made, notation.numbers(texts))


def test_a_column_of_decimal_commas_decides_for_the_whole_table():
    columns = {
        "y": [f"{i},5" for i in range(1, 40)],
        "a": [f"1,{100 + i}" for i in range(1, 40)],
        "b": [f"{1 + i}.000" for i in range(1, 40)],
        "c": [f"{i}.5" for i in range(1, 40)],
        "d": [str(i % 3 or "") for i in range(1, 40)],
    }
    read = list(columns_of(pd.DataFrame(columns, dtype=str), {}).values())
    assert [one.notation for one in read] == [COMMA, COMMA, COMMA, PLAIN, PLAIN]
    assert [one.n_unread for one in read] == [0] * 5
    assert column(columns["a"]).notation is THOUSANDS
    assert column(columns["b"]).notation is PLAIN


def test_points_that_no_grouping_explains_are_not_taken_out_beside_decimal_commas():
    read = column([*["1,5"] * 98, "0.25", "7.5"], has_decimal_comma=True)
    assert read.notation is COMMA
    assert (read.n_unread, set(read.unread)) == (2, {"0.25", "7.5"})
    assert column(["1,5", "0.25", "7.5", "3.5"]).kind == TEXT


@pytest.mark.parametrize(
    ("values", "date_format", "expected"),
    [
        (["1970-01-02", "1970-01-03T12:00"], ISO, [1, 2.5]),
        (["1970-01-02T00:00+00:00", "1970-01-02T02:00+02:00"], ISO, [1, 1]),
        (["3.2.2001", "31.12.1999"], "%d.%m.%Y", [11356, 10956]),
        (["03.02.2001 12:00", "31.12.1999 00:00"], "%d.%m.%Y %H:%M", [11356.5, 10956]),
        (["31/12/1999", "01/02/2000"], "%d/%m/%Y", [10956, 10988]),
        (["12/31/1999", "02/01/2000"], "%m/%d/%Y", [10956, 10988]),
        (["31 Dec 1999", "01 Feb 2000"], "%d %b %Y", [10956, 10988]),
        (["1999/12/31", "2000/02/01"], "%Y/%m/%d", [10956, 10988]),
    ],
)
def test_dates(values, date_format, expected):
    read = column(values)
    assert (read.kind, read.date_format, read.n_unread) == (DATES, date_format, 0)
    assert days(values, date_format) == expected


def test_dates_that_may_begin_with_the_month_are_said_to():
    assert column(["01/02/2000", "03/04/2000"]).is_ambiguous
    assert not column(["01/02/2000", "31/04/2000", "30/04/2000"]).is_ambiguous
    assert not column(["01.02.2000", "03.04.2000"]).is_ambiguous


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (["007", "07", "7"], "digits with leading zeros"),
        (["9007199254740993", "9007199254740992"], "whole numbers of more than 15 digits"),
        (["0123", "x1"], ""),
        (["a", "b"], ""),
        (["1", "b"], ""),
        (["3 kg", "4 kg"], ""),
        (["True", "False"], ""),
        (["\u20ac1,100", "\u20ac1,200"], ""),
    ],
)
def test_columns_that_are_text(values, why):
    read = column(values)
    assert (read.kind, read.why_text) == (TEXT, why)
    assert read.example in values


def test_fractions_that_begin_with_a_zero_are_numbers():
    for values in (["0.5", "0.75"], ["0,5", "00,5"], ["0", "-0", "1e05"], ["00.5", "1"]):
        assert column(values).kind == NUMBERS


def test_words_among_numbers_and_dates_count_as_missing_and_are_kept():
    read = column([*map(str, range(97)), "NA", "unknown", "inf"])
    assert (read.kind, read.n_unread) == (NUMBERS, 3)
    assert set(read.unread) == {"NA", "unknown", "inf"}
    read = column(["2001-02-03"] * 97 + ["?", "tomorrow"])
    assert (read.kind, read.n_unread) == (DATES, 2)
    assert column([*map(str, range(90)), *["NA"] * 10]).kind == TEXT


def test_gaps_and_words_that_may_be_gaps_are_counted():
    read = column(["NA", "ZA", "", " ", "None", "ZA"])
    assert (read.kind, read.n_gaps) == (TEXT, 2)
    assert read.gap_words == ("NA", "None")
    assert read.distinct == ("NA", "ZA", "None")
    assert column([""] * 5).n_gaps == 5


def test_a_kind_that_is_asked_for_is_given():
    values = ["007", "x", "2001-02-03"]
    assert column(values, kind=NUMBERS).unread == ("x", "2001-02-03")
    assert column(values, kind=DATES).n_unread == 2
    assert column(values, kind=TEXT).kind == TEXT


def test_distinct_values_are_counted_while_there_are_few():
    assert len(column(map(str, range(1000))).distinct) == 1000
    assert column(map(str, range(1001))).distinct is None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e9, 1e9), min_size=3))
def test_numbers_written_with_commas_are_read_back(numbers):
    values = [f"{x:,.3f}".translate(str.maketrans(",.", ".,")) for x in numbers]
    read = column(values, has_decimal_comma=True)
    assert read.notation is COMMA
    texts = pd.Series(values)
    np.testing.assert_allclose(read.notation.numbers(texts), np.round(numbers, 3), atol=1e-3)
