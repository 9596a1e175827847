"""Warnings of fastbp."""


class DivergenceWarning(UserWarning):
    """Training did not end in a network of use.

    It stopped because the loss had grown beyond all bounds or a weight was no longer finite: the
    weights from before this are kept. Or it ended in a network that gives the same output for
    every row. A smaller learning rate and scaled inputs and targets are the usual cure.
    """
