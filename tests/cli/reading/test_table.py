"""Files in all dialects are read right, or refused by a sentence; never a shifted column."""

import contextlib
import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written import cases, text_of

from fastbp.cli.console import UserError
from fastbp.cli.reading.table import read_table

CASES = cases()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test runs in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def as_they_stand(name, column):
    """Leave all values as they stand in the file."""
    return True


def run_code(table):
    """The frame that the table's program makes."""
    names = {"pd": pd}
    exec("\n".join(table.code(table.columns)), names)
    return names["frame"]


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_read_right_or_refused(name):
    case = CASES[name]
    path = Path(f"file{case.suffix}")
    path.write_bytes(case.content)
    wanted = case.names[-1:] if case.has_names else []
    if case.refused:
        with pytest.raises(UserError) as refusal:
            read_table(path, wanted)
        assert case.refused in str(refusal.value)
        return
    table = read_table(path, wanted, leave_text=as_they_stand, has_names=case.has_names)
    assert list(table.columns) == list(table.frame.columns) == case.names
    assert table.frame.values.tolist() == case.rows
    assert case.note in " ".join(table.notes)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.refused])
def test_the_program_of_a_table_reads_the_same(name):
    case = CASES[name]
    path = Path(f"file{case.suffix}")
    path.write_bytes(case.content)
    table = read_table(path, case.names[-1:], has_names=case.has_names)
    pd.testing.assert_frame_equal(run_code(table), table.frame, check_dtype=False)


def test_without_known_names_the_line_of_names_is_the_first_of_the_width_of_the_table():
    for name in ("comments before the names", "a title before the names", "sep=;"):
        Path("file.csv").write_bytes(CASES[name].content)
        assert list(read_table(Path("file.csv")).columns) == ["temp", "city", "sold"]


def test_a_value_that_is_called_as_the_wanted_column_is_no_line_of_names():
    Path("file.csv").write_text("a,b\n1,y\n2,z\n3,y\n")
    assert list(read_table(Path("file.csv"), ["y"]).columns) == ["a", "b"]
    Path("file.csv").write_text(",a,b\n0,1,y\n1,2,z\n2,3,y\n")
    assert list(read_table(Path("file.csv"), ["y"]).columns) == ["Unnamed: 0", "a", "b"]


def test_an_encoding_that_is_named_is_used():
    rows = [["Москва", "1"], ["Тверь", "2"]] * 5
    Path("file.csv").write_bytes(text_of(rows, ["город", "y"]).encode("cp1251"))
    table = read_table(Path("file.csv"), ["y"], encoding="cp1251")
    assert list(table.columns) == ["город", "y"]
    assert "text: cp1252, such as 'ãîðîä'" in read_table(Path("file.csv"), ["y"]).notes[0]
    for encoding, said in (("cp9999", "no encoding 'cp9999'"), ("utf-8", "is not text in utf-8")):
        with pytest.raises(UserError, match=said):
            read_table(Path("file.csv"), ["y"], encoding=encoding)
    Path("file.csv").write_bytes(text_of(rows, ["Бор", "y"]).encode("cp866"))
    with pytest.raises(UserError, match="neither UTF-8 nor Windows-1252: say what it is with"):
        read_table(Path("file.csv"), ["y"])


# -- files that are none ---------------------------------------------------------------------


def test_what_is_no_file_is_named(folder):
    for path, said in ((Path("none.csv"), "there is no file none.csv"), (folder, "is a folder")):
        with pytest.raises(UserError, match=said):
            read_table(path)
    with pytest.raises(UserError, match="there is no file xxx"):
        read_table(Path("x" * 300))


@pytest.mark.parametrize("start", [b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"])
def test_damaged_archives_are_refused(start):
    Path("file.csv.gz").write_bytes(start + b"damaged" * 9)
    with pytest.raises(UserError, match=r"file\.csv\.gz cannot be read: "):
        read_table(Path("file.csv.gz"))


# -- Parquet ---------------------------------------------------------------------------------


def test_columns_of_parquet_become_numbers_and_text():
    frame = pd.DataFrame(
        {
            "whole": [1, 2, 3],
            "gap": pd.array([3, None, 4], dtype="Int64"),
            "truth": [True, False, True],
            "infinite": [1.0, np.inf, np.nan],
            "code": [2**53 + 1, 2**53, 2**53 + 3],
            "when": pd.to_datetime(["1970-01-02T00:00", None, "1970-01-03T12:00"]),
            "zone": pd.to_datetime(["1970-01-02T00:00+00:00"] * 3),
            "time": pd.to_timedelta(["36h", None, "24h"]),
            "text": ["a", None, "NA"],
            "kind": pd.Categorical(["b", "c", "b"]),
        }
    )
    frame.to_parquet("file.parquet")
    table = read_table(Path("file.parquet"))
    expected = {
        "whole": [1, 2, 3],
        "gap": [3, np.nan, 4],
        "truth": [1, 0, 1],
        "infinite": [1, np.nan, np.nan],
        "when": [1, np.nan, 2.5],
        "zone": [1, 1, 1],
        "time": [1.5, np.nan, 1],
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(table.frame[name].to_numpy(float), values)
    assert table.frame["code"].tolist() == [str(2**53 + 1), str(2**53), str(2**53 + 3)]
    assert table.frame["text"].tolist() == ["a", "", "NA"]
    assert table.columns["text"].gap_words == ("NA",)
    pd.testing.assert_frame_equal(run_code(table), table.frame, check_dtype=False)


def test_broken_parquet():
    Path("file.parquet").write_bytes(b"PAR1 and then nothing of the kind")
    with pytest.raises(UserError, match=r"file\.parquet cannot be read"):
        read_table(Path("file.parquet"))


# -- random tables ---------------------------------------------------------------------------

TEXT = st.text(
    st.one_of(
        st.sampled_from(",;|\t\"' \nabc019.-#"),
        st.characters(codec="utf-8", exclude_characters="\r\0", exclude_categories=["Cs", "Cc"]),
    ),
    max_size=12,
)
VALUE = st.one_of(TEXT, st.integers().map(str), st.floats(allow_nan=False).map(repr))
NAME = st.text("abcdefgh äöü,;_-", min_size=1, max_size=8).map(str.strip).filter(bool)


@st.composite
def tables(draw):
    """A table, and the text and encoding of a file with it."""
    width = draw(st.integers(2, 5))
    names = draw(st.lists(NAME, min_size=width, max_size=width, unique=True))
    row = st.lists(VALUE, min_size=width, max_size=width)
    rows = draw(st.lists(row, min_size=1, max_size=12))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    text = text_of(
        rows,
        names,
        draw(st.sampled_from(",;\t|")),
        draw(st.sampled_from(["\n", "\r\n"])),
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])),
    )
    return names, rows, text.encode(encoding)


def without_spaces(rows):
    return [[value.lstrip(" ") for value in row] for row in rows]


@settings(max_examples=60, deadline=None)
@given(tables())
def test_random_tables_are_read_back_or_refused(table):
    names, rows, content = table
    Path("random.csv").write_bytes(content)
    try:
        read = read_table(Path("random.csv"), names, leave_text=as_they_stand)
    except UserError:
        return
    assert list(read.columns) == names
    # Spaces behind a delimiter are left out, but those in quotes are not.
    assert without_spaces(read.frame.values.tolist()) == without_spaces(rows)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_are_read_or_refused_in_one_sentence(content):
    Path("random.csv").write_bytes(content)
    with contextlib.suppress(UserError):
        table = read_table(Path("random.csv"))
        assert len(table.frame) >= 1
        assert list(table.frame.columns) == list(table.columns)
