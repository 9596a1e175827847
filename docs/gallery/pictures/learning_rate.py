"""
LearningRateDisplay: too small, right, too large
================================================

The loss of held-out rows that training ends with, at several learning rates: copies of the model
are trained at each. Where the rate is too small, training has not come far when it ends. Where it
is too large, steps overshoot, and the loss ends higher, or training diverges (a cross). The shaded
rates between are as good as the best. The dotted line is the rate that the model takes by itself.

A network with 32 hidden units, on images of digits:
"""

from sklearn.datasets import load_breast_cancer, load_digits

from fastbp import BackpropClassifier
from fastbp.plot import LearningRateDisplay

X, y = load_digits(return_X_y=True)
model = BackpropClassifier(hidden_layer_sizes=(32,), random_state=0)
LearningRateDisplay.from_estimator(model, X, y)

# %%
# That this line meets the right rates of most tables is due to ``standardize=True``. A table whose
# columns stay in their own units, some of thousandths and some of thousands, has its own:

X, y = load_breast_cancer(return_X_y=True)
model.set_params(standardize=False)
LearningRateDisplay.from_estimator(model, X, y, rates=[10.0**k for k in range(-10, 0)])
