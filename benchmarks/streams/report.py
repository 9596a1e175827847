"""The results as Markdown, and where they go in streams.md."""

import statistics
from pathlib import Path

from ..tables.datasets import CLASSES
from ..tables.report import between_marks, description
from . import models, picture, scores
from .scores import Score

PAGE = "streams.md"


def texts(found: dict[str, list[Score]], n_seeds: int, versions: list[str]) -> dict[str, str]:
    """Return the text of each part, and of the models on all streams."""
    made = {part: table(results, n_seeds) for part, results in found.items() if results}
    together = [one for results in found.values() for one in results]
    if together:
        lines = [*of_models(found), "", comparison(together), "", description(versions)]
        made["models"] = "\n".join(lines)
    return made


def table(results: list[Score], n_seeds: int) -> str:
    """Return scores of all models on all streams, those of the best model in bold."""
    rows = scores.by_stream(results)
    present = {one.model for one in results}
    names = [name for name in (*models.BASELINES, *models.MODELS) if name in present]
    lines = [
        f"| stream | rows x features | score | {' | '.join(names)} |",
        "|---|---|---|" + "---:|" * len(names),
    ]
    for stream, row in rows.items():
        first = next(iter(row.values()))
        n_rows, n_features = first.shape
        kind = "accuracy" if first.kind == CLASSES else "mean error"
        cells = " | ".join(cell(row, name) for name in names)
        lines.append(f"| {stream} | {n_rows:,} x {n_features} | {kind} | {cells} |")
    if models.FASTBP in present and n_seeds > 1:
        lines += ["", f"fastbp: mean and standard deviation of {n_seeds} seeds."]
    return "\n".join(lines)


def cell(row: dict[str, Score], name: str) -> str:
    if name not in row:
        return "-"
    text = number(row[name])
    rivals = [one for one in row.values() if one.model not in models.BASELINES]
    best = name not in models.BASELINES and not any(scores.better(one, row[name]) for one in rivals)
    shown = f"**{text}**" if best else text
    return f"{shown} ± {row[name].spread:.2g}" if row[name].spread else shown


def number(one: Score) -> str:
    return f"{one.mean:.3f}" if one.kind == CLASSES else f"{one.mean:.3g}"


def of_models(found: dict[str, list[Score]]) -> list[str]:
    """Return a table of mean places and times of a row."""
    together = [one for results in found.values() for one in results]
    places = scores.ranks(together)
    lines = [
        "| model | streams | mean place | held back | us a row, geometric mean | least | most |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    held_back = scores.ranks(found.get("held_back", []))
    for name in sorted(places, key=lambda name: statistics.fmean(places[name])):
        times = [one.microseconds for one in together if one.model == name]
        shown = map(short, (statistics.geometric_mean(times), min(times), max(times)))
        apart = f"{statistics.fmean(held_back[name]):.2f}" if name in held_back else "-"
        lines.append(
            f"| {name} | {len(times)} | {statistics.fmean(places[name]):.2f} | {apart} "
            f"| {' | '.join(shown)} |"
        )
    return lines


def short(value: float) -> str:
    """Return a positive number with two digits that count, or without decimals."""
    return f"{value:.2g}" if value < 10 else f"{float(f'{value:.2g}'):,.0f}"


def comparison(results: list[Score]) -> str:
    """Return a line that says where fastbp is behind the best of river's models."""
    behind, n_streams = [], 0
    for stream, row in scores.by_stream(results).items():
        rivals = [row[name] for name in models.OF_RIVER if name in row]
        if not rivals or models.FASTBP not in row:
            continue
        n_streams += 1
        ahead = [one for one in rivals if not scores.better(row[models.FASTBP], one)]
        if ahead:
            names = " and ".join(f"{one.model} {number(one)}" for one in ahead)
            behind.append(f"{stream} ({number(row[models.FASTBP])}; {names})")
    if not n_streams:
        return "Without fastbp or without river's models there is nothing to compare."
    return (
        f"fastbp is ahead of all of river's models on {n_streams - len(behind)} of {n_streams} "
        f"streams, and behind on: {'; '.join(behind) or 'none'}."
    )


def renew(docs: Path, made: dict[str, str], found: dict[str, list[Score]]) -> None:
    """Put the texts into streams.md, each between its marks, and draw the picture again."""
    page = docs / PAGE
    text = page.read_text(encoding="utf-8")
    for part, new in made.items():
        text = between_marks(text, part, new)
    page.write_text(text, encoding="utf-8")
    picture.write(docs / "pictures", [one for results in found.values() for one in results])
