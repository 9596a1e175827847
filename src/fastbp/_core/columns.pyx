# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""Columns of a stream: what is known of each so far, and rows that list those they have."""
cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.math cimport fabs, isfinite, sqrt
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport qsort

import numpy as np

cimport numpy as cnp

cnp.import_array()


cdef double ALIKE = 1e-14       # of a mean: a spread that is smaller is that of rounding
cdef double LARGEST = 1e150     # larger values count as this, so that squares are numbers
cdef double TINY = 1e-150       # a spread below this has no square
cdef double FAR = 10            # spreads from the mean: values beyond it count as this far away,
cdef double FARTHEST = 1e9      # spreads that a target is away at most
cdef double FEW = 20            # once there were so many
cdef double BLOCK = 32          # values that are looked at on their own,
cdef double SQUEEZED = 64       # and how many times their spread that of all may be


cdef void update_column(Column *column, double value, double weight,
                        double memory) noexcept nogil:
    """Mean and variance with one more value (Welford, 1962), and how to scale by them.

    Of more than `memory` values the old ones count less and less, so that a drift is followed.
    """
    cdef double shift, most = LARGEST
    cdef double spread = sqrt(column.squares / column.weight) if column.weight > 0 else 0
    if column.weight >= FEW and spread > ALIKE * fabs(column.mean):
        most = min(LARGEST, FAR * spread)
    value = min(max(value, -LARGEST), LARGEST)
    shift = min(max(value - column.mean, -most), most)
    column.weight += weight
    column.squares += weight * shift * shift * (1 - weight / column.weight)
    column.mean += shift * (weight / column.weight)
    if column.weight > memory:
        column.squares *= memory / column.weight
        column.weight = memory
    set_scale(column)


cdef void set_scale(Column *column) noexcept nogil:
    """Scale by the moments of now."""
    cdef double spread = sqrt(column.squares / column.weight)
    column.center = column.mean
    column.factor = 1 / spread if spread > max(ALIKE * fabs(column.mean), TINY) else 0


cdef void update_target(Column *column, double value, double weight,
                        double memory) noexcept nogil:
    """`update_column`, but a few huge values among the first do not decide for long.

    Where the spread of all is many times that of a whole block of values, the block's is taken.
    """
    cdef double shift
    update_column(column, value, weight, memory)
    value = min(max(value, -LARGEST), LARGEST)
    shift = value - column.block_mean
    column.block_weight += weight
    column.block_squares += weight * shift * shift * (1 - weight / column.block_weight)
    column.block_mean += shift * (weight / column.block_weight)
    if column.block_weight < BLOCK:
        return
    if (column.squares / column.weight > SQUEEZED * SQUEEZED
            * column.block_squares / column.block_weight > 0):
        column.weight, column.mean = column.block_weight, column.block_mean
        column.squares = column.block_squares
        set_scale(column)
    column.block_weight = column.block_mean = column.block_squares = 0


cdef double scaled_target(const Column *column, double value) noexcept nogil:
    """The target in units of its column."""
    return min(max((value - column.center) * column.factor, -FARTHEST), FARTHEST)


cdef double scaled_value(const Column *column, double value, double limit) noexcept nogil:
    """The value in units of its column, between -limit and limit."""
    if not column.is_number:
        return value
    if column.factor == 0:          # all values so far are alike: it occurs, or not
        return value != 0
    return min(max((value - column.center) * column.factor, -limit), limit)


cdef Column *columns_of(cnp.ndarray array) except NULL:
    """The rows of an array of shape (n, NUMBERS_A_COLUMN)."""
    assert cnp.PyArray_DIM(array, 1) == NUMBERS_A_COLUMN and array.itemsize == sizeof(double)
    return <Column *> cnp.PyArray_DATA(array)


cdef frozenset PLAIN_NAMES = frozenset((str, int, float))


