# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""Instruction sets: which this machine has, and the tables of compiled operations of each."""
import os

import numpy as np

cimport numpy as cnp

from .kernels cimport (
    FBP_ABSOLUTE_ERROR, FBP_BINARY_LOG_LOSS, FBP_CLIPPED_BINARY_LOG_LOSS, FBP_CLIPPED_LOG_LOSS,
    FBP_EXP, FBP_FLOAT32, FBP_FLOAT64, FBP_HUBER, FBP_IDENTITY, FBP_LOGISTIC, FBP_LOG_LOSS,
    FBP_MEAN_SQUARED_ERROR, FBP_N_ISA, FBP_POISSON, FBP_QUANTILE, FBP_RATIO_POISSON, FBP_RELU,
    FBP_SOFTMAX, FBP_SQUARED_ERROR, FBP_TANH, fbp_compiler, fbp_dtype, fbp_isa_built,
    fbp_isa_name, fbp_isa_usable, fbp_ops, fbp_table
)
from .memory cimport padded_copy

cnp.import_array()


ACTIVATIONS = {"identity": FBP_IDENTITY, "logistic": FBP_LOGISTIC, "tanh": FBP_TANH,
               "relu": FBP_RELU, "exp": FBP_EXP, "softmax": FBP_SOFTMAX}
# Targets that a loss allows; any that is not named here.
TARGETS = {"binary_log_loss": (0, 1), "log_loss": (0, 1), "poisson": (0, np.inf),
           "clipped_binary_log_loss": (0, 1), "clipped_log_loss": (0, 1),
           "ratio_poisson": (0, np.inf)}
LOSSES = {"squared_error": FBP_SQUARED_ERROR, "absolute_error": FBP_ABSOLUTE_ERROR,
          "huber": FBP_HUBER, "quantile": FBP_QUANTILE,
          "binary_log_loss": FBP_BINARY_LOG_LOSS, "log_loss": FBP_LOG_LOSS,
          "poisson": FBP_POISSON,
          "mean_squared_error": FBP_MEAN_SQUARED_ERROR,
          "clipped_binary_log_loss": FBP_CLIPPED_BINARY_LOG_LOSS,
          "clipped_log_loss": FBP_CLIPPED_LOG_LOSS,
          "ratio_poisson": FBP_RATIO_POISSON}
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
    wider vectors of AVX-512, unless these were asked for.
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


def apply_derivative(name, delta, a, isa=None):
    """delta * f'(z) of 1-D arrays, where a = f(z), likewise.

    Of exp and softmax the kernels hand back delta as it is: their losses give dE/dz at once.
    """
    cdef const fbp_ops *ops = table_for(a.dtype, isa)
    cdef cnp.ndarray product = padded_copy(delta), a_padded = padded_copy(a)
    ops.derive[ACTIVATIONS[name]](cnp.PyArray_DATA(product), cnp.PyArray_DATA(a_padded), len(a))
    return product[:len(a)].copy()


def all_finite(cnp.ndarray values not None, isa=None):
    """Whether every value of a contiguous float32 or float64 array is finite."""
    cdef const fbp_ops *ops = table_for(values.dtype, isa)
    cdef const void *data = cnp.PyArray_DATA(values)
    cdef Py_ssize_t n = cnp.PyArray_SIZE(values)
    with nogil:
        finite = ops.all_finite(data, n)
    return bool(finite)
