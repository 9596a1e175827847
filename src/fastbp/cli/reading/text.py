"""`TextFile`: a file of text, its compression and its encoding."""

from __future__ import annotations

import bz2
import codecs
import dataclasses
import gzip
import io
import lzma
import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ..._printable import printable
from ..console import UserError

BLOCK = 1 << 20
ALMOST_ALL_NUL = 0.8  # share of the bytes at odd or even places in UTF-16 of mostly ASCII
COMPRESSIONS: dict[bytes, tuple[str, Callable[..., Any]]] = {
    b"\x1f\x8b": ("gzip", gzip.open),
    b"BZh": ("bz2", bz2.open),
    b"\xfd7zXZ\x00": ("xz", lzma.open),
}
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive or a workbook of Excel: unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "a workbook of an old Excel: save the sheet as CSV",
    b"PAR1": "a Parquet file: give it a name that ends in .parquet",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: unpack it",
    b"SQLite format 3": "a database of SQLite: write the table to a CSV file",
}
UNREADABLE = (OSError, EOFError, lzma.LZMAError, zlib.error)


@dataclasses.dataclass(frozen=True)
class TextFile:
    """A file of text.

    Attributes
    ----------
    path : Path
    encoding : str
        As Python and pandas call it.
    compression : str or None
        "gzip", "bz2" or "xz".
    example : str
        A word that shows whether the encoding is right, where the file does not tell it.
    """

    path: Path
    encoding: str
    compression: str | None = None
    example: str = ""

    @contextmanager
    def opened(self) -> Iterator[io.TextIOWrapper]:
        """Open the file as text, line ends as they are."""
        with _opened(self.path) as binary:
            yield io.TextIOWrapper(binary, encoding=self.encoding, newline="")


def text_file(path: Path, encoding: str | None = None) -> TextFile:
    """Return what text a file holds.

    A mark at the beginning decides, then zeros at every other byte (UTF-16); else the whole file is
    UTF-8, or it is taken for Windows-1252.

    Raises
    ------
    UserError
        If it cannot be read, or is not text.
    """
    check_is_file(path)
    with errors_of_reading(path):
        compression = _compression(path)
        with _opened(path) as file:
            head = file.read(BLOCK)
        for start, what in OTHER_FORMATS.items():
            if head.startswith(start):
                raise UserError(f"{path} is {what}")
        if not head.strip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n"):
            raise UserError(f"{path} is empty")
        found = encoding or _encoding_of_head(head) or _encoding_of_blocks(path)
        return TextFile(path, found, compression, _check_decodes(path, found))


def check_is_file(path: Path) -> None:
    """Refuse what is no file that can be read twice."""
    if not os.path.exists(path):
        pipes = ": only fastbp stream reads pipes" if str(path) == "-" else ""
        raise UserError(f"there is no file {path}{pipes}")
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder; give the path of a CSV or Parquet file")
    if not os.path.isfile(path):
        raise UserError(f"{path} is no regular file: write what it holds to one, and give its path")


@contextmanager
def errors_of_reading(path: Path) -> Iterator[None]:
    """Turn the errors of files that are damaged into the user's."""
    try:
        yield
    except UNREADABLE as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise UserError(f"{path} cannot be read: {reason}") from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with open(path, "rb") as file:
        head = file.read(6)
    for start, (_, opener) in COMPRESSIONS.items():
        if head.startswith(start):
            with opener(path, "rb") as file:
                yield file
            return
    with open(path, "rb") as file:
        yield file


def _compression(path: Path) -> str | None:
    with open(path, "rb") as file:
        head = file.read(6)
    return next((name for start, (name, _) in COMPRESSIONS.items() if head.startswith(start)), None)


def _encoding_of_head(head: bytes) -> str | None:
    for mark, name in MARKS.items():
        if head.startswith(mark):
            return name
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        places = head[first:4096:2]
        others = head[1 - first : 4096 : 2]
        if len(places) > 1 and places.count(0) > ALMOST_ALL_NUL * len(places) and 0 not in others:
            return name
    return None


def _encoding_of_blocks(path: Path) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with _opened(path) as file:
        try:
            while block := file.read(BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _check_decodes(path: Path, encoding: str) -> str:
    """Refuse text that is none in this encoding; return a word that only it makes what it is."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError:
        raise UserError(f"there is no encoding {encoding!r}; try for instance latin-1") from None
    example = ""
    n_lines = 1
    with _opened(path) as file:
        while block := file.read(BLOCK):
            try:
                text = decoder.decode(block)
            except UnicodeError:
                raise UserError(
                    f"{path} is neither UTF-8 nor Windows-1252: say what it is with --encoding, "
                    "for instance --encoding cp1251"
                    if encoding == "cp1252"
                    else f"{path} is not text in {encoding}; leave --encoding out, or name another"
                ) from None
            if "\0" in text:
                line = n_lines + text[: text.index("\0")].count("\n")
                raise UserError(
                    f"{path} has a NUL byte in line {line:,}: it is damaged, or not text at all"
                )
            n_lines += text.count("\n")
            if not example and not text.isascii():
                example = "".join(re.findall(r"[^\s,;|\"]*[^\x00-\x7f][^\s,;|\"]*", text)[:1])
    return printable(example[:40])
