"""
Nine parameters: how a network learns what graduates earn
=========================================================

Eight students have a grade point average (CGPA), a profile score and, since last summer, a salary
package. A network with two inputs, two hidden units and one output is to say the package from the
other two. It has nine numbers that can be turned, its weights and biases, and they are all that
learning can change. This page follows them.

:ref:`The shower <sphx_glr_auto_gallery_stories_a_shower.py>` is the same story with valves, and
needs no calculus.
"""

import matplotlib.pyplot as plt
import numpy as np

from fastbp import Network, check_gradients, record, sensitivity_of_loss, trace_step
from fastbp.plot import GradientFlowDisplay, LossSurfaceDisplay, NetworkDisplay

students = np.array(  # CGPA, profile score, package (a year, in units of 100,000)
    [
        [8.0, 8.0, 4.0],
        [7.0, 9.0, 5.0],
        [6.0, 10.0, 6.0],
        [5.0, 12.0, 7.0],
        [9.0, 5.0, 3.2],
        [7.5, 7.0, 3.9],
        [6.5, 8.5, 4.6],
        [9.5, 9.0, 5.3],
    ]
)
mean, spread = students.mean(axis=0), students.std(axis=0)
scaled = (students - mean) / spread  # every column around 0, about 1 wide
X, y = scaled[:, :2].copy(), scaled[:, 2:].copy()

network = Network((2, 2, 1), activation="tanh", random_state=0)
print(network.n_parameters, "parameters:", "2*2 + 2 weights and biases, then 2*1 + 1")
NetworkDisplay.from_estimator(network)

# %%
# Blue weights are positive and red ones negative, thick ones large. Nothing has been learnt yet:
# they are random.
#
# The cycle
# ---------
#
# Backpropagation takes one student at a time:
#
# 1. **forward**: predict the package with the weights as they are;
# 2. **loss**: compare it with the package that was paid;
# 3. **backward**: find out what each of the nine numbers had to do with the error;
# 4. **update**: move each of them a little, so that the error would have been smaller.
#
# When every student has had a turn, in random order, one epoch has passed, and the next one begins.
# All of this in four lines, with the mean loss of each epoch:


def train(network, learning_rate, epochs, seed=0):
    """Return the mean loss of each epoch."""
    random, curve = np.random.default_rng(seed), []
    for _ in range(epochs):
        losses = [network.step(X[row], y[row], learning_rate) for row in random.permutation(len(X))]
        curve.append(np.mean(losses))
    return curve


curve = train(network.copy(), learning_rate=0.1, epochs=5)
print("mean loss of epochs 1 to 5:", np.round(curve, 3))

# %%
# ``network.step`` is the whole cycle for one row. What is in it?
#
# The loss is a function of nine parameters
# -----------------------------------------
#
# The loss of a row is half the square of what the prediction is off, ``1/2 (a - y)^2``. The
# students' numbers are what they are. So the loss depends on the nine parameters, and on nothing
# else:


def loss_of(parameters):
    """Return the mean loss with these nine numbers as W1 (four), b1 (two), W2 (two) and b2."""
    twin = network.copy()
    twin.weights[0][...] = np.reshape(parameters[:4], (2, 2))
    twin.biases[0][...] = parameters[4:6]
    twin.weights[1][...] = np.reshape(parameters[6:8], (2, 1))
    twin.biases[1][...] = parameters[8:]
    return twin.loss(X, y)


print("all zero, which says the mean for everybody:", round(loss_of([0] * 9), 4))
print("nine others:", round(loss_of([-0.6, 0.1, 0.6, 0.4, 0, 0, 1.2, 0.5, 0]), 4))

# %%
# Think of a box with nine knobs and a display that shows the loss. Training turns the knobs until
# the display shows as little as it can. Turning one knob, the bias of the first hidden unit, and
# leaving the eight others alone gives a curve:

LossSurfaceDisplay.from_estimator(network, X, y, parameters=[(1, None, 0)], span=3)

# %%
# Which way to turn it, the curve says by its slope.
#
# Slopes: derivatives
# -------------------
#
# A derivative says how fast something changes. Take ``y = x^2 + x``. Its derivative is ``dy/dx = 2x
# + 1``, and at 5 that is 11: from there, ``y`` rises by 11 for each unit of ``x``, as long as ``x``
# moves but a little. One can see it without any calculus, by moving ``x`` a little:


def f(x):
    return x**2 + x


for change in (1, 0.1, 0.001):
    rise = f(5 + change) - f(5)
    print(
        f"x from 5 to {5 + change:<5}: y rises by {rise:.4f}, which is {rise / change:.3f} a unit"
    )

xs = np.linspace(0, 9, 100)
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.plot(xs, f(xs), label="y = x^2 + x")
ax.plot(xs, f(5) + 11 * (xs - 5), "--", label="slope 11, where x = 5")
ax.plot(5, f(5), "o", color="black")
ax.set(xlabel="x", ylabel="y", ylim=(-10, 90))
ax.legend()
# %%
# The sign of a slope says which way: positive, and ``y`` rises with ``x``; negative, and it falls.
# Its size says how much.
#
# With several knobs there is a slope for each, taken while the others stand still: a partial
# derivative. Of ``z = x^2 + y^2`` they are ``2x`` and ``2y``. All of them together are the
# gradient. It points where the function rises most steeply.
#
# Of our loss there are nine:

