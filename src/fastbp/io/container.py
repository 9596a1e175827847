"""`write_tensors` and `read_tensors`: the safetensors format, arrays and texts in one file.

Eight bytes say how long the header is; the header is a JSON object that says of each array what
type and shape it has and where it lies; behind it are the arrays, as they are in memory. Nothing in
such a file is run, and everything in it is checked before any memory is taken for it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .._printable import printable, shortened

ALIGNMENT = 64  # bytes, of the first array; the others follow by size, so that each is aligned
MAX_HEADER = 100_000_000  # bytes, as in other readers of the format
MAX_DIMENSIONS = 32  # of an array of NumPy 1
MAX_SIZE = 2**62  # of a dimension, whose products are checked
LENGTH = 8  # bytes, of the header's length
METADATA = "__metadata__"
PEEK = 1000  # bytes, that tell what another file is
EMPTY = ": it is empty"
STARTS = {
    b"PK\x03\x04": "a zip archive, or a workbook of Excel",
    b"PAR1": "a Parquet file",
    **{bytes([0x80, protocol]): "a pickle, as pickle and joblib write" for protocol in range(2, 6)},
}
DTYPES = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"), "I8": np.dtype("i1"),
    "U16": np.dtype("<u2"), "I16": np.dtype("<i2"), "F16": np.dtype("<f2"),
    "U32": np.dtype("<u4"), "I32": np.dtype("<i4"), "F32": np.dtype("<f4"),
    "U64": np.dtype("<u8"), "I64": np.dtype("<i8"), "F64": np.dtype("<f8"),
}  # fmt: skip
NAMES = {dtype: name for name, dtype in DTYPES.items()}
# One that does not end, too: the search would begin again behind each of its quotation marks.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKET = re.compile(r"[\[{\]}]")


class UnreadableFileError(ValueError):
    """What is wrong with a file, as a sentence about "it"."""


def write_tensors(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> bytearray:
    """Return a file with these arrays and texts.

    Parameters
    ----------
    tensors : mapping of str to ndarray
        Of booleans, whole numbers or floats of at most 8 bytes.
    metadata : mapping of str to str

    Raises
    ------
    ValueError
        For an array of another dtype.
    """
    arrays = {name: _as_stored(name, array) for name, array in tensors.items()}
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    header: dict[str, Any] = {METADATA: dict(metadata)} if metadata else {}
    end = 0
    for name in order:
        begin, end = end, end + arrays[name].nbytes
        header[name] = {
            "dtype": NAMES[arrays[name].dtype],
            "shape": list(arrays[name].shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-(LENGTH + len(text)) % ALIGNMENT)
    if len(text) > MAX_HEADER:
        raise ValueError(f"names and texts take {len(text):,} bytes; a file holds {MAX_HEADER:,}")
    file = bytearray(LENGTH + len(text) + end)
    file[: LENGTH + len(text)] = len(text).to_bytes(LENGTH, "little") + text
    place = np.frombuffer(file, np.uint8)[LENGTH + len(text) :]
    for name in order:
        begin, end = header[name]["data_offsets"]
        place[begin:end] = arrays[name].reshape(-1).view(np.uint8)
    return file


def _as_stored(name: str, array: NDArray[Any]) -> NDArray[Any]:
    dtype = array.dtype.newbyteorder("<")
    if dtype not in NAMES or name == METADATA:
        raise ValueError(f"{printable(name)} cannot be stored: an array of dtype {array.dtype}")
    return np.asarray(array, dtype, order="C")


def read_tensors(data: Any) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return the arrays and the texts of a file.

    Parameters
    ----------
    data : bytes, bytearray, mmap or other buffer
        The whole file.

    Returns
    -------
    tensors : dict of str to ndarray
        Views on ``data``, which can be written to if that can.
    metadata : dict of str to str

    Raises
    ------
    UnreadableFileError
        If it is no such file, or a damaged one.
    """
    whole = np.frombuffer(data, np.uint8)
    header, start = _header(whole)
    metadata = _metadata(header)
    content = whole[start:]
    ends = {name: _checked_entry(name, entry) for name, entry in header.items()}
    _check_order(ends, len(content))
    return {
        name: _tensor(name, content[begin:end], dtype, shape)
        for name, (begin, end, dtype, shape) in ends.items()
    }, metadata


def head_of(file: BinaryIO) -> bytes:
    """Read the beginning of a file, all of its header at least; `read_metadata` takes it."""
    head = file.read(PEEK)
    length = int.from_bytes(head[:LENGTH], "little")
    return head + file.read(length) if begins_like_tensors(head) else head


def read_metadata(head: bytes) -> dict[str, str]:
    """Return the texts of a file, as `read_tensors` does, from its beginning."""
    return _metadata(_header(np.frombuffer(head, np.uint8))[0])


def _metadata(header: dict[str, Any]) -> dict[str, str]:
    """Take the texts out of a header."""
    metadata: dict[str, str] = header.pop(METADATA, {})
    if type(metadata) is not dict or not all(type(text) is str for text in metadata.values()):
        raise UnreadableFileError(f"it is damaged: {METADATA} must hold texts")
    return metadata


