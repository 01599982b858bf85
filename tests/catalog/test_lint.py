"""Lint names the file, the line and the repair of each thing wrong."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from helio_burst.catalog import lint
from helio_burst.catalog.findings import Finding

from .conftest import Publish

GOOD = "# start, stop, datakey, filesize\n2020-01-01T00:00:00Z,2020-01-01T00:00:04Z,s3://b/1.fits,5\n"
YEAR = {"start": "2020-01-01T00:00:00Z", "stop": "2020-12-31T00:00:00Z"}


def found(findings: pd.DataFrame, words: str) -> pd.Series:
    (row,) = (row for _, row in findings.iterrows() if words in row["problem"])
    return row


def test_a_good_catalog(publish: Publish) -> None:
    findings = publish({"aia_2020.csv": GOOD}, **YEAR).lint()
    assert findings["severity"].tolist() == ["note"]  # an index on a disk, in this test
    assert findings.columns.tolist() == ["severity", "file", "line", "entry", "problem", "repair"]


@pytest.mark.parametrize(
    ("line", "problem", "severity"),
    [
        ("2020-01-02T00:00:00Z,2020-01-01T00:00:00Z,s3://b/2,5", "is before the start", "error"),
        ("2020-01-02T00:00:00Z,2020-0", "only 2 of 4 values", "error"),
        ("soon,2020-01-01T00:00:00Z,s3://b/2,5", "'soon' is not a time", "error"),
        ("2020-01-01T00:00:00Z,2020-01-01T00:00:04Z,s3://b/1.fits,5", "occurs again", "warning"),
        ("2020-01-02T00:00:00Z,2020-01-03T00:00:00Z,b/2,5", "is not a URL", "warning"),
        ("2020-01-02T00:00:00Z,2020-01-03T00:00:00Z,s3://b/2,", "filesize of s3://b/2 is missing", "warning"),
        ("2020-01-02T00:00:00Z,2020-01-03T00:00:00Z,s3://b/2,0", "filesize of s3://b/2 is 0", "warning"),
        ("2020-01-02T00:00:00Z,,s3://b/2,5", "stop of s3://b/2 is missing", "warning"),
        ("2020-01-02T00:00:00Z,2023-01-03T00:00:00Z,s3://b/2,5", "spans years", "warning"),
    ],
)
def test_each_fault_of_an_index(publish: Publish, line: str, problem: str, severity: str) -> None:
    catalog = publish({"aia_2020.csv": f"{GOOD}\n# a remark\n{line}\n"}, **YEAR)
    if problem == "is not a URL":
        row = found(lint(f"{catalog.endpoint}aia_2020.csv"), problem)
        assert row["line"] == 5
        return
    row = found(catalog.lint(), problem)
    assert (row["severity"], row["line"], row["entry"]) == (severity, 5, "aia")
    assert row["file"].endswith("aia_2020.csv")
    assert row["repair"]


def test_order_year_and_range(publish: Publish) -> None:
    late = GOOD + "2019-05-01T00:00:00Z,2019-05-01T00:00:00Z,s3://b/2,5\n"
    findings = publish({"aia_2020.csv": late}, **YEAR).lint()
    assert found(findings, "not in order of time")["line"] == 3
    assert found(findings, "is not in 2020")["line"] == 3
    assert found(findings, "outside of the entry's range")["line"] == 3


def test_faults_of_many_rows_are_counted(publish: Publish) -> None:
    rows = "".join(f"2020-01-02T00:00:{number:02}Z,,s3://b/{number},5\n" for number in range(50))
    findings = publish({"aia_2020.csv": GOOD + rows}, **YEAR).lint()
    assert len(findings[findings["problem"].str.contains("stop of")]) <= 6
    assert "45 more rows are so" in " ".join(findings["problem"])


def test_index_files_that_are_missing_or_broken(publish: Publish) -> None:
    findings = publish(
        {"aia_2020.csv": GOOD}, start="2020-01-01T00:00:00Z", stop="2021-02-01T00:00:00Z"
    ).lint()
    assert found(findings, "aia_2021.csv")["severity"] == "error"
    findings = publish({"aia_2020.parquet": "no"}, indextype="parquet", **YEAR).lint()
    assert found(findings, "cannot be read as parquet")["severity"] == "error"
    assert publish({}, **YEAR).lint(indexes=False)["severity"].tolist() == ["note"]


FAULTY = """{
 "version": "1.1",
 "name": "Faulty",
 "egress": "sometimes",
 "status": {"code": 1500, "message": "OK"},
 "catalog": [
  {"id": "a b", "index": "s3://b/x", "title": "x", "indextype": "csv",
   "start": "1996-01-01T00:00.00Z",
   "stop": "1995-01-01T00:00:00Z",
   "modification": "1995-01-01T00:00:00Z",
   "filetype": "FITS",
   "multiyear": "yes"},
  {"id": "c", "loc": "s3://b/c/", "title": "y", "title": "z",
   "start": "whenever", "stop": "2020-01-01T00:00Z"},
  {"id": "c"},
  3
 ]
}"""


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        ("There is no contact", None),
        ("egress has sometimes", 4),
        ("status code is 1500", 5),
        ("'a b' has other characters", 7),
        ("has no / at its end", 7),
        ("not every reader takes that", 8),
        ("is after the stop", 8),
        ("filetype is 'FITS'", 11),
        ("multiyear is 'yes'", 12),
        ("'loc' is a name of versions", 13),
        ("The key 'title' occurs twice", 13),
        ("start is 'whenever'", 14),
        ("The id 'c' occurs again", 15),
        ("There is no index, title, start, stop", 15),
        ("Entry 3 is 3", 16),
    ],
)
def test_each_fault_of_a_catalog(tmp_path: Path, problem: str, line: int | None) -> None:
    (tmp_path / "catalog.json").write_text(FAULTY)
    row = found(lint(str(tmp_path), indexes=False), problem)
    assert row["line"] == line if line else pd.isna(row["line"])
    assert row["file"] == f"{tmp_path}/catalog.json"
    assert row["repair"]


def test_the_worst_comes_first(tmp_path: Path) -> None:
    (tmp_path / "catalog.json").write_text(FAULTY)
    severities = lint(str(tmp_path), indexes=False)["severity"].tolist()
    assert severities == sorted(severities, key=["error", "warning", "note"].index)


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("catalog.json", '{"catalog": [\n{"id" 1}]}', 2),
        ("catalog.json", "[]", None),
        ("catalog.json", "", 1),
        ("registry.json", '{"version": "1.1",\n"registry": [{"name": "x"}]}', 2),
        ("registry.json", '{"registry": {}}', None),
        ("aia_2020.csv", "<html>", 1),
        ("aia_2020.csv.zip", "no zip", None),
        ("aia_2020.parquet", "", None),
    ],
)
def test_nothing_raises(tmp_path: Path, name: str, text: str, line: int | None) -> None:
    (tmp_path / name).write_text(text)
    findings = lint(f"{tmp_path}/{name}")
    assert findings["severity"].iloc[0] == "error"
    lines = findings["line"].tolist()
    assert line in lines if line else pd.isna(lines[0])


def test_what_is_not_there(tmp_path: Path) -> None:
    assert "no such" in lint(f"{tmp_path}/nowhere")["problem"].item()
    assert "no such" in lint(f"{tmp_path}/aia_2020.csv")["problem"].item()


def test_a_finding_as_text() -> None:
    text = str(Finding("error", "s3://b/x.csv", 3, "x", "It is torn.", "Mend it."))
    assert text == "s3://b/x.csv, line 3 (entry x): It is torn. Mend it."
