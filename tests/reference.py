"""The NumPy reference: backpropagation from the textbook formulas, slow and plain.

Written from the mathematics, and on purpose not the way the kernels are: derivatives of the
activations are functions of z, every output delta goes through dE/da and the activation's
Jacobian, and nothing is fused. `complex_step_gradients` derives the gradients a second time,
without the chain rule: dE/dw = Im E(w + ih) / h is exact to rounding, because nothing is
subtracted (Squire and Trapp, 1998).
"""

import copy

import numpy as np
from scipy.special import erf


def _logistic(z):
    return 1 / (1 + np.exp(-z))


def _softmax(z):
    e = np.exp(z - z.real.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _times_log(y, x):
    """y log x, which is 0 where y is 0."""
    return np.where(y == 0, 0, y * np.log(np.where(y == 0, 1, x)))


SELU = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. (2017): lambda and alpha


def _below(z, of_positive, of_negative):
    """One function above 0, and another one below."""
    return np.where(z.real > 0, of_positive(z), of_negative(np.where(z.real > 0, 0, z)))


def _softplus(z):
    return np.log1p(np.exp(z))


def _normal(z):
    return (1 + erf(z / np.sqrt(2))) / 2


# z -> a; every one also takes complex numbers
ACTIVATIONS = {
    "identity": lambda z: z,
    "logistic": _logistic,
    "tanh": np.tanh,
    "relu": lambda z: z * (z.real > 0),
    "exp": np.exp,
    "softmax": _softmax,
    "leaky_relu": lambda z: z * np.where(z.real > 0, 1, 0.01),
    "elu": lambda z: _below(z, lambda z: z, np.expm1),
    "selu": lambda z: SELU[0] * _below(z, lambda z: z, lambda z: SELU[1] * np.expm1(z)),
    "softplus": _softplus,
    "silu": lambda z: z * _logistic(z),
    "gelu": lambda z: z * _normal(z),
    "mish": lambda z: z * np.tanh(_softplus(z)),
}
# z, dE/da -> dE/dz
BACK_THROUGH = {
    "identity": lambda z, d: d,
    "logistic": lambda z, d: d * _logistic(z) * _logistic(-z),
    "tanh": lambda z, d: d / np.cosh(z) ** 2,
    "relu": lambda z, d: d * (z > 0),
    "exp": lambda z, d: d * np.exp(z),
    "leaky_relu": lambda z, d: d * np.where(z > 0, 1, 0.01),
    "elu": lambda z, d: d * np.exp(np.minimum(z, 0)),
    "selu": lambda z, d: d * SELU[0] * np.where(z > 0, 1, SELU[1] * np.exp(np.minimum(z, 0))),
    "softplus": lambda z, d: d * _logistic(z),
    "silu": lambda z, d: d * (_logistic(z) + z * _logistic(z) * _logistic(-z)),
    "gelu": lambda z, d: d * (_normal(z) + z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)),
    "mish": lambda z, d: (
        d * (np.tanh(_softplus(z)) + z * _logistic(z) / np.cosh(_softplus(z)) ** 2)
    ),
    "softmax": lambda z, d: _softmax(z) * (d - (d * _softmax(z)).sum(axis=1, keepdims=True)),
}
# a, y (and the loss's parameter, if any) -> E of each output; every one also takes complex a
LOSSES = {
    "squared_error": lambda a, y: (a - y) ** 2 / 2,
    "absolute_error": lambda a, y: (a - y) * np.sign((a - y).real),
    "huber": lambda a, y, most: np.where(
        np.abs((a - y).real) <= most,
        (a - y) ** 2 / 2,
        most * ((a - y) * np.sign((a - y).real) - most / 2),
    ),
    "quantile": lambda a, y, q: (a - y) * ((a - y).real > 0) - q * (a - y),
    "binary_log_loss": lambda a, y: -_times_log(y, a) - _times_log(1 - y, 1 - a),
    "log_loss": lambda a, y: -_times_log(y, a),
    "poisson": lambda a, y: _times_log(y, y / a) - y + a,
}
LOSS_DERIVATIVES = {
    "squared_error": lambda a, y: a - y,
    "absolute_error": lambda a, y: np.sign(a - y),
    "huber": lambda a, y, most: np.sign(a - y) * np.minimum(np.abs(a - y), most),
    "quantile": lambda a, y, q: np.where(a == y, 0, np.where(a > y, 1 - q, -q)),
    "binary_log_loss": lambda a, y: (1 - y) / (1 - a) - y / a,
    "log_loss": lambda a, y: -y / a,
    "poisson": lambda a, y: 1 - y / a,
}