def begins_like_tensors(head: bytes) -> bool:
    """Return whether the first nine bytes of a file may be those of one in this format."""
    length = int.from_bytes(head[:LENGTH], "little")
    return head[LENGTH : LENGTH + 1] == b"{" and 2 <= length <= MAX_HEADER


def _what_else(head: bytes) -> str:
    """Return what a file of another kind is, as far as its beginning tells."""
    for start, what in STARTS.items():
        if head.startswith(start):
            return f": it is {what}"
    text = head.decode("utf-8", "ignore")
    is_text = bool(text) and all(c.isprintable() or c.isspace() for c in text)
    return ": it is text, such as CSV" if is_text and b"\0" not in head else "" if head else EMPTY


def _header(whole: NDArray[np.uint8]) -> tuple[dict[str, Any], int]:
    """Return the header of a file, and where the arrays begin."""
    length = int.from_bytes(whole[:LENGTH].tobytes(), "little")
    if not begins_like_tensors(whole[: LENGTH + 1].tobytes()):
        raise UnreadableFileError(f"it is no model of fastbp{_what_else(whole[:PEEK].tobytes())}")
    if length > len(whole) - LENGTH:
        raise UnreadableFileError(
            f"it is cut off: its header has {length:,} bytes, and there are {len(whole) - LENGTH:,}"
        )
    header = parse_json(whole[LENGTH : LENGTH + length].tobytes(), "its header", most_levels=4)
    if type(header) is not dict:
        raise UnreadableFileError("it is damaged: its header is no JSON object")
    return header, LENGTH + length


def parse_json(text: bytes | str, what: str, most_levels: int) -> Any:
    """Return the value of a JSON text; refuse what is nested deeply, or names something twice.

    Raises
    ------
    UnreadableFileError
        That calls the text ``what``.
    """
    try:
        plain = text.decode("utf-8") if isinstance(text, bytes) else text
        _check_levels(plain, most_levels)
        return json.loads(plain, object_pairs_hook=_once, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UnreadableFileError(
            f"it is damaged: {what} cannot be read ({_brief(error)})"
        ) from None


def _brief(error: Exception) -> str:
    return shortened(printable(str(error)), 80)


def _check_levels(text: str, most: int) -> None:
    level = 0
    for bracket in _BRACKET.finditer(_STRING.sub("", text)):
        level += 1 if bracket.group() in "[{" else -1
        if level > most:
            raise ValueError(f"nested in more than {most} levels")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _checked_entry(name: str, entry: Any) -> tuple[int, int, np.dtype[Any], tuple[int, ...]]:
    """Return where an array begins and ends, its dtype and shape, which fit each other."""
    if type(entry) is not dict or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise UnreadableFileError(
            f"it is damaged: array {_named(name)} has no dtype, shape and place"
        )
    dtype, shape, place = entry["dtype"], entry["shape"], entry["data_offsets"]
    if type(dtype) is not str or dtype not in DTYPES:
        dtype = shortened(printable(str(dtype)), 20)
        raise UnreadableFileError(
            f"it has an array of a type that NumPy does not have: {_named(name)} of {dtype}"
        )
    if not is_shape(shape, DTYPES[dtype].itemsize) or not _are_sizes(place):
        raise UnreadableFileError(f"it is damaged: array {_named(name)} has no shape or place")
    if len(place) != 2 or place[1] - place[0] != math.prod(shape) * DTYPES[dtype].itemsize:
        raise UnreadableFileError(f"it is damaged: array {_named(name)} does not fit its place")
    return place[0], place[1], DTYPES[dtype], tuple(shape)


def is_shape(shape: Any, itemsize: int) -> bool:
    """Whether this is the shape of an array that NumPy can have; its memory may be too small."""
    if not _are_sizes(shape) or len(shape) > MAX_DIMENSIONS:
        return False
    n_bytes = itemsize * math.prod(size for size in shape if size)
    return bool(n_bytes < MAX_SIZE)


def _are_sizes(values: Any) -> bool:
    return type(values) is list and all(type(n) is int and 0 <= n < MAX_SIZE for n in values)


def _check_order(entries: Mapping[str, tuple[int, int, Any, Any]], length: int) -> None:
    """Refuse arrays that overlap, leave gaps or end elsewhere than the file."""
    place = 0
    for begin, end, name in sorted((entry[0], entry[1], name) for name, entry in entries.items()):
        if begin != place:
            raise UnreadableFileError(
                f"it is damaged: array {_named(name)} does not follow the one before"
            )
        place = end
    if place > length:
        raise UnreadableFileError(f"it is cut off: {length:,} bytes of {place:,} are there")
    if place < length:
        raise UnreadableFileError(
            f"it is damaged: {length - place:,} bytes at its end belong to no array"
        )


def _tensor(
    name: str, raw: NDArray[np.uint8], dtype: np.dtype[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    if dtype.kind == "b" and raw.size and raw.max() > 1:
        raise UnreadableFileError(f"it is damaged: array {_named(name)} must hold 0 and 1")
    return raw.view(dtype).reshape(shape)


def _named(name: str) -> str:
    return repr(shortened(printable(name), 60))
