"""File lists to days: versions, files of other lengths, caches, and what is wrong with files."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from helio_burst import readers, storage
from helio_burst.errors import InputError, ReadError
from helio_burst.season import (
    FileDays,
    SeasonWarning,
    make_vefi,
    newest,
    pysat_files,
    read_vefi,
    remote_files,
)
from helio_burst.season.orbits import DAY
from helio_burst.season.synthetic import vefi_rows, write_vefi

DAY_ONE = pd.Timestamp("2010-05-09", tz="UTC")
FIRST = DAY_ONE.value // DAY
NAMES = ("longitude", "latitude", "dB_mer")


def dataset(start: str, hours: float, step: str = "10min") -> xr.Dataset:
    time = pd.date_range(start, periods=int(hours * 6), freq=step)
    values = np.arange(len(time), dtype=np.float32)
    return xr.Dataset({"a": ("time", values), "b": ("time", -values)}, {"time": time})


def listed(**datasets: xr.Dataset) -> tuple[pd.DataFrame, Any]:
    """A file list whose files are the given Datasets, and their reader."""
    rows = [
        (f"data:,{name}", data["time"].values[0], data["time"].values[-1]) for name, data in datasets.items()
    ]
    files = pd.DataFrame(rows, columns=["datakey", "start", "stop"])
    return files, lambda data, row: datasets[data.decode()]


def test_a_day_of_several_files() -> None:
    files, read = listed(late=dataset("2010-05-09T12", 12), early=dataset("2010-05-09", 12))
    rows = FileDays(files, ["a"], read=read)(FIRST)
    assert rows is not None
    assert len(rows.time) == 144
    assert (np.diff(rows.time) == 600 * 10**9).all()
    assert rows.values["a"].dtype == np.float32


def test_a_file_of_several_days_is_cut_at_midnights() -> None:
    files, read = listed(month=dataset("2010-05-09", 72))
    days = FileDays(files, ["a"], read=read)
    assert [len(rows.time) for rows in map(days, range(FIRST, FIRST + 3)) if rows] == [144, 144, 144]
    assert days(FIRST + 3) is None


def test_rows_beyond_midnight_stay_with_their_file() -> None:
    """As in pysat."""
    files, read = listed(long=dataset("2010-05-09", 24.5))
    rows = FileDays(files, ["a"], read=read)(FIRST)
    assert rows is not None
    assert len(rows.time) == 147
    assert FileDays(files, ["a"], read=read)(FIRST + 1) is None


def test_custom_functions_clean_and_add() -> None:
    files, read = listed(one=dataset("2010-05-09", 24))
    clean, add = (lambda ds: ds.isel(time=slice(10, None))), (lambda ds: ds.assign(c=ds["a"] + ds["b"]))
    rows = FileDays(files, ["c"], read=read, custom=[clean, add])(FIRST)
    assert rows is not None
    assert len(rows.time) == 134
    assert (rows.values["c"] == 0).all()


@pytest.mark.parametrize(
    ("order", "what"), [([0, 1, 1, 2], "repeat at 1 rows"), ([0, 2, 1, 3], "go back at 1 rows")]
)
def test_times_must_increase(order: list[int], what: str) -> None:
    files, read = listed(one=dataset("2010-05-09", 24).isel(time=order))
    with pytest.raises(ReadError, match=rf"data:,one {what}, first at 2010-05-09T00:10.*drop_duplicates"):
        FileDays(files, ["a"], read=read)(FIRST)
    repaired = FileDays(
        files, ["a"], read=read, custom=[lambda ds: ds.drop_duplicates("time").sortby("time")]
    )
    assert repaired(FIRST) is not None


def test_a_variable_that_is_not_there_is_named_with_those_that_are() -> None:
    files, read = listed(one=dataset("2010-05-09", 24))
    days = FileDays(files, ["dB_mer"], read=read)
    with pytest.raises(InputError, match=r"no variable 'dB_mer'; it has a, b, time"):
        days.check(FIRST)
    with pytest.raises(ReadError, match=r"no variable 'dB_mer'"):
        days(FIRST)


def test_variables_must_share_a_dim_of_times() -> None:
    wide = dataset("2010-05-09", 1).assign(c=("x", [1.0, 2.0]))
    files, read = listed(one=wide)
    with pytest.raises(ReadError, match=r"do not share one dim of time.*a\('time',\).*c\('x',\)"):
        FileDays(files, ["a", "c"], read=read)(FIRST)
    with pytest.raises(ReadError, match=r"'x' .* has no coordinate of times"):
        FileDays(files, ["c"], read=read)(FIRST)


def test_a_file_list_needs_its_columns() -> None:
    with pytest.raises(InputError, match="no column 'start'; it has datakey"):
        FileDays(pd.DataFrame({"datakey": ["a"]}), ["a"])
    with pytest.raises(InputError, match="no start in row 7"):
        FileDays(pd.DataFrame({"datakey": ["a", "b"], "start": [DAY_ONE, pd.NaT]}, index=[6, 7]), ["a"])
    with pytest.raises(InputError, match=r"A file list is a DataFrame .*, not a str"):
        FileDays("vefi", ["a"])  # type: ignore[arg-type]


def test_what_is_no_dataset_is_refused() -> None:
    def forgetful(day: xr.Dataset) -> None:
        day["a"] += 1

    files, read = listed(one=dataset("2010-05-09", 24))
    with pytest.raises(InputError, match=r"write custom=\[forgetful\]"):
        FileDays(files, ["a"], read=read, custom=forgetful)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"forgetful made a NoneType of data:,one"):
        FileDays(files, ["a"], read=read, custom=[forgetful]).check(FIRST)  # type: ignore[list-item]
    with pytest.raises(InputError, match=r"raw made a bytes of data:,one"):
        FileDays(files, ["a"], read=readers.raw).check(FIRST)


def test_the_newest_version_wins_and_is_said() -> None:
    names = [
        "x_20100509_v05.cdf",
        "x_20100510_v05.cdf",
        "x_20100509_v06.cdf",
        "y_v1.9.0.nc",
        "y_v1.10.0.nc",
        "z.cdf",
    ]
    files = pd.DataFrame({"datakey": [f"s3://bucket/{name}" for name in names], "start": DAY_ONE})
    with pytest.warns(
        SeasonWarning, match=r"2 files are left out.*x_20100509_v05.cdf, where x_20100509_v06.cdf is used"
    ):
        kept = newest(files)
    assert [name.rsplit("/")[-1] for name in kept["datakey"]] == [names[row] for row in (1, 2, 4, 5)]
    assert len(newest(kept)) == 4


def test_files_of_one_name_on_different_days_are_not_versions() -> None:
    keys = [
        "s3://bucket/2010/129/mag.cdf",
        "s3://bucket/2010/130/mag.cdf",
        "s3://bucket/2010/131/mag_v02.cdf",
    ]
    files = pd.DataFrame({"datakey": keys, "start": [DAY_ONE + pd.Timedelta(days=day) for day in range(3)]})
    assert newest(files)["datakey"].tolist() == keys
    assert newest(pd.concat([files, files]))["datakey"].tolist() == keys, "a repeated row is no version"


def test_files_of_a_cache_are_read(tmp_path: Path) -> None:
    source, cache = tmp_path / "there", tmp_path / "datasets" / "cnofs"
    files = make_vefi(source, "2010-05-09", "2010-05-10", cadence=60, gaps=False)
    first = FileDays(files, NAMES, read=read_vefi, cache=cache)(FIRST)
    assert [path.name for path in cache.iterdir()] == ["cnofs_vefi_bfield_1sec_20100509_v05.cdf"]
    Path(files["datakey"][0]).unlink()
    again = FileDays(files, NAMES, read=read_vefi, cache=cache)(FIRST)
    assert first is not None
    assert again is not None
    np.testing.assert_array_equal(first.values["dB_mer"], again.values["dB_mer"])


def test_a_file_is_read_once_for_days_that_follow() -> None:
    files, read = listed(
        month=dataset("2010-05-09", 72), later=dataset("2010-05-12", 24), last=dataset("2010-05-13", 24)
    )
    opened = []

    def noting(data: bytes, row: Any) -> xr.Dataset:
        opened.append(data.decode())
        return read(data, row)  # type: ignore[no-any-return]

    days = FileDays(files, ["a"], read=noting)
    days.fetch_ahead(range(FIRST, FIRST + 2))
    for day in (0, 1, 2, 3, 4, 3):
        assert days(FIRST + day) is not None
    assert opened == ["month", "later", "last"]
    days(FIRST)
    assert opened[3:] == ["month"], "no more than two files are held"
    assert len(pickle.dumps(FileDays(files, ["a"]))) < 2000


@pytest.mark.parametrize("version", [5, 6])
def test_both_versions_of_vefi_files(tmp_path: Path, version: int) -> None:
    files = make_vefi(tmp_path, "2010-05-09", "2010-05-10", cadence=10, version=version)
    made = vefi_rows(FIRST, cadence=10)
    rows = FileDays(files, NAMES, read=read_vefi)(FIRST)
    assert rows is not None
    good = made.values["B_flag"] == 0
    assert 0 < good.sum() < len(good)
    if version == 5:
        np.testing.assert_array_equal(rows.time, made.time[good])
        for name in NAMES:
            np.testing.assert_array_equal(rows.values[name], made.values[name][good])
    else:
        np.testing.assert_array_equal(rows.time, made.time)
        np.testing.assert_array_equal(np.isnan(rows.values["dB_mer"]), ~good)
        np.testing.assert_array_equal(rows.values["dB_mer"][good], made.values["dB_mer"][good])
    data = Path(files["datakey"][0]).read_bytes()
    everything = read_vefi(data)
    quick = read_vefi(data, variables=NAMES)
    xr.testing.assert_equal(everything[list(NAMES)], quick)


def test_a_damaged_vefi_file_is_named(tmp_path: Path) -> None:
    files = make_vefi(tmp_path, "2010-05-09", "2010-05-10", cadence=60)
    path = Path(files["datakey"][0])
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ReadError, match=r"20100509_v05.cdf"):
        FileDays(files, NAMES, read=read_vefi)(FIRST)
    path.write_bytes(b"<html>Service unavailable</html>")
    with pytest.raises(ReadError, match="an HTML page"):
        FileDays(files, NAMES, read=read_vefi)(FIRST)


def test_files_of_a_pysat_directory(tmp_path: Path) -> None:
    made = make_vefi(tmp_path, "2010-05-09", "2010-05-12", cadence=600)
    found = pysat_files(tmp_path)
    pd.testing.assert_frame_equal(found, made, check_dtype=False)
    with pytest.raises(InputError, match=r"no VEFI files in .*nothing"):
        pysat_files(tmp_path / "nothing")


def test_files_of_a_server(tmp_path: Path) -> None:
    """A memory "server": its pages name the files, as CDAWeb's do."""
    base = "memory://cdaweb-of-test/bfield_1sec"
    rows = vefi_rows(FIRST, cadence=600)
    write_vefi(tmp_path / "a.cdf", rows)
    names = ["cnofs_vefi_bfield_1sec_20101231_v05.cdf", "cnofs_vefi_bfield_1sec_20110101_v05.cdf"]
    for year, name in zip((2010, 2011), names, strict=True):
        storage.write(f"{base}/{year}/", f'<a href="{name}">{name}</a>'.encode())
    with pytest.raises(InputError, match="has no VEFI files"):
        remote_files("2009-01-01", "2009-02-01", base)
    files = remote_files("2010-12-31", "2011-01-02", base)
    assert [key.rsplit("/", 1)[1] for key in files["datakey"]] == names
    assert list(remote_files("2011-01-01", "2011-01-02", base)["datakey"]) == [f"{base}/2011/{names[1]}"]


def test_vefi_has_two_versions(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="versions 5 and 6, not 7"):
        make_vefi(tmp_path, "2010-05-09", "2010-05-10", version=7)
