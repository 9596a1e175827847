"""Train a tiny network with the installed package: exits non-zero unless it learns and is shown."""

import numpy as np

import fastbp

X = np.random.default_rng(0).uniform(-1, 1, size=(200, 2))
y = X[:, 0] * X[:, 1]
network = fastbp.Network((2, 8, 1), activation="tanh", random_state=0)
first, *_, last = (network.train_epoch(X, y, learning_rate=0.1) for _ in range(50))
print(f"fastbp {fastbp.__version__}: loss {first:.4f} -> {last:.4f}")
if not last < first / 2:
    raise SystemExit("the network did not learn")
if "<main" not in fastbp.trace_step(network, X[0], y[0], 0.1).to_html():
    raise SystemExit("there is no page of a step")