cdef uint64_t next_random(uint64_t *state) noexcept nogil:
    """SplitMix64 (Steele, Lea and Flood, 2014)."""
    cdef uint64_t x
    state[0] += <uint64_t> 0x9E3779B97F4A7C15
    x = state[0]
    x = (x ^ (x >> 30)) * <uint64_t> 0xBF58476D1CE4E5B9
    x = (x ^ (x >> 27)) * <uint64_t> 0x94D049BB133111EB
    return x ^ (x >> 31)


def draw_uniform(uint64_t seed, double bound, Py_ssize_t n):
    """An array of n random numbers between -bound and bound."""
    cdef cnp.ndarray out = np.empty(n)
    cdef Py_ssize_t i
    for i in range(n):
        (<double *> cnp.PyArray_DATA(out))[i] = bound * (
            (next_random(&seed) >> 11) * 2.0 ** -52 - 1)
    return out


cdef int by_column(const void *a, const void *b) noexcept nogil:
    """Order by column, and where names share one by the value."""
    cdef const Entry *one = <const Entry *> a
    cdef const Entry *other = <const Entry *> b
    if one.column != other.column:
        return one.column - other.column
    return (one.value > other.value) - (one.value < other.value)


@cython.final
cdef class RowReader:
    """Reads rows whose columns are all known; anything else is for Python to look at.

    Parameters
    ----------
    names : dict of name to column
    texts : dict of name to dict of text to column
    skips_gaps : bool
        Whether NaN and None count as left out.
    """

    def __init__(self, dict names not None, dict texts not None, bint skips_gaps):
        self.names, self.texts, self.skips_gaps = names, texts, skips_gaps

    def __dealloc__(self):
        PyMem_Free(self.row)

    def set_numbered(self, cnp.ndarray columns):
        """Take the columns of the names 0, 1, 2, ..: those of arrays."""
        self.numbered = columns

    cdef bint reserve(self, Py_ssize_t n) except False:
        """Make room for so many entries."""
        if n > self.room:
            n = max(16, 2 * n)
            row = <Entry *> PyMem_Realloc(self.row, n * sizeof(Entry))
            if row == NULL:
                raise MemoryError()
            self.row, self.room = row, n
        return True

    cdef bint add(self, int32_t column, double value) except False:
        self.reserve(self.n + 1)
        self.row[self.n].column, self.row[self.n].value = column, value
        self.n += 1
        return True

    cdef void sort(self) noexcept nogil:
        """Order the entries by column: sums do not depend on the order of names."""
        cdef Py_ssize_t p
        for p in range(1, self.n):
            if self.row[p].column <= self.row[p - 1].column:
                qsort(self.row, self.n, sizeof(Entry), by_column)
                return

    cdef bint read(self, object x, bint must_know) except -1:
        """Read a row; False leaves it to Python. Unknown names are skipped, or must be known."""
        cdef const char *data
        cdef int itemsize
        cdef Py_ssize_t i, n
        cdef double value
        self.n = 0
        if type(x) is dict:
            for name, item in (<dict> x).items():
                if not self.read_value(name, item, must_know):
                    return False
        elif (type(x) is list or type(x) is tuple) and self.numbered is not None:
            n = len(x)
            if n > self.numbered.shape[0]:
                return False
            for i in range(n):
                item = x[i]
                column = (<const int32_t *> cnp.PyArray_DATA(self.numbered))[i]
                if type(item) is not float and type(item) is not int or column < 0:
                    return False
                try:
                    value = item
                except OverflowError:
                    return False
                if not isfinite(value):
                    return False
                self.add(column, value)
        elif cnp.PyArray_CheckExact(x) and self.numbered is not None:
            array = <cnp.ndarray> x
            n, kind = cnp.PyArray_SIZE(array), cnp.PyArray_TYPE(array)
            if not (array.ndim == 1 and kind in (cnp.NPY_DOUBLE, cnp.NPY_FLOAT)
                    and cnp.PyArray_ISCARRAY_RO(array) and n <= self.numbered.shape[0]):
                return False
            data, itemsize = <const char *> cnp.PyArray_DATA(array), array.itemsize
            for i in range(n):
                value = (<const double *> data)[i] if itemsize == 8 else (<const float *> data)[i]
                column = (<const int32_t *> cnp.PyArray_DATA(self.numbered))[i]
                if not isfinite(value) or column < 0:
                    return False
                self.add(column, value)
        else:
            return False
        self.sort()
        return True

    cdef int read_value(self, object name, object value, bint must_know) except -1:
        """Add one entry; 0 leaves it to Python."""
        cdef double number
        if type(name) not in PLAIN_NAMES:       # which might run code of their own
            return False
        if isinstance(value, (float, int)):
            column = self.names.get(name)
            if column is None:
                return not must_know
            try:
                number = value
            except OverflowError:               # of a whole number of hundreds of digits
                return False
            if not isfinite(number):
                return self.skips_gaps and number != number
            return self.add(column, number)
        if isinstance(value, str):
            of_name = self.texts.get(name)
            column = None if of_name is None else (<dict> of_name).get(value)
            if column is None:
                return not must_know
            return self.add(column, 1)
        return value is None and self.skips_gaps


