"""A bucket's listing -> a file list: the time is read out of each key."""

from __future__ import annotations

import re
import warnings
from datetime import timedelta

import pandas as pd
import polars as pl

from helio_burst import storage
from helio_burst.catalog.times import TIME, read_times
from helio_burst.errors import CatalogWarning, InputError
from helio_burst.storage import StorageOptions
from helio_burst.timespan import parse_duration

_DIRECTIVES = {
    "Y": ("year", r"\d{4}"),
    "m": ("month", r"\d\d"),
    "d": ("day", r"\d\d"),
    "j": ("day_of_year", r"\d{3}"),
    "H": ("hour", r"\d\d"),
    "M": ("minute", r"\d\d"),
    "S": ("second", r"\d\d"),
    "f": ("fraction", r"\d+"),
}
_GROUPS = tuple(name for name, _ in _DIRECTIVES.values())


def list_bucket(
    folder: str,
    pattern: str | re.Pattern[str],
    *,
    duration: str | timedelta | None = None,
    options: StorageOptions | None = None,
) -> pd.DataFrame:
    """List a folder's objects as a file list, their start being read out of their keys.

    Parameters
    ----------
    folder : str
        s3, file or memory URL; everything below it is listed.
    pattern : str or compiled pattern
        What a key's end looks like: text with ``%Y %m %d %j %H %M %S %f``, and ``*`` for anything, such as
        ``"%Y/%m/%d/*_%Y%m%dT%H%M%S_*.fits"``; or a compiled regular expression with groups year, month, day
        (or day_of_year), hour, minute, second, fraction, of which those after the day may be absent.
    duration : timedelta or str, optional
        What one file spans, such as "10min". Without it, files are instants: stop = start.
    options : StorageOptions, optional

    Returns
    -------
    DataFrame
        start, stop (datetime64[ns, UTC]), datakey, filesize, sorted by start. Keys that do not match are
        left out with a warning.

    Raises
    ------
    InputError
        No key matches the pattern.
    """
    expression = pattern if isinstance(pattern, re.Pattern) else compile_template(pattern)
    if not {"year"} <= set(expression.groupindex):
        raise InputError(
            f"The pattern {expression.pattern!r} does not say where the year is (%Y, or a group year)."
        )
    found = [(item.url, item.size) for item in storage.list_objects(folder, options)]
    rows = [(url, size, _text(match)) for url, size in found if (match := expression.search(url))]
    if not rows:
        seen = f"for example {found[0][0]}" if found else "there are none"
        raise InputError(f"No object below {folder} matches {expression.pattern!r}; {seen}.")
    schema = {"datakey": pl.String, "filesize": pl.Int64, "start": pl.String}
    table = read_times(pl.LazyFrame(rows, schema=schema, orient="row"), ["start"]).collect()
    unread = table.filter(pl.col("start").is_null())
    left_out = len(found) - table.height + unread.height
    if left_out:
        matched = {url for url, _, _ in rows} - set(unread["datakey"])
        example = next(url for url, _ in found if url not in matched)
        warnings.warn(
            f"{left_out} of {len(found)} objects below {folder} do not match {expression.pattern!r} "
            f"and are left out, for example {example}.",
            CatalogWarning,
            stacklevel=2,
        )
    span = parse_duration(duration) if duration is not None else pd.Timedelta(0)
    starts = pl.col("start").cast(TIME)
    table = table.drop_nulls("start").sort("start", "datakey")
    table = table.select(
        starts,
        stop=starts + pl.duration(nanoseconds=span.value, time_unit="ns"),
        datakey="datakey",
        filesize="filesize",
    )
    frame = table.to_pandas()
    return frame.astype({"datakey": pd.StringDtype("pyarrow"), "filesize": "Int64"})


def compile_template(template: str) -> re.Pattern[str]:
    """Turn a template as of `datetime.strptime` into an expression for a key's end.

    Examples
    --------
    >>> compile_template("%Y/aia_%Y%jT%H.fits").search("s3://b/2020/aia_2020048T06.fits")["day_of_year"]
    '048'
    """
    parts, seen = [], set()
    for mark, text in re.findall(r"%(.)|([^%]+)", template):
        if not mark:
            parts.append(".*".join(re.escape(piece) for piece in text.split("*")))
        elif mark not in _DIRECTIVES:
            known = " ".join(f"%{name}" for name in _DIRECTIVES)
            raise InputError(f"The template {template!r} has %{mark}; known are {known}, and * for anything.")
        else:
            name, digits = _DIRECTIVES[mark]
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{digits})")
            seen.add(name)
    return re.compile("(?:^|/)" + "".join(parts) + "$")


def _text(match: re.Match[str]) -> str:
    """Write the time of a key as the specification does."""
    found = {name: match[name] for name in _GROUPS if name in match.re.groupindex and match[name]}
    date = found.get("day_of_year") or f"{found.get('month', '01')}-{found.get('day', '01')}"
    clock = ":".join(found.get(name, "00") for name in ("hour", "minute", "second"))
    return f"{found['year']}-{date}T{clock}.{found.get('fraction', '0')}Z"
