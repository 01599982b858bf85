"""Sums that come out the same whatever the order and the grouping of the terms.

A float64 is cut at fixed powers of 2**30 into at most three whole numbers, and each is added up in an int64:
integer sums know no rounding, so they are associative and commutative. This is a superaccumulator as of
Kulisch, with as many digits as the data need; only the last step, back to float64, rounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BITS = 30
# A digit may be added this often before its int64 could overflow.
_CARRY_AFTER = 2**30

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass
class ExactSum:
    """The exact sum of arrays of one shape, NaN left out.

    Attributes
    ----------
    digits : dict of int to array
        The sum is ``sum(digit * 2**(30 * place))``, exactly.
    count : array of int64
        Terms at each element.
    infinite : array of float64, optional
        Sum of the infinite terms, where there were any.
    """

    shape: tuple[int, ...]
    digits: dict[int, Int] = field(default_factory=dict)
    count: Int | None = None
    infinite: Float | None = None
    additions: int = 0

    def add(self, values: Any) -> None:
        """Add one array.

        Raises
        ------
        ValueError
            The array has another shape than the ones before.
        """
        array = np.asarray(values)
        if array.shape != self.shape:
            raise ValueError(
                f"an array of shape {array.shape} cannot be added to a sum of shape {self.shape}"
            )
        if self.count is None:
            self.count = np.zeros(self.shape, np.int64)
        self._make_room()
        if array.dtype.kind in "bui" and array.dtype.itemsize < 8:
            self._add_digit(0, array.astype(np.int64))
            self.count += 1
        elif array.dtype.kind in "bui":
            low = array & np.asarray(2**_BITS - 1, array.dtype)
            self._add_digit(0, low.astype(np.int64))
            self._add_digit(1, (array >> np.asarray(_BITS, array.dtype)).astype(np.int64))
            self.count += 1
        elif array.dtype.kind == "f":
            self._add_floats(array.astype(np.float64, copy=False))
        else:
            raise ValueError(f"values of type {array.dtype} cannot be summed")
        self.additions += 1

    def _add_floats(self, array: Float) -> None:
        assert self.count is not None
        present = ~np.isnan(array)
        self.count += present
        finite = np.isfinite(array)
        if not finite.all():
            if (present & ~finite).any():
                terms = np.where(present & ~finite, array, 0.0)
                with np.errstate(invalid="ignore"):
                    self.infinite = terms if self.infinite is None else self.infinite + terms
            array = np.where(finite, array, 0.0)
        rest = array
        if not rest.size:
            return
        _, exponents = np.frexp(rest)
        place = (int(exponents.max()) - 1) // _BITS
        while rest.any():
            digit = np.trunc(np.ldexp(rest, -_BITS * place))
            rest = rest - np.ldexp(digit, _BITS * place)
            self._add_digit(place, digit.astype(np.int64))
            place -= 1

    def _add_digit(self, place: int, digit: Int) -> None:
        if place in self.digits:
            self.digits[place] = self.digits[place] + digit
        else:
            self.digits[place] = digit

    def _make_room(self, more: int = 1) -> None:
        if self.additions + more > _CARRY_AFTER:
            self.digits = self._carried()
            self.additions = 1

    def merge(self, other: ExactSum) -> ExactSum:
        """Return the sum of both; neither is changed."""
        if other.count is None:
            return self
        if self.count is None:
            return other
        if other.shape != self.shape:
            raise ValueError(f"sums of shapes {self.shape} and {other.shape} cannot be merged")
        merged = ExactSum(self.shape, dict(self.digits), self.count + other.count, self.infinite)
        merged.additions = self.additions
        merged._make_room(other.additions)
        for place, digit in other.digits.items():
            merged._add_digit(place, digit)
        merged.additions += other.additions
        if other.infinite is not None:
            with np.errstate(invalid="ignore"):
                merged.infinite = (
                    other.infinite if merged.infinite is None else merged.infinite + other.infinite
                )
        return merged

    def _carried(self) -> dict[int, Int]:
        """Return the digits in their one canonical form: each in [-2**29, 2**29)."""
        if not self.digits:
            return {}
        places = range(min(self.digits), max(self.digits) + 3)
        half = 1 << (_BITS - 1)
        canonical: dict[int, Int] = {}
        carry: Int = np.zeros(self.shape, np.int64)
        for place in places:
            total = self.digits.get(place, 0) + carry
            carry = (total + half) >> _BITS
            canonical[place] = total - (carry << _BITS)
        return {place: digit for place, digit in canonical.items() if np.any(digit)}

    def total(self) -> Float:
        """Return the sum, rounded once to the nearest float64; it depends on the terms alone."""
        result = _rounded(self._carried(), self.shape)
        if self.infinite is not None:
            result = np.where(self.infinite != 0, self.infinite, result)
        return result


def _rounded(digits: dict[int, Int], shape: tuple[int, ...]) -> Float:
    """Round canonical digits to the nearest float64.

    The two leading digits hold 31 to 60 bits; what is below only matters as a tail, which is kept to odd
    (Boldo and Melquiond, 2008), so that adding it to the leading part rounds once and rightly.
    """
    none = min(digits, default=0) - 3
    top = np.full(shape, none)
    for place, digit in sorted(digits.items()):
        top = np.where(digit != 0, place, top)
    leading: Int = np.zeros(shape, np.int64)
    tail: Float = np.zeros(shape)
    for place, digit in sorted(digits.items()):
        below = place < top - 1
        term = np.ldexp(np.where(below, digit, 0).astype(np.float64), _BITS * place)
        tail = np.where(below, _add_to_odd(tail, term), tail)
        leading += np.where(place == top, digit << _BITS, 0) + np.where(place == top - 1, digit, 0)
    low = ((leading + 2**15) & 0xFFFF) - 2**15
    exponent = (_BITS * (top - 1)).astype(np.int64)
    tail = _add_to_odd(np.ldexp(low.astype(np.float64), exponent), tail)
    with np.errstate(over="ignore"):  # a sum beyond the largest float64 is infinite, and seen to be
        result: Float = np.ldexp((leading - low).astype(np.float64), exponent) + tail
    return result


def _add_to_odd(one: Float, other: Float) -> Float:
    """Add two float64; where the sum is not exact, take the neighbour whose last bit is set."""
    total = np.asarray(one + other)
    part = total - one
    lost = (one - (total - part)) + (other - part)
    even = (total.view(np.int64) & 1) == 0
    towards = np.where(lost > 0, np.inf, -np.inf)
    return np.where((lost != 0) & even, np.nextafter(total, towards), total)
