"""
GradientFlowDisplay: does blame reach the first layer?
======================================================

Every layer of logistic units multiplies what comes back through it by at most a quarter. With three
of them the gradient of layer 1 is at first a hundredth of the last layer's, and the network seems
to sleep. It grows until the layers learn together.
"""

from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

from fastbp import BackpropClassifier, record
from fastbp.plot import GradientFlowDisplay

X, y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
model = BackpropClassifier(
    hidden_layer_sizes=(8, 8, 8),
    activation="logistic",
    learning_rate_init=0.02,
    max_iter=40,
    tol=0,
    random_state=0,
)
recording = record(model, X, y)  # model.fit(X, y), with snapshots on the way
GradientFlowDisplay.from_recording(recording)

# %%
# The same with ReLU, whose derivative is 1 where a unit is active: all layers learn from the start.

model.set_params(activation="relu")
GradientFlowDisplay.from_recording(record(model, X, y))
