"""`SKOPS_TYPES`: the names of fastbp's types in dumps of skops, and what the drop-in keeps."""

from __future__ import annotations

SKOPS_TYPES = (
    "fastbp.estimators.classifier.BackpropClassifier",
    "fastbp.estimators.defaults.Settings",
    "fastbp.estimators.gaps.Gaps",
    "fastbp.estimators.regressor.BackpropRegressor",
    "fastbp.estimators.units.RunningUnits",
    "fastbp.estimators.units.Units",
    "fastbp.network.network.Network",
    "fastbp.network.scaling.Moments",
    "fastbp.network.scaling.NonzeroMoments",
    "fastbp.network.scaling.Scaling",
    "fastbp.network.solver.Solver",
    "fastbp.neural_network.MLPClassifier",
    "fastbp.neural_network.MLPRegressor",
    "fastbp.online.classifier.OnlineClassifier",
    "fastbp.online.experts.Expert",
    "fastbp.online.experts.Experts",
    "fastbp.online.experts.Kind",
    "fastbp.online.labels.Labels",
    "fastbp.online.names.Names",
    "fastbp.online.regressor.OnlineRegressor",
    "fastbp.training.run.History",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
)
