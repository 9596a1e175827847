"""The arguments of all commands."""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import __version__
from .console import Parser

QUICK_EPOCHS = 3
PICTURE = Path("fastbp_learning_curves.png")
PAGE = Path("fastbp_explain.html")

EXAMPLES = {
    "": """\
examples:
  fastbp fit houses.csv --target price -o houses.fbp
  fastbp predict houses.fbp new_houses.csv -o prices.csv
  fastbp compare houses.csv --target price
  tail -n +1 -f sensors.csv | fastbp stream - --target fault

exit codes: 0 done, 1 it cannot be done (a line says why), 2 wrong arguments, 130 Ctrl-C""",
    "compare": """\
examples:
  fastbp compare --quick
  fastbp compare houses.csv --target price --epochs 50 --hidden 64,64""",
    "fit": """\
examples:
  fastbp fit houses.csv --target price -o houses.fbp
  fastbp fit sales.csv --target returned --order time --json
  fastbp fit large.csv --target y -o large.fbp --checkpoint large.part.fbp""",
    "predict": """\
examples:
  fastbp predict houses.fbp new_houses.csv -o prices.csv
  fastbp predict sales.fbp today.csv --proba | head""",
    "info": """\
example:
  fastbp info houses.fbp""",
    "export": """\
examples:
  fastbp export houses.fbp --onnx houses.onnx
  fastbp export houses.fbp --c houses.c""",
    "explain": """\
examples:
  fastbp explain
  fastbp explain --data houses.csv --target price
  fastbp explain houses.fbp --data houses.csv --target price --row 70""",
    "stream": """\
examples:
  fastbp stream sensors.csv --target fault
  tail -n +1 -f sensors.csv | fastbp stream - --target fault --save fault.fbp
  fastbp stream monday.csv --target fault --from fault.fbp --save fault.fbp""",
}


