"""pysat's own instruments: its test instruments, a real file of Dynamics Explorer 2, and what is refused."""

from __future__ import annotations

import shutil
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from helio_burst.errors import InputError, ReadError
from helio_burst.season import (
    Bins,
    FileDays,
    Orbits,
    PysatInstrument,
    Tally,
    average_of,
    bin_samples,
    certify,
    merge,
    orbit_tally,
    probability,
    pysat_tally,
    to_dict,
)
from helio_burst.season.orbits import DAY
from helio_burst.season.walk import Rows
from tests.season.random_seasons import partition

REAL = Path(__file__).parents[1] / "data" / "cdf" / "de2_ion2s_rpa_19830213_v01.cdf"
FIRST = pd.Timestamp("2008-01-01").value // DAY
LATITUDE = Bins(variable="latitude", start=-60, stop=60, number=3)
LONGITUDE = Bins(variable="longitude", start=0, stop=360, number=2)


def made_up(pysat: Any, **options: Any) -> PysatInstrument:
    """pysat's made-up instrument for tests."""
    return PysatInstrument(
        platform="pysat",
        name="testing",
        data_dir=pysat.params["data_dirs"][0],
        options={"num_samples": 1440, **options.pop("options", {})},
        **options,
    )


def blocks(number: int, length: int) -> list[Any]:
    last = FIRST + number
    return [partition(start, min(start + length, last), FIRST, last) for start in range(FIRST, last, length)]


def rows_of(pysat: Any, instrument: PysatInstrument, names: list[str], number: int) -> dict[int, Rows]:
    """The days of an instrument, read by pysat."""
    opened = instrument.open()
    days = {}
    for day in range(FIRST, FIRST + number):
        opened.load(date=pd.Timestamp(day, unit="D").to_pydatetime())
        time = opened.index.to_numpy().astype("M8[ns]").astype(np.int64)
        days[day] = Rows(time, {name: opened[name].to_numpy() for name in names})
    return days


@pytest.mark.parametrize("by", ["orbit", "day"])
def test_pysats_test_instrument_has_its_known_answer(pysat: Any, by: Any) -> None:
    """Local time exceeds noon in the second half of the day, and never in the first: so upstream tests it."""
    instrument = made_up(pysat, orbits=Orbits(kind="longitude"))
    question: dict[str, Any] = {
        "x": Bins(variable="slt", start=0, stop=24, number=2),
        "y": LATITUDE,
        "gates": {"slt": 12.0},
        "by": by,
    }
    parts = [pysat_tally(block, instrument=instrument, **question) for block in blocks(4, 2)]
    merged: Tally = reduce(merge, parts)
    assert certify(merged) == []
    answer = to_dict(probability(merged))["slt"]
    np.testing.assert_array_equal(answer["prob"], [[0, 1], [0, 1], [0, 1]])
    np.testing.assert_array_equal(answer["bin_x"], [0, 12, 24])
    np.testing.assert_array_equal(answer["bin_y"], [-60, -20, 20, 60])
    days = rows_of(pysat, instrument, ["slt", "latitude", "longitude"], 4)
    ours = orbit_tally(partition(FIRST, FIRST + 4, FIRST, FIRST + 4), days=days.get, **question)
    np.testing.assert_array_equal(ours.total, merged.total)
    np.testing.assert_array_equal(ours.hits, merged.hits)


def test_medians_of_pysats_test_instrument(pysat: Any) -> None:
    """Its dummy1 is the hour of magnetic local time, its dummy2 the longitude in units of 15 degrees."""
    instrument = made_up(pysat)
    days = rows_of(pysat, instrument, ["longitude", "mlt", "dummy1", "dummy2"], 2)
    axes = {
        "x": Bins(variable="longitude", start=0, stop=360, number=24),
        "y": Bins(variable="mlt", start=0, stop=24, number=24),
    }
    for name, expected in (("dummy1", np.arange(24)[:, None]), ("dummy2", np.arange(24)[None, :])):
        parts = [bin_samples(block, days=days.get, variable=name, **axes) for block in blocks(2, 1)]
        result = average_of(reduce(merge, parts))
        seen = result["count"] > 0
        assert (result["median"] == np.broadcast_to(expected, (24, 24))).where(seen, True).all()
        assert (result["avg_abs_dev"].where(seen, 0) == 0).all()
        assert int(result["count"].sum()) == 2 * len(days[FIRST].time)


