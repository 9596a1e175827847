"""The estimators as the plain algorithm: raw units, a constant rate, no rows held out."""

import inspect

import fastbp

PLAIN = {
    "hidden_layer_sizes": (100,),
    "learning_rate": "constant",
    "learning_rate_init": 0.001,
    "max_iter": 200,
    "n_iter_no_change": 10,
    "early_stopping": False,
    "validation_fraction": 0.1,
    "standardize": False,
    "ensemble": 1,
}


def plain(kind):
    """Return a subclass of an estimator, of the same name, with these defaults."""
    signature = inspect.signature(kind.__init__)
    parameters = [
        one.replace(default=PLAIN.get(name, one.default))
        for name, one in signature.parameters.items()
    ]
    signature = signature.replace(parameters=parameters)

    def __init__(self, *args, **given):
        bound = signature.bind(self, *args, **given)
        bound.apply_defaults()
        kind.__init__(**bound.arguments)

    __init__.__signature__ = signature
    members = {"__init__": __init__, "__module__": __name__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind,), members)


BackpropClassifier = plain(fastbp.BackpropClassifier)
BackpropRegressor = plain(fastbp.BackpropRegressor)
