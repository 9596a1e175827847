"""
LossSurfaceDisplay: the loss surface
====================================

The figure shows the loss as a function of one weight; all other weights are fixed. A step of
gradient descent goes against the slope of the tangent, which is still steep after one epoch.
"""

import numpy as np
from sklearn.datasets import load_iris

from fastbp import BackpropClassifier, record, sensitivity_of_loss
from fastbp.plot import LossSurfaceDisplay

X, y = load_iris(return_X_y=True)
model = BackpropClassifier(
    hidden_layer_sizes=(5,),
    activation="tanh",
    learning_rate="constant",
    tol=0,
    early_stopping=False,
    random_state=0,
)
early = model.set_params(max_iter=1).fit(X, y)
slopes = np.abs(sensitivity_of_loss(early, X, y).weights[1])
i, j = np.unravel_index(slopes.argmax(), slopes.shape)  # the steepest weight of layer 2
LossSurfaceDisplay.from_estimator(early, X, y, parameters=[(2, i, j)])

# %%
# The loss as a function of two parameters:

LossSurfaceDisplay.from_estimator(early, X, y, parameters=[(2, i, j), (2, None, j)])

# %%
# The path of forty epochs, along the two directions in which the parameters moved most:

recording = record(model.set_params(max_iter=40), X, y, max_snapshots=60)
LossSurfaceDisplay.from_estimator(model, X, y, recording=recording)
