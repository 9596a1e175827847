"""scikit-learn's tools around fastbp: cross-validation and a search for good settings."""

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, train_test_split

import fastbp

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

settings = {
    "hidden_layer_sizes": [(4,), (16,), (16, 8)],
    "learning_rate_init": [0.005, 0.02],
    "alpha": [0.0, 0.01],
}
search = GridSearchCV(fastbp.BackpropClassifier(random_state=0), settings, cv=5)
search.fit(X_train, y_train)

n_fits = len(search.cv_results_["params"]) * search.n_splits_
print(f"{n_fits} networks trained, {search.cv_results_['mean_fit_time'].mean() * 1e3:.1f} ms each")
for name, value in search.best_params_.items():
    print(f"best {name}: {value}")
print(f"cross-validated accuracy {search.best_score_:.3f}")
print(f"held-out accuracy        {search.score(X_test, y_test):.3f}")
