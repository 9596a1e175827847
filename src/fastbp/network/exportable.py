"""`Saveable` and `Exportable`: the methods that take a trained model out of Python."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from pathlib import Path


class Saveable:
    """What can be saved: networks, estimators, models of streams, recordings."""

    def save(self, path: Any) -> Path:
        """Write all of it to a file, from which `fastbp.load` makes the same again.

        Parameters
        ----------
        path : str or path-like
            Usually ends in ".fbp". A file that is there is replaced at once.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        TypeError
            If it holds what cannot be stored, such as a function as ``learning_rate``.
        OSError
            If the file cannot be written. It is as it was then.

        See Also
        --------
        fastbp.save : The same, with examples; it also takes pipelines.
        """
        from ..io.models import save

        return save(self, path)


class Exportable(Saveable):
    """What networks and estimators have in common: ``save`` and the exports."""

    def to_onnx(self, path: Any = None, *, zipmap: bool = False) -> Any:
        """Return the model in the ONNX format, for onnxruntime and others; needs the extra `onnx`.

        The input is ``X``, (n, n_features), of any number of rows and of the dtype of the network.
        The scaling of inputs and targets is in the graph. A classifier has the outputs ``label``,
        int64 or text, and ``probabilities``; where a row can have several labels both are of shape
        (n, n_labels). Anything else has the output ``variable``, of shape (n, n_outputs).

        Parameters
        ----------
        path : str or path-like, default=None
            File to write as well, such as "model.onnx"; one that is there is replaced at once.
        zipmap : bool, default=False
            Of a classifier with one label a row: return ``probabilities`` as a map from label to
            probability for each row, as skl2onnx does by default. ONNX has these in float32 only.

        Returns
        -------
        onnx.ModelProto
            Of opset 9, which every runtime since 2019 has.

        Raises
        ------
        ImportError
            Without the package onnx.
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        ValueError
            For classes that are neither text nor whole numbers, and for a ``zipmap`` of what has
            no classes.
        OSError
            If the file cannot be written.

        Notes
        -----
        Of the same dtype, outputs are those of the model to 1e-12 in float64 and 1e-5 in float32.
        """
        from ..export import to_onnx

        return to_onnx(self, path, zipmap=zipmap)

    def to_c(
        self,
        path: Any = None,
        name: str | None = None,
        dtype: str = "float32",
        *,
        math: bool = True,
        learn: bool | str = False,
        calibration: Any = None,
    ) -> str:
        """Return the model as C99 source text, for microcontrollers and other programs.

        It is self-contained: constant weights, no allocation, no dependency but libm. Functions
        take one row in its own units: ``model_outputs(x, outputs)``; of a classifier also
        ``model_probabilities(x, probabilities)``, and ``model_class(x)``, which returns the number
        of the class, an ``enum``, or ``model_labels(x, labels)`` where a row can have several. The
        first comment states the sizes of flash and RAM, and the inputs in their order.

        Parameters
        ----------
        path : str or path-like, default=None
            Write "model.c", and "model.h" beside it.
        name : str, default=None
            An identifier of C, with which all names begin. None: that of the file, "shop" of
            "shop.c", with _ for what C does not allow; "model" without a file.
        dtype : {"float32", "float64", "int8"}, default="float32"
            Type of weights and arithmetic. "int8" takes a quarter of the flash; inputs and outputs
            are float32, and products of whole numbers are summed up in 32 bits.
        math : bool, default=True
            False calls nothing of libm: exp, tanh and roots, correct to 2 units in the last place,
            are in the source.
        learn : bool or {"sgd", "adagrad"}, default=False
            Keep the weights in RAM, and add ``model_learn(x, y, learning_rate)``, a step on one
            row; True is "sgd", and AdaGrad begins without what training has kept. With the
            ``dtype`` of the network, and compiled with ``-ffp-contract=off``, it moves weights to
            the same bits as `Network.step` with ``FASTBP_ISA=scalar``.
        calibration : array-like of shape (n_samples, n_features), default=None
            For "int8": rows that show which values occur, some hundred of those of training. The
            comment says how much of the accuracy is lost on them.

        Returns
        -------
        str
            C99 without extensions.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        ValueError
            For a name that is no identifier, for a dtype that there is not, for "int8" without
            ``calibration`` or with ``learn``, and for classes that C cannot hold.
        OSError
            If a file cannot be written.
        """
        from ..export import to_c

        return to_c(self, path, name, dtype, math=math, learn=learn, calibration=calibration)

    def to_numpy(self) -> dict[str, NDArray[Any]]:
        """Return the model as arrays, which `numpy.savez` saves and ten lines predict with.

        Returns
        -------
        dict of ndarray
            ``W0``, ``b0``, ``W1`` ...: weights (n_in, n_out) and biases of each layer;
            ``activations``: its names; ``center``, ``scale`` and ``limit`` of the inputs,
            ``target_center`` and ``target_scale`` (0, 1 and infinity where nothing is scaled);
            ``means``, which stand for missing values (NaN where these are refused), and ``marked``,
            the numbers of the inputs with a column more that says where they are missing;
            ``classes`` of a classifier; ``feature_names`` if there are any. Copies.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_iris
        >>> from fastbp import BackpropClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = BackpropClassifier(random_state=0).fit(X, np.array(["a", "b", "c"])[y])
        >>> m = model.to_numpy()

        Everything that these arrays need of NumPy to predict (for other activations see
        `fastbp.network.Network`):

        >>> f = {
        ...     "identity": lambda z: z,
        ...     "relu": lambda z: np.maximum(z, 0),
        ...     "logistic": lambda z: 1 / (1 + np.exp(-z)),
        ...     "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
        ... }
        >>> gaps = np.isnan(X)
        >>> a = np.hstack([np.where(gaps, m["means"], X), gaps[:, m["marked"]]])
        >>> a = (a - m["center"]) / m["scale"]
        >>> a = a / np.sqrt(1 + (a / m["limit"]) ** 2)
        >>> for l, name in enumerate(m["activations"]):
        ...     a = f[name](a @ m[f"W{l}"] + m[f"b{l}"])
        >>> outputs = a * m["target_scale"] + m["target_center"]
        >>> labels = m["classes"][outputs.argmax(axis=1)]
        >>> bool((labels == model.predict(X)).all())
        True
        """
        from ..export import to_numpy

        return to_numpy(self)


class ExportableEstimator(Exportable):
    """With what skl2onnx asks for: it converts pipelines and ensembles with such estimators."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _introduce(cls)

    def __sklearn_tags__(self) -> Any:
        """Return the tags, for which ensembles ask their members in `fit`, `predict` and others."""
        _introduce(type(self))
        return super().__sklearn_tags__()  # type: ignore[misc]

    def __setstate__(self, state: dict[str, Any]) -> None:
        _introduce(type(self))
        super().__setstate__(state)  # type: ignore[misc]

    def onnx_parser(self) -> Callable[..., Any]:
        """Return what declares the outputs of the model, for skl2onnx."""
        from ..export.skl2onnx_hooks import parser_of

        return parser_of(self)

    def onnx_shape_calculator(self) -> Callable[[Any], None]:
        """Return what sets the types and shapes of the outputs, for skl2onnx."""
        from ..export.skl2onnx_hooks import shape_calculator_of

        return shape_calculator_of(self)

    def onnx_converter(self) -> Callable[[Any, Any, Any], None]:
        """Return what adds the nodes of the model to a graph, for skl2onnx."""
        from ..export.skl2onnx_hooks import converter_of

        return converter_of(self)


def _introduce(kind: type) -> None:
    """Let skl2onnx know a class, if it is imported: of ensembles it looks members up in a table."""
    if hasattr(sys.modules.get("skl2onnx"), "update_registered_converter"):
        from ..export.skl2onnx_hooks import register

        register(kind)
