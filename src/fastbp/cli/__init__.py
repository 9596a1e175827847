"""The command line ``fastbp``: a module or folder for each command.

``parser`` has the arguments of all, ``program`` runs the command that they name, ``console`` is
what they print through. ``reading`` turns files into tables, ``problem`` says what is to be
learned, and ``encoding`` makes the pipeline that does.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments ask for and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, default=None
        Of the command line; None takes those of this process.
    """
    from .program import run

    return run(arguments)
