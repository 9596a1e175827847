"""Checks that draw their cases at random: `python -m tests.fuzz --help`.

Each module has a function ``check(seed)``, which draws a case from the seed, raises if something is
wrong with what fastbp makes of it, and otherwise returns a word for what it was, to be counted.
"""

import sys
from pathlib import Path

# The modules of the tests import each other by their bare names, as pytest has it.
sys.path.insert(0, str(Path(__file__).parents[1]))
