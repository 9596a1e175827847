"""Tables as text, for the tests: in many dialects, encodings and states of disrepair."""

import csv
import dataclasses
import gzip
import io
import random

NAMES = ["temp", "city", "sold"]
WITH_UMLAUT = ["größe", "city", "sold"]


def rows(n=60, seed=0):
    """Rows of a number, a city and an answer."""
    draw = random.Random(seed)
    return [
        [
            f"{draw.uniform(0, 30):.2f}",
            draw.choice(["Bern", "Genf", "Chur"]),
            draw.choice(["ja", "nein"]),
        ]
        for _ in range(n)
    ]


def text_of(table, names=NAMES, delimiter=",", end="\n", **options):
    """A table as CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, **options)
    writer.writerows([names, *table] if names else table)
    return text.getvalue()


@dataclasses.dataclass
class Case:
    """A file, and what it holds; ``refused`` says a part of the sentence that refuses it."""

    content: bytes
    names: list = dataclasses.field(default_factory=lambda: NAMES)
    rows: list = dataclasses.field(default_factory=rows)
    note: str = ""
    refused: str = ""
    suffix: str = ".csv"
    has_names: bool = True


def changed(column, function):
    """The rows with a column changed by a function of the value and the number of the row."""
    return [
        [*row[:column], function(row[column], i), *row[column + 1 :]]
        for i, row in enumerate(rows())
    ]


COMMAS = changed(0, lambda value, i: value.replace(".", ","))
UMLAUTS = changed(1, lambda value, i: value.replace("Genf", "Zürich 5 €"))
LATIN = changed(1, lambda value, i: value.replace("Genf", "Zürich"))
QUOTED = changed(1, lambda value, i: f'{value}, "CH"')
NEWLINES = changed(1, lambda value, i: f"{value}\nSchweiz")
WORDS = changed(1, lambda value, i: ["None", "NA", "Mild"][i % 3])
ZEROS = changed(0, lambda value, i: ["007", "07", "7"][i % 3])
CODES = changed(0, lambda value, i: str(9007199254740992 + i % 3))
THOUSANDS = changed(0, lambda value, i: f"{1000 + i * 37:,}")
INCHES = changed(1, lambda value, i: f'{value} 5" pipe')
HASHES = changed(0, lambda value, i: f"#{i % 7:02}")
TIMES = changed(0, lambda value, i: f"2024-01-{i % 28 + 1:02} 12:{i % 60:02}:00")
SLASHES = [["1.5", "/~č", "ġw/I¦Ğs1Ī"], ["X", "ġw/I", "-1.2e-275"], ["102", "42", "7.1e+16"]] * 3
LETTERS = changed(1, lambda value, i: f"Dear {value}, we sold; yes, | no")
LATE = [["1.0", "Bern", "ja"]] * 20_000 + [["1.5", "Zürich", "nein"]] * 20
PLAIN = text_of(rows())
EXCEL = [[str(i), str(i * 7), str(i % 9), "yes"] for i in range(60)]
TWO = [[row[0], row[0]] for row in COMMAS]


def cases():
    """Every case by its name."""
    lines = PLAIN.splitlines(keepends=True)
    return {
        "plain": Case(PLAIN.encode()),
        "semicolons, decimal commas": Case(text_of(COMMAS, delimiter=";").encode(), rows=COMMAS),
        "decimal commas, two columns": Case(
            text_of(TWO, ["a", "b"], ";").encode(), ["a", "b"], TWO
        ),
        "tabs": Case(text_of(rows(), delimiter="\t").encode()),
        "pipes": Case(text_of(rows(), delimiter="|").encode()),
        "quoted newlines": Case(text_of(NEWLINES).encode(), rows=NEWLINES),
        "quoted commas and quotes": Case(text_of(QUOTED).encode(), rows=QUOTED),
        "byte order mark": Case(PLAIN.encode("utf-8-sig")),
        "UTF-16": Case(
            text_of(LATIN, WITH_UMLAUT, "\t").encode("utf-16"),
            WITH_UMLAUT,
            LATIN,
            note="text: utf-16, such as 'größe'",
        ),
        "UTF-16 without a mark": Case(
            text_of(LATIN, WITH_UMLAUT).encode("utf-16-le"), WITH_UMLAUT, LATIN, note="utf-16-le"
        ),
        "UTF-16, the other way round": Case(
            text_of(LATIN, WITH_UMLAUT).encode("utf-16-be"), WITH_UMLAUT, LATIN, note="utf-16-be"
        ),
        "Windows-1252": Case(
            text_of(UMLAUTS, WITH_UMLAUT, ";").encode("cp1252"),
            WITH_UMLAUT,
            UMLAUTS,
            note="text: cp1252, such as 'größe' (--encoding for another)",
        ),
        "Latin-1": Case(text_of(LATIN, WITH_UMLAUT, ";").encode("latin-1"), WITH_UMLAUT, LATIN),
        "an umlaut late in Windows-1252": Case(
            text_of(LATE).encode("cp1252"), rows=LATE, note="such as 'Zürich'"
        ),
        "sep=;": Case(b"sep=;\n" + text_of(COMMAS, delimiter=";").encode(), rows=COMMAS),
        "sep=; and other line ends": Case(
            b"sep=;\r\n" + text_of(COMMAS, delimiter=";", end="\r\n").encode(), rows=COMMAS
        ),
        "comments before the names": Case(
            b"# exported 2024-01-01\n# all rows, of all\n" + PLAIN.encode(),
            note="names: in line 3; 2 lines skipped",
        ),
        "a comment as wide as the table": Case(b"# one, two, three\n" + PLAIN.encode()),
        "a blank line before the names": Case(b"\n" + PLAIN.encode()),
        "a title before the names": Case(b"Sales report 2024\n\n" + PLAIN.encode()),
        "a title as wide as the table": Case(b"Sales report 2024,,\n" + PLAIN.encode()),
        "a title with a quoted line end": Case(b'"Sales\nreport"\n\n' + PLAIN.encode()),
        "rows that end in a delimiter": Case(
            text_of([[*row, ""] for row in rows()]).encode(), note="end in a delimiter"
        ),
        "short rows": Case(
            text_of([row[:2] if i % 9 == 8 else row for i, row in enumerate(rows())]).encode(),
            refused="line 10 of file.csv has 2 fields, and the line of names has 3",
        ),
        "a long row": Case(
            text_of([[*row, "x"] if i == 30 else row for i, row in enumerate(rows())]).encode(),
            refused="line 32 of file.csv has 4 fields, and the line of names has 3",
        ),
        "a row of totals": Case(
            (PLAIN + "Total: 60 rows\n").encode(), refused="line 62 of file.csv has 1 field"
        ),
        "rows without names": Case(
            text_of(rows(), None).encode(), ["column 1", "column 2", "column 3"], has_names=False
        ),
        "rows without names that end in a delimiter": Case(
            text_of([[*row, ""] for row in rows()], None).encode(),
            [f"column {i}" for i in range(1, 5)],
            [[*row, ""] for row in rows()],
            has_names=False,
        ),
        "one column": Case(
            text_of([row[:1] for row in rows()], NAMES[:1]).encode(),
            NAMES[:1],
            [row[:1] for row in rows()],
        ),
        "a name twice": Case(
            text_of(rows(), ["city", "city", "sold"]).encode(),
            ["city", "city.1", "sold"],
            note="names: city occurs more than once; the next is called city.1",
        ),
        "a column without a name": Case(
            text_of([[str(i), *row] for i, row in enumerate(rows())], ["", *NAMES]).encode(),
            ["Unnamed: 0", *NAMES],
            [[str(i), *row] for i, row in enumerate(rows())],
        ),
        "names that are numbers": Case(
            text_of(EXCEL, ["2019", "2020", "2021", "2022"]).encode(),
            ["2019", "2020", "2021", "2022"],
            EXCEL,
        ),
        "names in quotes with delimiters": Case(
            text_of(
                EXCEL, ["Age, in years", "Income, EUR, net", "Height, cm", "buys"], ";"
            ).encode(),
            ["Age, in years", "Income, EUR, net", "Height, cm", "buys"],
            EXCEL,
        ),
        "CRLF": Case(text_of(rows(), end="\r\n").encode()),
        "CR": Case(text_of(rows(), end="\r").encode()),
        "empty lines at the end": Case((PLAIN + "\n\n\n").encode()),
        "empty lines between": Case(text_of(rows(), end="\n\n").encode()),
        "thousands separators": Case(text_of(THOUSANDS).encode(), rows=THOUSANDS),
        "a NUL byte": Case(
            "".join([*lines[:30], "\0", *lines[30:]]).encode(), refused="a NUL byte in line 31"
        ),
        "gzip": Case(gzip.compress(PLAIN.encode())),
        "gzip with its ending": Case(gzip.compress(PLAIN.encode()), suffix=".csv.gz"),
        "the words None and NA": Case(text_of(WORDS).encode(), rows=WORDS),
        "leading zeros": Case(text_of(ZEROS).encode(), rows=ZEROS),
        "codes beyond 2**53": Case(text_of(CODES).encode(), rows=CODES),
        "spaces behind delimiters": Case(PLAIN.replace(",", ", ").encode()),
        "everything quoted": Case(text_of(rows(), delimiter=";", quoting=csv.QUOTE_ALL).encode()),
        "single quotes": Case(
            text_of(QUOTED, quotechar="'").encode(), rows=QUOTED, note="quotes: '"
        ),
        "escaped quotes": Case(
            text_of(QUOTED, doublequote=False, escapechar="\\").encode(),
            rows=QUOTED,
            note="have a \\ before them",
        ),
        "slashes that look like escapes": Case(text_of(SLASHES).encode(), rows=SLASHES),
        "times with colons": Case(text_of(TIMES).encode(), rows=TIMES),
        "letters in tabs": Case(text_of(LETTERS, delimiter="\t").encode(), rows=LETTERS),
        "values that begin with #": Case(text_of(HASHES).encode(), rows=HASHES),
        "lone quotes": Case(
            "".join(
                [
                    lines[0],
                    *(
                        line.replace(",ja", ' 5" pipe,ja').replace(",nein", ' 5" pipe,nein')
                        for line in lines[1:]
                    ),
                ]
            ).encode(),
            rows=INCHES,
        ),
        "a quote that is never closed": Case(
            PLAIN.replace("Bern", '"Bern', 1).encode(), refused="a quote is opened and never closed"
        ),
        "text behind a quote": Case(
            PLAIN.replace("Bern", '"Bern" x', 1).encode(), refused="text follows a closing quote"
        ),
        "a zip archive": Case(b"PK\x03\x04\x00\x00", refused="a zip archive or a workbook"),
        "nothing": Case(b"", refused="is empty"),
        "a mark and nothing": Case(b"\xef\xbb\xbf\n", refused="is empty"),
        "names alone": Case(b"temp,city,sold\n", refused="has no rows"),
    }
