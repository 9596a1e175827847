"""`ExportableStream`: models of streams, as they are at one moment, outside of Python."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network.exportable import Exportable
from .inspection import Inspection
from .tables import stream_table


class ExportableStream(Exportable, Inspection):
    """`to_onnx`, `to_c` and `to_numpy` of a model that may go on learning afterwards.

    What is exported has a number for each name so far, in the order of ``feature_names_``, and for
    each text an input that is 1 where it occurs. NaN is a number that is left out. Scaling and the
    mixture of networks are those of now.
    """

    def exported_rows(self, X: Any) -> NDArray[np.float64]:
        """Return rows as exported models take them: one number for each input.

        Parameters
        ----------
        X : DataFrame, dict of columns, list of dicts or array of shape (n, n_features)

        Returns
        -------
        ndarray of float64 of shape (n, n_inputs)
            NaN for numbers that a row leaves out, 0 and 1 for texts. What the model does not know
            is left out.

        Raises
        ------
        ValueError
            If nothing was learned, or with ``hashed_features`` if two numbers of a row share an
            input, whose predictions no exported model has.
        """
        table = stream_table(X, skips_gaps=True)
        with self._lock:
            snapshot, column = self._snapshot(), self._names.column
            rows = [snapshot.inputs_of(table.row(r), column) for r in range(len(table))]
        return np.array(rows).reshape(len(rows), len(snapshot.columns))

    def to_numpy(self) -> dict[str, NDArray[Any]]:
        """Return the model as arrays, which `numpy.savez` saves and some lines predict with.

        Returns
        -------
        dict of ndarray
            ``shares``: what each network counts in the mixture; ``net0_W0``, ``net0_b0`` ...:
            weights (n_in, n_out) and biases of each layer of each network; ``net0_activations`` ...
            ``center``, ``factor`` and ``bound`` of the inputs; ``target_center`` and
            ``target_scale`` (0 and 1 for classes); ``classes`` of a classifier;
            ``feature_names``: those of the inputs, of text ``name=text``. Copies.

        Raises
        ------
        ValueError
            If nothing was learned, or only one class.

        Examples
        --------
        >>> import numpy as np
        >>> from fastbp.online import OnlineClassifier
        >>> model = OnlineClassifier(random_state=0)
        >>> rows = [{"size": i % 7, "color": ("red", "blue")[i % 2]} for i in range(200)]
        >>> model = model.learn_many(rows, [row["size"] > 3 for row in rows])
        >>> m = model.to_numpy()
        >>> m["feature_names"]
        array(['color=red', 'size', 'color=blue'], dtype='<U10')

        Everything that these arrays need of NumPy to predict (for other activations see
        `fastbp.network.Network`):

        >>> f = {
        ...     "identity": lambda z: z,
        ...     "relu": lambda z: np.maximum(z, 0),
        ...     "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
        ... }
        >>> X = model.exported_rows(rows)
        >>> scaled = np.clip((X - m["center"]) * m["factor"], -m["bound"], m["bound"])
        >>> scaled = np.where(m["factor"] == 0, X != 0, scaled)
        >>> scaled[np.isnan(X)] = 0
        >>> outputs = 0
        >>> for k, share in enumerate(m["shares"]):
        ...     a = scaled
        ...     for l, name in enumerate(m[f"net{k}_activations"]):
        ...         a = f[name](a @ m[f"net{k}_W{l}"] + m[f"net{k}_b{l}"])
        ...     outputs = outputs + share * a
        >>> outputs = outputs * m["target_scale"] + m["target_center"]
        >>> bool(np.allclose(outputs, model.predict_proba_many(rows)))
        True
        """
        return super().to_numpy()
