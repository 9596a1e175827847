"""Warnings of fastbp."""


class DivergenceWarning(UserWarning):
    """Training stopped because the loss or a weight was no longer finite.

    The last finite weights are kept. A smaller learning rate and scaled inputs are the usual cure.
    """
