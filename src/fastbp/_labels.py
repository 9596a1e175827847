"""Class labels: from what y holds to the numbers a network learns from.

Labels are numbered in sorted order. Where a row can have several, y is an indicator: a column of
0 and 1 for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from ._validation import check_number


def checked_labels(y: Any) -> tuple[NDArray[Any], bool]:
    """Return y as an array, one label a row or an indicator, and whether it is an indicator."""
    y = check_array(y, accept_sparse="csr", ensure_2d=False, dtype=None, input_name="y")
    check_classification_targets(y)
    kind = type_of_target(y)
    if kind == "multilabel-indicator":
        return np.asarray(y.toarray() if hasattr(y, "toarray") else y), True
    if kind not in ("binary", "multiclass"):
        raise ValueError(
            f"y must be one column of labels, or columns of 0 and 1; {kind} targets are not "
            "supported. Train a classifier for each column: "
            "sklearn.multioutput.MultiOutputClassifier does."
        )
    return column_or_1d(y, warn=True), False


def given_classes(classes: Any) -> NDArray[Any]:
    """Return the labels that the first call of partial_fit was given, in order."""
    if classes is None:
        raise ValueError(
            "classes must be passed in the first call of partial_fit: all labels that will ever "
            "occur, for instance np.unique(y)"
        )
    unique: NDArray[Any] = np.unique(np.asarray(classes))
    if len(unique) < 2:
        raise ValueError(f"classes must hold at least two classes; got {unique.tolist()}")
    return unique


def check_same_classes(classes: Any, fitted: NDArray[Any]) -> None:
    """Refuse other classes than those the model was fitted with; None is no others."""
    if classes is None:
        return
    given = np.unique(np.asarray(classes)).tolist()
    if given != fitted.tolist():
        raise ValueError(f"classes is {given}, but the model was fitted with {fitted.tolist()}")


def numbers_of(classes: NDArray[Any]) -> dict[Any, int]:
    """Return the position of each class, by its label."""
    return {label: number for number, label in enumerate(classes.tolist())}


def known_numbers(y: Any, numbers: Mapping[Any, int]) -> NDArray[np.intp] | None:
    """Return the number of each label, if y is a plain array of labels that have one."""
    if type(y) is not np.ndarray or y.ndim != 1 or y.dtype.kind not in "fiubU":
        return None
    found = [numbers.get(label) for label in y.tolist()]
    return None if None in found else np.array(found, dtype=np.intp)


def class_numbers(y: NDArray[Any], classes: NDArray[Any], name: str = "y") -> NDArray[np.intp]:
    """Return the position of each label in ``classes``."""
    labels, positions = np.unique(y, return_inverse=True)
    number_of = numbers_of(classes)
    unseen = [label for label in labels.tolist() if label not in number_of]
    if unseen:
        raise ValueError(
            f"{name} contains classes that this model does not know: {unseen[:10]}. It knows "
            f"{classes.tolist()[:10]}{' and others' if len(classes) > 10 else ''}."
        )
    numbers = np.array([number_of[label] for label in labels.tolist()], dtype=np.intp)
    return np.asarray(numbers[positions])


def check_two_classes(
    numbers: NDArray[np.intp],
    classes: NDArray[Any],
    sample_weight: NDArray[np.float64] | None,
) -> None:
    """Refuse data in which there is nothing to tell apart."""
    weighted = numbers if sample_weight is None else numbers[sample_weight > 0]
    present = classes[np.unique(weighted)].tolist()
    if len(present) < 2:
        among = "" if sample_weight is None else " among the rows with a weight above 0"
        raise ValueError(
            f"y has only one class{among}: {present}. A classifier needs rows of at least two "
            "classes; check how the rows were selected."
        )


def check_class_weight(class_weight: Any, partial: bool) -> None:
    """Refuse what is not None, "balanced" (which needs all rows at once) or a dict of numbers."""
    if isinstance(class_weight, Mapping):
        for label, value in class_weight.items():
            check_number(f"class_weight[{label!r}]", value, at_least=0)
    elif class_weight is not None and not (
        isinstance(class_weight, str) and class_weight == "balanced"
    ):
        raise ValueError(
            'class_weight must be None, "balanced" or a dict of class: weight; got '
            f"{class_weight!r}"
        )
    elif class_weight is not None and partial:
        raise ValueError(
            'class_weight="balanced" needs all rows at once, which partial_fit does not have. Pass '
            "a dict, for instance of what sklearn.utils.class_weight.compute_class_weight returns."
        )


def weights_with_classes(
    sample_weight: NDArray[np.float64] | None,
    class_weight: Any,
    numbers: NDArray[np.intp],
    classes: NDArray[Any],
) -> NDArray[np.float64] | None:
    """Return the rows' weights times those of their classes.

    "balanced" is what gives every class that has rows the same sum of weights, leaving the sum
    over all rows as it was.
    """
    if class_weight is None:
        return sample_weight
    if isinstance(class_weight, Mapping):
        factors = compute_class_weight(dict(class_weight), classes=classes, y=classes)
    else:
        totals = np.bincount(numbers, weights=sample_weight, minlength=len(classes))
        share = totals.sum() / np.count_nonzero(totals)
        factors = np.divide(share, totals, out=np.zeros(len(classes)), where=totals > 0)
    weights = np.asarray(factors[numbers], dtype=np.float64)
    return weights if sample_weight is None else weights * sample_weight
