"""What the commands share: a mistake of the user's is one line and an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable

USER_MISTAKE, INTERRUPTED = 2, 130  # exit codes


class UserError(Exception):
    """Something the user can put right; shown as one line, without a traceback."""


def say(*lines: str) -> None:
    """Print lines, each as soon as it is known."""
    for line in lines:
        print(line, flush=True)


def exit_code_of(command: Callable[[], int]) -> int:
    """Run a command and return its exit code, with one line on stderr for what went wrong."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # names of columns that a terminal cannot show
    try:
        return command()
    except (UserError, ImportError) as error:  # the latter says so of a wrong FASTBP_ISA
        print(f"fastbp: {error}", file=sys.stderr)
        return USER_MISTAKE
    except KeyboardInterrupt:
        print("\nfastbp: stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # nobody reads on, for instance after `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
