"""Merges that run on the workers, so that one image or one histogram comes back and not a million arrays.

`Sum`, `Mean`, `Minimum`, `Maximum` and `Histogram` give the same bits whatever the batches and their order:
sums are kept as whole numbers (see `helio_burst.burst.exactsum`), the others are exact by nature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import xarray as xr

from helio_burst.burst.exactsum import ExactSum
from helio_burst.errors import InputError


@runtime_checkable
class Combine(Protocol):
    """A commutative, associative merge with its identity."""

    def identity(self) -> Any:
        """Return the state of nothing at all."""

    def add(self, state: Any, value: Any) -> Any:
        """Return the state with one result more; the given state may be changed."""

    def merge(self, one: Any, other: Any) -> Any:
        """Return the state of both."""

    def result(self, state: Any) -> Any:
        """Return what the user gets."""


class Merge:
    """A merge function of the user's own.

    Parameters
    ----------
    function : callable
        ``function(one, other)`` merges two results, or two merged results. It must be associative and
        commutative: batches end in any order.
    """

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        self.function = function

    def identity(self) -> Any:
        """Return None, which stands for nothing merged yet."""
        return None

    def add(self, state: Any, value: Any) -> Any:
        """Merge one result into the state."""
        return self.merge(state, value)

    def merge(self, one: Any, other: Any) -> Any:
        """Merge two states."""
        if one is None:
            return other
        if other is None:
            return one
        return self.function(one, other)

    def result(self, state: Any) -> Any:
        """Return the merged result; None if nothing was merged."""
        return state


def as_combine(combine: Any) -> Combine | None:
    """Accept a merge function as well as an object with identity, add, merge (and result).

    Raises
    ------
    InputError
        It is neither.
    """
    if isinstance(combine, type):
        raise InputError(
            f"combine={combine.__name__} is a class; give an object of it, as {combine.__name__}()."
        )
    if combine is None or isinstance(combine, Combine):
        return combine
    if all(hasattr(combine, name) for name in ("identity", "add", "merge")):
        return _WithoutResult(combine)
    if callable(combine):
        return Merge(combine)
    raise InputError(
        f"combine={combine!r} is neither a function merge(one, other) nor an object with identity(), "
        "add(state, value) and merge(one, other), such as Sum(), Mean(), Minimum(), Maximum() or "
        "Histogram(edges)."
    )


class _WithoutResult:
    def __init__(self, combine: Any) -> None:
        self.combine = combine
        self.identity = combine.identity
        self.add = combine.add
        self.merge = combine.merge

    def result(self, state: Any) -> Any:
        return state


class _Elementwise:
    """A merge that works on each number, array or variable of a result by itself."""

    def identity(self) -> Any:
        return None

    def add(self, state: Any, value: Any) -> Any:
        leaves = _leaves(value)
        if state is None:
            return _Like(value), {name: self._start(array) for name, array in leaves.items()}
        template, sums = state
        if sums.keys() != leaves.keys():
            raise ValueError(f"a result with {sorted(leaves)} cannot be merged with one with {sorted(sums)}")
        for name, array in leaves.items():  # all of them before the first is changed
            if array.shape != sums[name].shape:
                raise ValueError(f"{name} has shape {array.shape} here and {sums[name].shape} elsewhere")
        return template, {name: self._add(sums[name], array) for name, array in leaves.items()}

    def merge(self, one: Any, other: Any) -> Any:
        if one is None or other is None:
            return one if other is None else other
        if one[1].keys() != other[1].keys():
            raise ValueError(f"results with {sorted(one[1])} and with {sorted(other[1])} cannot be merged")
        return one[0], {name: self._merge(one[1][name], other[1][name]) for name in one[1]}

    def result(self, state: Any) -> Any:
        if state is None:
            return None
        template, sums = state
        return template.rebuild({name: self._finish(total) for name, total in sums.items()})

    def _start(self, array: np.ndarray) -> Any:
        return array.copy()

    def _add(self, total: Any, array: np.ndarray) -> Any:
        return self._merge(total, array)

    def _merge(self, one: Any, other: Any) -> Any:
        raise TypeError("a merge must say how two states become one")

    def _finish(self, total: Any) -> Any:
        return total


class Sum(_Elementwise):
    """The exact sum of all results, element by element; NaN is left out."""

    def _start(self, array: np.ndarray) -> ExactSum:
        return self._add(ExactSum(array.shape), array)

    def _add(self, total: ExactSum, array: np.ndarray) -> ExactSum:
        total.add(array)
        return total

    def _merge(self, one: ExactSum, other: ExactSum) -> ExactSum:
        return one.merge(other)

    def _finish(self, total: ExactSum) -> np.ndarray:
        return total.total()


class Mean(Sum):
    """The mean of all results, element by element, from the exact sum; NaN is left out."""

    def _finish(self, total: ExactSum) -> np.ndarray:
        assert total.count is not None
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(total.total() / total.count)


class Minimum(_Elementwise):
    """The least of all results, element by element; NaN is left out."""

    def _merge(self, one: Any, other: Any) -> Any:
        return np.fmin(one, other)


class Maximum(_Elementwise):
    """The greatest of all results, element by element; NaN is left out."""

    def _merge(self, one: Any, other: Any) -> Any:
        return np.fmax(one, other)


class Histogram:
    """Counts of all the numbers in all results.

    Parameters
    ----------
    edges : sequence of float
        Increasing edges of the bins; bins are half-open but the last, as in `numpy.histogram`.
    """

    def __init__(self, edges: Sequence[float]) -> None:
        self.edges = np.asarray(edges, float)
        if self.edges.ndim != 1 or len(self.edges) < 2 or not (np.diff(self.edges) > 0).all():
            raise InputError(f"Histogram(edges={edges!r}): edges must be two or more increasing numbers.")

    def identity(self) -> np.ndarray:
        """Return counts of zero."""
        return np.zeros(len(self.edges) - 1, np.int64)

    def add(self, state: np.ndarray, value: Any) -> np.ndarray:
        """Count the numbers of one result; NaN is left out."""
        for array in _leaves(value).values():
            state = state + np.histogram(array[np.isfinite(array)], self.edges)[0]
        return state

    def merge(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Add two sets of counts."""
        counts: np.ndarray = np.add(one, other)
        return counts

    def result(self, state: np.ndarray) -> xr.DataArray:
        """Return the counts as DataArray, dims (bin,), with the bins' edges and centres as coordinates."""
        centres = (self.edges[:-1] + self.edges[1:]) / 2
        coords = {
            "bin": centres,
            "lower": ("bin", self.edges[:-1]),
            "upper": ("bin", self.edges[1:]),
        }
        return xr.DataArray(state, dims="bin", coords=coords, name="count")


