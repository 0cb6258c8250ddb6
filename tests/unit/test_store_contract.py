from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
import store_suite

from trading_system.bus.memory import MemoryBus
from trading_system.database import DatabaseUrlError, open_bus, open_store
from trading_system.store import (
    HeadMovedError,
    NewerSchemaError,
    Row,
    StoreBusyError,
    StoreFileError,
    StoreReadOnlyError,
    Stream,
)
from trading_system.store.memory import MemoryStore
from trading_system.store.sqlite import UNTIDY_ROWS, SqliteStore

CANDLES = Stream("candle", "binance_usdm", "BTCUSDT")
SWINGS = Stream("swing", "binance_usdm", "BTCUSDT")


def _of_the_kind(kind: str, folder: Path) -> store_suite.MakeStore:
    return MemoryStore if kind == "memory" else lambda: SqliteStore(folder / "store.db")


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("rule", store_suite.RULES, ids=lambda rule: rule.__name__)
async def test_every_store_keeps_the_contract(kind: str, rule: store_suite.Rule, tmp_path: Path) -> None:
    await rule(_of_the_kind(kind, tmp_path))


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_the_suite_misses_no_rule_that_is_written_in_it(kind: str) -> None:
    written = {name for name, item in vars(store_suite).items() if callable(item) and name.islower() and name[0] != "_"}
    assert written == {rule.__name__ for rule in store_suite.RULES}


async def test_another_connection_sees_a_step_whole_or_not_at_all(tmp_path: Path) -> None:
    writer = SqliteStore(tmp_path / "store.db")
    reader = SqliteStore(tmp_path / "store.db", read_only=True)
    await writer.append(CANDLES, 1, [b"a"], after=None)
    await writer.append(SWINGS, 1, [b"s"], after=None)
    assert (await reader.head(CANDLES), await reader.read(CANDLES, None, 9)) == (None, [])
    await writer.commit()
    assert (await reader.head(CANDLES), await reader.head(SWINGS)) == (1, 1)
    await writer.append(CANDLES, 2, [b"b"], after=1)
    assert await reader.read(CANDLES, None, 9) == [Row(1, 0, b"a")]
    await reader.close()
    await writer.close()


