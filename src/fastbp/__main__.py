"""``python -m fastbp``: the same as the command ``fastbp``, see `fastbp.cli`."""

from .cli import main

if __name__ == "__main__":
    raise SystemExit(main())
