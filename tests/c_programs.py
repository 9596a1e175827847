"""Programs of many exported models at once: compiled, fed with rows, and read."""

import dataclasses
import os
import shutil
import subprocess

import numpy as np
from exported_models import network_that_learns, random_rows

from fastbp.export import description_of

STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wconversion"]
SANITIZED = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def sanitizes(compiler):
    """Whether a compiler has its sanitizers: those of clang are a package of their own."""
    command = [compiler, *SANITIZED, "-x", "c", "-", "-o", os.devnull]
    main = "int main(void) { return 0; }"
    return not subprocess.run(command, input=main, text=True, stderr=subprocess.DEVNULL).returncode


COMPILERS = [found for found in ("gcc", "clang") if shutil.which(found) and sanitizes(found)]


@dataclasses.dataclass
class Exported:
    """A source with names that begin with ``name``, rows for it, and what it is to be asked."""

    name: str
    source: str
    x: np.ndarray
    n_out: int
    n_probabilities: int = 0
    asks: str = ""  # "class", "labels" or nothing
    y: np.ndarray | None = None  # to learn from: targets, or numbers of classes
    learning_rate: float = 0.01
    parameters: dict = dataclasses.field(default_factory=dict)  # shapes of what is read in the end

    def harness(self, k):
        """A function that reads rows and writes outputs, probabilities and labels of each."""
        real, m = {4: "float", 8: "double"}[self.x.itemsize], f"{self.name}_"
        n_in, n = self.x.shape[1], max(self.n_probabilities, 1)
        lines = [
            f"static void run_{k}(FILE *in, FILE *out) {{",
            f"    {real} x[{n_in}], outputs[{self.n_out}], p[{n}];",
            "    int number = 0; unsigned char labels[64] = {0};",
            f"    for (int t = 0; t < {len(self.x)}; t++) {{",
            "        if (fread(x, sizeof(x), 1, in) != 1) abort();",
            f"        {m}outputs(x, outputs); fwrite(outputs, sizeof(outputs), 1, out);",
        ]
        if self.n_probabilities:
            lines.append(f"        {m}probabilities(x, p); fwrite(p, sizeof(p), 1, out);")
        if self.asks == "class":
            lines.append(f"        number = {m}class(x); fwrite(&number, sizeof(int), 1, out);")
        if self.asks == "labels":
            lines.append(f"        {m}labels(x, labels); fwrite(labels, {self.n_out}, 1, out);")
        lines += ["    }", "    (void)number, (void)labels, (void)p;"]
        if self.y is not None:
            lines += self._learning(real, m)
        return "\n".join([*lines, "}"])

    def _learning(self, real, m):
        rate = f"({real}){self.learning_rate!r}"
        if self.y.ndim == 1:
            read, y = "int y;", "y"
            fread = "fread(&y, sizeof(y), 1, in)"
        else:
            read, y = f"{real} y[{self.y.shape[1]}];", "y"
            fread = "fread(y, sizeof(y), 1, in)"
        lines = [
            f"    for (int t = 0; t < {len(self.x)}; t++) {{ {read}",
            f"        if (fread(x, sizeof(x), 1, in) != 1 || {fread} != 1) abort();",
            f"        if (!{m}learn(x, {y}, {rate})) abort();",
            "    }",
        ]
        names = [f"{m}{name}" for name in self.parameters]
        return lines + [f"    fwrite({name}, sizeof({name}), 1, out);" for name in names]

    def given(self):
        """What the function reads."""
        data = self.x.tobytes()
        if self.y is not None:
            y = self.y.astype(np.int32) if self.y.ndim == 1 else self.y
            data += b"".join(a.tobytes() + b.tobytes() for a, b in zip(self.x, y, strict=True))
        return data

    def read(self, data):
        """What it wrote, by name, and the rest of the data."""
        real, n = self.x.dtype, len(self.x)
        fields = [("outputs", real, (self.n_out,))]
        if self.n_probabilities:
            fields.append(("probabilities", real, (self.n_probabilities,)))
        if self.asks == "class":
            fields.append(("class", np.int32, ()))
        if self.asks == "labels":
            fields.append(("labels", np.uint8, (self.n_out,)))
        rows = np.frombuffer(data, np.dtype(fields), n)
        found, data = {name: rows[name] for name, *_ in fields}, data[rows.nbytes :]
        for name, shape in self.parameters.items():
            found[name] = np.frombuffer(data, real, int(np.prod(shape))).reshape(shape)
            data = data[found[name].nbytes :]
        return found, data


