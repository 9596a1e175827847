"""Class labels: from what y holds to the numbers a network learns from.

Labels are numbered in sorted order. Where a row can have several, y is an indicator: a column of
0 and 1 for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Number
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from .._messages import counted
from ..network.checks import check_number
from ..network.frames import as_array_like, is_missing

# A network has an output for each class, so that their number cannot change.
OTHER_CLASSES = (
    "To learn other classes begin again with all of them: fit a new model on rows of every class, "
    "or pass all as classes in its first call of partial_fit."
)


def check_is_targets(estimator: Any, y: Any) -> None:
    """Refuse what cannot be the targets of several rows: None, or one text."""
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y "
            "is None."
        )
    if isinstance(y, (str, bytes)) or hasattr(y, "__fspath__"):
        raise ValueError(
            f"y must be an array of targets, one for each row of X; got the text {str(y)!r}. Pass "
            "the column itself, for instance frame['target']"
        )


def check_no_text(y: Any) -> None:
    """Refuse text where a regressor needs numbers, and say which estimator learns it."""
    if isinstance(y, np.ndarray) and y.dtype.kind in "fiub":
        return
    array = None if hasattr(y, "tocsr") else np.asarray(as_array_like(y))
    if array is None or array.dtype.kind not in "UO":
        return
    targets = np.array(y, dtype=object) if isinstance(y, (list, tuple)) else array
    for where, target in np.ndenumerate(targets):
        if isinstance(target, str):
            raise ValueError(
                f"y must hold numbers, but y[{', '.join(map(str, where))}] is the text "
                f"{str(target)!r}. To predict classes there is BackpropClassifier"
            )


def label_array(y: Any, name: str = "y") -> Any:
    """Return labels as an array, of numbers or bools if objects are; sparse ones as they are.

    Raises
    ------
    ValueError
        For gaps, and for labels of different types, of which NumPy would make text.
    """
    if hasattr(y, "tocsr"):
        return y if y.ndim == 2 else y.toarray()
    try:
        array = np.asarray(as_array_like(y))
    except ValueError:  # rows of different lengths, of which scikit-learn says so
        return y
    if array.dtype.kind == "f" and np.isnan(array).any():
        _refuse_gap(name, int(np.argwhere(np.isnan(array))[0][0]), np.nan)
    is_list = isinstance(y, (list, tuple))
    if array.dtype.kind not in ("UO" if is_list else "O"):
        return array
    labels = list(np.array(y, dtype=object).flat) if is_list else list(array.flat)
    if set(map(type, labels)) == {str}:
        return array
    if _kind_of_all(labels, name) in ("number", "bool"):
        return np.array(labels).reshape(array.shape)
    return array


def _refuse_gap(name: str, row: int, gap: Any) -> NoReturn:
    raise ValueError(
        f"{name} has a gap: {name}[{row}] is {gap!r}. Remove such rows first, or give them a label "
        "of their own"
    )


def _kind_of_all(labels: list[Any], name: str) -> str:
    """Return the kind of labels that are all of one kind."""
    kinds: dict[str, tuple[int, Any]] = {}  # and the first of each
    for i, label in enumerate(labels):
        if is_missing(label):
            _refuse_gap(name, i, label)
        kinds.setdefault(_kind_of(label), (i, label))
    if len(kinds) > 1:
        (i, one), (k, other) = list(kinds.values())[:2]
        raise ValueError(
            f"{name} mixes labels of different types: {name}[{i}] is {one!r} "
            f"({type(one).__name__}), {name}[{k}] is {other!r} ({type(other).__name__}). Make all "
            f"of them text, for instance with [str(label) for label in {name}], or all of them "
            "numbers"
        )
    return next(iter(kinds), "")


def _kind_of(label: Any) -> str:
    if isinstance(label, (bool, np.bool_)):
        return "bool"
    if isinstance(label, Number):
        return "number"
    return "text" if isinstance(label, str) else type(label).__name__


def checked_labels(y: Any) -> tuple[NDArray[Any], bool]:
    """Return y as an array, one label a row or an indicator, and whether it is an indicator."""
    y = label_array(y)
    y = check_array(y, accept_sparse="csr", ensure_2d=False, dtype=None, input_name="y")
    try:
        check_classification_targets(y)
    except ValueError as error:
        if type_of_target(y).startswith("continuous"):
            raise ValueError(f"{error} For numbers there is BackpropRegressor.") from error
        raise ValueError(
            f"{error} Labels must be whole numbers, text or bools; y[0] is {np.ravel(y)[0]!r}"
        ) from error
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
    if isinstance(classes, (str, bytes)) or np.ndim(classes) == 0:
        raise ValueError(
            f"classes must list all labels that will ever occur, such as [0, 1]; got {classes!r}"
        )
    unique: NDArray[Any] = np.unique(label_array(classes, "classes"))
    if len(unique) < 2:
        raise ValueError(f"classes must hold at least two classes; got {unique.tolist()}")
    return unique


def check_same_classes(classes: Any, fitted: NDArray[Any]) -> None:
    """Refuse other classes than those the model was fitted with; None is no others."""
    if classes is None:
        return
    given = np.unique(label_array(classes, "classes")).tolist()
    if given != fitted.tolist():
        raise ValueError(
            f"classes is {_listed(given)}, but the model was fitted with "
            f"{_listed(fitted.tolist())}. {OTHER_CLASSES}"
        )


def _listed(labels: list[Any], most: int = 10) -> str:
    """Return labels as text, of many of them the first."""
    others = f" and {counted(len(labels) - most, 'other')}" if len(labels) > most else ""
    return f"{labels[:most]}{others}"


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
            f"{name} contains classes that this model does not know: {_listed(unseen)}. It knows "
            f"{_listed(classes.tolist())}. {OTHER_CLASSES}"
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


def check_class_weight(class_weight: Any, incremental: bool) -> None:
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
    elif class_weight is not None and incremental:
        raise ValueError(
            'class_weight="balanced" needs all rows at once, which partial_fit does not have. Pass '
            "a dict, for instance of what sklearn.utils.class_weight.compute_class_weight returns."
        )


def _check_labels_of_weights(class_weight: Mapping[Any, float], classes: NDArray[Any]) -> None:
    """Refuse weights of labels that do not occur, if classes that do have none: a mistake."""
    known = classes.tolist()
    unknown = [label for label in class_weight if label not in known]
    without = [label for label in known if label not in class_weight]
    if unknown and without:
        raise ValueError(
            f"class_weight has a weight for {unknown[0]!r}, which is not a class of y; the classes "
            f"{without[:10]}{' and others' if len(without) > 10 else ''} are not in class_weight. "
            "Give the labels as they are in y; classes that you leave out have weight 1"
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
        _check_labels_of_weights(class_weight, classes)
        factors = compute_class_weight(dict(class_weight), classes=classes, y=classes)
    else:
        totals = np.bincount(numbers, weights=sample_weight, minlength=len(classes))
        share = totals.sum() / np.count_nonzero(totals)
        factors = np.divide(share, totals, out=np.zeros(len(classes)), where=totals > 0)
    weights = np.asarray(factors[numbers], dtype=np.float64)
    return weights if sample_weight is None else weights * sample_weight
