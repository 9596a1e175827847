"""Plain values in a file: the same come back, and nothing else is stored or read."""

import contextlib
import json
import math

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from fastbp.io.container import read_tensors, write_tensors
from fastbp.io.tree import FORMAT, MAX_LEVELS, pack, unpack

LIMIT = settings(max_examples=100, deadline=None)
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(max_size=9),
    st.integers(min_value=-(2**200), max_value=2**200),
)  # fmt: skip
DTYPES = st.one_of(
    npst.boolean_dtypes(), npst.integer_dtypes(), npst.unsigned_integer_dtypes(),
    npst.floating_dtypes(sizes=(16, 32, 64)), npst.complex_number_dtypes(sizes=(64, 128)),
    npst.unicode_string_dtypes(), npst.byte_string_dtypes(), npst.datetime64_dtypes(),
    npst.timedelta64_dtypes(),
)  # fmt: skip
ARRAYS = DTYPES.flatmap(
    lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, min_side=0, max_side=3))
)
OBJECTS = npst.arrays(
    object,
    npst.array_shapes(min_side=0, max_side=3),
    elements=st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.floats()),
)
SCALARS = DTYPES.flatmap(lambda dtype: npst.arrays(dtype, 1)).map(lambda array: array[0])
KEYS = st.one_of(st.text(), st.integers(), st.booleans(), st.tuples(st.text(), st.none()))
TREES = st.recursive(
    st.one_of(PLAIN, ARRAYS, OBJECTS, SCALARS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(KEYS, inner, max_size=3),
    ),
    max_leaves=12,
)


def check_same(found, expected):
    """Compare trees to the bit and to the type."""
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key, value in expected.items():
            check_same(found[key], value)
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            check_same(one, other)
    elif isinstance(expected, np.ndarray):
        assert found.shape == expected.shape
        assert found.flags.writeable or not found.size
        if expected.dtype.kind == "O":
            return check_same(found.ravel().tolist(), expected.ravel().tolist())
        assert found.dtype == expected.dtype.newbyteorder("=")
        assert found.tobytes() == expected.astype(found.dtype).tobytes()
    elif isinstance(expected, np.generic):
        assert found.dtype == expected.dtype.newbyteorder("=")
        assert found.tobytes() == expected.tobytes()
    elif isinstance(expected, float) and math.isnan(expected):
        assert math.isnan(found)
    else:
        assert found == expected
        assert math.copysign(1, found) == math.copysign(1, expected) if found == 0.0 else True


@LIMIT
@given(TREES)
def test_what_was_packed_is_unpacked(tree):
    packed = pack(tree)
    check_same(unpack(bytes(packed)), tree)
    check_same(unpack(packed), tree)


@LIMIT
@given(TREES)
def test_every_tree_is_a_file_that_safetensors_reads(tree):
    safetensors.numpy.load(bytes(pack(tree)))


def test_arrays_stand_under_the_path_that_leads_to_them():
    tree = {"network": {"weights": [np.ones(2), np.zeros(3)]}, "a b": {"c": np.ones(1)}}
    tensors = safetensors.numpy.load(bytes(pack(tree)))
    assert set(tensors) == {"network.weights.0", "network.weights.1", "a_b.c"}


def test_arrays_whose_paths_look_alike_have_names_of_their_own():
    tree = {"a b": np.ones(1), "a.b": np.zeros(1), "x" * 300: np.ones(2), "x" * 301: np.ones(3)}
    check_same(unpack(pack(tree)), tree)


def test_what_is_unpacked_shares_no_memory():
    array = np.ones(3)
    first, second = unpack(pack([array, array]))
    first[:] = 2
    assert second.tolist() == [1, 1, 1]


class Text(str):
    pass


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"parameters": {"callbacks": [print]}}, r"^parameters.callbacks\[0\] cannot be stored: "),
        ({"a": Text("b")}, "^a cannot be stored: an object of type Text;"),
        ({"a": np.zeros(2, [("b", int)])}, "^a cannot be stored: an array of dtype"),
        ({"a": np.zeros(2, np.longdouble)}, "^a cannot be stored: an array of dtype"),
        ({"a": np.ma.ones(2)}, "^a cannot be stored: an object of type MaskedArray;"),
        ({"a": np.array([1, [2]], object)}, "^a cannot be stored: an object of type list;"),
        ({frozenset(): 1}, "^the value cannot be stored: an object of type frozenset;"),
        ({1, 2}, "^the value cannot be stored: an object of type set;"),
    ],
)
def test_other_objects_are_refused_by_the_path_that_leads_to_them(tree, message):
    with pytest.raises(TypeError, match=message):
        pack(tree)


