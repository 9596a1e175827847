"""
SensitivityDisplay: which input moves the output?
=================================================

The mean derivative of the output by each input, exact, by the chain rule. Dark bars keep the sign;
pale bars are the mean size. Where a pale bar is much longer than the dark one, the input pushes
some rows up and others down.

What makes the disease progress, by the diabetes data:
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
# With several outputs it is a table: what makes an iris more of one kind.

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
# For what a feature is worth to a score, there is scikit-learn's ``permutation_importance``.
