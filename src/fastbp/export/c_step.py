"""What a C source has for learning: weights that can be changed, and a training step on one row."""

from __future__ import annotations

from ..network.tables import is_of_z, is_pair
from .c_learn import is_listed, output_delta
from .c_predict import Layers, activate_calls, input_calls
from .c_source import Source
from .c_text import Writer
from .description import Description

NOTE = "Compile with -ffp-contract=off for steps with the bits of the library's."


class LayersThatLearn(Layers):
    """Weights in RAM, of shape (n_in, n_out), and sums in the order of the kernels."""

    def __init__(self, described: Description, writer: Writer) -> None:
        super().__init__(described, writer)
        for l, layer in enumerate(described.layers):
            what = f"{layer.n_in} x {layer.n_out}"
            writer.array(f"W{l}", layer.weights, variable=True, what=what)
            writer.array(f"b{l}", layer.biases, variable=True)
        writer.need("forward")

    def call(self, l: int, z: str, a: str) -> list[str]:
        """Return the call for layer l, z of a."""
        layer = self.of.layers[l]
        sizes = f"{layer.n_in}, {layer.n_out}, {self.is_listed(l)}"
        return [f"@forward({z}, @W{l}, @b{l}, {a}, {sizes});"]

    def is_listed(self, l: int) -> int:
        """Return whether units of ReLU below layer l are left out where they are 0."""
        layers = self.of.layers
        return int(l > 0 and is_listed(layers[l - 1], layers[l]))


def add_step(source: Source, layers: LayersThatLearn, rule: str) -> None:
    """Add ``learn``, by "sgd" or "adagrad"."""
    described, w = source.of, source.w
    step = _Step(described, w, layers, rule)
    of_class = described.task == "classes"
    y = "int number" if of_class else "const real *y"
    head = f"int @learn(const real *x, {y}, real learning_rate)"
    lines = [*step.rooms(), *step.forward(), *step.output(), *step.backward(), "return 1;"]
    body = "\n".join([f"{head} {{", *(f"    {line}" for line in lines), "}"])
    what = "number is that of the class" if of_class else f"y has {described.n_out} targets"
    source.add(
        f"a step on one row ({what}): 1, or 0 where it was not finite and is left out", head, body
    )
    source.notes.append(NOTE)
    source.use_stack(step.n_bytes)


class _Step:
    """The lines of a step: z and a of each layer, then delta from the last to the first."""

    def __init__(
        self, described: Description, w: Writer, layers: LayersThatLearn, rule: str
    ) -> None:
        self._of, self._w, self._layers, self._rule = described, w, layers, rule
        self._has_own_inputs = described.inputs is not None or described.gaps is not None
        self.n_bytes = 0

    def rooms(self) -> list[str]:
        """Return the declaration of what stands on the stack."""
        rooms = {"a0": self._of.n_columns} if self._has_own_inputs else {}
        for l, layer in enumerate(self._of.layers, 1):
            if is_of_z(layer.activation):
                rooms[f"z{l}"] = layer.n_out
            rooms[f"a{l}"] = layer.n_out
        rooms["delta"] = max(layer.n_out for layer in self._of.layers)
        if len(self._of.layers) > 1:
            rooms["below"] = rooms["delta"]
        self.n_bytes = self._w.dtype.itemsize * sum(rooms.values())
        return [f"real {', '.join(f'{one}[{n}]' for one, n in rooms.items())};"]

    def forward(self) -> list[str]:
        """Return what makes z and a of each layer."""
        lines = input_calls(self._of, self._w, "a0")
        for l, layer in enumerate(self._of.layers):
            a, n = f"a{l + 1}", layer.n_out
            z = f"z{l + 1}" if is_of_z(layer.activation) else a
            lines += self._layers.call(l, z, self._input(l))
            if z != a:
                lines.append(f"for (int k = 0; k < {n}; k++) {a}[k] = {z}[k];")
            lines += activate_calls(self._w, layer, a)
        return lines

    def _input(self, l: int) -> str:
        return f"a{l}" if l or self._has_own_inputs else "x"

    def output(self) -> list[str]:
        """Return what makes the delta of the last layer."""
        n, a = self._of.n_out, f"a{len(self._of.layers)}[k]"
        lines = []
        if self._of.out_activation == "softmax" and self._of.task == "numbers":
            lines = ["double sum = 0;", f"for (int k = 0; k < {n}; k++) sum = sum + y[k];"]
            a = f"(real)sum * {a}"
        lines += [
            f"for (int k = 0; k < {n}; k++) {{",
            f"    delta[k] = {a} - {self._target()};",
            "    if (!(delta[k] - delta[k] == 0)) return 0;",
        ]
        lines += [f"    {line}" for line in output_delta(self._of)]
        lines.append("}")
        if not is_pair(str(self._of.loss), self._of.out_activation):
            lines += self._derive(len(self._of.layers), "delta")
        return lines

    def _target(self) -> str:
        if self._of.task == "classes":
            return "(real)number" if self._of.n_out == 1 else "(real)(k == number)"
        if self._of.targets is not None:
            return "(y[k] - @target_center[k]) / @target_scale[k]"
        return "y[k]"

    def _derive(self, l: int, delta: str) -> list[str]:
        """Return what multiplies the delta of layer l, counted from 1, by f'(z)."""
        layer = self._of.layers[l - 1]
        if layer.activation == "identity":
            return []
        self._w.need(f"derive_{layer.activation}")
        values = f"{'z' if is_of_z(layer.activation) else 'a'}{l}"
        return [f"@derive_{layer.activation}({delta}, {values}, {layer.n_out});"]

    def backward(self) -> list[str]:
        """Return what takes the steps, and each delta from the weights before them."""
        lines, delta, below = [], "delta", "below"
        self._w.need("step")
        for l in range(len(self._of.layers) - 1, -1, -1):
            layer, kept = self._of.layers[l], ""
            n = f"{layer.n_in}, {layer.n_out}"
            if self._rule == "adagrad":
                W = self._w.room(f"squares_W{l}", layer.weights.size)
                kept = f"{W}, {self._w.room(f'squares_b{l}', layer.n_out)}, "
            if l:
                self._w.need("delta_below")
                lines.append(f"@delta_below({below}, @W{l}, {delta}, {n});")
            to = f"@W{l}, @b{l}, {kept}{self._input(l)}, {delta}"
            lines.append(f"@step({to}, {n}, {self._layers.is_listed(l)}, learning_rate);")
            if l:
                lines += self._derive(l, below)
            delta, below = below, delta
        return lines
