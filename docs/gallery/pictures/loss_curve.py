"""
LossCurveDisplay: the learning curve
====================================

A network with three layers of eight logistic units learns the iris data. The loss hardly changes
for twenty epochs, then it falls. :ref:`sphx_glr_auto_gallery_pictures_gradient_flow.py` shows why.
"""

from sklearn.datasets import load_iris

from fastbp import BackpropClassifier
from fastbp.plot import LossCurveDisplay

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
model.fit(X, y)
display = LossCurveDisplay.from_estimator(model, name="8-8-8, logistic")

# %%
# ``ax=`` draws several curves into one figure. With momentum, the flat part is shorter:

model.set_params(momentum=0.8).fit(X, y)
LossCurveDisplay.from_estimator(model, name="with momentum 0.8", ax=display.ax_)
