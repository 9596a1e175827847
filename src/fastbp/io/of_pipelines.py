"""Pipelines of scikit-learn as trees: the model as it is in other files, its other steps by skops.

skops names the types in a dump before it makes any of them. Only those of a list are made:
scikit-learn's own, as skops lists them, and skrub's.
"""

from __future__ import annotations

import copy
import io
import zipfile
from typing import Any

from .container import UnreadableFileError
from .fields import Fields
from .models import ADVICE, BY_CLASS, model_of, tree_of

# Besides those that skops trusts: scikit-learn's and NumPy's.
TRUSTED = (
    "numpy.dtype",
    "skrub._apply_to_cols.ApplyToCols",
    "skrub._apply_to_each_col.ApplyToEachCol",
    "skrub._apply_to_sub_frame.ApplyToSubFrame",
    "skrub._check_input.CheckInputDataFrame",
    "skrub._clean_categories.CleanCategories",
    "skrub._clean_null_strings.CleanNullStrings",
    "skrub._dataframe._common.is_any_date",
    "skrub._dataframe._common.is_bool",
    "skrub._dataframe._common.is_categorical",
    "skrub._dataframe._common.is_float",
    "skrub._dataframe._common.is_integer",
    "skrub._dataframe._common.is_numeric",
    "skrub._dataframe._common.is_string",
    "skrub._datetime_encoder.DatetimeEncoder",
    "skrub._drop_uninformative.DropUninformative",
    "skrub._duration_to_float.DurationToFloat",
    "skrub._gap_encoder.GapEncoder",
    "skrub._minhash_encoder.MinHashEncoder",
    "skrub._select_cols.DropCols",
    "skrub._select_cols.SelectCols",
    "skrub._squashing_scaler.SquashingScaler",
    "skrub._string_encoder.StringEncoder",
    "skrub._table_vectorizer.Cleaner",
    "skrub._table_vectorizer.PassThrough",
    "skrub._table_vectorizer.ShortReprDict",
    "skrub._table_vectorizer.TableVectorizer",
    "skrub._table_vectorizer._created_by_predicate",
    "skrub._to_datetime.ToDatetime",
    "skrub._to_float.ToFloat",
    "skrub._to_str.ToStr",
    "skrub._utils.LRUDict",
    "skrub.selectors._base.All",
    "skrub.selectors._base.And",
    "skrub.selectors._base.Cols",
    "skrub.selectors._base.Filter",
    "skrub.selectors._base.Inv",
    "skrub.selectors._base.NameFilter",
    "skrub.selectors._base.Or",
    "skrub.selectors._base.Sub",
    "skrub.selectors._selectors._cardinality_below",
    "skrub.selectors._selectors._null_count_check",
)


def to_tree(pipeline: Any) -> dict[str, Any]:
    """Return a fitted pipeline as a tree."""
    steps = pipeline.steps
    name, model = steps[-1]
    if (type(model).__module__, type(model).__qualname__) not in BY_CLASS:
        raise TypeError(
            f"a Pipeline that ends in a {type(model).__name__} cannot be stored: {ADVICE}"
        )
    own = tree_of(model)
    dump = _skops().dumps(_with_last_step(pipeline, (name, "passthrough")))
    refused = _refused(dump)
    if refused:
        raise TypeError(
            f"the steps before {name} cannot be stored: they have objects of other types than "
            f"scikit-learn's and skrub's ({', '.join(refused[:5])}). Save pipeline[-1] alone, or "
            "the whole by skops.io.dump with fastbp.io.SKOPS_TYPES, or by pickle"
        )
    return {"model": own, "skops": dump}


def _with_last_step(pipeline: Any, step: tuple[str, Any]) -> Any:
    """Return a pipeline with another last step, and the same steps before it."""
    other = copy.copy(pipeline)
    other.steps = [*pipeline.steps[:-1], step]
    return other


def _skops() -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise ImportError('files of pipelines need skops: pip install "fastbp[skops]"') from error
    return skops.io


def _refused(dump: bytes) -> list[str]:
    """Return the types in a dump that may not be there."""
    return sorted(set(_skops().get_untrusted_types(data=dump)) - set(TRUSTED))


# -- back ------------------------------------------------------------------------------------------


def from_tree(tree: Fields, name: str) -> Any:
    """Return the pipeline of a tree."""
    from sklearn.pipeline import Pipeline

    model, dump = model_of(tree.fields("model").tree), tree.value("skops")
    if type(dump) is not bytes:
        tree.refuse("skops", "must be bytes")
    _check_archive(dump)
    skops = _skops()
    try:
        refused = _refused(dump)
        if refused:
            raise UnreadableFileError(
                f"it has objects that are not trusted: {', '.join(refused[:5])}; files hold those "
                "of scikit-learn and skrub alone"
            )
        pipeline = skops.loads(dump, trusted=list(TRUSTED))
    except (UnreadableFileError, ImportError):
        raise
    except Exception as error:  # skops has no type of its own for a damaged dump
        raise UnreadableFileError(f"it is damaged: skops says {error}") from error
    if type(pipeline) is not Pipeline or not _ends_open(pipeline):
        raise UnreadableFileError("it is damaged: its skops dump is no pipeline")
    return _with_last_step(pipeline, (pipeline.steps[-1][0], model))


def _check_archive(dump: bytes) -> None:
    """Refuse a dump that would be larger when unpacked: skops stores its members as they are."""
    try:
        members = zipfile.ZipFile(io.BytesIO(dump)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise UnreadableFileError(f"it is damaged: its skops dump is none ({error})") from error
    if any(one.compress_type != zipfile.ZIP_STORED for one in members) or (
        sum(one.file_size for one in members) > len(dump)
    ):
        raise UnreadableFileError("it is damaged: its skops dump is compressed")


def _ends_open(pipeline: Any) -> bool:
    steps = getattr(pipeline, "steps", None)
    if type(steps) is not list or not steps:
        return False
    pairs = all(type(one) is tuple and len(one) == 2 and type(one[0]) is str for one in steps)
    return pairs and type(steps[-1][1]) is str and steps[-1][1] == "passthrough"
