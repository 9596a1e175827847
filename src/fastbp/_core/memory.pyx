# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""Memory for C: aligned, padded, and where the parts of a block of it begin."""
import numpy as np

cimport numpy as cnp

from .kernels cimport FBP_ALIGNMENT

cnp.import_array()


cdef cnp.ndarray padded_copy(object values):
    """A copy of a 1-D array, padded to whole vectors."""
    cdef cnp.ndarray copy = np.zeros(
        padded(len(values) * values.itemsize) // values.itemsize, values.dtype)
    copy[:len(values)] = values
    return copy


cdef object place(void ***places, list lengths, int itemsize):
    """An array that begins with the parts of these lengths, each aligned; places point at them."""
    cdef Py_ssize_t i
    sizes = [padded(length * itemsize) for length in lengths]
    memory = np.zeros(sum(sizes) + FBP_ALIGNMENT, np.uint8)
    cdef char *at = <char *> padded(<size_t> cnp.PyArray_DATA(memory))
    for i in range(len(sizes)):
        places[i][0] = at
        at += <Py_ssize_t> sizes[i]
    return memory