async def test_closing_without_a_commit_leaves_the_last_commit(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await store.append(CANDLES, 1, [b"a"], after=None)
    await store.commit()
    await store.append(CANDLES, 2, [b"b"], after=1)
    await store.close()
    again = SqliteStore(tmp_path / "store.db")
    assert (await again.head(CANDLES), await again.read(CANDLES, None, 9)) == (1, [Row(1, 0, b"a")])
    await again.close()


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from trading_system.store import Stream
from trading_system.store.sqlite import SqliteStore

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    streams = [Stream(kind, "binance_usdm", "BTCUSDT") for kind in ("candle", "swing", "step")]
    for step in range(1, 51):
        for n, stream in enumerate(streams):
            await store.append(stream, step, [b"%d" % step] * 2, after=step - 1 if step > 1 else None)
            if step == 50 and n == 1:
                os.kill(os.getpid(), signal.SIGKILL)
        await store.commit()

asyncio.run(main())
"""


def _killed(path: Path) -> None:
    house = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, capture_output=True, cwd=house)
    assert (ended.returncode, ended.stderr) == (-9, b"")


async def test_a_kill_in_the_middle_of_a_step_undoes_that_step_on_every_stream(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    _killed(path)
    store = SqliteStore(path)
    for kind in ("candle", "swing", "step"):
        stream = Stream(kind, "binance_usdm", "BTCUSDT")
        assert await store.head(stream) == 49
        assert [row.step for row in await store.read(stream, None, 99)] == [n for n in range(1, 50) for _ in range(2)]
        await store.append(stream, 50, [b"again"], after=49)
    await store.commit()
    await store.close()


async def test_a_second_producer_on_the_same_file_is_shut_out_and_holds_no_lock(tmp_path: Path) -> None:
    one = SqliteStore(tmp_path / "store.db", busy_timeout_ms=0)
    two = SqliteStore(tmp_path / "store.db", busy_timeout_ms=0)
    await one.append(CANDLES, 1, [b"one"], after=None)
    await one.commit()
    with pytest.raises(HeadMovedError):
        await two.append(CANDLES, 1, [b"two"], after=None)
    await one.append(CANDLES, 2, [b"one"], after=1)
    await two.append(CANDLES, 2, [b"two"], after=1)
    await one.commit()
    with pytest.raises(HeadMovedError, match="expected step 1, was step 2"):
        await two.commit()
    await two.commit()
    assert [row.payload for row in await two.read(CANDLES, None, 9)] == [b"one", b"one"]
    await two.append(SWINGS, 2, [b"two"], after=None)
    await two.commit()
    await two.close()
    await one.close()


async def test_what_finds_another_program_writing_is_kept_for_another_attempt(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db", busy_timeout_ms=40)
    await store.append(CANDLES, 1, [b"a"], after=None)
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError, match="nothing is lost"):
            await store.commit()
        assert await store.read(CANDLES, None, 9) == [Row(1, 0, b"a")]
        other.execute("ROLLBACK")
    await store.commit()
    await store.close()
    reader = SqliteStore(tmp_path / "store.db", read_only=True)
    assert await reader.head(CANDLES) == 1
    await reader.close()


async def test_two_tasks_that_commit_at_once_wait_for_the_lock_and_write_everything_once(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await store.append(CANDLES, 1, [b"a"], after=None)
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        commits = [asyncio.create_task(store.commit()) for _ in range(2)]
        await asyncio.sleep(0)  # both have asked for the lock and wait
        await store.append(CANDLES, 2, [b"b"], after=1)
        other.execute("ROLLBACK")
    await asyncio.gather(*commits)
    await store.close()
    again = SqliteStore(tmp_path / "store.db")
    assert await again.read(CANDLES, None, 9) == [Row(1, 0, b"a"), Row(2, 0, b"b")]
    await again.close()


PRODUCER = """
import asyncio, sys
from pathlib import Path
from trading_system.store import Stream
from trading_system.store.sqlite import SqliteStore

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    print("open", flush=True)
    sys.stdin.readline()
    stream = Stream(sys.argv[2], "binance_usdm", "BTCUSDT")
    for step in range(1, 501):
        await store.append(stream, step, [b"%d" % step] * 2, after=step - 1 if step > 1 else None)
        await store.put_document("newest", sys.argv[2], step, b"x")
        await store.commit()
    await store.close()

asyncio.run(main())
"""


def _produce_side_by_side(path: Path, kinds: Sequence[str]) -> None:
    """Let a process a kind open the file, begin together, and end well."""
    producers = [
        subprocess.Popen(
            [sys.executable, "-c", PRODUCER, str(path), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        for kind in kinds
    ]
    for producer in producers:
        assert producer.stdout is not None
        assert producer.stdout.readline() == b"open\n"
    for producer in producers:
        assert producer.stdin is not None
        producer.stdin.write(b"go\n")
        producer.stdin.flush()
    for producer in producers:
        _, said = producer.communicate()
        assert (producer.returncode, said) == (0, b"")


async def test_processes_write_their_own_streams_of_one_file_side_by_side(tmp_path: Path) -> None:
    path, kinds = tmp_path / "store.db", ("candles", "highs_lows", "strategy")
    _produce_side_by_side(path, kinds)
    store = SqliteStore(path)
    for kind in kinds:
        stream = Stream(kind, "binance_usdm", "BTCUSDT")
        assert await store.head(stream) == 500
        assert [row.step for row in await store.read(stream, None, 500)] == [n for n in range(1, 501) for _ in range(2)]
        assert await store.document("newest", kind) == (500, b"x")
    await store.close()


VERSION_1 = """
CREATE TABLE schema (version INTEGER NOT NULL);
CREATE TABLE rows (
    exchange TEXT NOT NULL, symbol TEXT NOT NULL, step INTEGER NOT NULL, kind TEXT NOT NULL, n INTEGER NOT NULL,
    payload BLOB NOT NULL, PRIMARY KEY (exchange, symbol, step, kind, n)
) WITHOUT ROWID;
CREATE TABLE heads (
    exchange TEXT NOT NULL, symbol TEXT NOT NULL, kind TEXT NOT NULL, step INTEGER NOT NULL,
    PRIMARY KEY (exchange, symbol, kind)
) WITHOUT ROWID;
CREATE TABLE documents (
    kind TEXT NOT NULL, key TEXT NOT NULL, step INTEGER NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (kind, key)
);
INSERT INTO schema VALUES (1);
INSERT INTO rows VALUES ('binance_usdm', 'BTCUSDT', 29000000, 'candle', 0, CAST('{"close":1}' AS BLOB));
INSERT INTO heads VALUES ('binance_usdm', 'BTCUSDT', 'candle', 29000000);
INSERT INTO documents VALUES ('snapshot', 'BTCUSDT', 29000000, CAST('kept' AS BLOB));
"""


async def test_a_file_of_the_first_version_is_brought_up_by_a_writer_and_read_as_it_is_by_a_reader(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(VERSION_1)
    reader = SqliteStore(path, read_only=True)
    assert await reader.head(CANDLES) == 29_000_000
    await reader.close()
    store = SqliteStore(path)
    assert await store.read(CANDLES, None, 10**9) == [Row(29_000_000, 0, b'{"close":1}')]
    assert await store.document("snapshot", "BTCUSDT") == (29_000_000, b"kept")
    await store.append(CANDLES, 29_000_001, [b"{}"], after=29_000_000)
    await store.commit()
    await store.close()
    with closing(sqlite3.connect(path)) as new:
        assert new.execute("SELECT version FROM schema").fetchall() == [(2,)]
        assert new.execute("SELECT closed_at, json FROM facts").fetchall() == [
            ("2025-02-19 21:20:00", '{"close":1}'),
            ("2025-02-19 21:21:00", "{}"),
        ]


async def test_a_reading_store_refuses_to_write(tmp_path: Path) -> None:
    await SqliteStore(tmp_path / "store.db").close()
    reader = SqliteStore(tmp_path / "store.db", read_only=True)
    with pytest.raises(StoreReadOnlyError, match="mode=ro"):
        await reader.append(CANDLES, 1, [b"x"], after=None)
    with pytest.raises(StoreReadOnlyError):
        await reader.put_document("snapshot", "BTCUSDT", 1, b"x")
    await reader.close()


async def test_a_store_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    await SqliteStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE schema SET version = 99")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(NewerSchemaError, match="expected version 2 or older, was 99") as caught:
        SqliteStore(path)
    assert (caught.value.expected, caught.value.was) == (2, 99)
    assert path.read_bytes() == before


def test_a_file_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no database at all, but long enough to be looked at as one" * 20)
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE rows (anything)")
    connection.commit()
    connection.close()
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(StoreFileError, match="name another file"):
            SqliteStore(path)
        assert path.read_bytes() == before


def test_a_file_that_is_missing_or_empty_cannot_be_opened_for_reading(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    for name in ("missing.db", "empty.db"):
        with pytest.raises(StoreFileError):
            SqliteStore(tmp_path / name, read_only=True)
    assert not (tmp_path / "missing.db").exists()


async def test_a_file_of_full_synchrony_says_so_to_sqlite(tmp_path: Path) -> None:
    for mode, number in (("FULL", 2), ("NORMAL", 1)):
        store = SqliteStore(tmp_path / f"{mode}.db", synchronous=mode)  # type: ignore[arg-type]
        assert store._connection.execute("PRAGMA synchronous").fetchone() == (number,)
        assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        await store.close()


async def test_urls_open_memory_and_files_relative_and_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(open_store("memory://"), MemoryStore)
    assert isinstance(open_bus("memory://"), MemoryBus)
    for url, path in (
        ("sqlite:///here.db", tmp_path / "here.db"),
        (f"sqlite:///{tmp_path}/new%20folder/there.db", tmp_path / "new folder" / "there.db"),
    ):
        store = open_store(url)
        await store.append(CANDLES, 1, [b"x"], after=None)
        await store.commit()
        await store.close()
        assert path.exists()
        reader = open_store(url + "?mode=ro")
        assert await reader.head(CANDLES) == 1
        await reader.close()


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite:///x.db?mode=rwx", "sqlite:///x.db?cache=1", "sqlite://x.db"]
)
def test_a_sqlite_url_that_names_no_file_gets_the_right_form(url: str) -> None:
    with pytest.raises(DatabaseUrlError, match=r"sqlite:///store\.db"):
        open_store(url)


def test_urls_of_unknown_servers_get_one_sentence_without_their_password() -> None:
    for url in ("postgres://user:secret@db", "secret", ""):
        with pytest.raises(DatabaseUrlError) as refused:
            open_store(url)
        assert "secret" not in str(refused.value)
        with pytest.raises(DatabaseUrlError):
            open_bus(url)


async def test_tidying_folds_the_log_into_the_file_once_it_is_worth_it(tmp_path: Path) -> None:
    store, path = SqliteStore(tmp_path / "store.db"), tmp_path / "store.db"
    await store.append(CANDLES, 1, [b"x" * 100] * (UNTIDY_ROWS - 1), after=None)
    await store.commit()
    before = path.stat().st_size
    await store.tidy()
    assert path.stat().st_size == before
    await store.append(CANDLES, 2, [b"y"], after=1)
    await store.commit()
    await store.tidy()
    assert path.stat().st_size > before
    assert len(await store.read(CANDLES, None, 2)) == UNTIDY_ROWS
    await store.close()
