"""A funding file is read strictly: each rate at its instant, or one sentence with row, expected and was."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from trading_system.research.funding import FundingError, read_funding

HEADER = "funding_time,funding_rate\n"
EIGHT = 1_764_460_800_000


def file_of(tmp_path: Path, rows: str, header: str = HEADER) -> Path:
    path = tmp_path / "funding.csv"
    path.write_text(header + rows)
    return path


def test_rates_are_named_by_the_minute_in_which_they_are_due(tmp_path: Path) -> None:
    path = file_of(tmp_path, f"{EIGHT},0.0001\n{EIGHT + 28_800_007},-7.173e-05\n")
    assert read_funding(path) == {EIGHT: 0.0001, EIGHT + 28_800_000: -7.173e-05}


def test_a_packed_file_says_the_same(tmp_path: Path) -> None:
    plain = file_of(tmp_path, f"{EIGHT},0.0001\n")
    packed = tmp_path / "funding.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_funding(packed) == read_funding(plain)


def test_a_file_without_rows_has_no_funding(tmp_path: Path) -> None:
    assert read_funding(file_of(tmp_path, "")) == {}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (f"{EIGHT},0.0001\n{EIGHT + 60_000}\n", "row 3: expected a time in ms and a rate, was"),
        (f"{EIGHT}.5,0.0001\n", "row 2: expected a time in ms"),
        (f"{EIGHT},high\n", "row 2: expected a time in ms and a rate"),
        (f"{EIGHT},nan\n", "row 2: expected a fraction such as 0.0001, was nan"),
        (f"{EIGHT},inf\n", "row 2: expected a fraction"),
        (f"{EIGHT},1.5\n", "row 2: expected a fraction such as 0.0001, was 1.5"),
        (f"{EIGHT},0.0001\n{EIGHT + 3},0.0002\n", "row 3: expected one rate for an instant"),
    ],
)
def test_a_row_that_cannot_be_trusted_is_named(tmp_path: Path, rows: str, expected: str) -> None:
    with pytest.raises(FundingError, match=expected):
        read_funding(file_of(tmp_path, rows))


@pytest.mark.parametrize("header", ["", "time,rate\n", "funding_time\n"])
def test_other_columns_are_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(FundingError, match="row 1: expected the columns funding_time, funding_rate"):
        read_funding(file_of(tmp_path, "", header))


def test_what_is_no_text_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "funding.csv"
    path.write_bytes(b"funding_time,funding_rate\n\xff\xfe\n")
    with pytest.raises(FundingError, match=r"expected a text of comma-separated values"):
        read_funding(path)


def test_a_missing_file_is_the_systems_own_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_funding(tmp_path / "none.csv")


@pytest.mark.shared
def test_the_real_files_are_read(shared_data: Path) -> None:
    files = sorted(shared_data.glob("funding/*.csv.gz"))
    assert files
    for path in files:
        rates = read_funding(path)
        assert len(rates) > 10
        assert all(time % 60_000 == 0 for time in rates)
