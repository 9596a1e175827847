"""Warnings of fastbp."""


class DivergenceWarning(UserWarning):
    """Training did not end in a network of use.

    It stopped because the loss had grown beyond all bounds or a weight was no longer finite: `fit`
    keeps the weights of the best epoch so far, or the initial ones if none was better, other calls
    those before the call. Or it ended in a network that gives the same output for every row.
    A smaller learning rate and scaled inputs and targets are the usual cure.
    """
