"""
The shower: backpropagation by turning valves
=============================================

A shower has a flow that is just right: a little less drips, a little more hurts. Two valves set it,
the main valve of the house and the handle of the shower:

.. code-block:: text

     main valve m            handle h
          |                      |
          v                      v
     [house flow x] -------> [shower flow y] -------> wanted: y'

Nobody has the formula of the pipes. But one can turn a valve, look at the flows and note what
changed, and that is all that backpropagation needs. This page tells all of it, on two valves. The
next one, :ref:`nine parameters <sphx_glr_auto_gallery_stories_nine_parameters.py>`, is the same
with a network.
"""

import math

import matplotlib.pyplot as plt
import numpy as np

from fastbp.measured import ChainTuner, Knob, Stage

# %%
# Sensitivity: a change divided by a change
# -----------------------------------------
#
# Turn the handle from 4 to 8, and the shower's flow rises from 3 to 5. So one unit of handle is
# worth half a unit of flow:

h, y = (4, 8), (3, 5)
print("dy/dh =", (y[1] - y[0]) / (h[1] - h[0]))

# %%
# That is the flow's sensitivity to the handle. Written ``dy/dh`` it is read as what it is: the
# change of ``y`` for each unit of change in ``h``. (Where a flow depends on several things and only
# one of them is moved, mathematicians round the d: ``∂y/∂h``, a partial derivative. It is the same
# quotient.)

figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.plot(h, y, "o-", color="tab:blue")
ax.plot((4, 8, 8), (3, 3, 5), ":", color="gray")
ax.text(6, 2.86, "8 - 4 = 4 turned", ha="center", va="top")
ax.text(8.1, 4, "5 - 3 = 2 more flow", va="center")
ax.set(xlim=(3, 11), ylim=(2.3, 5.5), xlabel="handle h", ylabel="shower flow y")
ax.set_title("sensitivity 2 / 4 = 1/2")
# %%
# A ``ChainTuner`` turns knobs and looks. It looks at the first settings twice, since what differs
# between the two looks is noise; then it moves the knob and divides:

handle = Stage("flow", lambda h: h / 2 + 1, Knob("handle", low=1, high=10, start=4, probe=4))
tuner = ChainTuner(handle, target=20)
tuner.tune(max_evaluations=3, callback=print)
print("d flow / d handle =", tuner.sensitivity("flow", "handle"))

# %%
# The chain rule: sensitivities multiplied
# ----------------------------------------
#
# Between the main valve and the shower flows the house's water. Say that one turn of the main valve
# gives the house 2 units of flow, and one unit of house flow gives the shower 1/4. Then one turn of
# the main valve gives the shower 2 times 1/4, which is 1/2. Nobody had to measure that:
#
# .. code-block:: text
#
#     dy/dm = dy/dx * dx/dm = 1/4 * 2 = 1/2
#
# This is the chain rule, and it holds for chains of any length. One more look between the valves is
# its price, and the reason why one move of the main valve gives both factors.

stages = [
    Stage("x", lambda m: 2 * m, Knob("m", low=1, high=10, start=4)),
    Stage("y", lambda x, h: x / 4 + h / 2 - 1, Knob("h", low=1, high=10, start=4)),
]
tuner = ChainTuner(stages, target=20)
tuner.tune(max_evaluations=4)
for of, to in [("x", "m"), ("y", "x"), ("y", "m")]:
    print(f"d{of}/d{to} = {tuner.sensitivity(of, to):.4g}")

# %%
# How far from right: the error
# -----------------------------
#
# Let ``y'`` be the flow that is wanted. How unhappy we are with ``y`` is how far it is off,
# whichever way: the error ``E = |y - y'|``. It has a sensitivity as well. Above the target one more
# unit of flow is one more unit of error, below it one less: ``dE/dy`` is 1, or -1. Exactly on
# target we say 0, and leave everything alone.

flows = np.linspace(0, 6, 301)
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.plot(flows, np.abs(flows - 3))
left.set(title="E = |y - y'|", xlabel="shower flow y", ylabel="error E")
right.plot(flows, np.sign(flows - 3))
right.set(title="dE/dy", xlabel="shower flow y", yticks=(-1, 0, 1))
# %%
# Two valves, one error: who moves how far?
# -----------------------------------------
#
# Chained to the end, every valve has a sensitivity of the error: ``dE/dm = dE/dy * dy/dx * dx/dm``
# and ``dE/dh = dE/dy * dy/dh``. Backpropagation shares out the work by these. A valve to which the
# error is twice as sensitive is turned twice as far, and each is turned against its sensitivity,
# since the error is to fall:
#
# .. code-block:: text
#
#     move of m = -eta * dE/dy * dy/dx * dx/dm
#     move of h = -eta * dE/dy * dy/dh
#
# With two valves this looks like a matter of taste. With thousands of pipes and hundreds of showers
# it is what lets a valve become somebody's own: those that matter to a shower serve it, and the
# others are not changed.
#
# Why small steps
# ---------------
#
# The step is short: ``eta``, the learning rate, is a thousandth, or a hundredth. Why not turn both
# valves once, by just as much as it takes? Here are pipes with some physics in them.

PRESSURE, WANTED = 60, 3


def house_flow(m, pressure=PRESSURE):
    return math.sqrt(pressure) * (1 - math.exp(-m / 4))


def shower_flow(x, h):
    return x * (h / 10) ** 1.5


handles = np.linspace(1, 10, 100)
figure, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
for m in (2, 4, 8):
    ax.plot(handles, [shower_flow(house_flow(m), h) for h in handles], label=f"m = {m}")
