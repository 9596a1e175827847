"""
A table with text and missing values: a pipeline
================================================

A network needs numbers, without gaps. Tables contain text and missing values. A pipeline of
scikit-learn converts a table to such inputs, and is fitted, searched and saved as one estimator.
Columns may stay in their units: the estimators of fastbp scale them.

The data are made up for this page: penguins of three kinds, with some missing values.
"""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.inspection import permutation_importance
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from fastbp import BackpropClassifier
from fastbp.plot import LossCurveDisplay, SensitivityDisplay

random = np.random.default_rng(0)
kind = random.choice(["crested", "long-billed", "small"], size=600, p=[0.4, 0.35, 0.25])
bill = pd.Series(kind).map({"crested": 39.0, "long-billed": 49.0, "small": 38.0})
weight = pd.Series(kind).map({"crested": 4200.0, "long-billed": 4400.0, "small": 3300.0})
penguins = pd.DataFrame(
    {
        "bill_mm": bill + random.normal(scale=3, size=600),
        "weight_g": weight + random.normal(scale=400, size=600),
        "island": np.where(
            (kind == "small") & (random.random(600) < 0.7),
            "North",
            random.choice(["West", "East"], 600),
        ),
    }
)
penguins.loc[random.random(600) < 0.05, "bill_mm"] = np.nan
penguins.head()

# %%
# Gaps in numeric columns are filled with the median, text is one-hot encoded:

prepare = make_column_transformer(
    (SimpleImputer(strategy="median"), make_column_selector(dtype_include="number")),
    (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["island"]),
    verbose_feature_names_out=False,
).set_output(transform="pandas")
model = make_pipeline(prepare, BackpropClassifier(random_state=0))

X_train, X_test, y_train, y_test = train_test_split(penguins, kind, stratify=kind, random_state=0)
settings = {
    "backpropclassifier__hidden_layer_sizes": [(4,), (16,)],
    "backpropclassifier__alpha": [0.0, 0.01],
}
search = GridSearchCV(model, settings, cv=5).fit(X_train, y_train)
print({name.partition("__")[2]: value for name, value in search.best_params_.items()})
print(f"{search.score(X_test, y_test):.3f} of the held-out penguins recognised")

# %%
# The inspection tools of scikit-learn work with this model:

ConfusionMatrixDisplay.from_estimator(search, X_test, y_test, cmap="Blues")

# %%
importance = permutation_importance(search, X_test, y_test, n_repeats=10, random_state=0)
for column, loss in zip(penguins, importance.importances_mean, strict=True):
    print(f"{column:<9} shuffled: accuracy falls by {loss:.3f}")

# %%
# The displays of fastbp need the last step of the pipeline, and the rows transformed by the earlier
# steps:

best = search.best_estimator_
LossCurveDisplay.from_estimator(best[-1])

# %%
# Elasticities: by how many per cent a probability changes if an input grows by one per cent.

SensitivityDisplay.from_estimator(best[-1], best[:-1].transform(X_test), relative=True)