def test_a_real_file(pysat: Any, tmp_path: Path) -> None:
    """Dynamics Explorer 2 on 1983-02-13: read from bytes and counted here, and by pysat: the same."""
    folder = tmp_path / "de2" / "rpa"
    folder.mkdir(parents=True)
    path = shutil.copy(REAL, folder)
    question: dict[str, Any] = {
        "x": Bins(variable="glon", start=-180, stop=180, number=12),
        "y": Bins(variable="glat", start=-90, stop=90, number=6),
        "gates": {"ionTemperature": 1500.0},
    }
    orbits = Orbits(kind="latitude", variable="glat")
    names = [question["x"].variable, question["y"].variable, "ionTemperature"]
    files = pd.DataFrame({"datakey": [str(path)], "start": [pd.Timestamp("1983-02-13", tz="UTC")]})
    day = files["start"][0].value // DAY
    days = FileDays(files, names)
    days.check(day)
    ours = orbit_tally(partition(day, day + 1, day, day + 1), days=days, orbits=orbits, **question)
    instrument = PysatInstrument(platform="de2", name="rpa", data_dir=str(tmp_path), orbits=orbits)
    theirs = pysat_tally(partition(day, day + 1, day, day + 1), instrument=instrument, **question)
    np.testing.assert_array_equal(ours.total, theirs.total)
    np.testing.assert_array_equal(ours.hits, theirs.hits)
    assert ours.blocks[0].units == theirs.blocks[0].units
    assert ours.blocks[0].rows == theirs.blocks[0].rows == 2716
    assert ours.hits.sum() > 0
    with pytest.raises(InputError, match=r"no variable 'longitude'; it has .*glon"):
        FileDays(files, ["longitude"]).check(day)
    with pytest.raises(ReadError, match="no variable 'longitude'"):
        FileDays(files, ["longitude"])(day)


def test_pysats_blocks_tell_what_ours_tell(pysat: Any, tmp_path: Path) -> None:
    """The notes that the pysat engine takes at its blocks' ends are those of our walk."""
    from helio_burst.season import make_vefi, pysat_files, read_vefi

    make_vefi(tmp_path, "2010-05-09", "2010-05-13", cadence=120, seed=3)
    (tmp_path / "cnofs/vefi/dc_b/cnofs_vefi_bfield_1sec_20100511_v05.cdf").unlink()
    first = pd.Timestamp("2010-05-09").value // DAY
    instrument = PysatInstrument(platform="cnofs", name="vefi", tag="dc_b", data_dir=str(tmp_path))
    question: dict[str, Any] = {
        "x": Bins(variable="longitude", start=0, stop=360, number=4),
        "y": LATITUDE,
        "gates": {"dB_mer": 0.0},
    }
    days = FileDays(pysat_files(tmp_path), ["longitude", "latitude", "dB_mer"], read=read_vefi)
    for start in range(first, first + 4):
        block = partition(start, start + 1, first, first + 4)
        theirs, ours = (
            pysat_tally(block, instrument=instrument, **question),
            orbit_tally(block, days=days, **question),
        )
        assert theirs.blocks == ours.blocks
        np.testing.assert_array_equal(theirs.total, ours.total)
        np.testing.assert_array_equal(theirs.hits, ours.hits)


def test_pysat_keeps_its_settings_out_of_the_home(pysat: Any) -> None:
    assert not Path(pysat.pysat_dir).is_relative_to(Path.home())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clean_level": "spotless"}, "clean_level.*'none', 'dirty', 'dusty' or 'clean', not 'spotless'"),
        ({"orbits": Orbits(kind="period")}, "pysat knows no orbits of kind 'period'"),
        ({"cleen_level": "none"}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_descriptions_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PysatInstrument(platform="cnofs", name="vefi", data_dir="data", **change)


def test_an_unknown_instrument_is_named(pysat: Any) -> None:
    with pytest.raises(InputError, match=r"No module reads the instrument cnofs_vifi"):
        PysatInstrument(platform="cnofs", name="vifi", data_dir="data").open()


def test_a_missing_data_directory_is_named(tmp_path: Path) -> None:
    instrument = PysatInstrument(
        platform="cnofs", name="vefi", tag="dc_b", data_dir=str(tmp_path / "nowhere")
    )
    block = partition(FIRST, FIRST + 1, FIRST, FIRST + 1)
    with pytest.raises(InputError, match=r"no pysat data directory .*nowhere"):
        pysat_tally(block, instrument=instrument, x=LONGITUDE, y=LATITUDE, gates={"a": 0.0})


@pytest.mark.parametrize(
    "change", [{"gates": {"sit": 0.0}}, {"y": Bins(variable="sit", start=0, stop=1, number=1)}]
)
def test_a_variable_that_is_not_there_is_named_with_those_that_are(
    pysat: Any, change: dict[str, Any]
) -> None:
    question = {"x": LONGITUDE, "y": LATITUDE, "gates": {"slt": 0.0}, **change}
    with pytest.raises(InputError, match=r"pysat_testing has no variable 'sit'; it has .*slt"):
        pysat_tally(blocks(1, 1)[0], instrument=made_up(pysat), **question)


def test_a_block_without_files_counts_nothing(pysat: Any, tmp_path: Path) -> None:
    from helio_burst.season import make_vefi

    make_vefi(tmp_path, "2010-05-09", "2010-05-10", cadence=600)
    instrument = PysatInstrument(platform="cnofs", name="vefi", tag="dc_b", data_dir=str(tmp_path))
    tally = pysat_tally(
        partition(FIRST, FIRST + 2, FIRST, FIRST + 2),
        instrument=instrument,
        x=LONGITUDE,
        y=LATITUDE,
        gates={"dB_mer": 0.0},
    )
    assert tally.total.sum() == 0
    assert tally.blocks[0].units == 0
    with pytest.raises(InputError, match="no data at all"):
        probability(tally)
