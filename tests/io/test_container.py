"""Files of arrays: what other libraries read and write, and what is refused of damaged ones."""

import io
import json
import struct
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from fastbp.io.container import (
    ALIGNMENT,
    DTYPES,
    head_of,
    read_metadata,
    read_tensors,
    write_tensors,
)

LIMIT = settings(max_examples=60, deadline=None)
TENSORS = st.dictionaries(
    st.text(max_size=5).filter(lambda name: name != "__metadata__"),
    st.sampled_from(list(DTYPES.values())).flatmap(
        lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, min_side=0, max_side=4))
    ),
    max_size=4,
)
TEXTS = st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3)
ENTRY = {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]}


def file_of(header, content=b"\0" * 16):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


@LIMIT
@given(TENSORS, TEXTS)
def test_what_was_written_is_read(tensors, metadata):
    file = write_tensors(tensors, metadata)
    found, texts = read_tensors(file)
    same(found, tensors)
    assert texts == metadata == read_metadata(head_of(io.BytesIO(file)))


@LIMIT
@given(TENSORS, TEXTS)
def test_safetensors_reads_what_was_written(tensors, metadata):
    same(safetensors.numpy.load(bytes(write_tensors(tensors, metadata))), tensors)


@LIMIT
@given(TENSORS, TEXTS)
def test_what_safetensors_writes_is_read(tensors, metadata):
    data = safetensors.numpy.save(tensors, metadata or None)
    found, texts = read_tensors(data)
    same(found, tensors)
    assert texts == metadata


def test_arrays_are_aligned_views_that_can_be_written_to_where_the_file_can():
    tensors = {"a": np.ones(3, np.uint8), "b": np.ones(5), "c": np.ones(5, np.float32)}
    file = write_tensors(tensors, {})
    assert (8 + struct.unpack("<Q", file[:8])[0]) % ALIGNMENT == 0
    found, _ = read_tensors(file)
    assert all(array.flags.aligned and array.flags.writeable for array in found.values())
    found, _ = read_tensors(bytes(file))
    assert not any(array.flags.writeable for array in found.values())


def test_arrays_of_another_order_of_bytes_or_of_memory_are_stored_plainly():
    array = np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3))
    found, _ = read_tensors(write_tensors({"a": array}, {}))
    np.testing.assert_array_equal(found["a"], array)


@pytest.mark.parametrize("dtype", [object, "U3", complex, np.longdouble, "M8[s]"])
def test_other_types_are_refused_by_name(dtype):
    with pytest.raises(ValueError, match="a cannot be stored: an array of dtype"):
        write_tensors({"a": np.zeros(2, dtype)}, {})


HUGE = 2**61
DAMAGED = {
    "nothing": b"",
    "a few bytes": b"abc",
    "another format": b"PK\3\4" + b"\0" * 60,
    "an empty header": file_of(b""),
    "a header that is a list": file_of(b"[]"),
    "a header that is longer than the file": struct.pack("<Q", 99) + b"{}",
    "a header of 2**64 - 1 bytes": b"\xff" * 8 + b"{}",
    "text that is no JSON": file_of(b"{]"),
    "text that is no UTF-8": file_of(b'{"\xff": 1}'),
    "a list in a list in a list": file_of(b'{"a":' + b"[" * 10**5 + b"}"),
    "a string that does not end": file_of(b'{"a":"' + rb"\"" * 10**5),
    "a constant of JavaScript": file_of(b'{"a": NaN}'),
    "a number of thousands of digits": file_of(b'{"a": 1' + b"0" * 5000 + b"}"),
    "a name twice": file_of(b'{"a":' + json.dumps(ENTRY).encode() + b', "a": 1}'),
    "metadata that are no texts": file_of({"__metadata__": {"a": 1}}, b""),
    "an entry that is a number": file_of({"a": 1}),
    "an entry with another name": file_of({"a": {**ENTRY, "more": 1}}),
    "an unknown dtype": file_of({"a": {**ENTRY, "dtype": "BF16"}}),
    "a dtype that is a list": file_of({"a": {**ENTRY, "dtype": []}}),
    "a negative size": file_of({"a": {**ENTRY, "shape": [-2]}}),
    "a size that is a float": file_of({"a": {**ENTRY, "shape": [2.0]}}),
    "a size that is true": file_of({"a": {**ENTRY, "shape": [True, 2]}}),
    "sizes whose product overflows": file_of({"a": {**ENTRY, "shape": [HUGE, 8, 2]}}),
    "a huge array without numbers": file_of(
        {"a": {**ENTRY, "shape": [HUGE, 0], "data_offsets": [0, 0]}}, b""
    ),
    "many dimensions": file_of({"a": {**ENTRY, "shape": [2, *[1] * 40]}}),
    "one place": file_of({"a": {**ENTRY, "data_offsets": [0]}}),
    "three places": file_of({"a": {**ENTRY, "data_offsets": [0, 16, 16]}}),
    "a place that is too small": file_of({"a": {**ENTRY, "data_offsets": [0, 8]}}),
    "a place outside": file_of({"a": {**ENTRY, "data_offsets": [16, 32]}}),
    "a place that is cut off": file_of({"a": ENTRY}, b"\0" * 15),
    "bytes at the end": file_of({"a": ENTRY}, b"\0" * 17),
    "arrays that overlap": file_of({"a": ENTRY, "b": ENTRY}),
    "a gap": file_of({"a": {**ENTRY, "data_offsets": [8, 24]}}, b"\0" * 24),
    "a boolean of 2": file_of(
        {"a": {"dtype": "BOOL", "shape": [2], "data_offsets": [0, 2]}}, b"\1\2"
    ),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_files_are_refused_by_a_sentence(what):
    data = DAMAGED[what]
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"^it (is|has)") as caught:
        read_tensors(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200
    assert peak < 50_000 + 10 * len(data)


def test_every_truncation_of_a_file_is_refused():
    file = bytes(write_tensors({"a": np.arange(3.0), "b": np.ones(3, bool)}, {"text": "some"}))
    for length in range(len(file)):
        with pytest.raises(ValueError, match=r"^it is"):
            read_tensors(file[:length])
