"""How long a year of minutes takes from a file to checked records, beside what pyarrow alone needs for the same file.

Processor time, least of several rounds; what else the machine does makes both columns longer. Limits on a quiet
machine: 50 ms for Parquet, 600 ms for CSV.gz. Run: python benchmarks/loading.py
"""

from __future__ import annotations

import gzip
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.feather as pa_feather
import pyarrow.parquet as pa_parquet

from trading_system.research.history import COLUMNS, load_candles

ROWS = 365 * 1440
START = 1_704_067_200_000  # 2024-01-01
ROUNDS = 9
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


def written(folder: Path) -> dict[Path, Callable[[Path], object]]:
    """Return the files, each with what a reader without any check does."""
    table = year_of_minutes()
    parquet, feather, packed = (folder / f"year.{ending}" for ending in ("parquet", "feather", "csv.gz"))
    pa_parquet.write_table(table, parquet)
    pa_feather.write_feather(table, feather)
    text = io.BytesIO()
    pa_csv.write_csv(table, text)
    packed.write_bytes(gzip.compress(text.getvalue()))
    return {
        parquet: pa_parquet.read_table,
        feather: pa_feather.read_table,
        packed: lambda path: pa_csv.read_csv(io.BytesIO(gzip.decompress(path.read_bytes()))),
    }


def least_ms(work: Callable[[], object]) -> float:
    """Return the least processor time of some rounds; a busy machine makes any single one longer."""
    rounds = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        work()
        rounds.append(1000 * (time.process_time() - begun))
    return min(rounds)


def main() -> None:
    print(f"{ROWS} minutes; ms of processor time, least of {ROUNDS}")
    print(f"{'file':<14}{'MB':>7}{'checked':>10}{'pyarrow':>10}{'limit':>8}")
    with tempfile.TemporaryDirectory() as name:
        for path, bare in written(Path(name)).items():
            ours = least_ms(lambda path=path: load_candles(path))
            theirs = least_ms(lambda path=path, bare=bare: bare(path))
            limit = LIMITS.get(path.name)
            size = path.stat().st_size / 1e6
            over = "  over" if limit is not None and ours > limit else ""
            most = "" if limit is None else f"{limit:.0f}"
            print(f"{path.name:<14}{size:>7.1f}{ours:>10.1f}{theirs:>10.1f}{most:>8}{over}")


if __name__ == "__main__":
    main()
