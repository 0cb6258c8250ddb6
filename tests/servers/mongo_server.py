"""A MongoDB for tests: FerretDB on a free loopback port, or the real one that ``MONGO_URL`` names."""

from __future__ import annotations

import fcntl
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from pymongo import MongoClient

ROOT = Path(__file__).parents[2]
SOURCE = Path(__file__).parent / "ferretdb"
PROGRAM = ROOT / ".venv" / "servers" / "ferretdb"

_numbers = itertools.count(1)


class MongoServer:
    """A running server. ``url()`` names a database of its own each time; ``log_tail`` is printed when a test fails."""

    def __init__(self, address: str, log: Path | None) -> None:
        self._address = urlsplit(address)
        self._log = log
        self._made: list[str] = []

    @property
    def port(self) -> int:
        """Where the server listens."""
        return self._address.port or 27017

    def url(self, *, credentials: str = "") -> str:
        """Return the URL of a new database, with other ``USER:PASSWORD`` than the server's own if they are given."""
        name = f"trading_{os.getpid()}_{next(_numbers)}"
        self._made.append(name)
        host = self._address.netloc.rpartition("@")[2]
        netloc = f"{credentials}@{host}" if credentials else self._address.netloc
        return urlunsplit(self._address._replace(netloc=netloc, path=f"/{name}"))

    @staticmethod
    def name_in(url: str) -> str:
        """Return the name of the database in ``url``."""
        return urlsplit(url).path[1:]

    def client(self) -> MongoClient[dict[str, object]]:
        """Return the driver's own client, to look at a database from beside the store."""
        return MongoClient(urlunsplit(self._address))

    def log_tail(self) -> str:
        """Return the end of the server's log."""
        return "" if self._log is None else self._log.read_text(errors="replace")[-4_000:]

    def drop_all(self) -> None:
        """Drop the databases that were named here."""
        with self.client() as client:
            for name in self._made:
                client.drop_database(name)


@contextmanager
def running(folder: Path) -> Iterator[MongoServer]:
    """Start FerretDB with its files in ``folder`` and stop it afterwards, unless ``MONGO_URL`` names a MongoDB."""
    given = os.environ.get("MONGO_URL")
    if given:
        server = MongoServer(given, None)
        try:
            yield server
        finally:
            server.drop_all()
        return
    log, data = folder / "ferretdb.log", folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as into:
        process = start(data, into.fileno())
        try:
            yield MongoServer(address_of(process, log), log)
        finally:
            stop(process)


def start(data: Path, log: int, port: int = 0) -> subprocess.Popen[bytes]:
    """Start FerretDB over the files in ``data``; port 0 takes a free one."""
    command = [str(built()), f"127.0.0.1:{port}", str(data)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=data)


def address_of(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the server listens and return its URL; a server that ends instead fails with its log."""
    line = b"" if process.stdout is None else process.stdout.readline()
    if not line.startswith(b"mongodb://"):
        stop(process)
        raise RuntimeError(
            f"expected FerretDB to listen, was an end with code {process.returncode}:\n{log.read_text()}"
        )
    return line.decode().strip()


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server by its own id, and wait for its end."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def built() -> Path:
    """Return the program, built if it is missing or older than its source; one process builds at a time."""
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    with (PROGRAM.parent / "ferretdb.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        newest = max(path.stat().st_mtime for path in SOURCE.iterdir())
        if not PROGRAM.exists() or PROGRAM.stat().st_mtime < newest:
            subprocess.run([str(SOURCE / "build.sh"), str(PROGRAM), sys.executable], check=True)
    return PROGRAM
