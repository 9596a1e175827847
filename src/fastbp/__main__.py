"""``python -m fastbp``: the first run, on bundled data or on a file of yours."""

from ._demo.command import main

if __name__ == "__main__":
    raise SystemExit(main())
