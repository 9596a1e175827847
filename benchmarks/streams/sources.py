"""Streams that come with river: real ones, and some that it makes, with and without drift.

``COMPARED`` are those that the defaults of fastbp's online models were chosen on, ``HELD_BACK``
others, which had no part in that.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, islice
from typing import Any

from ..tables.datasets import CLASSES, NUMBERS, Unavailable

Row = tuple[dict[str, Any], Any]


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a stream comes from; ``load`` returns an iterable of rows and targets."""

    name: str
    kind: str
    load: Callable[[], Iterable[tuple[dict[Any, Any], Any]]]


@dataclasses.dataclass(frozen=True)
class Stream:
    """A stream as a list, whose names are text, and what some models must know beforehand."""

    name: str
    kind: str
    rows: list[Row]

    @property
    def columns(self) -> list[str]:
        """All names, of text the values too (``name=value``), in the order they appear."""
        return list(dict.fromkeys(name for x, _ in self.rows for name in numbers(x)))

    @property
    def classes(self) -> list[Any]:
        return list(dict.fromkeys(y for _, y in self.rows)) if self.kind == CLASSES else []

    @property
    def has_text(self) -> bool:
        return any(isinstance(value, str) for x, _ in self.rows for value in x.values())


def numbers(x: dict[str, Any]) -> dict[str, float]:
    """Return the row with a 1 named ``name=value`` for each text."""
    return {
        **{name: float(value) for name, value in x.items() if not isinstance(value, str)},
        **{f"{name}={value}": 1.0 for name, value in x.items() if isinstance(value, str)},
    }


def stream(source: Source, n_rows: int | None = None) -> Stream:
    """Make a stream, or its first rows."""
    try:
        found = islice(source.load(), n_rows)
    except ImportError as error:
        raise Unavailable(f"{source.name} is left out: {error.name} is not installed") from error
    rows = [({str(name): value for name, value in x.items()}, y) for x, y in found]
    return Stream(source.name, source.kind, rows)


def streams(sources: list[Source]) -> Iterator[Stream]:
    """Yield those streams that are available; say which are not."""
    for source in sources:
        try:
            yield stream(source)
        except Unavailable as error:
            print(f"warning: {error}", flush=True)


def of_river(name: str) -> Iterable[tuple[dict[Any, Any], Any]]:
    from river import datasets

    return getattr(datasets, name)()


def made(generator: str, n_rows: int, **options: Any) -> Iterator[tuple[dict[Any, Any], Any]]:
    from river.datasets import synth

    return islice(getattr(synth, generator)(**options), n_rows)


def turned(generator: str, first: dict[str, Any], then: dict[str, Any]) -> Iterator[Any]:
    """Return 4,000 rows of one function and 4,000 of another."""
    return chain(made(generator, 4000, **first), made(generator, 4000, **then))


def real(name: str, kind: str) -> Source:
    return Source(name, kind, partial(of_river, name))


def synthetic(name: str, kind: str, generator: str, n_rows: int, options: dict[str, Any]) -> Source:
    return Source(name, kind, partial(made, generator, n_rows, **options))


COMPARED = [
    *(real(name, CLASSES) for name in ("Phishing", "Bananas", "ImageSegments")),
    *(real(name, NUMBERS) for name in ("TrumpApproval", "ChickWeights")),
    Source(
        "Agrawal, turns",
        CLASSES,
        partial(
            turned,
            "Agrawal",
            {"classification_function": 0, "seed": 1},
            {"classification_function": 4, "seed": 2},
        ),
    ),
    Source(
        "SEA, turns",
        CLASSES,
        partial(
            turned,
            "SEA",
            {"variant": 0, "noise": 0.1, "seed": 1},
            {"variant": 3, "noise": 0.1, "seed": 2},
        ),
    ),
    synthetic(
        "RandomRBF, drifts",
        CLASSES,
        "RandomRBFDrift",
        8000,
        {
            "seed_model": 1,
            "seed_sample": 2,
            "n_classes": 4,
            "n_features": 8,
            "n_centroids": 30,
            "change_speed": 0.001,
            "n_drift_centroids": 15,
        },
    ),
    synthetic(
        "LED",
        CLASSES,
        "LED",
        5000,
        {"seed": 1, "noise_percentage": 0.1, "irrelevant_features": True},
    ),
    synthetic(
        "Friedman, drifts",
        NUMBERS,
        "FriedmanDrift",
        8000,
        {"drift_type": "gra", "position": (3000, 5500), "transition_window": 500, "seed": 1},
    ),
]
HELD_BACK = [
    synthetic(
        "Hyperplane, drifts",
        CLASSES,
        "Hyperplane",
        8000,
        {
            "seed": 3,
            "n_features": 10,
            "n_drift_features": 5,
            "mag_change": 0.002,
            "noise_percentage": 0.05,
        },
    ),
    synthetic("Waveform", CLASSES, "Waveform", 5000, {"seed": 3, "has_noise": True}),
    Source(
        "Sine, turns",
        CLASSES,
        partial(
            turned,
            "Sine",
            {"classification_function": 0, "seed": 3},
            {"classification_function": 3, "seed": 4},
        ),
    ),
    synthetic(
        "RandomTree",
        CLASSES,
        "RandomTree",
        8000,
        {
            "seed_tree": 3,
            "seed_sample": 4,
            "n_num_features": 5,
            "n_cat_features": 3,
            "n_categories_per_feature": 4,
        },
    ),
    synthetic("Mv, with text", NUMBERS, "Mv", 6000, {"seed": 3}),
]
