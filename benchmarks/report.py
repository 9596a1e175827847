"""The figures as Markdown."""

from . import groups
from .measure import SHOWN, Figures
from .verdicts import Case, Verdict, cases_of, ratio, verdicts

MAX_COLUMNS = 12  # series are drawn, not tabulated
IN_SUMMARY = ("fastbp", "scikit-learn", "PyTorch", "JAX lax.scan", "numba loops")


def markdown(figures: list[Figures], description: list[str]) -> str:
    """Return the machine, the goals and a table for each group."""
    lines = [*(f"- {line}" for line in description), "", "### Goals", "", *goals(figures)]
    for name in groups.NAMES:
        cases = cases_of(name, figures)
        if cases:
            lines += ["", f"### {groups.module_named(name).TITLE} (`{name}`)"]
            for columns, alike in by_columns(cases):
                lines += ["", *table(columns, alike)]
    return "\n".join(lines) + "\n"


def summary(figures: list[Figures], description: list[str]) -> str:
    """Return the table of rows alone, with the best known of the others, and the machine."""
    cases = cases_of("rows", figures)
    there = {subject for case in cases.values() for subject in case}
    lines = table(tuple(one for one in IN_SUMMARY if one in there), cases) if cases else []
    return "\n".join([*lines, "", *(f"{line}." for line in description)]) + "\n"


def goals(figures: list[Figures]) -> list[str]:
    """Return the table of goals, what was measured and whether it was met."""
    judged = verdicts(figures)
    lines = row("group", "case", "figure", "goal", "measured", "met")
    lines += row("---", "---", "---", "---:", "---:", "---")
    for one in judged:
        goal = one.goal
        lines += row(goal.group, one.case, goal.figure, bound(one), measured(one), met(one))
    n_met = sum(one.met is True for one in judged)
    n_measured = sum(one.met is not None for one in judged)
    return [*lines, "", f"{n_met} of {n_measured} goals measured are met, of {len(judged)} in all."]


def bound(one: Verdict) -> str:
    if one.goal.at_least is not None:
        return f"at least {value_text(one, one.goal.at_least)}"
    assert one.goal.at_most is not None
    return f"at most {value_text(one, one.goal.at_most)}"


def measured(one: Verdict) -> str:
    if one.value is None:
        return "-"
    text = value_text(one, one.value)
    limits = (one.goal.at_least, one.goal.at_most)
    if not one.met and text in (value_text(one, limit) for limit in limits if limit is not None):
        return value_text(one, one.value, 5)  # what is shown as the limit, but misses it
    return text


def met(one: Verdict) -> str:
    return {None: "not measured", True: "yes", False: "**no**"}[one.met]


def value_text(one: Verdict, value: float, n_digits: int = 3) -> str:
    return f"{value:.{n_digits}g} {one.goal.unit}".rstrip()


def by_columns(cases: dict[str, Case]) -> list[tuple[tuple[str, ...], dict[str, Case]]]:
    """Return the cases in groups of those that begin alike, and with all their subjects."""
    found: dict[tuple[str, str], dict[str, Case]] = {}
    for name, case in cases.items():
        if len(case) <= MAX_COLUMNS:
            first = next(iter(case.values()))
            found.setdefault((first.unit, first.subject), {})[name] = case
    return [(subjects_of(alike), alike) for alike in found.values()]


def subjects_of(cases: dict[str, Case]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(subject for case in cases.values() for subject in case))


def table(subjects: tuple[str, ...], cases: dict[str, Case]) -> list[str]:
    """Return a table; next to others, how many times as long as fastbp they took."""
    unit, factor = SHOWN[next(iter(next(iter(cases.values())).values())).unit]
    lines = row(f"case ({unit})" if unit else "case", *subjects)
    lines += row("---", *("---:" for _ in subjects))
    for name, case in cases.items():
        lines += row(name, *(cell(case, subject, factor) for subject in subjects))
    return lines


def cell(case: Case, subject: str, factor: float) -> str:
    one, ours = case.get(subject), case.get("fastbp")
    if one is None:
        return "-"
    text = (
        f"{factor * one.median:,.3g}"
        if factor * one.median < 1000
        else f"{factor * one.median:,.0f}"
    )
    if ours is None or one is ours or not ours.median:
        return text
    return f"{text} ({two_digits(ratio(one, ours))} x)"


def two_digits(value: float) -> str:
    """Return a ratio as precisely as it is known."""
    return f"{float(f'{value:.2g}'):,g}"


def row(*texts: str) -> list[str]:
    return [f"| {' | '.join(texts)} |"]
