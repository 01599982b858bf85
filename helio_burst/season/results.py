"""Tallies as xarray Datasets, and as the dictionaries that pysatSeasons gives."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from helio_burst.errors import InputError
from helio_burst.season.bins import Bins
from helio_burst.season.certificate import SeasonWarning, certify, warn_of_period
from helio_burst.season.checks import check_choice
from helio_burst.season.orbits import DAY
from helio_burst.season.samples import Samples, Statistic, by_bin, by_time
from helio_burst.season.tally import Tally

# Units and standard names of the coordinates that seasons are binned by, by the variable's usual names.
_COORDINATES: dict[str, dict[str, str]] = {
    "longitude": {"standard_name": "longitude", "units": "degrees_east"},
    "latitude": {"standard_name": "latitude", "units": "degrees_north"},
    "glon": {"standard_name": "longitude", "units": "degrees_east"},
    "glat": {"standard_name": "latitude", "units": "degrees_north"},
    "altitude": {"standard_name": "altitude", "units": "km"},
    "slt": {"long_name": "local solar time", "units": "h"},
    "mlt": {"long_name": "magnetic local time", "units": "h"},
}


def probability(tally: Tally) -> xr.Dataset:
    """Divide hits by counts.

    Parameters
    ----------
    tally : Tally
        Of a whole season.

    Returns
    -------
    Dataset, dims (y variable, x variable), for instance (latitude, longitude)
        ``prob`` (1, float64; NaN where nothing was seen), ``count`` (orbits or days with any sample) and
        ``hits`` (those with a sample above the gate). With several gates there is a first dim ``variable``.
        The bins' edges are the bounds of the coordinates. The attribute ``certificate`` says "exact" where
        the counts are those of one walk through the whole season.

    Raises
    ------
    InputError
        There were no data in the whole season.

    Warns
    -----
    SeasonWarning
        Blocks are missing or differ at their seam, or the period does not fit the data.
    """
    question = tally.question
    attributes = _season_attributes(tally)
    with np.errstate(invalid="ignore"):
        prob = tally.hits / tally.total
    dims = ("variable", question.y.variable, question.x.variable)
    unit = f"{question.by}s"
    dataset = xr.Dataset(
        {
            "prob": (dims, prob, {"long_name": f"occurrence probability by {question.by}", "units": "1"}),
            "count": (dims, tally.total, {"long_name": f"{unit} with any sample", "units": "1"}),
            "hits": (dims, tally.hits, {"long_name": f"{unit} with a sample above the gate", "units": "1"}),
        },
        {"variable": [label for label, _ in question.gates]},
        {
            **attributes,
            "title": "Seasonal occurrence probability",
            "gates": ", ".join(f"{label} > {gate}" for label, gate in question.gates),
        },
    )
    dataset = with_bins(dataset, question.x, question.y)
    return dataset.squeeze("variable") if len(question.gates) == 1 else dataset


def average_of(samples: Samples, statistic: Statistic = "median") -> xr.Dataset:
    """Take the mean or median of samples by bin; without bins return the values of orbits or days.

    Parameters
    ----------
    samples : Samples
        Of a whole season.
    statistic : {"median", "mean"}

    Returns
    -------
    Dataset
        As `average` returns it.

    Raises
    ------
    InputError
        There were no data in the whole season.

    Warns
    -----
    SeasonWarning
        As in `probability`.
    """
    check_choice("statistic", statistic, Statistic)
    question = samples.question
    attributes = _season_attributes(samples)
    if question.x is None:
        series = by_time(samples)
        return series.to_dataset(name=question.variable).assign_attrs(attributes)
    axes = [question.x] if question.y is None else [question.y, question.x]
    shape = [bins.number for bins in axes]
    dims = [bins.variable for bins in axes]
    found = {name: (dims, values.reshape(shape)) for name, values in by_bin(samples, statistic).items()}
    dataset = xr.Dataset(
        found, attrs={**attributes, "variable": question.variable, "each_value": question.each}
    )
    dataset["count"].attrs = {"long_name": f"number of {question.each}s, NaN included", "units": "1"}
    return with_bins(dataset, *axes)


def to_dict(dataset: xr.Dataset) -> dict[str, dict[str, np.ndarray]]:
    """Turn the result of `probability` into what pysatSeasons' ``by_orbit2D(..., return_bins=True)`` returns.

    Returns
    -------
    dict
        By variable a dict with ``prob`` and ``count`` (float64, shape (y, x)), ``bin_x`` and ``bin_y``
        (the edges).
    """
    if "variable" not in dataset.dims:
        dataset = dataset.expand_dims("variable")
    y, x = dataset["prob"].dims[-2:]
    edges = {name: edges_of(dataset, str(name)) for name in (x, y)}
    return {
        str(label): {
            "prob": dataset["prob"].sel(variable=label).to_numpy(),
            "count": dataset["count"].sel(variable=label).to_numpy().astype(np.float64),
            "bin_x": edges[x],
            "bin_y": edges[y],
        }
        for label in dataset["variable"].to_numpy()
    }


def edges_of(dataset: xr.Dataset | xr.DataArray, variable: str) -> np.ndarray:
    """Return the edges of the bins of a coordinate: ndarray, shape (bins + 1,)."""
    bounds = dataset[f"{variable}_bnds"].to_numpy()
    return np.append(bounds[:, 0], bounds[-1, 1])


def with_bins(dataset: xr.Dataset, *axes: Bins) -> xr.Dataset:
    """Add the coordinates of bins and their CF bounds."""
    coordinates: dict[str, Any] = {}
    for bins in axes:
        name, edges = bins.variable, bins.edges
        attributes = {**_COORDINATES.get(name, {"long_name": name}), "bounds": f"{name}_bnds"}
        coordinates[name] = (name, bins.centers, attributes)
        coordinates[f"{name}_bnds"] = ((name, "bnds"), np.column_stack([edges[:-1], edges[1:]]))
    return dataset.assign_coords(coordinates)


def _season_attributes(merged: Tally | Samples) -> dict[str, Any]:
    """Check a merged result, and describe it."""
    if not merged.blocks:
        raise InputError("The result is empty: no block of days was counted.")
    start = pd.Timestamp(merged.blocks[0].start * DAY, tz="UTC")
    stop = pd.Timestamp(merged.blocks[-1].stop * DAY, tz="UTC")
    if not sum(block.rows for block in merged.blocks):
        raise InputError(
            f"There are no data at all from {start.date()} to {stop.date()}. Check the file list."
        )
    doubts = certify(merged)
    if doubts:
        warnings.warn(
            f"The result is not certain to be exact at {len(doubts)} midnights; the first is {doubts[0]}.",
            SeasonWarning,
            stacklevel=3,
        )
    warn_of_period(merged)
    return {
        "Conventions": "CF-1.11",
        "time_coverage_start": start.isoformat(),
        "time_coverage_end": stop.isoformat(),
        f"number_of_{merged.question.by}s": sum(block.units for block in merged.blocks),
        "certificate": "exact" if not doubts else f"not certain at {len(doubts)} midnights",
    }
