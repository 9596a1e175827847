# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""Instruction sets: which this machine has, and the tables of compiled operations of each."""
import os

import numpy as np

cimport numpy as cnp

from .kernels cimport (
    FBP_FLOAT32, FBP_FLOAT64, FBP_N_ACTIVATION, FBP_N_ISA, FBP_N_LOSS, FBP_N_RULE,
    fbp_activations, fbp_compiler, fbp_dtype, fbp_isa_built, fbp_isa_name, fbp_isa_usable,
    fbp_losses, fbp_ops, fbp_rules, fbp_table
)
from .memory cimport padded_copy

cnp.import_array()


# The tables of csrc/tables/. Of activations also: whether hidden layers may have them, and whether
# their derivative is of z; of losses the bounds of the targets that they allow, the name of the
# parameter, and the output activation with which they return dE/dz.
ACTIVATIONS = {fbp_activations[f].name.decode(): f for f in range(FBP_N_ACTIVATION)}
FACTS_OF_ACTIVATIONS = {
    name: (bool(fbp_activations[<int> f].hidden), bool(fbp_activations[<int> f].of_z))
    for name, f in ACTIVATIONS.items()
}
LOSSES = {fbp_losses[loss].name.decode(): loss for loss in range(FBP_N_LOSS)}
FACTS_OF_LOSSES = {
    name: (fbp_losses[<int> loss].lower, fbp_losses[<int> loss].upper,
           None if fbp_losses[<int> loss].parameter == NULL
           else fbp_losses[<int> loss].parameter.decode(),
           None if fbp_losses[<int> loss].pair == FBP_N_ACTIVATION
           else fbp_activations[<int> fbp_losses[<int> loss].pair].name.decode())
    for name, loss in LOSSES.items()
}
# Rules of a step; and of each how many moments a weight has, whether it rests where
# there is no gradient, is linear, and counts its steps.
RULES = {fbp_rules[rule].name.decode(): rule for rule in range(FBP_N_RULE)}
FACTS_OF_RULES = {
    name: (fbp_rules[<int> rule].n_moments, bool(fbp_rules[<int> rule].rests),
           bool(fbp_rules[<int> rule].linear), bool(fbp_rules[<int> rule].counts))
    for name, rule in RULES.items()
}
ISAS = {fbp_isa_name(isa).decode(): isa for isa in range(FBP_N_ISA)}
AUTOMATIC = ("avx512", "avx2", "neon", "scalar")  # preferred first


def built_isas():
    """Names of the instruction sets that this build holds kernels for."""
    return tuple(name for name, isa in ISAS.items() if fbp_isa_built(isa))


def available_isas():
    """Names of those among them that this machine can run."""
    return tuple(name for name, isa in ISAS.items() if fbp_isa_usable(isa))


def default_isa():
    """Name of the instruction set in use: ``FASTBP_ISA``, or else the best this machine has."""
    forced = os.environ.get("FASTBP_ISA")
    if forced and forced not in available_isas():
        raise ImportError(
            f"FASTBP_ISA={forced!r} cannot be used: this build has kernels for "
            f"{', '.join(built_isas())}, and of these this machine can run "
            f"{', '.join(available_isas())}. Unset FASTBP_ISA to let fastbp choose."
        )
    usable = [name for name in AUTOMATIC if name in available_isas()]
    if not usable:
        raise ImportError(
            f"this machine can run none of the kernels of this build, which are for "
            f"{', '.join(built_isas())}: build fastbp without FASTBP_ISAS."
        )
    return forced or usable[0]


def lanes(isa, dtype):
    """Numbers of this dtype in one vector of this instruction set."""
    return table_for(dtype, isa).lanes


def compiler():
    """Name and version of the compiler of the kernels."""
    return fbp_compiler().decode()


cdef const fbp_ops *table_for(object dtype, object isa) except NULL:
    cdef fbp_dtype kind = FBP_FLOAT32 if np.dtype(dtype) == SINGLE else FBP_FLOAT64
    return fbp_table(ISAS[isa or ISA], kind)


SINGLE = np.dtype(np.float32)  # which takes longer to make than a small network's step
ISA = default_isa()
ISA_IS_FORCED = bool(os.environ.get("FASTBP_ISA"))


def isa_for(layer_sizes, dtype):
    """Name of the instruction set that a network of these sizes is best run with.

    The one in use; but a hidden layer that fits a single vector of AVX2 waits longer for the
    wider vectors of AVX-512, unless FASTBP_ISA names them.
    """
    if (ISA == "avx512" and not ISA_IS_FORCED and len(layer_sizes) == 3
            and "avx2" in available_isas() and layer_sizes[1] <= lanes("avx2", dtype)):
        return "avx2"
    return ISA


def apply_activation(name, z, isa=None):
    """f(z) of a 1-D array, through the kernels of one instruction set."""
    cdef const fbp_ops *ops = table_for(z.dtype, isa)
    cdef cnp.ndarray a = padded_copy(z)
    ops.activate[ACTIVATIONS[name]](cnp.PyArray_DATA(a), len(z))
    return a[:len(z)].copy()


def apply_derivative(name, delta, z, a, isa=None):
    """delta * f'(z) of 1-D arrays, where a = f(z), through the kernels.

    exp and softmax return delta unchanged: their losses give dE/dz directly.
    """
    cdef const fbp_ops *ops = table_for(a.dtype, isa)
    cdef cnp.ndarray product = padded_copy(delta)
    cdef cnp.ndarray slopes_of = padded_copy(z if FACTS_OF_ACTIVATIONS[name][1] else a)
    ops.derive[ACTIVATIONS[name]](cnp.PyArray_DATA(product), cnp.PyArray_DATA(slopes_of), len(a))
    return product[:len(a)].copy()


def all_finite(cnp.ndarray values not None, isa=None):
    """Whether every value of a contiguous float32 or float64 array is finite."""
    cdef const fbp_ops *ops = table_for(values.dtype, isa)
    cdef const void *data = cnp.PyArray_DATA(values)
    cdef Py_ssize_t n = cnp.PyArray_SIZE(values)
    with nogil:
        finite = ops.all_finite(data, n)
    return bool(finite)


def largest_size(cnp.ndarray values not None, isa=None):
    """The largest |value| of a contiguous float32 or float64 array of finite numbers; 0 of none."""
    cdef const fbp_ops *ops = table_for(values.dtype, isa)
    cdef const void *data = cnp.PyArray_DATA(values)
    cdef Py_ssize_t n = cnp.PyArray_SIZE(values)
    cdef double size
    with nogil:
        size = ops.largest_size(data, n)
    return size
