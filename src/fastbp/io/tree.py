"""`pack` and `unpack`: plain values as one safetensors file.

A tree is made of None, booleans, numbers, text, bytes, lists, tuples, dicts, arrays and NumPy's
scalars. Arrays and bytes are stored as they are, under the path that leads to them
("network.weights.0"); all the rest is one JSON text beside them. What JSON has no word for is an
object with one name: ``{"$tuple": [...]}``; see `_Encoder` and `DECODERS`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._printable import printable, shortened
from .._version import __version__
from .container import (
    NAMES,
    UnreadableFileError,
    is_shape,
    parse_json,
    read_metadata,
    read_tensors,
    write_tensors,
)

FORMAT = 1  # raised when files change so that older versions of fastbp cannot read them
KEY = "fastbp"  # of the metadata
MAX_LEVELS = 64
JSON_LEVELS = 3 * MAX_LEVELS + 3  # a dict is a list of pairs in an object; the outermost object
MAX_NAME = 200
WHOLE = 2**63  # numbers beyond it are texts: other readers of JSON would round them
# Of arrays and scalars that are stored as another dtype. No object, no structure, no long double.
DTYPE = re.compile(
    r"[?]|[|<](?:b1|[iu][1248]|f[248]|c8|c16|[SU]\d{1,9}|"
    r"[mM]8(?:\[(?:[1-9]\d{0,8})?(?:Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?)"
)
PLAIN = (str, int, float, bool, type(None))  # what arrays of objects may hold


def pack(tree: Any) -> bytearray:
    """Return a tree as the content of a safetensors file.

    Parameters
    ----------
    tree : None, bool, int, float, str, bytes, list, tuple, dict, ndarray or NumPy scalar
        Lists, tuples and dicts of these. Arrays are of any dtype but structures and long doubles;
        those of objects hold text, whole numbers, floats, booleans and None.

    Returns
    -------
    bytearray

    Raises
    ------
    TypeError
        For anything else; names the path that leads to it.
    ValueError
        For what is nested in more than `MAX_LEVELS` levels, such as a list that holds itself.
    """
    encoder = _Encoder()
    content = {"format": FORMAT, "version": __version__, "tree": encoder.encode(tree, ())}
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return write_tensors(encoder.tensors, {KEY: text})


def unpack(data: Any) -> Any:
    """Return the tree in a file that `pack` made.

    Parameters
    ----------
    data : bytes or other buffer
        Arrays are views on it if it can be written to, such as a bytearray; else copies. No two of
        them share memory.

    Returns
    -------
    The tree. Arrays are C-contiguous and of native byte order.

    Raises
    ------
    UnreadableFileError
        If it is no such file, a damaged one, or one of a newer version of fastbp.
    """
    tensors, metadata = read_tensors(data)
    decoder = _Decoder(tensors)
    tree = decoder.decode(_tree_in(metadata))
    decoder.check_all_used()
    return tree


def undecoded(head: bytes) -> Any:
    """Return the tree of a file whose `head_of` this is, as JSON has it: of arrays the names.

    Raises
    ------
    UnreadableFileError
        As `unpack` does, if what is wrong shows there.
    """
    return _tree_in(read_metadata(head))


def _tree_in(metadata: dict[str, str]) -> Any:
    if KEY not in metadata:
        raise UnreadableFileError("it was not written by fastbp")
    content = parse_json(metadata[KEY], "its description", JSON_LEVELS)
    if type(content) is not dict or type(content.get("format")) is not int:
        raise UnreadableFileError("it is damaged: its description has no format")
    if content["format"] > FORMAT:
        writer = shortened(printable(str(content.get("version"))), 40)
        raise UnreadableFileError(
            f"it was written by fastbp {writer} in format {content['format']}, and fastbp "
            f"{__version__} reads formats up to {FORMAT}: install a newer fastbp"
        )
    if content["format"] < 1 or "tree" not in content:
        raise UnreadableFileError("it is damaged: its description has no content")
    return content["tree"]


class _Encoder:
    """Turns a tree into what JSON holds, and arrays to be stored beside it."""

    def __init__(self) -> None:
        self.tensors: dict[str, NDArray[Any]] = {}

    def encode(self, value: Any, path: tuple[Any, ...]) -> Any:
        """Return a value as JSON holds it."""
        if len(path) > MAX_LEVELS:
            raise ValueError(f"{_text_of(path[:4])} is nested in more than {MAX_LEVELS} levels")
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return value
        if kind is int:
            return value if -WHOLE <= value < WHOLE else {"$int": hex(value)}
        if kind is float:
            return value if math.isfinite(value) else {"$float": repr(value)}
        if kind is list or kind is tuple:
            items = [self.encode(item, (*path, i)) for i, item in enumerate(value)]
            return items if kind is list else {"$tuple": items}
        if kind is dict:
            return self._dict(value, path)
        if kind is bytes or kind is bytearray:
            return {"$bytes": self._store(np.frombuffer(value, np.uint8), path)}
        if kind is np.ndarray or kind is np.memmap:
            return self._array(value, path)
        if isinstance(value, np.generic):
            return self._scalar(value, path)
        raise _cannot_be_stored(value, path)

    def _dict(self, value: dict[Any, Any], path: tuple[Any, ...]) -> dict[str, Any]:
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: self.encode(item, (*path, key)) for key, item in value.items()}
        pairs = [
            [self._key(key, path), self.encode(item, (*path, key))] for key, item in value.items()
        ]
        return {"$dict": pairs}

    def _key(self, key: Any, path: tuple[Any, ...]) -> Any:
        if isinstance(key, tuple):
            return {"$tuple": [self._key(one, (*path, i)) for i, one in enumerate(key)]}
        if isinstance(key, (*PLAIN, np.generic)):
            return self.encode(key, path)
        raise _cannot_be_stored(key, path)

    def _array(self, array: NDArray[Any], path: tuple[Any, ...]) -> dict[str, Any]:
        if array.dtype.kind == "O":
            values = [self._item(item, path) for item in array.ravel().tolist()]
            return {"$objects": [list(array.shape), values]}
        dtype = array.dtype.newbyteorder("<")
        if not DTYPE.fullmatch(dtype.str):
            raise _cannot_be_stored(array, path, f"an array of dtype {array.dtype}")
        if not dtype.itemsize:  # texts without characters, of which there is no memory
            dtype = np.dtype(f"{dtype.str[:2]}1")
        plain = np.asarray(array, dtype, order="C")  # a file is a copy
        if dtype in NAMES:
            return {"$array": self._store(plain, path)}
        return {"$array": [self._store(_as_numbers(plain), path), dtype.str, list(plain.shape)]}

    def _item(self, value: Any, path: tuple[Any, ...]) -> Any:
        if not isinstance(value, (*PLAIN, np.generic)):
            raise _cannot_be_stored(value, path)
        return self.encode(value, path)

    def _scalar(self, value: np.generic, path: tuple[Any, ...]) -> dict[str, Any]:
        array = np.asarray(value)
        dtype = array.dtype.newbyteorder("<")
        if not DTYPE.fullmatch(dtype.str):
            raise _cannot_be_stored(value, path)
        return {"$scalar": [dtype.str, array.astype(dtype).tobytes().hex()]}

    def _store(self, array: NDArray[Any], path: tuple[Any, ...]) -> str:
        """Store an array under the path that leads to it, or one like it."""
        plain = name = ".".join(map(_name_in_path, path))[:MAX_NAME] or "value"
        while name in self.tensors:
            name = f"{plain}~{len(self.tensors)}"
        self.tensors[name] = array
        return name


def _name_in_path(key: Any) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", str(key))


def _text_of(path: tuple[Any, ...]) -> str:
    """Return a path as a reader would write it: ``parameters.callbacks[0]``."""
    text = ""
    for key in path:
        text += f".{key}" if isinstance(key, str) else f"[{key!r}]"
    return shortened(printable(text.lstrip(".")), 200) or "the value"


def _cannot_be_stored(value: Any, path: tuple[Any, ...], what: str | None = None) -> TypeError:
    what = what or f"an object of type {type(value).__name__}"
    return TypeError(
        f"{_text_of(path)} cannot be stored: {what}; files hold numbers, text, lists, tuples, "
        "dicts and arrays of these"
    )


def _as_numbers(array: NDArray[Any]) -> NDArray[Any]:
    """Return the memory of an array of text, dates or complex numbers as an array of numbers."""
    kind, flat = array.dtype.kind, array.reshape(-1)
    return flat.view({"U": "<u4", "S": "u1", "m": "<i8", "M": "<i8"}.get(kind, _part_of(array)))


def _part_of(array: NDArray[Any]) -> str:
    return f"<f{array.dtype.itemsize // 2}"


class _Decoder:
    """Turns what JSON holds, and arrays, into a tree."""

    def __init__(self, tensors: dict[str, NDArray[Any]]) -> None:
        self.tensors, self.taken = tensors, set[str]()

    def decode(self, value: Any) -> Any:
        """Return the value that stands for this in JSON."""
        if type(value) is list:
            return [self.decode(item) if type(item) in (list, dict) else item for item in value]
        if type(value) is not dict:
            return value
        if not any(key.startswith("$") for key in value):
            return {key: self.decode(item) for key, item in value.items()}
        ((kind, content),) = value.items() if len(value) == 1 else (("two names", None),)
        if kind not in DECODERS:
            raise UnreadableFileError(f"it is damaged: nothing is called {_shown(kind)}")
        try:
            return DECODERS[kind](self, content)
        except UnreadableFileError:
            raise
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise UnreadableFileError(f"it is damaged: {kind} cannot be {_shown(error)}") from None

    def as_tuple(self, content: Any) -> tuple[Any, ...]:
        """Return a tuple."""
        return tuple(self.decode(_typed(content, list)))

    def as_dict(self, content: Any) -> dict[Any, Any]:
        """Return a dict whose keys are no texts."""
        pairs = [(self.decode(key), self.decode(item)) for key, item in _typed(content, list)]
        if 2 * len({hash(key) for key, _ in pairs}) < len(pairs):  # which would take hours
            raise UnreadableFileError("it is damaged: keys are alike")
        found = dict(pairs)
        if len(found) != len(pairs):
            raise UnreadableFileError("it is damaged: a key stands there twice")
        return found

    def as_int(self, content: Any) -> int:
        """Return a large whole number, of hexadecimal digits, which take no time to read."""
        if not re.fullmatch(r"-?0x[0-9a-f]+", _typed(content, str)):
            raise UnreadableFileError(f"it is damaged: $int cannot be {_shown(content)}")
        return int(content, 16)

    def as_float(self, content: Any) -> float:
        """Return a float that is not finite."""
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content]

    def as_bytes(self, content: Any) -> bytes:
        """Return bytes."""
        raw = self._take(content)
        if raw.dtype != np.uint8 or raw.ndim != 1:
            raise TypeError("numbers")
        return raw.tobytes()

    def as_array(self, content: Any) -> NDArray[Any]:
        """Return an array that can be written to."""
        if type(content) is str:
            array = self._take(content)
        else:
            name, dtype, shape = _typed(content, list)
            array = _of_numbers(self._take(name), _dtype_of(dtype), shape)
        native = array.dtype.newbyteorder("=")
        is_own = array.flags.writeable and array.flags.aligned and array.dtype == native
        return array if is_own else np.array(array, native)

    def as_objects(self, content: Any) -> NDArray[Any]:
        """Return an array of objects."""
        shape, values = _typed(content, list)
        items = [self.decode(value) for value in _typed(values, list)]
        if not all(isinstance(item, (*PLAIN, np.generic)) for item in items):
            raise TypeError("an array of such objects")
        array: NDArray[Any] = np.empty(len(items), object)
        array[:] = items
        return array.reshape(_shape_of(shape, len(items)))

    def as_scalar(self, content: Any) -> Any:
        """Return a scalar of NumPy's."""
        name, digits = _typed(content, list)
        raw = np.frombuffer(bytes.fromhex(digits), np.uint8)
        dtype = _dtype_of(name)
        if len(raw) != dtype.itemsize:
            raise TypeError(f"of {len(raw)} bytes")
        if dtype.kind == "b" and raw[0] > 1:
            raise TypeError("a boolean")
        if dtype.kind == "U":
            _check_characters(raw.view("<u4"))
        array = raw.view(dtype) if dtype.itemsize else np.zeros(1, dtype)
        return array.astype(dtype.newbyteorder("="))[0]

    def _take(self, name: Any) -> NDArray[Any]:
        """Return an array that nothing else in the tree has."""
        if _typed(name, str) in self.taken:
            raise UnreadableFileError(f"it is damaged: array {_shown(name)} is used twice")
        self.taken.add(name)
        return self.tensors[name]

    def check_all_used(self) -> None:
        """Refuse arrays that are nowhere in the tree."""
        left = self.tensors.keys() - self.taken
        if left:
            raise UnreadableFileError(f"it is damaged: array {_shown(min(left))} belongs nowhere")


