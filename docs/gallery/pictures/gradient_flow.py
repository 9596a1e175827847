"""
GradientFlowDisplay: vanishing gradients
========================================

Every layer of logistic units multiplies the gradient by at most a quarter on its way back. With
three such layers, the gradient of layer 1 is at first a hundredth of that of the last layer, and
the loss hardly changes. It grows until all layers learn.
"""

from sklearn.datasets import load_iris

from fastbp import BackpropClassifier, record
from fastbp.plot import GradientFlowDisplay

X, y = load_iris(return_X_y=True)
model = BackpropClassifier(
    hidden_layer_sizes=(8, 8, 8),
    activation="logistic",
    learning_rate="constant",
    max_iter=40,
    tol=0,
    early_stopping=False,  # all rows, and all epochs
    random_state=0,
)
recording = record(model, X, y)  # model.fit(X, y), with snapshots on the way
GradientFlowDisplay.from_recording(recording)

# %%
# The derivative of ReLU is 1 for an active unit, so with ReLU all layers learn from the start:

model.set_params(activation="relu")
GradientFlowDisplay.from_recording(record(model, X, y))
