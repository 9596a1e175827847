# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""Rows of the past that a stream's model may learn again: the last ones, a sample of all, or both.
"""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy

import numpy as np

cimport numpy as cnp

from .columns cimport Entry, RowReader, next_random

cnp.import_array()


@cython.final
cdef class KeptRows:
    """A bounded number of rows.

    Parameters
    ----------
    n_last : int
        How many of the last rows are kept.
    n_sampled : int
        How many rows of a random sample of all (Vitter, 1985).
    n_targets : int
    """

    def __init__(self, Py_ssize_t n_last, Py_ssize_t n_sampled, Py_ssize_t n_targets):
        self.n_last, self.n_sampled, self.n_targets = n_last, n_sampled, n_targets
        self.rows = <KeptRow *> calloc(max(1, n_last + n_sampled), sizeof(KeptRow))
        if self.rows == NULL:
            raise MemoryError()

    def __dealloc__(self):
        cdef Py_ssize_t slot
        if self.rows != NULL:
            for slot in range(self.n_last + self.n_sampled):
                free(self.rows[slot].entries)
        free(self.rows)

    cdef void keep(self, const Entry *row, Py_ssize_t n, const double *targets, double weight,
                   uint64_t *random) noexcept nogil:
        """Keep a row; the first ones are a sample of themselves."""
        cdef int64_t slot = self.n_seen
        cdef int64_t room = self.n_last + self.n_sampled
        self.n_seen += 1
        if self.n_sampled > 0 and slot >= self.n_sampled:
            slot = <int64_t> (next_random(random) % <uint64_t> self.n_seen)
            if slot < self.n_sampled:
                self.put(slot, row, n, targets, weight)
        if self.n < room:
            self.put(self.n, row, n, targets, weight)
        elif self.n_last > 0:
            self.put(self.n_sampled + self.oldest, row, n, targets, weight)
            self.oldest = (self.oldest + 1) % self.n_last

    cdef void keep_last(self, Py_ssize_t n) noexcept nogil:
        """Forget all but the last n rows, if it is the last ones that are kept."""
        cdef KeptRow *sorted_rows
        cdef Py_ssize_t i, first = self.oldest if self.n == self.n_last else 0
        if self.n_sampled > 0 or self.n <= n:
            return
        sorted_rows = <KeptRow *> malloc(self.n * sizeof(KeptRow))
        if sorted_rows == NULL:                         # they are kept
            return
        for i in range(self.n):                         # the last ones first, but in their order
            sorted_rows[(i + n) % self.n] = self.rows[(first + i) % self.n]
        memcpy(self.rows, sorted_rows, self.n * sizeof(KeptRow))
        free(sorted_rows)
        self.n, self.oldest = n, 0

    cdef void put(self, Py_ssize_t slot, const Entry *row, Py_ssize_t n, const double *targets,
                  double weight) noexcept nogil:
        """Put a row into a slot, of those in use or the next one."""
        cdef KeptRow *kept = self.rows + slot
        cdef int64_t n_bytes = n * sizeof(Entry) + self.n_targets * sizeof(double)
        cdef Entry *entries
        if n_bytes > kept.n_bytes:
            entries = <Entry *> realloc(kept.entries, n_bytes)
            if entries == NULL:                         # it is not kept
                return
            kept.entries, kept.n_bytes = entries, n_bytes
        if n > 0:
            memcpy(kept.entries, row, n * sizeof(Entry))
        kept.targets = <double *> (kept.entries + n)
        memcpy(kept.targets, targets, self.n_targets * sizeof(double))
        kept.n, kept.weight = n, weight
        self.n, self.widest = max(self.n, slot + 1), max(self.widest, n)

    def clear(self):
        """Forget all rows."""
        self.n = self.oldest = self.n_seen = 0

    def forget_columns(self, cnp.ndarray forgotten not None):
        """Take columns out of all rows: where the array of uint8 is not 0."""
        cdef const uint8_t *is_forgotten = <const uint8_t *> cnp.PyArray_DATA(forgotten)
        cdef Py_ssize_t slot, p, n
        cdef Entry *entries
        for slot in range(self.n):
            entries, n = self.rows[slot].entries, 0
            for p in range(self.rows[slot].n):
                if not is_forgotten[entries[p].column]:
                    entries[n] = entries[p]
                    n += 1
            self.rows[slot].n = n

    def to_dict(self):
        """All rows, as arrays; for `load`."""
        cdef Py_ssize_t slot, p, n = 0
        cdef KeptRow *row
        for slot in range(self.n):
            n += self.rows[slot].n
        columns, values = np.empty(n, np.int32), np.empty(n)
        starts, weights = np.zeros(self.n + 1, np.int64), np.empty(self.n)
        targets = np.empty((self.n, self.n_targets))
        n = 0
        for slot in range(self.n):
            row = self.rows + slot
            for p in range(row.n):
                columns[n + p], values[n + p] = row.entries[p].column, row.entries[p].value
            for p in range(self.n_targets):
                targets[slot, p] = row.targets[p]
            n += row.n
            starts[slot + 1], weights[slot] = n, row.weight
        return {"columns": columns, "values": values, "starts": starts, "weights": weights,
                "targets": targets, "oldest": self.oldest, "n_seen": self.n_seen}

    def load(self, dict saved not None):
        """Take the rows that `to_dict` returned."""
        cdef cnp.ndarray targets = np.ascontiguousarray(saved["targets"], np.float64)
        cdef Py_ssize_t slot, p
        cdef RowReader row = RowReader({}, {}, False)
        starts = saved["starts"].tolist()
        if len(starts) - 1 > self.n_last + self.n_sampled:
            raise ValueError("there are more rows of the past than the buffer has room for")
        if targets.ndim != 2 or targets.shape[0] != len(starts) - 1 or (
                targets.shape[1] != self.n_targets):
            raise ValueError("the targets of the rows of the past have another shape")
        columns, values = saved["columns"].tolist(), saved["values"].tolist()
        self.oldest, self.n_seen = saved["oldest"] % max(1, self.n_last), saved["n_seen"]
        for slot in range(len(starts) - 1):
            row.n = 0
            for p in range(starts[slot], starts[slot + 1]):
                row.add(columns[p], values[p])
            self.put(slot, row.row, row.n,
                     <const double *> cnp.PyArray_DATA(targets) + slot * self.n_targets,
                     saved["weights"][slot])
