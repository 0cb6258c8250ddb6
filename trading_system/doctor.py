"""Looks at a machine and a working folder and says, row by row, what is ok, what is doubtful and what must be mended.

A row that fails or warns ends with the command that mends it. Looking changes nothing, and no row waits longer than two
seconds; ``mend`` does the few things that cannot do harm.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import platform
import shutil
import sqlite3
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import quote, unquote

from trading_system.server_checks import trouble_of_bus, trouble_of_store
from trading_system.setting_sources import DOTENV_FILE, OPEN_TO_OTHERS
from trading_system.settings import Loaded, Settings, SettingsError, load, secret_keys
from trading_system.start_checks import StartRefusedError, open_bot, weak_passwords
from trading_system.venue_access import paper_access, public_rest
from trading_system.venues.clock import SystemClock
from trading_system.venues.market_errors import MarketError

OLDEST_PYTHON = (3, 11)
LITTLE_DISK, NO_DISK = 2 * 1024**3, 200 * 1024**2
PATIENCE_S = 2.0
LONGEST_PAUSE_S = 0.2  # before an exchange that stumbles is asked again
MOST_SKEW_MS = 1_000  # a signed request is refused when it seems to come from further ahead
OPEN_DATABASE_BYTE = 128
"""The byte of a ``-shm`` file on which SQLite keeps a lock for as long as anybody has the database open."""
EARLIEST_S = 1_735_689_600  # 2025-01-01 UTC: a clock before it is not set

Read = Callable[[], Loaded]
Verdict = Literal["ok", "warn", "fail", "skip"]


class Finding(NamedTuple):
    """One row: what was looked at, the verdict, what was seen, and the command that mends it (empty: none needed)."""

    what: str
    verdict: Verdict
    seen: str
    mend: str = ""


def examine(read: Read = load, *, offline: bool = False) -> list[Finding]:
    """Look at everything; a check that breaks is a failed row of its own, never the end of the others.

    read: gives the settings that are meant.
    """
    settings_row, settings = _settings(read)
    checks: Sequence[tuple[str, Callable[[], Finding]]] = (
        ("python", _python),
        ("package", _package),
        ("feed", _feed),
        ("compiled rules", _compiled_rules),
        ("secrets file", _dotenv),
        ("data folder", lambda: _folder(settings.data_folder)),
        ("disk space", lambda: _disk(settings.data_folder)),
        ("store", lambda: _store(settings, offline=offline)),
        ("bus", lambda: _bus(settings, offline=offline)),
        ("passwords", lambda: _of_refusals("passwords", weak_passwords(settings))),
        ("telegram", lambda: _of_refusals("telegram", open_bot(settings))),
        ("pictures", _pictures),
        ("clock", _clock),
        ("exchange", lambda: Finding("exchange", "skip", "skipped (--offline)") if offline else _exchange(settings)),
    )
    rows = [_safely(what, check) for what, check in checks]
    rows.insert(rows.index(next(row for row in rows if row.what == "secrets file")), settings_row)
    return rows


def mend(read: Read = load) -> list[str]:
    """Do what the rows' commands would do where nothing can be lost by it, and return those commands.

    Closes a .env that others can read, and makes the data folder.
    """
    done = []
    dotenv = Path(DOTENV_FILE)
    if _is_open_to_others(dotenv):
        dotenv.chmod(0o600)
        done.append(f"chmod 600 {dotenv}")
    _, settings = _settings(read)
    folder = settings.data_folder
    if not folder.exists() and _folder(folder).verdict == "ok":
        folder.mkdir(parents=True)
        done.append(f"mkdir -p {folder}")
    return done


def failed(findings: Iterable[Finding]) -> bool:
    """Tell whether anything must be mended before the program can work."""
    return any(row.verdict == "fail" for row in findings)


def _safely(what: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except Exception as error:  # noqa: BLE001  one broken row must not hide the others
        return Finding(what, "fail", f"{type(error).__name__}: {error}", "trading-system doctor --json")


def _python() -> Finding:
    version = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        return Finding("python", "fail", f"expected 3.11 or newer, was {version}", "make setup PYTHON=python3.11")
    return Finding("python", "ok", version)


def _package() -> Finding:
    try:
        return Finding("package", "ok", f"trading-system {metadata.version('trading-system')}")
    except metadata.PackageNotFoundError:
        return Finding("package", "warn", "runs from its folder without being installed", "make setup")


def _feed() -> Finding:
    try:
        from trading_system import _feed as crate  # noqa: PLC0415  its absence is what is looked for
    except ImportError as error:
        return Finding("feed", "fail", f"the Rust feed cannot be loaded: {error}", "make setup")
    return Finding("feed", "ok", Path(crate.__file__ or "").name)


def _compiled_rules() -> Finding:
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in {"", "0"}:
        return Finding(
            "compiled rules", "warn", "NUMBA_DISABLE_JIT is set: rules run slowly", "unset NUMBA_DISABLE_JIT"
        )
    from trading_system.rules.compiled import cache_folder  # noqa: PLC0415  loads Numba

    folder = cache_folder()
    if not any(folder.rglob("*.nbi")):
        mend = "trading-system demo --days 1"
        return Finding("compiled rules", "warn", f"not compiled yet in {folder}; the first start takes longer", mend)
    return Finding("compiled rules", "ok", str(folder))


def _settings(read: Read) -> tuple[Finding, Settings]:
    try:
        loaded = read()
    except SettingsError as error:
        return Finding("settings", "fail", str(error), "trading-system config check"), Settings()
    known = [name for name in secret_keys() if getattr(loaded.settings, name)]
    secrets = f"secrets set: {', '.join(known)}" if known else "no secrets set"
    return Finding("settings", "ok", f"{len(loaded.given)} differ from the defaults; {secrets}"), loaded.settings


def _dotenv() -> Finding:
    path = Path(DOTENV_FILE)
    if not path.exists():
        return Finding("secrets file", "ok", "no .env; none is needed for the simulated exchange")
    mode = stat.S_IMODE(path.stat().st_mode)
    if _is_open_to_others(path):
        return Finding("secrets file", "fail", f"expected mode 600, was {mode:o}", f"chmod 600 {path}")
    return Finding("secrets file", "ok", f".env, mode {mode:o}")


def _is_open_to_others(path: Path) -> bool:
    return os.name == "posix" and path.exists() and bool(path.stat().st_mode & OPEN_TO_OTHERS)


def _folder(folder: Path) -> Finding:
    there = _nearest(folder)
    if not there.is_dir():
        return Finding("data folder", "fail", f"{there}: expected a folder, was a file", "--set data_folder=FOLDER")
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding("data folder", "fail", f"{there}: cannot be written", f"chmod u+rwx {there}")
    return Finding("data folder", "ok", f"{folder} can be written")


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(_nearest(folder)).free
    seen = f"{free / 1024**3:.1f} GiB free"
    if free < NO_DISK:
        return Finding("disk space", "fail", f"expected at least 0.2 GiB, was {seen}", f"du -sh {folder}/runs/*")
    if free < LITTLE_DISK:
        return Finding("disk space", "warn", f"expected at least 2 GiB, was {seen}", f"du -sh {folder}/runs/*")
    return Finding("disk space", "ok", seen)


def _bus(settings: Settings, *, offline: bool) -> Finding:
    if settings.bus_url.startswith("memory:"):
        return Finding("bus", "ok", "inside the process")
    return _server("bus", trouble_of_bus, settings.bus_url, offline=offline)


def _server(what: str, trouble_of: Callable[[str], str], url: str, *, offline: bool) -> Finding:
    """Ask a server whether it answers; its own sentence says what mends it."""
    if offline:
        return Finding(what, "skip", "skipped (--offline)")
    trouble = trouble_of(url)
    return Finding(what, "fail", trouble) if trouble else Finding(what, "ok", f"{url.partition('://')[0]}://")


def _store(settings: Settings, *, offline: bool) -> Finding:
    scheme, _, rest = settings.database_url.partition("://")
    if scheme.startswith("mongodb"):
        return _server("store", trouble_of_store, settings.database_url, offline=offline)
    if scheme != "sqlite":
        return Finding("store", "ok", "one for each run, in its folder" if not scheme else f"{scheme}://")
    path = Path(unquote(rest.partition("?")[0][1:]))
    if not path.exists():
        return Finding("store", "ok", f"{path} is made at the first start")
    if _is_in_use(path):
        return Finding("store", "warn", f"{path} is in use by another process", "give each line its own store")
    try:
        # As a writer would, but given back at once; nothing is made and nothing is written.
        store = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode=rw", uri=True, timeout=0.2, isolation_level=None
        )
        try:
            store.execute("BEGIN IMMEDIATE")
            healthy = store.execute("PRAGMA quick_check(1)").fetchone()[0]
            store.execute("ROLLBACK")
        finally:
            store.close()
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return Finding("store", "warn", f"{path} is in use by another process", "give each line its own store")
        return Finding("store", "fail", f"{path}: {error}", f"ls -l {path}")
    except sqlite3.DatabaseError as error:
        return Finding("store", "fail", f"{path}: {error}", "name another file in DATABASE_URL")
    if healthy != "ok":
        return Finding("store", "fail", f"{path}: {healthy}", "name another file in DATABASE_URL")
    return Finding("store", "ok", str(path))


def _is_in_use(path: Path) -> bool:
    """Tell whether another process has the store open, whether or not it writes just now."""
    try:
        with path.with_name(f"{path.name}-shm").open("r+b") as shared:
            fcntl.lockf(shared, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, OPEN_DATABASE_BYTE)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _of_refusals(what: str, refusals: Sequence[StartRefusedError]) -> Finding:
    """Show what a service would refuse to start with; each sentence ends with what mends it."""
    if not refusals:
        return Finding(what, "ok", "nothing that a service refuses to start with")
    return Finding(what, "fail", " | ".join(map(str, refusals)))


def _pictures() -> Finding:
    from PIL import features  # noqa: PLC0415  loaded only to be looked at

    from trading_system.charts.png import shaped_width  # noqa: PLC0415

    began = time.perf_counter()
    width = shaped_width("Ag 123", 20)
    took = (time.perf_counter() - began) * 1000
    if not width > 0:
        return Finding("pictures", "fail", "the fonts of the package draw nothing", "make setup")
    if not features.check("raqm") or features.version("fribidi") is None:
        mend = "apt-get install libfribidi0"
        return Finding("pictures", "warn", "English only: FriBiDi, which Arabic needs, is missing", mend)
    return Finding("pictures", "ok", f"fonts, Raqm and FriBiDi found ({took:.0f} ms)")


def _clock() -> Finding:
    now = time.time()
    if now < EARLIEST_S:
        seen = f"expected a time after 2025-01-01, was {time.strftime('%Y-%m-%d %H:%MZ', time.gmtime(now))}"
        return Finding("clock", "fail", seen, "timedatectl set-ntp true")
    return Finding("clock", "ok", f"{time.strftime('%Y-%m-%d %H:%M:%SZ', time.gmtime(now))} (all times are UTC)")


def _exchange(settings: Settings) -> Finding:
    """Ask the exchange of the settings for its time. Being without network is no fault: only paper and live need it.

    The system's resolver knows no time limit, so a thread asks and is not waited for longer than ``PATIENCE_S``.
    """
    answers: list[tuple[int, int, int]] = []  # our clock before, theirs, our clock behind; ms UTC
    failures: list[str] = []

    def ask() -> None:
        before = _now_ms()
        try:
            answers.append((before, _venue_time(settings), _now_ms()))
        except MarketError as error:
            failures.append(str(error))

    base = public_rest(settings)
    asking = threading.Thread(target=ask, daemon=True, name="doctor asks the exchange")
    asking.start()
    asking.join(PATIENCE_S)
    if not answers:
        why = failures[0] if failures else f"{base}: no answer within {PATIENCE_S:g} s"
        return Finding("exchange", "skip", f"skipped (offline): {why}")
    before, theirs, behind = answers[0]
    off = theirs - (before + behind) // 2
    if abs(off) > MOST_SKEW_MS:
        seen = f"{base} answers; expected clocks within {MOST_SKEW_MS} ms of each other, was {off} ms"
        return Finding("exchange", "warn", seen, "timedatectl set-ntp true")
    return Finding("exchange", "ok", f"{base} answers in {behind - before} ms; its clock differs by {off} ms")


class _Impatient(SystemClock):
    """A clock by which all attempts at a question fit into the row's patience, so that their failure is told."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(min(seconds, LONGEST_PAUSE_S))


def _venue_time(settings: Settings) -> int:
    """Return the exchange's time, ms UTC. Raises: MarketError."""

    async def ask() -> int:
        access = paper_access(settings)
        async with access.open_http() as http:
            return await access.market(http, _Impatient()).server_time()

    return asyncio.run(ask())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _nearest(folder: Path) -> Path:
    """Return the nearest thing above ``folder`` that exists."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder
