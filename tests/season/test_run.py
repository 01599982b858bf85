"""Seasons on a cluster: exact from any blocks, from S3, from folders and from pysat itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from distributed import Client

from helio_burst import storage
from helio_burst.demo.server import EmbeddedS3
from helio_burst.errors import BurstError, InputError
from helio_burst.season import (
    Bins,
    Orbits,
    PysatInstrument,
    SeasonWarning,
    average,
    make_vefi,
    occurrence,
    read_vefi,
    seasons,
    select,
)

START, STOP = "2010-05-09", "2010-05-15"
QUESTION: dict[str, Any] = {
    "x": Bins(variable="longitude", start=0, stop=360, number=12),
    "y": Bins(variable="latitude", start=-13, stop=13, number=4),
    "gates": {"dB_mer": -1.0},
}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    make_vefi(folder, START, STOP, cadence=60)
    return folder


@pytest.fixture(scope="module")
def files(data_dir: Path) -> pd.DataFrame:
    return make_vefi(data_dir, START, STOP, cadence=60)


@pytest.fixture
def run(client: Client, files: pd.DataFrame) -> Any:
    def count(source: Any = None, start: str = START, stop: str = STOP, **options: Any) -> xr.Dataset:
        source = files if source is None else source
        options = {"read": read_vefi, **options} if isinstance(source, pd.DataFrame) else options
        return occurrence(source, start, stop, client=client, progress=False, **{**QUESTION, **options})

    return count


@pytest.fixture
def whole(run: Any) -> xr.Dataset:
    return run(freq="100D")  # type: ignore[no-any-return]


@pytest.mark.parametrize("freq", ["1D", "2D", "5D"])
def test_blocks_of_any_length_give_the_same_result(run: Any, whole: xr.Dataset, freq: str) -> None:
    result = run(freq=freq)
    assert result.attrs["certificate"] == "exact"
    assert result.identical(whole)
    assert 0 < float(result["prob"].mean()) < 1


def test_the_pysat_engine_gives_the_same_result(run: Any, data_dir: Path) -> None:
    vefi = PysatInstrument(platform="cnofs", name="vefi", tag="dc_b", data_dir=str(data_dir))
    assert run(vefi, freq="2D", stop="2010-05-13").identical(run(stop="2010-05-13"))


def test_the_pysat_engine_by_day(run: Any, data_dir: Path) -> None:
    vefi = PysatInstrument(platform="cnofs", name="vefi", tag="dc_b", data_dir=str(data_dir))
    assert run(vefi, by="day", freq="3D", stop="2010-05-12").identical(
        run(by="day", freq="1D", stop="2010-05-12")
    )


def _doubled(inst: Any) -> None:
    inst["dB_mer"] = inst["dB_mer"] * 2


def test_custom_functions_and_clean_levels_of_pysat(run: Any, data_dir: Path) -> None:
    vefi = PysatInstrument(
        platform="cnofs",
        name="vefi",
        tag="dc_b",
        data_dir=str(data_dir),
        clean_level="none",
        custom=(_doubled,),
    )
    theirs = run(vefi, freq="2D", stop="2010-05-12")
    ours = run(
        read=None,
        freq="2D",
        stop="2010-05-12",
        custom=[lambda ds: ds.assign(dB_mer=ds["dB_mer"] * np.float32(2))],
    )
    assert ours.identical(theirs)


def test_selected_times_with_both_engines(run: Any, whole: xr.Dataset, data_dir: Path) -> None:
    times = pd.date_range(START, STOP, freq="3h", inclusive="left")
    kp = pd.DataFrame({"time": times, "Kp": np.tile([1.0, 4.0, 2.0, 5.0], len(times) // 4)})
    calm = select(kp, "Kp < 3")
    ours = run(where=calm, freq="2D", stop="2010-05-12")
    vefi = PysatInstrument(platform="cnofs", name="vefi", tag="dc_b", data_dir=str(data_dir))
    assert ours.identical(run(vefi, where=calm, freq="3D", stop="2010-05-12"))
    assert 0 < int(ours["count"].sum()) < int(whole["count"].sum())


def test_files_in_a_bucket(run: Any, whole: xr.Dataset, files: pd.DataFrame, s3: EmbeddedS3) -> None:
    s3.create_bucket("cnofs")
    in_bucket = files.copy()
    for row, path in enumerate(files["datakey"]):
        url = f"s3://cnofs/{Path(path).name}"
        storage.write(url, Path(path).read_bytes())
        in_bucket.loc[row, "datakey"] = url
    assert run(in_bucket, freq="2D").identical(whole)


def test_a_season_that_was_counted_is_not_counted_again(
    client: Client, whole: xr.Dataset, tmp_path: Path
) -> None:
    """With a store the second run finds all blocks, though the files are gone."""
    files = make_vefi(tmp_path, START, STOP, cadence=60)
    options: dict[str, Any] = {**QUESTION, "read": read_vefi, "client": client, "progress": False}
    options |= {"freq": "2D", "store": str(tmp_path / "store"), "custom": [lambda ds: ds]}
    first = occurrence(files, START, STOP, **options)
    for path in files["datakey"]:
        Path(path).unlink()
    assert occurrence(files, START, STOP, **options).identical(first)
    assert first.identical(whole)


def test_a_season_that_grows_counts_what_is_new(client: Client, whole: xr.Dataset, tmp_path: Path) -> None:
    """With a store a longer season takes over blocks that are as they were, though their files are gone."""
    files = make_vefi(tmp_path, START, STOP, cadence=60)
    options: dict[str, Any] = {**QUESTION, "read": read_vefi, "client": client, "progress": False}
    options |= {"freq": "1D", "store": str(tmp_path / "store")}
    short = files.iloc[:4]
    occurrence(short, START, "2010-05-13", **options)
    # The block of the 12th was the last one, without a day beside it; it is done anew, and reads the 11th.
    for path in files["datakey"][:2]:
        Path(path).unlink()
    assert occurrence(files, START, STOP, **options).identical(whole)
    # A new version of a file makes the blocks that read it new ones: those of the 9th and 10th are gone.
    changed = files.assign(filesize=files["filesize"].where(files.index != files.index[0], 1))
    with pytest.warns(SeasonWarning) as caught:
        occurrence(changed, START, STOP, **options)
    assert any("2 of 6 blocks failed" in str(warning.message) for warning in caught)


def test_a_season_of_several_years_is_the_sum_of_its_years(client: Client, tmp_path: Path) -> None:
    files = pd.concat(
        [make_vefi(tmp_path, f"{year}-12-30", f"{year + 1}-01-03", cadence=120) for year in (2008, 2009)]
    )
    options: dict[str, Any] = {**QUESTION, "read": read_vefi, "client": client, "progress": False}
    both = occurrence(files, "2008", "2011", season=("12-31", "01-02"), freq="1D", **options)
    years = [occurrence(files, f"{year}-12-31", f"{year + 1}-01-02", **options) for year in (2008, 2009)]
    for name in ("count", "hits"):
        np.testing.assert_array_equal(both[name], years[0][name] + years[1][name])
    assert both.attrs["certificate"] == "exact"


def test_medians_on_a_cluster(client: Client, files: pd.DataFrame) -> None:
    options: dict[str, Any] = {"read": read_vefi, "client": client, "progress": False}
    options |= {"x": QUESTION["x"], "y": QUESTION["y"]}
    one = average(files, START, STOP, "dB_mer", freq="1D", **options)
    assert one.identical(average(files, START, STOP, "dB_mer", freq="9D", **options))
    means = average(files, START, STOP, "dB_mer", by="orbit", read=read_vefi, client=client, progress=False)
    assert means.sizes["time"] == means.attrs["number_of_orbits"] > 70


def test_a_block_that_fails_is_missing_and_said(run: Any, files: pd.DataFrame, tmp_path: Path) -> None:
    broken = files.copy()
    broken.loc[3, "datakey"] = str(tmp_path / "lost.cdf")
    with pytest.warns(SeasonWarning) as caught:
        result = run(broken, freq="1D")
    said = [str(warning.message) for warning in caught]
    assert any("blocks failed and are missing" in message and "lost.cdf" in message for message in said)
    assert result.attrs["certificate"].startswith("not certain")


def test_all_blocks_fail(run: Any, files: pd.DataFrame, tmp_path: Path) -> None:
    lost = files.assign(datakey=[str(tmp_path / Path(key).name) for key in files["datakey"]])
    with pytest.raises(
        BurstError,
        match=r"None of the 3 blocks could be done. The first, 2010-05-09/2010-05-11: .*MissingObjectError",
    ):
        run(lost, freq="2D")


def test_a_period_that_does_not_fit_is_said_and_repaired(run: Any) -> None:
    """With a wrong period the blocks' seams differ, and are repaired; the result is that of one walk."""
    orbits = Orbits(period="700min")
    with pytest.warns(SeasonWarning, match="jumps back every") as caught:
        result = run(freq="1D", orbits=orbits)
    assert len(caught) == 1
    assert result.attrs["certificate"] == "exact"
    with pytest.warns(SeasonWarning, match="jumps back every"):
        assert result.identical(run(freq="100D", orbits=orbits))


