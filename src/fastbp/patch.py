"""Put the fast perceptrons in the place of scikit-learn's: for this process, or for one script.

``python -m fastbp.patch script.py args...`` does so for a script that does not import fastbp.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from ._printable import printable

USAGE = """usage: python -m fastbp.patch script.py [args...]
       python -m fastbp.patch -m module [args...]

Run a Python script, or a module, with fastbp's MLPClassifier and MLPRegressor in the place of
scikit-learn's. It trains the same models, in less time."""
NAMES = ("MLPClassifier", "MLPRegressor")


def patch_sklearn() -> None:
    """Let `sklearn.neural_network` hand out the classes of `fastbp.neural_network` from now on.

    Call it before ``from sklearn.neural_network import MLPClassifier``: a name that has been
    imported before keeps its class. Models of either class, and pickles of them, remain what they
    are; a pickle of a fast model needs fastbp where it is loaded, but no patch.

    See Also
    --------
    unpatch_sklearn : Undo it.

    Examples
    --------
    >>> import fastbp
    >>> fastbp.patch_sklearn()
    >>> from sklearn.neural_network import MLPClassifier
    >>> MLPClassifier.__module__
    'fastbp.neural_network'
    >>> fastbp.unpatch_sklearn()
    """
    from sklearn import neural_network

    from . import neural_network as fast

    for name in NAMES:
        setattr(neural_network, name, getattr(fast, name))


def unpatch_sklearn() -> None:
    """Let `sklearn.neural_network` hand out its own classes again: see `patch_sklearn`."""
    from sklearn import neural_network
    from sklearn.neural_network import _multilayer_perceptron as home

    for name in NAMES:
        setattr(neural_network, name, getattr(home, name))


def main(arguments: Sequence[str]) -> int:
    """Run ``script.py args...`` or ``-m module args...`` with scikit-learn patched.

    Returns
    -------
    int
        2 if the arguments make no sense. Whatever else ends the script is passed on.
    """
    is_module = arguments[:1] == ["-m"]
    target, rest = arguments[is_module : is_module + 1], arguments[is_module + 1 :]
    if not target or (target[0].startswith("-") and not is_module):
        asked = target == ["-h"] or target == ["--help"]
        print(USAGE, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    if not is_module and not Path(target[0]).exists():
        print(f"python -m fastbp.patch: there is no file {printable(target[0])}", file=sys.stderr)
        return 2
    patch_sklearn()
    sys.argv[:] = [*target, *rest]
    if is_module:
        runpy.run_module(target[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = str(Path(target[0]).resolve().parent)
        runpy.run_path(os.path.abspath(target[0]), run_name="__main__")  # as python gives __file__
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
