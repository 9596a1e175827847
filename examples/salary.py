"""Nine parameters, one row at a time: salary packages from grades and profile scores.

Two inputs, two hidden units, one output: 2*2 + 2 + 2*1 + 1 = 9 weights and biases. Each epoch picks
every student once, in random order; each student moves all nine a little.
"""

import numpy as np

import fastbp

# grade point average, profile score, package (a year, in units of 100,000)
students = np.array(
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
scaled = (students - mean) / spread
X, y = scaled[:, :2].copy(), scaled[:, 2:].copy()

network = fastbp.Network((2, 2, 1), activation="tanh", random_state=0)
print(network, "has", network.n_parameters, "parameters")

random = np.random.default_rng(0)
for epoch in range(1, 201):
    losses = [network.step(X[row], y[row], 0.05) for row in random.permutation(len(X))]
    if epoch <= 5 or epoch % 50 == 0:
        print(f"epoch {epoch:3}  mean loss {np.mean(losses):.4f}")

print("\ngrade  score  package  predicted")
predicted = network.forward(X)[:, 0] * spread[2] + mean[2]
for (grade, score, package), guess in zip(students, predicted, strict=True):
    print(f"{grade:5.1f}  {score:5.1f}  {package:7.1f}  {guess:9.1f}")
