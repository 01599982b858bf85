"""Blocks whose certificate does not hold, done again with more padding until it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import pandas as pd

from helio_burst.season.blocks import Block
from helio_burst.season.certificate import certify
from helio_burst.season.merging import merge
from helio_burst.season.orbits import DAY
from helio_burst.season.samples import Samples
from helio_burst.season.tally import Tally, without

Partial = TypeVar("Partial", Tally, Samples)
Again = Callable[[pd.DataFrame], Any]


def repair(merged: Partial, again: Callable[[pd.DataFrame], Partial]) -> Partial:
    """Do blocks again, with more and more padding, until the certificate holds.

    Parameters
    ----------
    merged : Tally or Samples
    again : callable
        Takes a partition table and returns the merged result of its blocks.

    Returns
    -------
    Tally or Samples
        Where blocks are missing it stays uncertain at their bounds.
    """
    while weak := _weak_blocks(merged):
        rest = _without(merged, list(weak), again)
        merged = merge(rest, again(_partitions(weak.values())))
    return merged


def _weak_blocks(merged: Tally | Samples) -> dict[Block, Block]:
    """Return each block in doubt, and the same with twice the padding before it, if the season has more."""
    begins: dict[int, int] = {}  # by a block's end, the start of its season
    for block in merged.blocks:
        begins[block.stop] = begins.get(block.start, block.start)
    weak = {}
    for doubt in certify(merged):
        if doubt.before is None or doubt.after is None:
            continue
        block = doubt.after
        pad = max(1, 2 * (block.start - block.padded_start))
        padded_start = max(begins[block.stop], block.start - pad)
        # At the season's start, and still in doubt: the data are not the same each time they are read.
        if padded_start < block.padded_start:
            weak[block] = block._replace(padded_start=padded_start)
    return weak


def _without(merged: Any, blocks: list[Block], again: Again) -> Any:
    """Take blocks out of a merged result."""
    if isinstance(merged, Samples):
        return Samples(merged.question, tuple(part for part in merged.parts if part.block not in blocks))
    # Counts are not kept by block, so they are counted once more to be subtracted.
    return without(merged, again(_partitions(blocks)))


def _partitions(blocks: Iterable[Block]) -> pd.DataFrame:
    """Write blocks as a partition table."""
    names = ["start", "stop", "padded_start", "padded_stop"]
    days = pd.DataFrame(blocks, columns=Block._fields)
    table = pd.DataFrame({name: pd.to_datetime(days[name] * DAY, utc=True) for name in names})
    table["datakey"] = table["start"].dt.strftime("%Y-%m-%d") + "/" + table["stop"].dt.strftime("%Y-%m-%d")
    return table
