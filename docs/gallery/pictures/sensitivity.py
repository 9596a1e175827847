"""
SensitivityDisplay: sensitivity to the inputs
=============================================

The figure shows the mean derivative of the output with respect to each input, computed exactly by
the chain rule. Dark bars are the mean; pale bars are the mean of the absolute value. If a pale bar
is much longer than the dark one, the input increases the output for some rows and decreases it for
others.

The derivatives are in the units of the table: disease progression per year of age, per unit of
blood pressure, and so on. ``relative=True`` makes them comparable, as elasticities: by how many per
cent the output changes if an input grows by one per cent. Elasticities of disease progression in
the diabetes data:
"""

from sklearn.datasets import load_diabetes, load_iris

from fastbp import BackpropClassifier, BackpropRegressor
from fastbp.plot import SensitivityDisplay

diabetes = load_diabetes(as_frame=True, scaled=False)
model = BackpropRegressor(random_state=0).fit(diabetes.data, diabetes.target)
SensitivityDisplay.from_estimator(model, diabetes.data, relative=True)

# %%
# With several outputs the figure is a table, here for the three classes of the iris data, whose
# inputs are all in centimetres, so that derivatives compare as they are:

iris = load_iris(as_frame=True)
model = BackpropClassifier(random_state=0).fit(iris.data, iris.target_names[iris.target])
SensitivityDisplay.from_estimator(model, iris.data)

# %%
# To measure how much a feature contributes to a score, use ``permutation_importance`` of
# scikit-learn.