DECODERS: dict[str, Callable[[_Decoder, Any], Any]] = {
    "$tuple": _Decoder.as_tuple,
    "$dict": _Decoder.as_dict,
    "$int": _Decoder.as_int,
    "$float": _Decoder.as_float,
    "$bytes": _Decoder.as_bytes,
    "$array": _Decoder.as_array,
    "$objects": _Decoder.as_objects,
    "$scalar": _Decoder.as_scalar,
}


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"of {type(value).__name__}")
    return value


def _shown(value: Any) -> str:
    return shortened(printable(str(value)), 60)


def _dtype_of(name: Any) -> np.dtype[Any]:
    if not DTYPE.fullmatch(_typed(name, str)):
        raise TypeError(f"of dtype {_shown(name)}")
    dtype: np.dtype[Any] = np.dtype(name)
    return dtype


def _shape_of(shape: Any, size: int, itemsize: int = 8) -> tuple[int, ...]:
    """Return a shape of so many items."""
    if not is_shape(shape, itemsize) or math.prod(shape) != size:
        raise TypeError(f"of shape {_shown(shape)}")
    return tuple(shape)


def _of_numbers(numbers: NDArray[Any], dtype: np.dtype[Any], shape: Any) -> NDArray[Any]:
    """Return the array of text, dates or complex numbers whose memory these numbers are."""
    if dtype in NAMES:
        raise TypeError(f"of dtype {dtype}")
    if (
        not dtype.itemsize
        or numbers.ndim != 1
        or numbers.dtype != _as_numbers(np.empty(0, dtype)).dtype
    ):
        raise TypeError(f"of dtype {dtype}")
    if dtype.kind == "U":
        _check_characters(numbers)
    array = numbers.view(dtype)
    return array.reshape(_shape_of(shape, array.size, dtype.itemsize))


def _check_characters(numbers: NDArray[Any]) -> None:
    if numbers.size and numbers.max() > 0x10FFFF:
        raise UnreadableFileError("it is damaged: a number stands for no character")
