"""`OnlineClassifier`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._messages import counted
from ..network.checks import check_whole
from .docs import with_shared_parts
from .labels import Label, Labels
from .model import OnlineModel
from .tables import stream_table


@with_shared_parts
class OnlineClassifier(OnlineModel):
    """A model that learns classes from a stream, one row at a time.

    $about

    Parameters
    ----------
    $layers
    $training
    max_classes : int, default=None
        More labels than that are refused.

    Attributes
    ----------
    classes_ : list
        Labels so far, in the order in which they came.
    $attributes

    Notes
    -----
    $notes

    Examples
    --------
    >>> from fastbp.online import OnlineClassifier
    >>> model = OnlineClassifier(random_state=0)
    >>> for i in range(200):
    ...     model = model.learn_one({"size": i % 7, "color": ("red", "blue")[i % 2]}, i % 7 > 3)
    >>> model.predict_one({"size": 6, "color": "red", "weight": 3.5})
    True
    """

    max_classes: int | None
    _labels: Labels

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (64,),
        activation: str | Sequence[str] = "relu",
        *,
        solver: str = "auto",
        learning_rate_init: float | str = "auto",
        alpha: float = 0.0,
        replay: int | str = "auto",
        buffer: str = "last",
        buffer_size: int = 3000,
        max_features: int | None = None,
        max_classes: int | None = None,
        hashed_features: int | None = None,
        missing: str = "error",
        drift_detector: Any = None,
        random_state: Any = None,
    ) -> None:
        self._set_parameters(locals())

    @property
    def classes_(self) -> list[Label]:
        """Labels so far, in the order in which they came: of probabilities in arrays, too."""
        return list(self._labels.order)

    def predict_one(self, x: Any) -> Label | None:
        """Return the most probable label of a row, and learn nothing.

        Parameters
        ----------
        x : mapping of names to values, sequence, array or Series
            Names that are not known do not count; numbers left out count as their mean.

        Returns
        -------
        label, or None before any was learned
        """
        if self._loop is None or not self._labels.order:
            return None
        best = self._loop.predict_best(x)
        if best < 0:
            best = int(self._outputs(x).argmax())
        label: Label = self._labels.order[best]
        return label

    def predict_proba_one(self, x: Any) -> dict[Label, float]:
        """Return the probability of each label so far.

        Parameters
        ----------
        x : mapping of names to values, sequence, array or Series

        Returns
        -------
        dict of label to float, empty before anything was learned
        """
        if self._loop is None:
            return {}
        outputs = self._outputs(x).tolist()
        return dict(zip(self._labels.order, outputs, strict=False))

    def predict_proba_many(self, X: Any) -> NDArray[np.float64]:
        """Return the probabilities of the labels so far, for each row of a table.

        Parameters
        ----------
        X : DataFrame, dict of columns, list of dicts or array of shape (n, n_features)

        Returns
        -------
        ndarray of float64 of shape (n, n_classes), in the order of ``classes_``
        """
        if self._loop is None:
            return np.empty((len(stream_table(X, skips_gaps=True)), 0))
        return self._outputs_of_table(X)[:, : len(self._labels)]

    def predict_many(self, X: Any) -> NDArray[Any]:
        """Return the most probable label of each row of a table.

        Parameters
        ----------
        X : DataFrame, dict of columns, list of dicts or array of shape (n, n_features)

        Returns
        -------
        ndarray of shape (n,), of None before anything was learned
        """
        if self._loop is None or not self._labels.order:
            return np.full(len(stream_table(X, skips_gaps=True)), None)
        best = self._outputs_of_table(X)[:, : len(self._labels)].argmax(axis=1)
        labels: NDArray[Any] = np.array(self.classes_)[best]
        return labels

    def _start_with(self, target: Label) -> None:
        self._start(2, loss="log_loss", out_activation="softmax")

    def _plain_target(self, y: Any) -> Label:
        self._bound_classes()
        label = self._labels.plain(y)
        self._labels.check_room([label])
        return label

    def _bound_classes(self) -> None:
        if self.max_classes is not None:
            self._labels.max_classes = check_whole("max_classes", self.max_classes)

    def _targets(self, y: Any, n: int) -> LabelsOfRows:
        self._bound_classes()
        codes, labels = self._labels.encode(y)
        if len(codes) != n:
            raise ValueError(f"X has {counted(n, 'row')}, and y has {counted(len(codes), 'label')}")
        return LabelsOfRows(codes, labels)

    def _error(self, predicted: Label | None, target: Label) -> float:
        return float(predicted != target)

    def _scaled_target(self, y: Any) -> int:
        return self._labels.numbers[self._labels.plain(y)]

    def _output_names(self, n: int) -> tuple[str, ...]:
        names = [*map(str, self._labels.order), "(unused)"]
        return tuple(names[: max(2, n)])

    def _replay_margin(self) -> float:
        return 0.2  # of a probability

    def _no_labels(self) -> Labels:
        return Labels()

    def _n_outputs(self) -> int:
        return len(self._labels)

    def _add_target(self, target: Label) -> None:
        if target in self._labels.numbers:
            return
        number = len(self._labels)

        def add() -> None:
            if number == len(self._experts.outputs):
                self._experts.grow(len(self._experts.inputs), number + 1)
            self._experts.begin_output(number)
            self._labels.add(target)

        self._change(add)


class LabelsOfRows:
    """Labels of the rows of a table: positions in a list of the different ones."""

    def __init__(self, codes: NDArray[np.intp], labels: list[Label]) -> None:
        self.codes, self.labels = codes, labels
        self.of_rows: NDArray[np.float64] = np.empty(0)

    def __getitem__(self, row: int) -> Label:
        label: Label = self.labels[self.codes[row]]
        return label

    def numbers(self, labels: Labels | None) -> NDArray[np.float64]:
        """Return the number of each row's output, -1 where there is none yet."""
        assert labels is not None
        numbers = np.array([labels.numbers.get(label, -1) for label in self.labels], np.float64)
        self.of_rows = numbers[self.codes]
        return self.of_rows

    def note_row(self, row: int, labels: Labels | None) -> None:
        """Note the number of a row's label, since it was given one."""
        assert labels is not None
        if self.of_rows[row] < 0:
            self.of_rows[self.codes == self.codes[row]] = labels.numbers[self[row]]
