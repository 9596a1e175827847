"""`Source`: a C source and its header, from the parts that are added to it."""

from __future__ import annotations

import textwrap

from .. import __version__
from .c_text import LINE, Writer, comment_text, constants_for, string_literal
from .description import Description


class Source:
    """The source of one model.

    Parameters
    ----------
    described : Description
    writer : Writer
    kind : str
        Type of weights, as users name it.
    libm : bool
        Whether libm is called.

    Attributes
    ----------
    of, w : Description and Writer
    notes : list of str
        Sentences of the first comment.
    stack_bytes : int
        Of the call that needs most.
    """

    def __init__(self, described: Description, writer: Writer, kind: str, *, libm: bool) -> None:
        self.of, self.w = described, writer
        self.notes: list[str] = []
        self.stack_bytes = 0
        self._kind, self._libm = kind, libm
        self._public: list[tuple[str, str, str]] = []  # comment, declaration, definition
        self._labels = described.labels() if described.task == "classes" else []
        self._names = [string_literal(str(label)) for label in self._labels]

    def add(self, comment: str, declaration: str, definition: str) -> None:
        """Add a function that users call."""
        fill = self.w.fill
        self._public.append((fill(comment), fill(declaration), fill(definition)))

    def use_stack(self, n_bytes: int) -> None:
        """Note that a call needs so many bytes."""
        self.stack_bytes = max(self.stack_bytes, n_bytes)

    def declarations(self) -> str:
        """Return what users of the functions see."""
        name, upper = self.w.name, self.w.name.upper()
        lines = [f"#define {upper}_N_INPUTS {self.of.n_in}"]
        lines.append(f"#define {upper}_N_OUTPUTS {self.of.n_out}")
        if self._labels:
            labels = self._labels
            lines.append(f"#define {upper}_N_CLASSES {len(labels)}\n")
            constants = constants_for(labels, f"{upper}_CLASS")
            lines.append(f"enum {name}_class_number {{")
            lines += [f"    {one} = {k}," for k, one in enumerate(constants[:-1])]
            lines += [f"    {constants[-1]} = {len(constants) - 1}", "};"]
            lines.append(f"extern const char *const {name}_class_names[{len(labels)}];")
        for comment, declaration, _ in self._public:
            lines += ["", *_comment(comment), f"{declaration};"]
        return "\n".join(lines)

    def header(self) -> str:
        """Return the text of the header."""
        guard = f"{self.w.name.upper()}_H"
        opening = '#ifdef __cplusplus\nextern "C" {\n#endif'
        closing = "#ifdef __cplusplus\n}\n#endif"
        parts = [self._first_comment(), f"#ifndef {guard}\n#define {guard}", opening]
        return "\n\n".join([*parts, self.declarations(), closing, "#endif"]) + "\n"

    def text(self, declarations: str) -> str:
        """Return the text of the source, with these declarations."""
        includes = ["#include <math.h>"] if self._libm else []
        includes.append("#include <stdint.h>")
        parts = [self._first_comment(), "\n".join(includes), declarations]
        if self._labels:
            names = ",\n".join(f"    {one}" for one in self._names)
            name = f"const char *const {self.w.name}_class_names[{len(self._labels)}]"
            parts.append(f"{name} = {{\n{names}\n}};")
        parts += self.w.constants + self.w.functions
        parts += [definition for _, _, definition in self._public]
        return "\n\n".join(parts) + "\n"

    def _bytes(self) -> list[str]:
        """Return how much memory it takes."""
        # Texts with their zeros, and pointers of 4 bytes.
        labels = sum(len(str(label).encode()) + 5 for label in self._labels)
        flash = self.w.constant_bytes + self.w.initial_bytes + labels
        what, static = "constants", ""
        if self.w.variable_bytes:
            what += " and first weights"
            static = f"{self.w.variable_bytes} bytes of weights, "
        return [
            f"Flash: {flash} bytes of {what}, besides code.",
            f"RAM: {static}{self.stack_bytes} bytes of arrays on the stack in a call.",
        ]

    def _first_comment(self) -> str:
        sizes = [_sizes(one) for one in self.of.networks]
        what = f"A multilayer perceptron {sizes[0]}"
        if len(sizes) > 1:
            what = f"A mixture of {len(sizes)} networks, {', '.join(sizes)},"
        what += f" in {self._kind}"
        lines = [f"{what}, written by fastbp {__version__}.", ""]
        lines += self._bytes()
        lines += self.notes
        lines += ["", "Inputs of a row, in this order:"]
        names = self.of.feature_names or [f"input {i}" for i in range(self.of.n_in)]
        lines += [f"  {i:3}  {comment_text(one)}" for i, one in enumerate(names)]
        if self._labels:
            lines += ["", "Classes:"]
            classes = map(str, self._labels)
            lines += [f"  {k:3}  {comment_text(one)}" for k, one in enumerate(classes)]
        return "\n".join(_comment("\n".join(lines)))


def _sizes(network: Description) -> str:
    return "-".join(str(n) for n in (network.n_in, *(one.n_out for one in network.layers)))


def _comment(text: str) -> list[str]:
    lines = [
        part
        for line in text.splitlines()
        for part in (textwrap.wrap(line, LINE - 6, drop_whitespace=False) or [""])
    ]
    if len(lines) == 1:
        return [f"/* {lines[0]} */"]
    return [f"/* {lines[0]}", *(f" * {line}".rstrip() for line in lines[1:]), " */"]
