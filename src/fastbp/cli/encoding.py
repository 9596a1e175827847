"""scikit-learn's transformers that turn the columns of a table into the inputs of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .problem import MAX_CATEGORIES, Problem

CLIP = 5.0  # standard deviations: a far outlier would make a step that overshoots
KINDS = {"numbers": "numbers", "dates": "dates", "texts": "text"}  # groups, and what they hold


def encoder(groups: Mapping[str, Sequence[str]]) -> Any:
    """Return a ColumnTransformer: numbers and days as they are, text one-hot encoded.

    Parameters
    ----------
    groups : dict of str to list of str
        See `Problem`.
    """
    from sklearn.compose import ColumnTransformer

    parts = [(group, _part(group), list(names)) for group, names in groups.items()]
    return ColumnTransformer(parts, sparse_threshold=0)


def scaled_encoder(groups: Mapping[str, Sequence[str]]) -> Any:
    """Return a ColumnTransformer for models that scale nothing by themselves.

    Numbers have their gaps filled, and are scaled and clipped.
    """
    from sklearn.compose import ColumnTransformer

    parts = [
        (group, _one_hot() if group == "texts" else _scaled(), list(names))
        for group, names in groups.items()
    ]
    return ColumnTransformer(parts)


def _part(group: str) -> Any:
    return _one_hot() if group == "texts" else "passthrough"


def _one_hot() -> Any:
    """Return an encoder in which the rarest categories share an input, with those not seen."""
    from sklearn.preprocessing import OneHotEncoder

    return OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=MAX_CATEGORIES, sparse_output=False
    )


def _scaled() -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    bounds = {"a_min": -CLIP, "a_max": CLIP}
    return make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        FunctionTransformer(np.clip, kw_args=bounds, feature_names_out="one-to-one"),
    )


def pipeline_of(problem: Problem, seed: int) -> Any:
    """Return the pipeline that learns a problem: the encoder, and fastbp's model behind it."""
    from sklearn.pipeline import make_pipeline

    from .. import BackpropClassifier, BackpropRegressor

    kind = BackpropClassifier if problem.is_classification else BackpropRegressor
    model = kind(missing="indicator", random_state=seed)
    return make_pipeline(encoder(problem.groups), model)


def groups_of(pipeline: Any) -> dict[str, list[str]]:
    """Return the columns of a fitted pipeline by what they are, or nothing if it is another's."""
    encoding = pipeline.steps[0][1] if hasattr(pipeline, "steps") else None
    groups = {}
    for name, _, columns in getattr(encoding, "transformers_", ()):
        if name in KINDS:
            groups[name] = list(columns)
    return groups


def inputs_of(pipeline: Any) -> list[tuple[str, str]]:
    """Return name and meaning of each input of the model at the end of a pipeline."""
    inputs = []
    encoding = pipeline.steps[0][1]
    for group, transformer, columns in encoding.transformers_:
        if group == "numbers":
            inputs += [(name, "") for name in columns]
        elif group == "dates":
            inputs += [(name, "in days since 1970-01-01") for name in columns]
        elif group == "texts":
            names = transformer.get_feature_names_out()
            meanings = [one for texts in _meanings(transformer, columns) for one in texts]
            inputs += list(zip(map(str, names), meanings, strict=True))
    return inputs


def _meanings(one_hot: Any, columns: Sequence[str]) -> Any:
    """Yield for each column of text what its inputs are 1 for."""
    infrequent = getattr(one_hot, "infrequent_categories_", [None] * len(columns))
    for name, categories, rare in zip(columns, one_hot.categories_, infrequent, strict=True):
        rare_ones = set() if rare is None else set(rare)
        frequent = [one for one in categories if one not in rare_ones]
        texts = [f"1 where {name} is {one!r}, else 0" for one in frequent]
        if rare_ones:
            texts.append(f"1 where {name} is anything else, else 0")
        yield texts


def code_of(problem: Problem, seed: int) -> list[str]:
    """Return a program that makes and trains the same pipeline as `pipeline_of`."""
    kind = "BackpropClassifier" if problem.is_classification else "BackpropRegressor"
    target = repr(problem.target)
    kept = f"frame[frame[{target}].str.strip() != '']"
    if not problem.is_classification:
        kept = f"frame.dropna(subset=[{target}])"
    lines = ["import pandas as pd", f"from fastbp import {kind}"]
    lines.append("from sklearn.compose import ColumnTransformer")
    lines.append("from sklearn.pipeline import make_pipeline")
    if "texts" in problem.groups:
        lines.append("from sklearn.preprocessing import OneHotEncoder")
    used = [problem.target, *(name for names in problem.groups.values() for name in names)]
    lines += ["", *problem.table.code(used)]
    if problem.n_without_target:
        lines.append(f"frame = {kept}")
    lines += [f"{group} = {names!r}" for group, names in problem.groups.items()]
    parts = []
    for group in problem.groups:
        part = '"passthrough"'
        if group == "texts":
            lines.append(f"one_hot = {_one_line(_one_hot())}")
            part = "one_hot"
        parts.append(f'("{group}", {part}, {group})')
    chosen = ", ".join(f"*{group}" for group in problem.groups)
    lines.append(f"encode = ColumnTransformer([{', '.join(parts)}], sparse_threshold=0)")
    model = f'{kind}(missing="indicator", random_state={seed})'
    lines.append(f"model = make_pipeline(encode, {model})")
    lines.append(f"model.fit(frame[[{chosen}]], frame[{target}])")
    return lines


def _one_line(estimator: Any) -> str:
    return " ".join(repr(estimator).split())
