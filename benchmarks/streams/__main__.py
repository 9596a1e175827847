"""Compare models that learn row by row on streams, at their defaults, on one thread.

python -m benchmarks.streams [--seeds N] [--only TEXT] [--model TEXT] [--known FILE]
                             [--docs FOLDER]
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ..machine import THREAD_VARIABLES, pin


def main(arguments: Sequence[str] | None = None) -> None:
    options = parsed(arguments)
    pin(all_cores=False)
    os.environ |= dict.fromkeys(THREAD_VARIABLES, "1")  # before NumPy's BLAS is first used
    from . import models, report, rows, scores, sources

    makers = {
        name: make
        for name, make in {**models.BASELINES, **models.MODELS}.items()
        if options.model in name or name in models.BASELINES
    }
    known = scores.read(options.known)
    began, found = time.perf_counter(), {}
    for part, group in (("compared", sources.COMPARED), ("held_back", sources.HELD_BACK)):
        found[part] = []
        for stream in sources.streams([one for one in group if options.only in one.name]):
            found[part] += scores.measured(stream, makers, options.seeds, known)
            scores.write(options.known, known)
    versions = used(known, makers)
    texts = report.texts(found, options.seeds, versions)
    if not (options.only or options.model):
        texts["rows"] = rows.table()
    for text in texts.values():
        print(text, end="\n\n")
    if options.docs:
        report.renew(options.docs, texts, found)
    print(f"{time.perf_counter() - began:.0f} s in all", file=sys.stderr)


def used(known: dict, makers: dict) -> list[str]:
    """Return the versions that figures come from; say which models are not installed."""
    from . import models

    versions = []
    for name in makers:
        if name in models.BASELINES:
            continue
        entries = [row[name]["version"] for row in known.values() if name in row]
        versions += entries or [models.version(name)]
        if not versions[-1]:
            print(f"note: {name} is left out: it needs {models.package(name)}", flush=True)
    return sorted({one for one in versions if one and not one.startswith("fastbp")})


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description=__doc__)
    add = parser.add_argument
    add("--seeds", type=int, default=5, metavar="N", help="of fastbp (default: 5)")
    add("--only", default="", metavar="TEXT", help="streams with TEXT in their names")
    add("--model", default="", metavar="TEXT", help="models with TEXT in their names")
    add(
        "--known",
        type=Path,
        metavar="FILE",
        help="results of other libraries are taken from this file, and added to it: some models "
        "take minutes, and deep-river may need an environment of its own",
    )
    add("--docs", type=Path, metavar="FOLDER", help="where to renew streams.md and its picture")
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        parser.error("--seeds must be at least 1")
    if options.docs and (options.only or options.model):
        parser.error("--docs needs all streams and models; --only and --model measure some")
    return options


if __name__ == "__main__":
    main()
