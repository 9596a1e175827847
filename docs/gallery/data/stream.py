"""
A stream that changes: online learning
======================================

Rows arrive one by one as dicts, and the world changes on the way: halfway, one input turns the
other way round, and later a new feature appears. The model first predicts each row, then learns it
(prequential evaluation), so every error below is that of a row it had not seen.
"""

import numpy as np

from fastbp.online import OnlineRegressor
from fastbp.plot import StreamDisplay


def orders(n=12_000):
    """Yield what a shop knows of an order, and how many minutes it took."""
    random = np.random.default_rng(0)
    for row in range(n):
        order = {"items": int(random.integers(1, 20)), "city": str(random.choice(["Ulm", "Jena"]))}
        minutes = 5 + 2 * order["items"] + 15 * (order["city"] == "Ulm")
        if row > n / 2:  # a new machine packs large orders faster than small ones
            minutes = 60 - 2 * order["items"] + 15 * (order["city"] == "Ulm")
        if row > 3 * n / 4:  # from here on the shop also knows the weight
            order["weight in grams"] = float(random.uniform(100, 9000))
            minutes += order["weight in grams"] / 300
        yield order, minutes + random.normal()


# %%
# Nothing is said of features, units or cities: numbers are scaled by their running means, each city
# has an input of its own, and the weight gets one when it appears.

display = StreamDisplay.from_model(OnlineRegressor(random_state=0), orders(), window=200)
print(display.progress)

# %%
# The dotted line predicts the mean of all orders so far. After each change the error of the last
# 200 rows returns to that of the noise, 0.8 minutes.