def test_what_holds_itself_is_refused():
    tree = []
    tree.append(tree)
    with pytest.raises(ValueError, match="nested in more than 64 levels"):
        pack(tree)


@pytest.mark.parametrize("inner", [lambda tree: [tree], lambda tree: {1: tree}])
def test_the_deepest_tree_that_is_written_is_read(inner):
    tree = 0
    for _ in range(MAX_LEVELS):
        tree = inner(tree)
    assert unpack(pack(tree)) == tree
    with pytest.raises(ValueError, match="nested"):
        pack(inner(tree))


# -- damaged files ---------------------------------------------------------------------------------


def file_with(tree, tensors=None, **others):
    text = json.dumps({"format": FORMAT, "version": "1.0", "tree": tree, **others})
    return write_tensors(tensors or {}, {"fastbp": text})


NUMBERS = {"a": np.arange(4, dtype=np.uint32)}


@pytest.mark.parametrize(
    ("tree", "tensors"),
    [
        ({"$what": 1}, {}),
        ({"$tuple": [], "more": 1}, {}),
        ({"$tuple": 1}, {}),
        ({"$int": "1"}, {}),
        ({"$int": ["0x1"]}, {}),
        ({"$float": "1e5"}, {}),
        ({"$float": []}, {}),
        ({"$dict": [[1]]}, {}),
        ({"$dict": [[[], 1]]}, {}),
        ({"$dict": [[1, 1], [1, 2]]}, {}),
        ({"$dict": [[k * (2**61 - 1), 0] for k in range(1, 4)]}, {}),
        ({"$bytes": "b"}, {}),
        ({"$bytes": "a"}, NUMBERS),
        ({"$array": "b"}, NUMBERS),
        ({"$array": 1}, NUMBERS),
        ([{"$array": "a"}, {"$array": "a"}], NUMBERS),
        (1, NUMBERS),
        ({"$array": ["a", "<U2"]}, NUMBERS),
        ({"$array": ["a", "<U2", [3]]}, NUMBERS),
        ({"$array": ["a", "<U3", [1]]}, NUMBERS),
        ({"$array": ["a", "<U0", [4]]}, NUMBERS),
        ({"$array": ["a", "O", [4]]}, NUMBERS),
        ({"$array": ["a", "V4", [4]]}, NUMBERS),
        ({"$array": ["a", "<u4", [4]]}, NUMBERS),
        ({"$array": ["a", "<M8[D]", [4]]}, NUMBERS),
        ({"$array": ["a", "<U999999999", [0]]}, NUMBERS),
        ({"$array": ["a", "<U1", [1]]}, {"a": np.array([0x110000], np.uint32)}),
        ({"$objects": [[2], [1]]}, {}),
        ({"$objects": [[-1], [1]]}, {}),
        ({"$objects": [[1], [[1]]]}, {}),
        ({"$scalar": ["<f8", "00"]}, {}),
        ({"$scalar": ["<f8", "no"]}, {}),
        ({"$scalar": ["?", "02"]}, {}),
        ({"$scalar": ["O", "0000000000000000"]}, {}),
        ({"$scalar": ["<U1", "ffffffff"]}, {}),
    ],
)
def test_damaged_trees_are_refused_by_a_sentence(tree, tensors):
    with pytest.raises(ValueError, match=r"^it is damaged") as caught:
        unpack(file_with(tree, tensors))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_file_of_a_newer_version_says_so():
    with pytest.raises(ValueError, match=r"written by fastbp 9.1 in format 2.*newer fastbp$"):
        unpack(file_with(1, format=2, version="9.1"))


@pytest.mark.parametrize("others", [{"format": 0}, {"format": "1"}, {"format": True}])
def test_a_format_that_never_was_is_refused(others):
    with pytest.raises(ValueError, match=r"^it is damaged"):
        unpack(file_with(1, **others))


def test_a_file_of_another_program_is_refused():
    with pytest.raises(ValueError, match=r"^it was not written by fastbp$"):
        unpack(safetensors.numpy.save({"a": np.ones(2)}))


def test_every_changed_byte_gives_a_tree_or_a_sentence():
    tree = {"a": np.arange(3.0), "b": (1, "two"), "c": np.array(["x", "yz"]), 4: 2**70}
    file = bytes(pack(tree))
    random = np.random.default_rng(0)
    for place in range(len(file)):
        changed = bytearray(file)
        changed[place] ^= random.integers(1, 256)
        with contextlib.suppress(ValueError):
            unpack(changed)


def test_the_description_can_be_read_as_json():
    _, metadata = read_tensors(pack({"loss": "log_loss", "epochs": [1.5]}))
    content = json.loads(metadata["fastbp"])
    assert content["tree"] == {"loss": "log_loss", "epochs": [1.5]}