def exported(name, model, X, **options):
    """A model and the rows X, in the dtype of X."""
    described = description_of(model)
    return Exported(
        name,
        model.to_c(name=name, dtype=options.pop("dtype", X.dtype.name), **options),
        np.ascontiguousarray(X),
        described.n_out,
        0 if described.task == "numbers" else described.n_probabilities,
        {"classes": "class", "labels": "labels"}.get(described.task, ""),
    )


def programs_that_learn(numbers, **options):
    """Programs that take some steps from `network_that_learns`, with the networks and the rules."""
    rng, found = np.random.default_rng(3), []
    for k in numbers:
        network, rule = network_that_learns(rng, k), ("sgd", "adagrad")[k % 5 % 2]
        found.append((program_that_learns(rng, f"m{k}", network, rule, **options), network, rule))
    return found


def program_that_learns(rng, name, network, rule, **options):
    """A program that takes twelve steps from a network."""
    X = random_rows(rng, 12, network.layer_sizes[0], network.dtype)
    X[rng.random(X.shape) < 0.2] = 0
    one = exported(name, network, X, learn=rule, **options)
    one.y = rng.random((12, network.layer_sizes[-1])).astype(network.dtype)
    if network.loss_name == "poisson":  # whose gradients have no bound
        one.learning_rate = 1e-4
    for l, (W, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        one.parameters |= {f"W{l}": W.shape, f"b{l}": b.shape}
    return one


def assert_learned(values, one, network, rule, **tolerance):
    """The weights are those of the network after the same steps: to the bit, or to a tolerance."""
    for x, y in zip(one.x, one.y, strict=True):
        if rule == "sgd":
            network.step(x, y, one.learning_rate)
        else:
            network.train_epoch([x], [y], one.learning_rate, solver=rule, plan="rows")
    for l, (W, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        for name, expected in ((f"W{l}", W), (f"b{l}", b)):
            what = f"{name} of {network}, {rule}"
            if tolerance:
                np.testing.assert_allclose(values[name], expected, **tolerance, err_msg=what)
            else:
                np.testing.assert_array_equal(values[name], expected, what)


def run(models, folder, compiler, flags=(), runner=()):
    """Compile all models into one program and run it; return what each wrote, and the rest."""
    calls = "\n".join(f"    run_{k}(in, out);" for k in range(len(models)))
    source = "\n".join(
        [
            "#include <stdio.h>\n#include <stdlib.h>",
            *(model.source for model in models),
            *(model.harness(k) for k, model in enumerate(models)),
            'int main(void) {\n    FILE *in = fopen("in", "rb"), *out = fopen("out", "wb");',
            f"    if (!in || !out) return 1;\n{calls}\n    return fclose(in) || fclose(out);\n}}\n",
        ]
    )
    (folder / "models.c").write_text(source)
    (folder / "in").write_bytes(b"".join(model.given() for model in models))
    compile_ = [compiler, *STRICT, "-ffp-contract=off", *flags, "models.c", "-o", "models", "-lm"]
    for command in (compile_, [*runner, "./models"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, (command, done.returncode, done.stderr[-3000:])
    data, found = (folder / "out").read_bytes(), []
    for model in models:
        values, data = model.read(data)
        found.append(values)
    assert not data
    return found