@cython.final
cdef class Table:
    """Rows side by side: numbers, and texts by their numbers.

    Parameters
    ----------
    values : ndarray of float64 of shape (n, n_values)
        NaN is a gap.
    codes : ndarray of int32 of shape (n, n_texts)
        Numbers of the texts of each column; a gap is -1.
    targets : ndarray of float64 of shape (n, n_targets), default=None
        Of classes the number of the output; -1 for a new one.
    weights : ndarray of float64 of shape (n,), default=None
    """

    def __init__(self, cnp.ndarray values not None, cnp.ndarray codes not None,
                 cnp.ndarray targets=None, cnp.ndarray weights=None):
        self.arrays = values, codes, targets, weights
        self.values = <const double *> cnp.PyArray_DATA(values)
        self.codes = <const int32_t *> cnp.PyArray_DATA(codes)
        self.n_values, self.n_texts = cnp.PyArray_DIM(values, 1), cnp.PyArray_DIM(codes, 1)
        if targets is not None:
            self.targets = <const double *> cnp.PyArray_DATA(targets)
        if weights is not None:
            self.weights = <const double *> cnp.PyArray_DATA(weights)

    def set_columns(self, cnp.ndarray of_values not None, cnp.ndarray of_texts not None,
                    cnp.ndarray text_starts not None):
        """Say which columns of the network values and texts belong to; those not known are -1.

        Of text number c in column j it is ``of_texts[text_starts[j] + c]``.
        """
        self.arrays = (*self.arrays[:4], of_values, of_texts, text_starts)
        self.value_columns = <const int32_t *> cnp.PyArray_DATA(of_values)
        self.text_columns = <const int32_t *> cnp.PyArray_DATA(of_texts)
        self.text_starts = <const int64_t *> cnp.PyArray_DATA(text_starts)

    cdef bint read_row(self, Py_ssize_t r, RowReader reader, bint must_know) noexcept nogil:
        """Read a row, for which the reader has room; False if a column is not known, but must."""
        cdef const double *values = self.values + r * self.n_values
        cdef const int32_t *codes = self.codes + r * self.n_texts
        cdef Py_ssize_t j
        reader.n = 0
        for j in range(self.n_values):
            if values[j] == values[j]:
                if not put(reader, self.value_columns[j], values[j]) and must_know:
                    return False
        for j in range(self.n_texts):
            if codes[j] >= 0:
                if (not put(reader, self.text_columns[self.text_starts[j] + codes[j]], 1)
                        and must_know):
                    return False
        reader.sort()
        return True


cdef inline bint put(RowReader reader, int32_t column, double value) noexcept nogil:
    """Add an entry to a row that has room; False for a column that is not known."""
    if column < 0:
        return False
    reader.row[reader.n].column, reader.row[reader.n].value = column, value
    reader.n += 1
    return True
