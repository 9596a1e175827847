"""
SensitivityDisplay: sensitivity to the inputs
=============================================

The figure shows the mean derivative of the output with respect to each input, computed exactly by
the chain rule. Dark bars are the mean; pale bars are the mean of the absolute value. If a pale bar
is much longer than the dark one, the input increases the output for some rows and decreases it for
others.

Sensitivity of disease progression in the diabetes data:
"""

from sklearn.datasets import load_diabetes, load_iris
from sklearn.preprocessing import StandardScaler, scale

from fastbp import BackpropClassifier, BackpropRegressor
from fastbp.plot import SensitivityDisplay

standardise = StandardScaler().set_output(transform="pandas")  # keeps the columns' names
diabetes = load_diabetes(as_frame=True, scaled=False)
X = standardise.fit_transform(diabetes.data)
model = BackpropRegressor(
    hidden_layer_sizes=(16,), learning_rate_init=0.005, max_iter=40, tol=0, random_state=0
)
model.fit(X, scale(diabetes.target))
SensitivityDisplay.from_estimator(model, X)

# %%
# With several outputs the figure is a table, here for the three classes of the iris data:

iris = load_iris(as_frame=True)
X, y = standardise.fit_transform(iris.data), iris.target_names[iris.target]
model = BackpropClassifier(
    hidden_layer_sizes=(5,),
    activation="tanh",
    learning_rate_init=0.02,
    max_iter=40,
    tol=0,
    random_state=0,
)
model.fit(X, y)
SensitivityDisplay.from_estimator(model, X)

# %%
# To measure how much a feature contributes to a score, use ``permutation_importance`` of
# scikit-learn.
