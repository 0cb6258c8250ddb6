"""How long a year of minutes takes from a file to checked records, beside what others need for the same file unchecked.

The peers are pyarrow, by which we read, and pandas where it is installed; they take turns with ours round by round.
Limits on a quiet machine: 50 ms for Parquet, 600 ms for CSV.gz; most of either is unpacking, which is why the same
table is there without packing too. Run: python benchmarks/loading.py
"""

from __future__ import annotations

import gzip
import io
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.feather as pa_feather
import pyarrow.parquet as pa_parquet
from measure.figures import Figure, spent_on
from results import report

from trading_system.research.history import COLUMNS, load_candles

ROWS = 365 * 1440
START = 1_704_067_200_000  # 2024-01-01
ROUNDS = 11
LIMITS = {"year.parquet": 50.0, "year.csv.gz": 600.0}


def year_of_minutes() -> pa.Table:
    """A seeded walk like BTCUSDT's perpetual: a tick of 0.1, a step of 0.001, the spread of real minutes."""
    chance = np.random.default_rng(7)
    closes = 600_000 + np.cumsum(np.rint(chance.normal(0, 250, ROWS)).astype(np.int64))
    opens = np.concatenate([[600_000], closes[:-1]])
    highs = np.maximum(opens, closes) + chance.integers(0, 300, ROWS)
    lows = np.minimum(opens, closes) - chance.integers(0, 300, ROWS)
    volumes = np.rint(chance.lognormal(11.0, 1.0, ROWS))
    times = START + 60_000 * np.arange(ROWS, dtype=np.int64)
    values = [times, opens / 10, highs / 10, lows / 10, closes / 10, volumes / 1000]
    return pa.table(dict(zip(COLUMNS, values, strict=True)))


def written(folder: Path) -> dict[Path, dict[str, Callable[[Path], object]]]:
    """Return the files, each with readers that check nothing."""
    table = year_of_minutes()
    parquet, plain, feather, packed = (
        folder / name for name in ("year.parquet", "unpacked.parquet", "year.feather", "year.csv.gz")
    )
    pa_parquet.write_table(table, parquet)
    pa_parquet.write_table(table, plain, compression="none")
    pa_feather.write_feather(table, feather)
    text = io.BytesIO()
    pa_csv.write_csv(table, text)
    packed.write_bytes(gzip.compress(text.getvalue()))

    def unpacked_csv(path: Path) -> object:
        return pa_csv.read_csv(io.BytesIO(gzip.decompress(path.read_bytes())))

    return {
        parquet: {"pyarrow": pa_parquet.read_table, **_pandas("read_parquet")},
        plain: {"pyarrow": pa_parquet.read_table, **_pandas("read_parquet")},
        feather: {"pyarrow": pa_feather.read_table, **_pandas("read_feather")},
        packed: {"pyarrow": unpacked_csv, **_pandas("read_csv")},
    }


def _pandas(reader: str) -> dict[str, Callable[[Path], object]]:
    try:
        import pandas as pd
    except ImportError:
        return {}
    return {"pandas": getattr(pd, reader)}


def main() -> None:
    figures = []
    with tempfile.TemporaryDirectory() as name:
        for path, peers in written(Path(name)).items():
            readers = {"checked": load_candles, **peers}
            rounds = [{who: spent_on(partial(read, path)) for who, read in readers.items()} for _ in range(ROUNDS)]
            for who in readers:
                work = f"{path.name}, {path.stat().st_size / 1e6:.1f} MB: {who}"
                limit = LIMITS.get(path.name) if who == "checked" else None
                figures.append(Figure(work, "ms wall", [1000 * one[who].wall for one in rounds], limit))
                figures.append(Figure(work, "ms processor", [1000 * one[who].cpu for one in rounds]))
    report(f"{ROWS} minutes of one symbol, from a file into memory", figures)


if __name__ == "__main__":
    main()
