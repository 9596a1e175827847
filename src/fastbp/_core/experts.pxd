cimport cython
from libc.stdint cimport int64_t

from .kernels cimport fbp_net, fbp_row, fbp_solver, fbp_step
from .layers cimport Layers
from .workspaces cimport Workspace


cdef struct ExpertNet:
    fbp_net net
    fbp_net average         # the same with a mean of its weights of late; its layers NULL: there is
    double share            # none. How much the weights of now count in that mean, at least.
    fbp_solver solver
    fbp_step step
    bint counts_steps
    void *target            # room for one in the kernels' dtype
    int64_t replay          # rows of the past that are learned again after each row,
    double margin           # unless their error is smaller: of labels, or in typical errors
    double typical_error    # of new rows
    double recent_loss      # of predictions; the old ones count less and less
    double n_watched        # of the same losses their number so far, and means of the last
    double slow_loss, fast_loss, variance   # 1,000 and 50, and how far they are from the former


@cython.final
cdef class Expert:
    cdef ExpertNet at
    cdef bint lists_active, is_packed
    cdef str rule
    cdef Layers layers, average_layers
    cdef Workspace packed, average_packed
    cdef object moments
    cdef void *scratch
    cdef void *average_scratch


cdef void take_step(ExpertNet *expert, const fbp_row *x, double weight,
                    double least_error) noexcept nogil
cdef void move_average(ExpertNet *expert, const fbp_row *x, double share) noexcept nogil
cdef bint loss_jumps(ExpertNet *expert, double loss) noexcept nogil
cdef void put_target(ExpertNet *expert, int64_t k, double value) noexcept nogil
cdef void put_label(ExpertNet *expert, int64_t label, int64_t n_classes) noexcept nogil
cdef void outputs_of(ExpertNet *expert, const fbp_row *x, int64_t n_classes,
                     double *out) noexcept nogil