class Reference:
    """A float64 reference of a network, with copies of its parameters."""

    def __init__(self, network):
        self.weights = [np.array(W, dtype=np.float64) for W in network.weights]
        self.biases = [np.array(b, dtype=np.float64) for b in network.biases]
        self.activations = [*network.activation, network.out_activation]
        binary = network.loss_name == "log_loss" and network.out_activation == "logistic"
        self.loss_name = "binary_log_loss" if binary else network.loss_name
        own = {"huber": "huber_delta", "quantile": "quantile"}.get(self.loss_name)
        self.loss_parameters = (getattr(network, own),) if own else ()
        self.velocities = [np.zeros_like(p) for p in self.parameters]
        self.moments = [(np.zeros_like(p), np.zeros_like(p)) for p in self.parameters]
        self.squares = [np.zeros_like(p) for p in self.parameters]
        self.n_steps = 0

    @property
    def parameters(self):
        return [*self.weights, *self.biases]

    def forward(self, X, masks=None):
        """z and a of every layer, a[0] being X; hidden layers' a times their masks, if any."""
        z, a = [None], [X]
        for W, b, name in zip(self.weights, self.biases, self.activations, strict=True):
            z.append(a[-1] @ W + b)
            a.append(ACTIVATIONS[name](z[-1]))
            if masks is not None and len(a) <= len(self.weights):
                a[-1] = a[-1] * masks[len(a) - 2]
        return z, a

    def row_losses(self, X, y, masks=None):
        a = self.forward(X, masks)[1][-1]
        return LOSSES[self.loss_name](a, y, *self.loss_parameters).sum(axis=1)

    def loss(self, X, y, sample_weight=None):
        w = np.ones(len(X)) if sample_weight is None else sample_weight
        return w @ self.row_losses(X, y) / w.sum()

    def summed_gradients(self, X, y, w, masks=None):
        """The sum over rows of w_i dE_i/dparameter, one array for each of `parameters`."""
        z, a = self.forward(X, masks)
        gradients = {}
        dE_da = LOSS_DERIVATIVES[self.loss_name](a[-1], y, *self.loss_parameters)
        dE_da = dE_da * w[:, np.newaxis]
        for layer in range(len(self.weights), 0, -1):
            delta = BACK_THROUGH[self.activations[layer - 1]](z[layer], dE_da)
            gradients["W", layer] = a[layer - 1].T @ delta
            gradients["b", layer] = delta.sum(axis=0)
            dE_da = delta @ self.weights[layer - 1].T
            if masks is not None and layer > 1:
                dE_da = dE_da * masks[layer - 2]
        n = len(self.weights)
        return [gradients[kind, layer] for kind in "Wb" for layer in range(1, n + 1)]

    def gradients(self, X, y, sample_weight=None):
        w = np.ones(len(X)) if sample_weight is None else sample_weight
        return [gradient / w.sum() for gradient in self.summed_gradients(X, y, w)]

    def complex_step_gradients(self, X, y, sample_weight=None, h=1e-30):
        reference = copy.copy(self)
        reference.weights = [W.astype(complex) for W in self.weights]
        reference.biases = [b.astype(complex) for b in self.biases]
        gradients = [np.empty(p.shape) for p in self.parameters]
        for parameter, gradient in zip(reference.parameters, gradients, strict=True):
            for index in np.ndindex(parameter.shape):
                parameter[index] += 1j * h
                gradient[index] = reference.loss(X, y, sample_weight).imag / h
                parameter[index] = parameter[index].real
        return gradients

    def train_epoch(self, X, y, learning_rate, order=None, momentum=0.0, nesterov=False,
                    alpha=0.0, batch_size=1, sample_weight=None, by_weight=False,
                    solver="sgd", beta_1=0.9, beta_2=0.999, epsilon=1e-8, masks=None):  # fmt: skip
        """One pass in steps of batch_size rows; the mean of the losses just before each step.

        ``by_weight`` as scikit-learn has it: means per weight, and the penalty in the loss.
        ``masks`` hold, for each hidden layer, a factor for each sample and unit.
        """
        order = np.arange(len(X)) if order is None else np.asarray(order)
        w = np.ones(len(X)) if sample_weight is None else sample_weight
        loss_sum = 0.0
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            now = masks and [mask[start : start + batch_size] for mask in masks]
            loss = w[batch] @ self.row_losses(X[batch], y[batch], now)
            if by_weight:
                loss += 0.5 * alpha * sum((W**2).sum() for W in self.weights)
                loss *= len(batch) / w[batch].sum()
            loss_sum += loss
            gradients = self.summed_gradients(X[batch], y[batch], w[batch], now)
            strength = 0.0 if solver == "adamw" else alpha
            penalties = [strength * W for W in self.weights] + [0.0] * len(self.biases)
            divisor = w[batch].sum() if by_weight else len(batch)
            gradients = [(g + p) / divisor for g, p in zip(gradients, penalties, strict=True)]
            if solver == "adam":
                self._adam_step(gradients, learning_rate, beta_1, beta_2, epsilon)
                continue
            if solver == "adamw":
                for W in self.weights:
                    W -= learning_rate * alpha * W
                self._adamw_step(gradients, learning_rate, beta_1, beta_2, epsilon)
                continue
            if solver in ("adagrad", "rmsprop"):
                for p, s, g in zip(self.parameters, self.squares, gradients, strict=True):
                    s[...] = s + g**2 if solver == "adagrad" else beta_2 * s + (1 - beta_2) * g**2
                    p -= learning_rate * g / (np.sqrt(s) + epsilon)
                continue
            for p, v, g in zip(self.parameters, self.velocities, gradients, strict=True):
                v[...] = momentum * v - learning_rate * g
                p += momentum * v - learning_rate * g if nesterov else v
        return loss_sum / (len(order) if by_weight else w[order].sum())

    def _adam_step(self, gradients, learning_rate, beta_1, beta_2, epsilon):
        """Kingma and Ba (2015), end of section 2: the correction of the start in the rate."""
        self.n_steps += 1
        rate = learning_rate * np.sqrt(1 - beta_2**self.n_steps) / (1 - beta_1**self.n_steps)
        for p, (m, s), g in zip(self.parameters, self.moments, gradients, strict=True):
            m[...] = beta_1 * m + (1 - beta_1) * g
            s[...] = beta_2 * s + (1 - beta_2) * g**2
            p -= rate * m / (np.sqrt(s) + epsilon)

    def _adamw_step(self, gradients, learning_rate, beta_1, beta_2, epsilon):
        """Loshchilov and Hutter (2019), after the decay: epsilon is not corrected."""
        self.n_steps += 1
        for p, (m, s), g in zip(self.parameters, self.moments, gradients, strict=True):
            m[...] = beta_1 * m + (1 - beta_1) * g
            s[...] = beta_2 * s + (1 - beta_2) * g**2
            mean = m / (1 - beta_1**self.n_steps)
            p -= learning_rate * mean / (np.sqrt(s / (1 - beta_2**self.n_steps)) + epsilon)
