"""
A stream with concept drift: online learning
============================================

Rows arrive one by one, and their relation to the target may change. The model first predicts each
row, then trains on it (prequential evaluation), so every error below is that of an unseen row.
Halfway, the effect of the second input changes its sign.
"""

import matplotlib.pyplot as plt
import numpy as np

from fastbp import BackpropRegressor

random = np.random.default_rng(0)
X = random.uniform(-1, 1, size=(20_000, 3))
sign = np.where(np.arange(len(X)) < 10_000, 1, -1)
y = X[:, 0] + sign * X[:, 1] ** 2 + 0.05 * random.normal(size=len(X))


def errors_of(model):
    """Return how far off each prediction was, made before the row was learnt."""
    errors = []
    for x, target in zip(X, y, strict=True):
        predicted = model.predict_one(x) if errors else 0.0
        errors.append(abs(predicted - target))
        model.partial_fit(x.reshape(1, -1), [target])
    return errors


figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
for rate in (0.05, 0.005):
    model = BackpropRegressor(hidden_layer_sizes=(32,), learning_rate_init=rate, random_state=0)
    smooth = np.convolve(errors_of(model), np.full(200, 1 / 200), mode="valid")
    ax.plot(np.arange(len(smooth)) + 200, smooth, label=f"learning rate {rate}")
ax.axvline(10_000, linestyle=":", color="gray")
ax.text(9_900, 0.3, "the world changes", ha="right", color="gray")
ax.set(xlabel="rows", ylabel="mean error of the last 200", ylim=(0, None))
ax.legend()

# %%
# ``partial_fit`` keeps the learning rate constant, so the model never stops learning. It also keeps
# running means and variances of the inputs and the target, by which it scales them. A larger
# learning rate adapts to the change sooner; if it is too large, the error does not converge.
#
# ``partial_fit`` of one row and ``predict_one`` take some ten microseconds each, with validation.
# If rows arrive in groups, ``partial_fit`` still trains on them one by one.