def _leaves(value: Any) -> dict[str, np.ndarray]:
    if isinstance(value, xr.Dataset):
        leaves = {str(name): variable.to_numpy() for name, variable in value.data_vars.items()}
    elif isinstance(value, Mapping):
        leaves = {str(name): _unmasked(part) for name, part in value.items()}
    else:
        leaves = {"value": _unmasked(value)}
    for name, array in leaves.items():
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{name} is of type {array.dtype}; only numbers can be merged this way")
    return leaves


def _unmasked(value: Any) -> np.ndarray:
    """Return numbers as an array, NaN where they are masked."""
    if np.ma.is_masked(value):
        return np.asarray(np.ma.filled(value.astype(float), np.nan))
    return np.asarray(value)


class _Like:
    """How to give a merged result the form of the first one, without keeping its data."""

    def __init__(self, value: Any) -> None:
        self.kind = "number"
        self.template: Any = None
        if isinstance(value, xr.DataArray | xr.Dataset):
            self.kind = "xarray"
            variables = value.to_dataset(name="value") if isinstance(value, xr.DataArray) else value
            self.dims = {str(name): (v.dims, dict(v.attrs)) for name, v in variables.data_vars.items()}
            self.template = variables.drop_vars(list(variables.data_vars))
            self.name = value.name if isinstance(value, xr.DataArray) else None
            self.is_array = isinstance(value, xr.DataArray)
        elif isinstance(value, Mapping):
            self.kind = "dict"
        elif np.ndim(value):
            self.kind = "array"

    def rebuild(self, leaves: dict[str, Any]) -> Any:
        if self.kind == "dict":
            return {name: array[()] for name, array in leaves.items()}
        if self.kind != "xarray":
            return leaves["value"][()] if self.kind == "number" else leaves["value"]
        variables = {
            name: (*self.dims[name][:1], array, self.dims[name][1]) for name, array in leaves.items()
        }
        dataset = self.template.assign(variables)
        return dataset["value"].rename(self.name) if self.is_array else dataset
