"""`Writer`: C source as it grows, with the functions that were asked for, each once.

In templates ``@`` stands for the prefix of all names, ``real`` for the number type, and ``K(1.5)``
for a number of that type.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

LINE = 100
LONGEST_STRING = 4000  # bytes: C99 promises some more
WORDS = (
    "auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while main"
)
KEYWORDS = frozenset(WORDS.split())


def checked_name(name: Any) -> str:
    """Return the prefix of all names, if C can have it."""
    is_one = isinstance(name, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name, re.ASCII)
    if not is_one or name in KEYWORDS:
        raise ValueError(
            f"name must be an identifier of C, such as 'model': letters, digits and _, beginning "
            f"with a letter; got {name!r}"
        )
    return str(name)


def name_of_file(path: Any) -> str:
    """Return the name of a file as an identifier of C, "model" without a file."""
    stem = "" if path is None else os.path.splitext(os.path.basename(os.fsdecode(path)))[0]
    name = re.sub(r"[^A-Za-z0-9_]", "_", stem).lstrip("_")
    if name[:1].isdecimal():
        name = f"model_{name}"
    return f"{name}_" if name in KEYWORDS else name or "model"


class Writer:
    """The parts of a source file.

    Parameters
    ----------
    name : str
        Prefix of all names.
    dtype : dtype
        float32 or float64.
    library : mapping from name to (names, template)
        Functions, and which of these each calls.
    """

    def __init__(
        self, name: str, dtype: np.dtype[Any], library: Mapping[str, tuple[str, str]]
    ) -> None:
        self.name, self.dtype, self._library = name, dtype, library
        self.real = "float" if dtype == np.float32 else "double"
        self.constants: list[str] = []
        self.functions: list[str] = []
        self.constant_bytes = self.variable_bytes = self.initial_bytes = 0
        self._asked: set[str] = set()
        self._arrays: set[str] = set()

    def need(self, *names: str) -> None:
        """Let the source have functions of the library, and what these call."""
        for name in names:
            if name in self._asked:
                continue
            self._asked.add(name)
            callees, template = self._library[name]
            self.need(*callees.split())
            self.functions.append(self.fill(template))

    def fill(self, template: str) -> str:
        """Return a template as C."""
        text = re.sub(r"K\(([^()]*)\)", lambda match: self.number(match[1]), template.strip("\n"))
        text = re.sub(r"\breal\b", self.real, text)
        return text.replace("@", f"{self.name}_").replace("%NAME%", self.name.upper())

    def number(self, value: Any) -> str:
        """Return a number, or the text of one, as a literal of the number type."""
        text = value if isinstance(value, str) and value.startswith(("0x", "-0x")) else None
        if text is None:
            number = self.dtype.type(value)
            text = np.format_float_scientific(number, unique=True, trim="0", exp_digits=1)
        return text + ("f" if self.dtype == np.float32 else "")

    def array(
        self, name: str, values: NDArray[Any], *, variable: bool = False, what: str = ""
    ) -> str:
        """Add an array of numbers, whole if they are, unless it is there; return its name."""
        if name in self._arrays:
            return f"{self.name}_{name}"
        self._arrays.add(name)
        flat = values.ravel()
        if flat.dtype == np.int8:
            kind, items, n_bytes = "int8_t", map(str, flat.tolist()), flat.size
        elif flat.dtype.kind == "i":
            kind, items, n_bytes = "int", map(str, flat.tolist()), 4 * flat.size
        else:
            with np.errstate(over="ignore"):
                flat = flat.astype(self.dtype)
            if not np.isfinite(flat).all():
                raise ValueError(f"{name} has numbers too large for {self.dtype}: use float64")
            kind, items, n_bytes = self.real, map(self.number, flat), flat.nbytes
        if variable:
            self.variable_bytes += n_bytes
            self.initial_bytes += n_bytes
        else:
            self.constant_bytes += n_bytes
        comment = f" /* {what} */" if what else ""
        self.constants.append(
            f"static {'' if variable else 'const '}{kind} {self.name}_{name}[{flat.size}] = {{"
            f"{comment}\n{_lines(items)}\n}};"
        )
        return f"{self.name}_{name}"

    def room(self, name: str, n: int) -> str:
        """Add an array of zeros that can be changed; return its name."""
        self.variable_bytes += n * self.dtype.itemsize
        self.constants.append(f"static {self.real} {self.name}_{name}[{n}];")
        return f"{self.name}_{name}"


def _lines(items: Iterable[str]) -> str:
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > LINE:
            lines.append(line)
            line = "   "
        line += f" {item},"
    return "\n".join([*lines, line])


def string_literal(text: str) -> str:
    """Return text as a literal, in UTF-8."""
    data = text.encode("utf-8")
    if len(data) > LONGEST_STRING:
        raise ValueError(
            f"the class {text[:20]!r}... cannot be exported: C holds texts of up to "
            f"{LONGEST_STRING} bytes, and it has {len(data)}"
        )
    plain = {ord(c) for c in map(chr, range(32, 127))} - {ord(c) for c in '"\\?'}
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in data) + '"'


def comment_text(text: str) -> str:
    """Return text that cannot end a comment, nor a line."""
    text = "".join(c if c.isprintable() else " " for c in text)
    return text.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")


def constants_for(labels: Iterable[Any], prefix: str) -> list[str]:
    """Return a name for each label that an ``enum`` can have, all different."""
    names: list[str] = []
    for k, label in enumerate(labels):
        text = str(label).replace("-", "MINUS_", 1) if isinstance(label, int) else str(label)
        word = re.sub(r"[^A-Z0-9]+", "_", text.upper(), flags=re.ASCII).strip("_") or str(k)
        name = f"{prefix}_{word}"
        while name in names:
            name += f"_{k}"
        names.append(name)
    return names
