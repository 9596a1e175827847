"""`salaries`: nine parameters that learn what graduates earn."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ... import Network, record
from ...trace.inspected import Names

STUDENTS = np.array(  # grade point average, profile score, package (a year, in units of 100,000)
    [
        [8.0, 8.0, 4.0],
        [7.0, 9.0, 5.0],
        [6.0, 10.0, 6.0],
        [5.0, 12.0, 7.0],
        [9.0, 5.0, 3.2],
        [7.5, 7.0, 3.9],
        [6.5, 8.5, 4.6],
        [9.5, 9.0, 5.3],
    ]
)
NAMES = Names(("CGPA", "profile score"), ("package",))
EPOCHS = 24  # times 8 rows: a snapshot of every step
LEARNING_RATE = 0.1


def salaries() -> Any:
    """Return the recording of a 2-2-1 network that learns packages from grades and scores."""
    scaled = (STUDENTS - STUDENTS.mean(axis=0)) / STUDENTS.std(axis=0)
    network = Network((2, 2, 1), activation="tanh", random_state=0)
    X, y = scaled[:, :2].copy(), scaled[:, 2:].copy()
    recording = record(network, X, y, epochs=EPOCHS, learning_rate=LEARNING_RATE)
    return dataclasses.replace(recording, names=NAMES)
