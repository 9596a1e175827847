"""
NetworkDisplay: a diagram of the network
========================================

Blue weights are positive, red ones negative; the width is the magnitude. The colour of a unit is
its bias. ``figure_.savefig("network.svg")`` writes a vector graphic, sharp at any size.
"""

from sklearn.datasets import load_digits, load_iris

from fastbp import BackpropClassifier
from fastbp.plot import NetworkDisplay

iris = load_iris(as_frame=True)
y = iris.target_names[iris.target]
model = BackpropClassifier(hidden_layer_sizes=(5,), activation="tanh", random_state=0)
model.fit(iris.data, y)
NetworkDisplay.from_estimator(model)

# %%
# For a large network, the figure shows the strongest units of each layer, and says so:

X, y = load_digits(return_X_y=True)
model = BackpropClassifier(hidden_layer_sizes=(32,), random_state=0).fit(X, y)
NetworkDisplay.from_estimator(model)
