"""Train some 200 configurations and write what came out, to compare two builds to the bit.

python benchmarks/same_bits.py FILE      writes the outcomes, or compares with them if FILE exists

Run it with one build and then with the other, on the same machine: ``PYTHONPATH`` chooses the
build. Rounding differs between instruction sets; each one that the machine has is tried.
"""

import hashlib
import itertools
import json
import sys
from pathlib import Path

import numpy as np
from plain import plain
from scipy.sparse import csr_array

import fastbp
from fastbp import _core
from fastbp.network import Network

OPTIONS = [
    {},
    {"alpha": 0.02},
    {"momentum": 0.9},
    {"momentum": 0.8, "nesterov": True, "alpha": 0.01},
    {"solver": "adam", "alpha": 0.1},
    {"batch_size": 7},
    {"batch_size": 32, "alpha": 0.05},
    {"batch_size": 32, "momentum": 0.9, "nesterov": True},
    {"batch_size": 50, "solver": "adam"},
    {"dropout": 0.3},
]
NETWORKS = [
    ((4, 3, 1), {"activation": "tanh"}),
    ((8, 16, 1), {}),
    ((6, 7, 5, 3), {"activation": "logistic", "loss": "huber"}),
    ((30, 64, 5), {"loss": "log_loss"}),
    ((60, 80, 20), {"loss": "quantile"}),
    ((5, 9, 2), {"loss": "poisson", "activation": "identity"}),
    ((9, 4, 1), {"loss": "log_loss", "activation": "tanh"}),
    ((20, 40, 17), {"loss": "absolute_error", "out_activation": "relu"}),
]


def outcomes():
    """Yield the name of each configuration, and a digest of its parameters and losses."""
    random = np.random.RandomState(0)
    for (sizes, kind), options, sparse in itertools.product(NETWORKS, OPTIONS, (False, True)):
        n_outputs = sizes[-1]
        X = random.uniform(-1, 1, (203, sizes[0]))
        X[random.uniform(size=X.shape) < (0.9 if len(sizes) == 3 else 0.5)] *= not sparse
        y = random.uniform(0, 1, (203, n_outputs))
        if kind.get("loss") == "log_loss" and n_outputs > 1:
            y = random.randint(n_outputs, size=203)
        for dtype in ("float64", "float32"):
            name = f"{sizes} {kind} {options} {'CSR' if sparse else 'dense'} {dtype}"
            network = Network(sizes, dtype=dtype, random_state=1, **kind)
            rows = csr_array(X) if sparse else X
            losses = [network.train_epoch(rows, y, 0.003, **options) for _ in range(2)]
            parts = [*network.weights, *network.biases, network.forward(rows), np.array(losses)]
            grads = network.gradients(rows, y)
            parts += [*grads[1], *grads[2], np.array(grads[0]), network.sensitivity(X[:3])]
            yield name, hashlib.sha256(b"".join(map(bytes, map(np.ascontiguousarray, parts))))
    for n_init, momentum in itertools.product((1, 5), (0.0, 0.9)):
        model = plain(
            fastbp.BackpropRegressor,
            hidden_layer_sizes=(5,),
            n_init=n_init,
            momentum=momentum,
            max_iter=4,
            random_state=0,
            alpha=0.01,
        ).fit(X, y[:, 0] if y.ndim > 1 else y)
        parts = [*model.coefs_, *model.intercepts_, model.init_losses_]
        yield f"n_init {n_init} {momentum}", hashlib.sha256(b"".join(map(bytes, parts)))


def main():
    """Write the outcomes for the instruction set in use, or compare."""
    path = Path(sys.argv[1])
    found = {f"{_core.isa.ISA} {name}": digest.hexdigest() for name, digest in outcomes()}
    if not path.exists():
        path.write_text(json.dumps(found))
        print(f"{len(found)} written, of {fastbp.__file__}")
        return
    before = json.loads(path.read_text())
    other = [name for name in before if found.get(name) != before[name]]
    print(f"{len(before)} compared, {len(other)} differ", *other, sep="\n")
    sys.exit(bool(other))


if __name__ == "__main__":
    main()
