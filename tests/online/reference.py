"""The algorithm of models of streams once more, in NumPy, on rows of arrays without gaps."""

import math

import numpy as np

MASK = 2**64 - 1


class SplitMix64:
    """The generator of Steele, Lea and Flood (2014)."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        x = self.state
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
        return (x ^ (x >> 31)) % n


class Moments:
    """Running mean and standard deviation of one column."""

    def __init__(self, memory=1000.0):
        self.memory, self.weight, self.mean, self.squares = memory, 0.0, 0.0, 0.0
        self.block = []

    @property
    def spread(self):
        return math.sqrt(self.squares / self.weight) if self.weight else 0.0

    def update(self, value, weight):
        shift = value - self.mean
        if self.weight >= 20 and self.spread > 1e-14 * abs(self.mean):
            shift = min(max(shift, -10 * self.spread), 10 * self.spread)
        self.weight += weight
        self.squares += weight * shift**2 * (1 - weight / self.weight)
        self.mean += shift * weight / self.weight
        if self.weight > self.memory:
            self.squares *= self.memory / self.weight
            self.weight = self.memory

    def update_target(self, value, weight):
        self.update(value, weight)
        self.block.append((value, weight))
        values, weights = np.array(self.block).T
        if weights.sum() < 32:
            return
        self.block = []
        mean = np.average(values, weights=weights)
        squares = weights @ (values - mean) ** 2
        if self.spread**2 > 64**2 * squares / weights.sum() > 0:
            self.weight, self.mean, self.squares = weights.sum(), mean, squares

    def scaled_input(self, value):
        if not self.spread > 1e-14 * abs(self.mean):
            return float(value != 0)
        return self.scaled(value)

    def scaled(self, value):
        spread = self.spread
        return (value - self.mean) / spread if spread > 1e-14 * abs(self.mean) else 0.0


class Network:
    """One network of a model, from the weights that the model begins with."""

    def __init__(self, weights, biases, rate, keep, gain, epsilon=1e-8):
        self.W, self.b = [W.copy() for W in weights], [b.copy() for b in biases]
        self.rate, self.keep, self.gain, self.epsilon = rate, keep, gain, epsilon
        self.sums = [np.zeros_like(p) for p in (*self.W, *self.b)]

    def forward(self, x, W=None, b=None):
        activations = [x]
        for W_l, b_l in zip(W or self.W, b or self.b, strict=True):
            z = activations[-1] @ W_l + b_l
            activations.append(np.maximum(z, 0))
        activations[-1] = z
        return activations

    def step(self, x, delta_of, weight, least):
        activations = self.forward(x)
        delta = delta_of(activations[-1])
        error = np.abs(delta).max()
        if error < least:
            return error
        gradients_W, gradients_b = [], []
        for layer in reversed(range(len(self.W))):
            gradients_W.insert(0, np.outer(activations[layer], delta) * weight)
            gradients_b.insert(0, delta * weight)
            delta = (self.W[layer] @ delta) * (activations[layer] > 0)
        parameters = [*self.W, *self.b]
        for p, s, g in zip(parameters, self.sums, [*gradients_W, *gradients_b], strict=True):
            s[...] = self.keep * s + self.gain * g**2
            p -= self.rate * g / (np.sqrt(s) + self.epsilon)
        return error


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


class Model:
    """What `OnlineClassifier` or `OnlineRegressor` does.

    Parameters
    ----------
    experts : list of (Network, replay, margin, share)
    seed : int
        Of the draws.
    n_classes : int or None
        All of them are known from the beginning; None for a regression by Huber's loss.
    """

    def __init__(self, experts, seed, n_inputs, n_classes, buffer_size):
        self.experts, self.random = experts, SplitMix64(seed)
        self.inputs = [Moments() for _ in range(n_inputs)]
        self.target, self.n_classes, self.buffer_size = Moments(), n_classes, buffer_size
        self.kept, self.n_rows = [], 0
        self.losses, self.typical = [0.0] * len(experts), [0.0] * len(experts)
        self.watched = dict.fromkeys(("n", "slow", "fast", "variance"), 0.0)
        self.oldest = self.n_jumps = 0
        self.means = [([W.copy() for W in net.W], [b.copy() for b in net.b])
                      for net, *_ in experts]  # fmt: skip

    def scaled(self, x):
        values = [
            moments.scaled_input(value) for moments, value in zip(self.inputs, x, strict=True)
        ]
        return np.clip(values, -4, 4)

    def outputs(self, number, x):
        net, _, _, share = self.experts[number]
        z = net.forward(x, *(self.means[number] if share < 1 else ()))[-1]
        if self.n_classes is None:
            return z
        return softmax(z)

    def predict(self, x):
        scaled = self.scaled(x)
        weights = np.exp(min(self.losses) - np.array(self.losses))
        weights /= weights.sum()
        mixed = sum(w * self.outputs(e, scaled) for e, w in enumerate(weights))
        if self.n_classes is None:
            return float(mixed[0] * self.target.spread + self.target.mean)
        return mixed

    def learn(self, x, y, weight=1.0):
        if len(self.experts) > 1:
            for e in range(len(self.experts)):
                loss = self.loss(self.outputs(e, self.scaled(x)), y)
                self.losses[e] = 0.99 * self.losses[e] + loss
                if self.experts[e][1] and self.jumps(loss):
                    self.n_jumps += 1
                    if len(self.kept) > 100:
                        in_order = self.kept[self.oldest :] + self.kept[: self.oldest]
                        self.kept, self.oldest = in_order[-100:], 0
        for moments, value in zip(self.inputs, x, strict=True):
            moments.update(value, weight)
        if self.n_classes is None:
            self.target.update_target(y, weight)
        for e, (net, *_) in enumerate(self.experts):
            error = net.step(self.scaled(x), self.delta(y), weight, 0)
            self.typical[e] += 0.01 * (error - self.typical[e])
        for e, (net, replay, margin, share) in enumerate(self.experts):
            least = margin * (1 if self.n_classes else self.typical[e])
            for _ in range(replay if len(self.kept) >= 20 else 0):
                old_x, old_y, old_weight = self.kept[self.random.below(len(self.kept))]
                net.step(self.scaled(old_x), self.delta(old_y), old_weight, least)
            if share < 1:
                part = max(1 / (self.n_rows + 1), share)
                for mean, now in zip(self.means[e], (net.W, net.b), strict=True):
                    for m, p in zip(mean, now, strict=True):
                        m += part * (p - m)
        if len(self.kept) < self.buffer_size:
            self.kept.append((x, y, weight))
        else:
            self.kept[self.oldest] = x, y, weight
            self.oldest = (self.oldest + 1) % self.buffer_size
        self.n_rows += 1

    def jumps(self, loss):
        w = self.watched
        w["n"] += 1
        share, shift = max(1 / w["n"], 0.001), loss - w["slow"]
        w["slow"] += share * shift
        w["variance"] += share * (shift * (loss - w["slow"]) - w["variance"])
        w["fast"] += max(1 / w["n"], 0.02) * (loss - w["fast"])
        deviation = math.sqrt(0.02 / 1.98 * w["variance"])
        if w["n"] < 100 or w["fast"] <= w["slow"] + 5 * deviation:
            return False
        w["slow"], w["n"] = w["fast"], 50
        return True

    def delta(self, y):
        if self.n_classes is None:
            return lambda z: np.clip(z - self.target.scaled(y), -1, 1)
        return lambda z: softmax(z) - np.eye(self.n_classes)[y]

    def loss(self, predicted, y):
        if self.n_classes is None:
            return min(abs(self.target.scaled(y) - predicted[0]), 3)
        return 0.5 * float(np.sum((predicted - np.eye(self.n_classes)[y]) ** 2))
