"""ONNX models, run by onnxruntime."""

import numpy as np


def run(proto, X):
    """What a model with the input X returns, by name."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # skl2onnx declares shapes that it corrects later
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    assert [one.name for one in session.get_inputs()] == ["X"]
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": np.ascontiguousarray(X)}), strict=True))