low = [shower_flow(house_flow(10, pressure=4), h) for h in handles]
ax.plot(handles, low, color="gray", label="m = 10, low pressure")
ax.axhline(WANTED, linestyle="--", color="black", linewidth=1)
ax.set(xlabel="handle h", ylabel="shower flow y")
ax.legend()

# %%
# - **Curves.** A sensitivity is the slope where we stand. Along a curve it changes, so a long move
#   lands where the straight line was, and the flow is somewhere else.
# - **Each other.** The slope along ``h`` is another one for every ``m``. Both valves move at once,
#   and what was measured is out of date as soon as they do.
# - **Limits.** With low pressure (grey) no setting gives the flow that is wanted. What the best one
#   is cannot be known before.
#
# So: a small move, look, measure anew, and again.
#
# The whole algorithm by hand
# ---------------------------
#
# Nothing has to be evaluated to measure anew. The move was a measurement: it changed the valves by
# ``dm`` and ``dh``, and everybody saw what that did to ``x`` and ``y``. Of the house, one valve
# moved, so the new sensitivity is again a change divided by a change. Of the shower, two things
# changed at once, the house flow and the handle. What they did beyond what was expected is shared
# between them in proportion to how much each changed. (That is Broyden's update: of all the slopes
# that explain what was seen, it takes the ones nearest to those before.)


def tuned_by_hand(eta, n_moves):
    """Return the error after each move."""
    m, h = 4.0, 4.0
    x, y = house_flow(m), shower_flow(house_flow(m), h)
    dx_dm = house_flow(m + 1) - x  # first measured by turning each valve by one
    dy_dx = (shower_flow(house_flow(m + 1), h) - y) / dx_dm
    dy_dh = shower_flow(x, h + 1) - y
    errors = [abs(y - WANTED)]
    for _ in range(n_moves):
        dE_dy = np.sign(y - WANTED)
        dm = np.clip(m - eta * dE_dy * dy_dx * dx_dm, 1, 10) - m  # a valve ends at its stop
        dh = np.clip(h - eta * dE_dy * dy_dh, 1, 10) - h
        m, h = m + dm, h + dh
        dx, dy = house_flow(m) - x, shower_flow(house_flow(m), h) - y  # look
        x, y = x + dx, y + dy
        if dm:
            dx_dm = dx / dm
        if dx or dh:
            surprise = dy - (dy_dx * dx + dy_dh * dh)
            dy_dx += surprise * dx / (dx**2 + dh**2)
            dy_dh += surprise * dh / (dx**2 + dh**2)
        errors.append(abs(y - WANTED))
    return errors


figure, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
for eta, remark in [(0.01, "too small"), (0.1, "about right"), (2.0, "too large")]:
    ax.plot(tuned_by_hand(eta, 60), marker=".", label=f"eta = {eta:g}: {remark}")
ax.set(xlabel="moves", ylabel="error")
ax.legend()

# %%
# Too small a rate gets there tomorrow; too large a one jumps from one side to the other. The right
# one is different for every system. A thousandth is a safe first try.
#
# ``ChainTuner`` is this loop, extended for real valves: for chains and trees of any size, noise,
# dead zones, stops. And it cuts a move where the sensitivities say that the target is, so that no
# rate is too large.


def plumbing(pressure=PRESSURE):
    return [
        Stage("x", lambda m: house_flow(m, pressure), Knob("m", low=1, high=10, start=4)),
        Stage("y", shower_flow, Knob("h", low=1, high=10, start=4)),
    ]


tuner = ChainTuner(plumbing(), target=WANTED, learning_rate=0.01)
before = tuner.tune(max_evaluations=4).history  # two looks at the start, and a probe of each valve
slopes = {knob: tuner.sensitivity("y", knob) for knob in ("m", "h")}
after = tuner.tune(max_evaluations=1).history  # the first move
for knob, slope in slopes.items():
    print(f"dy/d{knob} is {slope:.4f}: {knob} moves by {after[knob][-1] - before[knob][-1]:.6f}")
print(tuner.tune().message)

# %%
# Steps that remember
# -------------------
#
# A fixed rate times the slope is gradient descent: one step downhill, over and over, steeper hills
# taken in longer steps. Others use the same sensitivities, and look back. Momentum adds a share of
# the last move to the next, like a ball that rolls. AdaGrad gives each knob a rate of its own,
# which shrinks with all the slopes that the knob has seen, so it begins with a larger one.

for solver, eta in [("sgd", 0.01), ("momentum", 0.01), ("adagrad", 0.5)]:
    result = ChainTuner(plumbing(), target=WANTED, learning_rate=eta, solver=solver).tune()
    print(f"{solver:<9} eta = {eta:<5} {result.n_evaluations:4} looks")

# %%
# If evaluations are expensive, ``learning_rate="auto"`` goes as far as the sensitivities say the
# target lies, every time:

result = ChainTuner(plumbing(), target=WANTED, learning_rate="auto").tune()
print(result)
result.plot()
# %%
# Where it ends
# -------------
#
# On a day of low pressure both valves end wide open. The tuner measures once more, finds that
# nothing is to be gained, and says so:

print(ChainTuner(plumbing(pressure=4), target=WANTED, learning_rate="auto").tune().message)

# %%
# From two valves to a network
# ----------------------------
#
# Call the valves weights, and the house flow a hidden layer. A network has thousands of weights and
# many layers, but what it does with each row of data is what was done here:
#
# 1. chain the sensitivities back, from the error to every weight;
# 2. move each weight a little, against its own;
# 3. look at what comes out;
# 4. take the sensitivities anew;
# 5. and again.
#
# One thing is easier: the formula of a network is known, so its sensitivities need not be measured.
# The chain rule gives them exactly. :ref:`sphx_glr_auto_gallery_stories_nine_parameters.py` goes on
# from here; :doc:`/measured` is the guide to ``fastbp.measured``.
