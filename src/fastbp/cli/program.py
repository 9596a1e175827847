"""`run`: from the command line to a command, and its exit code."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from .console import Parser, exit_code_of, keep_stdout_for_result
from .parser import parser

# The module of each command; its function `run` takes the options.
MODULES = {
    "compare": "compare.command",
    "fit": "fit",
    "predict": "predict",
    "info": "info",
    "export": "export",
    "explain": "explain.command",
    "stream": "stream",
}


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments ask for and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)

    def command() -> int:
        top = parser()
        options = top.parse_args(_with_command(given))
        _check(top, options)
        if getattr(options, "json", False):
            keep_stdout_for_result()
        module = importlib.import_module(f".{MODULES[options.command]}", __package__)
        code: int = module.run(options)
        return code

    return exit_code_of(command)


def _with_command(arguments: list[str]) -> list[str]:
    """Return arguments that name a command: those that name none are of `compare`."""
    if arguments[:1] in (["-h"], ["--help"], ["--version"]):
        return arguments
    if not arguments or arguments[0].startswith("-"):
        return ["compare", *arguments]
    return arguments


def _check(top: Parser, options: argparse.Namespace) -> None:
    """Refuse options that do not go together."""
    if options.command == "compare":
        options.file = options.file or options.data
        if options.file is None and (options.target or options.task != "auto"):
            top.error("--target and --task need a FILE")
    elif options.command == "explain":
        if (options.data is None) != (options.target is None):
            top.error("--data FILE and --target COLUMN go together")
        if options.row is not None and options.data is None:
            top.error("--row needs --data FILE")
        if options.learning_rate is not None and options.model is None and options.row is None:
            top.error("--learning-rate needs a MODEL, or --row: it is that of one step")