def parser() -> Parser:
    """Return the parser of ``fastbp``, whose commands have parsers of their own."""
    top = Parser(
        prog="fastbp",
        description="Neural networks trained row by row, on files. Without a command: fastbp "
        "compare, on data sets that come with scikit-learn.",
        epilog=EXAMPLES[""],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"fastbp {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, (about, add_arguments) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=f"{about[0].lower()}{about[1:].partition('.')[0]}",
            description=about,
            epilog=EXAMPLES[name],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add_arguments(command)
    return top


def _compare(command: Parser) -> None:
    _add_file(command, nargs="?")
    command.add_argument("--data", type=Path, dest="data", help=argparse.SUPPRESS)
    add = command.add_argument
    add("--quick", action="store_true", help=f"only {QUICK_EPOCHS} epochs: a few seconds")
    add("--epochs", type=_whole, metavar="N", help="passes over the rows")
    add("--hidden", type=_sizes, metavar="N[,N...]", help="units of the hidden layers")
    add("--learning-rate", type=_positive, metavar="ETA", help="length of a step")
    _add_seed(command)
    add("-o", "--output", type=Path, metavar="FILE", help=f"the picture (default: {PICTURE})")
    _add_json(command)


def _fit(command: Parser) -> None:
    _add_file(command)
    add = command.add_argument
    add("-o", "--output", type=Path, metavar="FILE", help="where to save the model")
    add(
        "--order",
        choices=("random", "time"),
        default="random",
        help="which fifth of the rows is held out: any, or with time the last ones (default: any)",
    )
    _add_seed(command)
    add(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="where to save the training on its way: the same command goes on from it",
    )
    add("--no-code", action="store_true", help="do not print the model as a program in Python")
    _add_json(command)


def _predict(command: Parser) -> None:
    add = command.add_argument
    add("model", type=Path, metavar="MODEL", help="a file that fastbp fit has saved")
    add("file", type=Path, metavar="FILE", help="a CSV or Parquet file with the same columns")
    _add_reading(command)
    add("-o", "--output", type=Path, metavar="FILE", help="a CSV file (default: the terminal)")
    add("--proba", action="store_true", help="the probability of each class, too")
    add(
        "--keep",
        metavar="COLUMN",
        action="append",
        default=[],
        help="a column of FILE to write before the predictions; may be given more than once",
    )
    _add_json(command)


def _info(command: Parser) -> None:
    command.add_argument("model", type=Path, metavar="MODEL", help="a file of a model")
    _add_json(command)


def _export(command: Parser) -> None:
    add = command.add_argument
    add("model", type=Path, metavar="MODEL", help="a file of a model")
    formats = command.add_mutually_exclusive_group(required=True)
    formats.add_argument("--onnx", type=Path, metavar="FILE", help="ONNX, the encoding included")
    formats.add_argument(
        "--c", type=Path, metavar="FILE.c", help="C, from the encoded columns on, and a header"
    )
    add("--name", help="what names in C begin with (default: the name of FILE.c)")
    _add_json(command)


def _explain(command: Parser) -> None:
    add = command.add_argument
    add(
        "model",
        nargs="?",
        type=Path,
        metavar="MODEL",
        help="a file that fastbp has saved, or one written by pickle or joblib: a fitted "
        "BackpropClassifier or BackpropRegressor, or scikit-learn's MLPClassifier or MLPRegressor; "
        "a pipeline or search that ends in one; or a Network. Loading a pickle can run any code in "
        "it: open only files that you trust",
    )
    add("--data", type=Path, metavar="FILE", help="a CSV or Parquet file with rows")
    add(
        "--target",
        action="append",
        metavar="COLUMN",
        help="the column of FILE to predict; once for each output of MODEL",
    )
    _add_reading(command)
    add("--row", type=int, metavar="N", help="the row of FILE to learn from; 0 is the first")
    add(
        "--learning-rate",
        type=_positive,
        metavar="ETA",
        help="of the step (default: the model's own)",
    )
    add("-o", "--output", type=Path, metavar="FILE", help=f"the page (default: {PAGE})")
    add("--no-open", action="store_true", help="write the page, and leave the browser alone")


def _stream(command: Parser) -> None:
    add = command.add_argument
    add("file", metavar="FILE", help="a CSV file with a line of names; - is a pipe")
    add("--target", required=True, metavar="COLUMN", help="the column to predict")
    _add_task(command)
    _add_without(command)
    add("--encoding", metavar="NAME", help="of FILE (default: found out; of a pipe utf-8)")
    add("--every", type=_whole, default=1000, metavar="N", help="rows from score to score (1000)")
    add(
        *("-o", "--output", "--save"),
        dest="save",
        type=Path,
        metavar="FILE",
        help="where to save the model: at the end, at Ctrl-C or SIGTERM, and every 30 seconds",
    )
    add(
        "--from",
        dest="begin",
        type=Path,
        metavar="MODEL",
        help="a model that stream has saved, to go on with; FILE of --save may be the same",
    )
    add("--seed", type=_seed, default=0, metavar="N", help="of the first weights (0)")
    _add_json(command)


COMMANDS = {
    "compare": (
        "Train a network next to scikit-learn's. The same network, one row at a time, on a file of "
        "yours or on three data sets that come with scikit-learn.",
        _compare,
    ),
    "fit": (
        "Train a model on a file and save it. Prints what each column became, the score on rows "
        "held out with a baseline beside it, and the model as a program in Python.",
        _fit,
    ),
    "predict": ("Predict the rows of a file. Writes a CSV file with a line for each.", _predict),
    "info": ("Tell what is in a file of a model.", _info),
    "export": ("Write a model as ONNX or C. See also docs/deploy.md.", _export),
    "explain": (
        "See every number of backpropagation in the browser. One page a network, to play, step "
        "through and rewind, that needs no network connection. Without arguments: nine parameters "
        "learning what a graduate earns, and a shower. With --data alone: a small network learning "
        "from your file. With a MODEL: one step of it, on one row of your file.",
        _explain,
    ),
    "stream": (
        "Learn a stream of rows as they come. Each row is predicted before it is learned: the "
        "score of that is printed on the way.",
        _stream,
    ),
}


def _add_file(command: Parser, nargs: str | None = None) -> None:
    add = command.add_argument
    if nargs is None:
        add("file", type=Path, metavar="FILE", help="a CSV or Parquet file")
    else:
        add("file", type=Path, metavar="FILE", nargs=nargs, help="a CSV or Parquet file")
    add("--target", metavar="COLUMN", help="the column of FILE to predict")
    _add_without(command)
    _add_task(command)
    _add_reading(command)


def _add_without(command: Parser) -> None:
    command.add_argument(
        "--without",
        metavar="COLUMN",
        action="append",
        help="a column to leave out; may be given more than once",
    )


def _add_task(command: Parser) -> None:
    command.add_argument(
        "--task",
        choices=("auto", "classification", "regression"),
        default="auto",
        help="what predicting COLUMN is (default: decided by its values)",
    )


def _add_reading(command: Parser) -> None:
    add = command.add_argument
    add("--encoding", metavar="NAME", help="of FILE, such as cp1251 (default: found out)")
    add("--no-names", action="store_true", help='FILE has no line of names: "column 1", ...')


def _add_seed(command: Parser) -> None:
    command.add_argument(
        "--seed", type=_seed, default=0, help="of the rows held out and the first weights (0)"
    )


def _add_json(command: Parser) -> None:
    command.add_argument(
        "--json", action="store_true", help="one JSON object instead of text, for machines"
    )


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2**32 - 1")
    return int(text)


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(_whole(size.strip()) for size in text.split(","))


def _positive(text: str) -> float:
    """Read an option that must be a finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number
