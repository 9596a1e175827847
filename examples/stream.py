"""Learning from a stream: rows arrive in small groups, and what is true changes on the way.

Every group is predicted before it is learned from, so the error shown is one of rows never seen.
"""

import numpy as np

import fastbp


def arriving(n_groups, rows=50, seed=0):
    """Yield groups of rows; halfway, the second input starts to count the other way round."""
    random = np.random.default_rng(seed)
    for group in range(n_groups):
        X = random.uniform(-1, 1, size=(rows, 3))
        sign = 1 if group < n_groups / 2 else -1
        yield X, X[:, 0] + sign * X[:, 1] ** 2 + 0.05 * random.normal(size=rows)


model = fastbp.BackpropRegressor(
    hidden_layer_sizes=(32,), activation="tanh", learning_rate_init=0.05, random_state=0
)
errors = []
for group, (X, y) in enumerate(arriving(400), start=1):
    if group > 1:
        errors.append(np.abs(model.predict(X) - y).mean())
    model.partial_fit(X, y)
    if group in (2, 50, 100, 200, 201, 205, 250, 300, 400):
        remark = "  <- the world changed" if group == 201 else ""
        print(f"after {50 * (group - 1):6,} rows: mean error {errors[-1]:.3f}{remark}")