slopes = sensitivity_of_loss(network, X, y)
print("dE/dW1:", *np.round(slopes.weights[0].ravel(), 4))
print("dE/db1:", *np.round(slopes.biases[0], 4))
print("dE/dW2:", *np.round(slopes.weights[1].ravel(), 4))
print("dE/db2:", *np.round(slopes.biases[1], 4))

# %%
# They come from the chain rule: how much the loss changes with the output, times how much the
# output changes with a hidden unit, times how much that one changes with the weight. For one
# student and one weight:

trace = trace_step(network, X[0], y[0], learning_rate=0.1)
print(trace.factors(1, 0, 0))

# %%
# Are they right? Move each parameter a little, as with ``x`` above, and compare:

print(check_gradients(network, X, y))

# %%
# The lowest point
# ----------------
#
# At the bottom of a curve the slope is 0. Of ``y = x^2`` the slope is ``2x``, so the bottom is
# where ``2x = 0``: at 0. Of ``z = x^2 + y^2`` both slopes must be 0, and the bottom is where ``x =
# 0`` and ``y = 0``. Could we not do the same with nine slopes? We would have nine equations with a
# ``tanh`` inside each other, and nobody can solve them. But we do not have to know where the bottom
# is. To know where down is, here, is enough.
#
# Down: why there is a minus
# --------------------------
#
# The rule by which every parameter moves is:
#
# .. code-block:: text
#
#     w_new = w_old - learning_rate * dE/dw
#
# If the slope is positive, the loss rises with ``w``, so ``w`` has to fall, and the rule takes
# something away. If it is negative, the loss falls as ``w`` rises, and taking away a negative
# number adds. The minus turns both the right way. And where it is steep the step is long; near the
# bottom it gets shorter by itself.
#
# Take one parameter ``b`` with the loss ``5 b^2``, whose slope is ``10 b``. At -5 that is -50. With
# a learning rate of 1, the new ``b`` would be ``-5 - (-50) = 45``, far up the other side. With 0.01
# it is ``-5 + 0.5 = -4.5``: a step down.

figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained", sharey=True)
b_axis = np.linspace(-8, 8, 200)
for ax, rate, remark in zip(
    axes, (0.01, 0.06, 0.21), ("too small", "right", "too large"), strict=True
):
    way = [-5.0]
    for _ in range(6):
        way.append(way[-1] - rate * 10 * way[-1])
    ax.plot(b_axis, 5 * b_axis**2, color="lightgray")
    ax.plot(way, 5 * np.square(way), "o-", markersize=4)
    ax.set(title=f"learning rate {rate}: {remark}", xlabel="b", ylim=(-10, 320))
axes[0].set_ylabel("loss")
# %%
# The learning rate
# -----------------
#
# The learning rate says how much of the slope is taken as a step. Too small, and training takes all
# day. Too large, and every step lands higher than where it came from. With the network it is the
# same:

figure, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
for rate, remark in [(0.002, "too small"), (0.1, "right"), (0.6, "too large")]:
    ax.plot(train(network.copy(), rate, epochs=60), label=f"{rate:g}: {remark}")
ax.set(xlabel="epoch", ylabel="mean loss", yscale="log")
ax.legend(title="learning rate")
# %%
# No number is right for every network. With scaled inputs, 0.01 is a good first try with the rows
# one by one. If the loss jumps about, take a tenth; if it creeps, take three times as much.
# (``BackpropRegressor`` scales its inputs, begins with 0.02, and lets the rate fall to 0;
# :ref:`sphx_glr_auto_gallery_pictures_learning_rate.py` shows where a rate is right for a table.)
#
# Convergence
# -----------
#
# Near the bottom the slopes are close to 0, so the steps are too, and ``w_new`` is about ``w_old``.
# Training has converged. In practice one fixes a number of epochs, or stops when the loss no longer
# falls, best that of rows held out of training: ``BackpropRegressor`` does both. :doc:`/defaults`
# has pictures.

recording = record(network, X, y, epochs=200, learning_rate=0.1)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
left.semilogy(np.arange(1, 201), recording.epoch_losses)
left.set(xlabel="epoch", ylabel="mean loss")
GradientFlowDisplay.from_recording(recording, ax=right)
# %%
# The way that the nine parameters took, seen along the two directions in which they moved most:

LossSurfaceDisplay.from_estimator(network, X, y, recording=recording)
# %%
# And what came of it:

predicted = network.forward(X)[:, 0] * spread[2] + mean[2]
print("CGPA  score  package  predicted")
for (cgpa, score, package), guess in zip(students, predicted, strict=True):
    print(f"{cgpa:4.1f}  {score:5.1f}  {package:7.1f}  {guess:9.2f}")

# %%
# Nine numbers and eight students: this network has learnt its students by heart, and says little
# about a ninth. That is what rows held out of training are for; see :doc:`/guide`.
#
# To go on
# --------
#
# - ``python -m fastbp explain`` opens this very training in the browser, to play, rewind and turn
#   knobs: :doc:`/explain`.
# - :doc:`/algorithm` reads the compiled code that does all this, line by line.
