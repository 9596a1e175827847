"""Parts of the docstrings of both estimators of Dask, beside those that all estimators share."""

from __future__ import annotations

from .._docstrings import Class
from ..estimators.docs import with_shared_parts

PARTS = {
    "apart": """
In a round each shard of the rows trains a network row by row, from the same weights; then
the weights are averaged, and a step with momentum is made towards the average. A round is a
function without state: whichever worker runs it, and however often workers die, the model
is the same to the bit, for a given list of partitions on processors of one kind.

All shards train one network: ``ensemble`` and ``n_init`` are 1, ``missing`` is "error", and
rows are held out only by ``X_val``. A fitted model predicts, pickles and saves without Dask.
""",
    "rounds": """
rounds : int or "auto", default="auto"
    Rounds of `fit`, after each of which the networks of all shards are averaged. "auto" is
    those of ``max_iter`` epochs.
rows_per_round : int, float in (0, 1] or "auto", default="auto"
    How many rows a shard trains on between two averages, or which share of its rows. "auto"
    divides an epoch into 5 to 20 rounds, of 20,000 rows where there are that many.
n_shards : int or "auto", default="auto"
    Networks that train at once, each on its own partitions, one partition after another; at
    most one a partition. "auto" is one for every 100,000 rows, 2 to 8 of them; of more than two
    million rows one for every 250,000. It depends on the rows, not on the cluster, so that
    the bits do not either. More workers than shards have nothing to do.
outer_momentum : float in [0, 1) or "auto", default="auto"
    Nesterov's momentum of the averages (Douillard et al., 2023). "auto" is
    ``1 - 1 / n_shards``, at most 0.9: several networks go as far together as one would alone.
outer_learning_rate : float, > 0, default=1.0
    Factor on the step from the weights before a round to the average after it.
""",
    "client": """
client : distributed.Client, or None
    To train with. None is that of the task that `fit` is called in, or else the newest one.
workers_timeout : float, default=60.0
    Seconds after which `fit` ends where there is no worker.
history_ : dict of str to list
    Of the rounds: ``loss``, ``rows_per_second``, ``seconds_computing``, ``seconds_moving``
    and others.
""",
}


def with_parts(one: Class) -> Class:
    """Put the parts that an estimator's docstring names, such as ``$rounds``, into it."""
    return with_shared_parts(one, PARTS)