def test_a_wrong_variable_is_refused_before_the_work(run: Any) -> None:
    with pytest.raises(InputError, match=r"no variable 'db_mer'; it has .*dB_mer.* Nearest: dB_mer"):
        run(gates={"db_mer": 0})


def test_a_season_without_files_is_refused(run: Any) -> None:
    with pytest.raises(
        InputError, match=r"No file of the list starts from 2011-01-01 to 2011-01-05.*2010-05-09 to"
    ):
        run(start="2011-01-01", stop="2011-01-05")


def test_blocks_are_whole_days(run: Any) -> None:
    with pytest.raises(InputError, match="freq='36h' is not a number of whole days"):
        run(freq="36h")
    with pytest.raises(InputError, match="whole days, UTC"):
        run(start="2010-05-09T12")


def test_file_lists_only(run: Any, data_dir: Path) -> None:
    vefi = PysatInstrument(platform="cnofs", name="vefi", tag="dc_b", data_dir=str(data_dir))
    with pytest.raises(InputError, match="cache= is of file lists"):
        run(vefi, cache="datasets")
    with pytest.raises(InputError, match="orbits= is of file lists"):
        run(vefi, orbits=Orbits(kind="latitude"))
    with pytest.raises(InputError, match=r"A file list is a DataFrame .*, not a PysatInstrument"):
        average(vefi, START, STOP, "dB_mer", by="day")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"by": "orbits"}, "by is 'orbit' or 'day', not 'orbits'"),
        ({"x": ("longitude", 0, 360, 12)}, "x is a season.Bins, not"),
        ({"x": QUESTION["y"]}, "both bins of 'latitude'"),
        ({"orbits": "longitude"}, "orbits is a season.Orbits, not 'longitude'"),
        ({"gates": {}}, "gates is a dict of variables and values"),
        ({"gates": ["dB_mer"]}, "gates is a dict of variables and values"),
        ({"gates": {"dB_mer": "0"}}, "The gate of 'dB_mer' is '0'"),
        ({"gates": {"dB_mer": float("nan")}}, "The gate of 'dB_mer' is nan"),
        ({"where": "Kp < 3"}, "where is a season.Selection, not 'Kp < 3'"),
        ({"season": "12-21"}, "A season is two dates"),
    ],
)
def test_what_cannot_be_counted_is_refused_before_the_work(
    run: Any, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        run(**asked)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"by": "rows"}, "by is 'sample' or 'orbit' or 'day', not 'rows'"),
        ({"statistic": "max"}, "statistic is 'mean' or 'median', not 'max'"),
        ({"by": "orbit", "within": "max"}, "within is 'mean' or 'median', not 'max'"),
        ({"x": None, "y": QUESTION["y"], "by": "orbit"}, "bins of y but none of x"),
        ({"y": QUESTION["x"]}, "both bins of 'longitude'"),
    ],
)
def test_what_cannot_be_averaged_is_refused_before_the_work(
    files: pd.DataFrame, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        average(files, START, STOP, "dB_mer", **{"x": QUESTION["x"], **asked})


def test_samples_need_bins(files: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="by='sample' needs bins"):
        average(files, START, STOP, "dB_mer")


@pytest.mark.parametrize("season", [("13-01", "03-01"), ("winter", "spring"), ("02-30", "03-01")])
def test_a_season_is_two_dates(season: tuple[str, str]) -> None:
    with pytest.raises(InputError, match="is not a month and day"):
        seasons("2009", "2011", season)


def test_seasons_that_follow_each_other_are_one() -> None:
    assert seasons("2009", "2011", ("06-01", "06-01")) == seasons("2009", "2011")


def test_a_season_outside_the_range() -> None:
    with pytest.raises(InputError, match="No day from 2010-05-01"):
        seasons("2010-05-01", "2010-06-01", ("12-21", "03-21"))


def test_conditions_that_cannot_be_evaluated() -> None:
    kp = pd.DataFrame({"time": pd.date_range(START, periods=3, freq="3h"), "Kp": [1.0, 2.0, 3.0]})
    with pytest.raises(InputError, match=r"'kp < 3' cannot be evaluated.*time, Kp"):
        select(kp, "kp < 3")
    with pytest.raises(InputError, match="must be true or false"):
        select(kp, "Kp + 3")
    with pytest.raises(InputError, match="empty"):
        select(kp.iloc[:0], "Kp < 3")


def test_a_table_to_select_by_needs_times() -> None:
    kp = pd.DataFrame({"when": pd.date_range(START, periods=3, freq="3h"), "Kp": [1.0, 2.0, None]})
    with pytest.raises(
        InputError, match=r"has no times: its index, without a column 'time', holds numbers.*when"
    ):
        select(kp, "Kp < 3")
    with pytest.raises(InputError, match="its column 'Kp' holds numbers"):
        select(kp, "Kp < 3", column="Kp")
    with pytest.raises(InputError, match="has 1 rows without a time"):
        select(kp.assign(when=kp["when"].where(kp["Kp"] < 2)[[0, 1, 0]].to_numpy()), "Kp < 3", column="when")
    for hold in ("three", "3"):  # pandas would take that for nanoseconds
        with pytest.raises(InputError, match=f"hold='{hold}' is not a length of time"):
            select(kp, "Kp < 3", column="when", hold=hold)


def test_a_missing_index_is_no_match() -> None:
    kp = pd.DataFrame({"time": pd.date_range(START, periods=3, freq="3h"), "Kp": [1.0, 4.0, None]})
    expected = [True, False, False, False]
    assert select(kp, "Kp < 3").keep.tolist() == expected
    assert select(kp.convert_dtypes(), "Kp < 3").keep.tolist() == expected, "pandas' own types with NA"
    assert select(kp.set_index("time"), "Kp < 3").starts.tolist() == select(kp, "Kp < 3").starts.tolist()
