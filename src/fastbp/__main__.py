"""``python -m fastbp``: the first run, on bundled data or a file of yours; or ``explain``."""

import sys


def main(arguments: list[str]) -> int:
    """Run the command that the arguments ask for and return its exit code."""
    if arguments[:1] == ["explain"]:
        from .cli.explain.command import main as explain

        return explain(arguments[1:])
    from .cli.demo.command import main as demo

    return demo(arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
