"""The line as processes: its services, the simulated exchange and its conductor, over a real Redis and a real store."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from program import COMMAND, environment, program, sets

from trading_system.app import JOURNAL_FILE, STORE_FILE
from trading_system.contracts import SERVICES
from trading_system.database import open_store
from trading_system.line_terms import begun
from trading_system.research.parity import compare
from trading_system.research.runs import Run, write
from trading_system.service_run import FOLDER
from trading_system.services.execution_engine.journal import Journal
from trading_system.simulated_run import SIMULATED_KEY, SIMULATED_SECRET, closed_run
from trading_system.stored_run import run_in

PATIENCE_S = 120.0  # for one wait: a start, or the next disturbance
LOOK_S = 0.02
STOP_S = 60.0


class Play(NamedTuple):
    """What is played: a file of minutes of one symbol, and the settings of line and exchange.

    ``beside``: symbols that the exchange trades too, and that the line does not know when it begins.
    """

    candles: Path
    symbol: str
    settings: tuple[str, ...]
    beside: tuple[tuple[Path, str], ...] = ()


@dataclass
class Process:
    """One process of the line, which can be killed and started again; what it says goes to a file."""

    name: str
    words: Sequence[str]
    folder: Path
    extra: Mapping[str, str]
    command: Sequence[str] = COMMAND
    pids: list[int] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        with self.log.open("ab") as log:
            words = [*self.command, *self.words]
            self._process = subprocess.Popen(
                words, cwd=self.folder, env=environment(self.extra), stdout=log, stderr=log
            )
        self.pids.append(self._process.pid)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Die as a power cut would have it, and be started again."""
        self.kill()
        self.start()

    def ended(self) -> int | None:
        assert self._process is not None
        return self._process.poll()

    def end(self) -> int:
        """Ask for an end, and return its code."""
        assert self._process is not None
        self._process.terminate()
        try:
            return self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name}: expected an end within {STOP_S} s, was none:\n{self.tail()}") from None

    def tail(self) -> str:
        return f"--- {self.name}\n{self.log.read_text(errors='replace')[-3_000:]}"


class Stage:
    """The eight processes over one bus and one store."""

    def __init__(self, play: Play, folder: Path, bus_url: str, database_url: str) -> None:
        self.play = play
        self.folder = folder
        self.database_url = database_url
        self._words = sets(play.settings)
        markets = [
            word
            for candles, symbol in ((play.candles, play.symbol), *play.beside)
            for word in ("--replay", str(candles), "--symbol", symbol)
        ]
        replay = ("exchange", *markets, "--no-conductor", *self._words)
        self.exchange = Process("exchange", replay, folder, {})
        self._shared = {
            "BUS_URL": bus_url,
            "DATABASE_URL": database_url,
            "TRADING_DATA_FOLDER": str(folder),
            "TRADING_SYMBOLS": play.symbol,
            "TRADING_API_KEY": SIMULATED_KEY,
            "TRADING_API_SECRET": SIMULATED_SECRET,
        }
        self.url = ""
        self.services: dict[str, Process] = {}

    def open(self, order: Sequence[str] = SERVICES) -> None:
        """Start the exchange, the services in ``order`` and the conductor."""
        self.exchange.start()
        self.url = _first_line(self.exchange)
        extra = {**self._shared, "TRADING_MARKET__CONDUCTOR": self.url}
        for name in order:
            self.services[name] = Process(name, ("run", name, *self._words), self.folder, extra)
            self.services[name].start()
        self.conductor = Process("conductor", ("conduct", self.url), self.folder, {})
        self.conductor.start()

    def ask(self, *words: str) -> str:
        """Run a command of a person beside the line, and return what it says; one that finds nobody asks again."""
        ends_at = time.monotonic() + PATIENCE_S
        while (done := program(*words, cwd=self.folder, extra=self._shared)).returncode:
            assert time.monotonic() < ends_at, f"{done.stdout}{done.stderr}\n{self.tails()}"
        return done.stdout

    def close(self) -> None:
        for process in self.everybody():
            if process.pids and process.ended() is None:
                process.kill()

    def everybody(self) -> list[Process]:
        return [*self.services.values(), self.exchange, *([self.conductor] if hasattr(self, "conductor") else [])]

    def state(self, what: str = "state") -> Any:
        with urllib.request.urlopen(f"{self.url}/_sim/{what}", timeout=10) as answer:  # noqa: S310  loopback
            return json.load(answer)

    def wait_for(self, step: int) -> None:
        """Watch until the market stands at ``step`` or beyond, or is over; standing still for long is a failure."""
        stood, ends_at = -1, 0.0
        while self.conductor.ended() is None and (now := self.state()["step"]) < step:
            if now > stood:
                stood, ends_at = now, time.monotonic() + PATIENCE_S
            self.require_alive()
            assert time.monotonic() < ends_at, f"the market stands still at step {now}:\n{self.tails()}"
            time.sleep(LOOK_S)

    def require_alive(self) -> None:
        for process in (*self.services.values(), self.exchange):
            assert process.ended() is None, f"{process.name} ended with {process.ended()}:\n{process.tail()}"

    def tails(self) -> str:
        return "\n".join(process.tail() for process in self.everybody())


