"""The three time types of CDF to datetime64."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

TIME_TYPES = ("CDF_EPOCH", "CDF_EPOCH16", "CDF_TIME_TT2000")


def to_datetime64(values: npt.NDArray[Any], kind: str) -> npt.NDArray[np.datetime64]:
    """Convert CDF times.

    Parameters
    ----------
    values : ndarray
        Milliseconds since year 0 (CDF_EPOCH), seconds and picoseconds since year 0 as one complex number
        (CDF_EPOCH16), or nanoseconds of Terrestrial Time since 2000-01-01T12:00 (CDF_TIME_TT2000).
    kind : str
        The name of the type.

    Returns
    -------
    ndarray of datetime64[ns]
        UTC.
    """
    from cdflib.epochs import CDFepoch

    if kind == "CDF_EPOCH":
        return (np.floor(values - 62167219200000.0).astype("i8") * 1_000_000).astype("M8[ns]")
    return np.asarray(CDFepoch.to_datetime(values)).astype("M8[ns]")
