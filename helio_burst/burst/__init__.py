"""The burst engine: one function over many files or partitions, on a cluster, so that nothing is lost."""

from __future__ import annotations

from helio_burst.burst import detached
from helio_burst.burst.combine import Combine, Histogram, Maximum, Mean, Merge, Minimum, Sum
from helio_burst.burst.estimating import Estimate, estimate
from helio_burst.burst.items import Row
from helio_burst.burst.mapping import attach, map_files, map_partitions
from helio_burst.burst.outcome import Outcome
from helio_burst.burst.partition import partitions, partitions_of_files
from helio_burst.burst.progress import Progress
from helio_burst.burst.run import Run, RunStopped
from helio_burst.burst.saving import check_path

__all__ = [
    "Combine",
    "Estimate",
    "Histogram",
    "Maximum",
    "Mean",
    "Merge",
    "Minimum",
    "Outcome",
    "Progress",
    "Row",
    "Run",
    "RunStopped",
    "Sum",
    "attach",
    "check_path",
    "detached",
    "estimate",
    "map_files",
    "map_partitions",
    "partitions",
    "partitions_of_files",
]