class Disturbance(NamedTuple):
    """Something that is done once, when ``share`` of the market is over."""

    share: float
    name: str
    do: Callable[[Stage], None]


class Played(NamedTuple):
    """What came of a play. ``pids``: of each process, the dead ones first. ``seconds``: from the first step on."""

    run: Run
    pids: Mapping[str, list[int]]
    seconds: float
    steps: int

    @property
    def ms_a_step(self) -> float:
        return self.seconds * 1000 / self.steps

    @property
    def fingerprint(self) -> str:
        return str(self.run.summary["fingerprint"])


def kills(services: Sequence[str] = SERVICES, first: float = 0.1, last: float = 0.6) -> list[Disturbance]:
    """One kill -9 of each service, spread over the market."""
    between = (last - first) / max(len(services) - 1, 1)
    return [
        Disturbance(first + n * between, f"kill -9 {name}", lambda stage, name=name: stage.services[name].restart())
        for n, name in enumerate(services)
    ]


def played(
    play: Play,
    folder: Path,
    bus_url: str,
    database_url: str,
    disturbances: Sequence[Disturbance] = (),
    *,
    order: Sequence[str] = tuple(reversed(SERVICES)),
) -> Played:
    """Play to the end of the market with every disturbance on the way, and read the run back from store and journal."""
    folder.mkdir(parents=True)
    stage = Stage(play, folder, bus_url, database_url)
    try:
        stage.open(order)
        state = stage.state()
        first, last = state["first_step"], state["last_step"]
        stage.wait_for(first + 1)
        began = time.monotonic()
        for disturbance in sorted(disturbances, key=lambda one: one.share):
            stage.wait_for(first + round((last - first) * disturbance.share))
            disturbance.do(stage)
        stage.wait_for(last + 1)
        assert stage.conductor.ended() == 0, stage.conductor.tail()
        seconds = time.monotonic() - began
        trades, state = stage.state("trades"), stage.state()
        codes = {name: process.end() for name, process in stage.services.items()}
        assert set(codes.values()) == {0}, f"{codes}\n{stage.tails()}"
        run = asyncio.run(_run_in(folder, database_url))
        done = closed_run(run, trades["lines"], state["wire"], state["faults"], seconds)
        write(folder / "run", done)
        return Played(done, {one.name: one.pids for one in stage.everybody()}, seconds, last - first + 1)
    finally:
        stage.close()


async def _run_in(folder: Path, database_url: str) -> Run:
    line = folder / FOLDER
    store = open_store(database_url or f"sqlite:///{(line / STORE_FILE).resolve()}")
    journal = Journal(line / JOURNAL_FILE)
    try:
        began = await begun(store)
        assert began is not None
        origin, instruments = began
        return await run_in(store, journal, instruments, origin)
    finally:
        journal.close()
        await store.close()


def assert_equal(folder: Path, other: Path) -> None:
    """Hold what was played in ``folder`` against a run folder, step by step."""
    difference = compare(folder / "run", other).difference
    assert difference is None, difference.sentence()


def _first_line(process: Process) -> str:
    ends_at = time.monotonic() + PATIENCE_S
    while True:
        said = process.log.read_text()
        if "\n" in said:
            return said.splitlines()[0]
        assert process.ended() is None, process.tail()
        assert time.monotonic() < ends_at, process.tail()
        time.sleep(LOOK_S)
