"""The one merge function for partial results of seasons."""

from __future__ import annotations

from typing import TypeVar

from helio_burst.errors import BurstError
from helio_burst.season.samples import Samples, merge_samples
from helio_burst.season.tally import Tally, merge_tallies

Partial = TypeVar("Partial", Tally, Samples)


def merge(a: Partial, b: Partial) -> Partial:
    """Merge the results of different blocks of days: associative and commutative, for ``combine=``.

    Parameters
    ----------
    a, b : Tally or Samples
        Of one kind, and of the same question.

    Raises
    ------
    BurstError
        They are not of one kind or one question, or a day is in both.
    """
    if isinstance(a, Tally) and isinstance(b, Tally):
        return merge_tallies(a, b)
    if isinstance(a, Samples) and isinstance(b, Samples):
        return merge_samples(a, b)
    raise BurstError(f"A {type(a).__name__} and a {type(b).__name__} do not merge.")
