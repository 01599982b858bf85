"""Bins of equal width along one variable."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from pydantic import Field, model_validator

from helio_burst.season.checks import Description


class Bins(Description):
    """Bins of equal width; each holds its lower edge, and the last does not hold its upper edge.

    Parameters
    ----------
    variable : str
        The variable that is binned, in its own units.
    start, stop : float
        The lowest and the highest edge. Samples outside, at `stop`, or NaN fall in no bin.
    number : int
        How many bins.

    Raises
    ------
    InputError
        The start is not below the stop, or there is no bin.

    Examples
    --------
    >>> Bins(variable="latitude", start=-13, stop=13, number=4).edges
    array([-13. ,  -6.5,   0. ,   6.5,  13. ])
    """

    variable: str = Field(min_length=1)
    start: float
    stop: float
    number: int = Field(gt=0, le=100_000)

    @model_validator(mode="after")
    def _check(self) -> Bins:
        if not (math.isfinite(self.start) and math.isfinite(self.stop) and self.start < self.stop):
            raise ValueError(
                f"the bins of {self.variable!r} begin at {self.start} and end at {self.stop}; "
                "the start must be below the stop"
            )
        return self

    @property
    def edges(self) -> np.ndarray:
        """ndarray, shape (number + 1,), float64: the edges of the bins."""
        return np.linspace(self.start, self.stop, self.number + 1)

    @property
    def centers(self) -> np.ndarray:
        """ndarray, shape (number,), float64: the middles of the bins."""
        edges = self.edges
        centers: np.ndarray = 0.5 * (edges[:-1] + edges[1:])
        return centers

    def index(self, values: np.ndarray) -> np.ndarray:
        """Return the number of each value's bin: int, shape (n,); -1 below, and `number` above or for NaN."""
        index: np.ndarray = np.searchsorted(self.edges, values, side="right") - 1
        return index


def flat_index(values: Mapping[str, np.ndarray], x: Bins, y: Bins | None) -> np.ndarray:
    """Find the bin of each sample, counted row by row; those in none get the number after the last.

    Returns
    -------
    ndarray, shape (n,), int
    """
    index = x.index(values[x.variable])
    inside = (index >= 0) & (index < x.number)
    if y is None:
        return np.where(inside, index, x.number)
    row = y.index(values[y.variable])
    inside &= (row >= 0) & (row < y.number)
    return np.where(inside, row * x.number + index, x.number * y.number)
