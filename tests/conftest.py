"""Where real data lies, the rule that a test which needs it is never skipped silently, and the servers of the tests."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from redis_server import RedisServer

VARIABLE = "TRADING_SHARED"


def pytest_configure(config: pytest.Config) -> None:
    folder = os.environ.get(VARIABLE)
    if folder and not Path(folder, "data").is_dir():
        raise pytest.UsageError(f"{VARIABLE} names {folder}: expected a folder with data/ in it; correct or unset it")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("shared") and not os.environ.get(VARIABLE):
        pytest.skip(f"needs the real data that {VARIABLE} names, and it is not set")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:  # a server that a fixture started says what it thinks of it
        for name, value in getattr(item, "funcargs", {}).items():
            if callable(getattr(value, "log_tail", None)):
                report.sections.append((f"log of {name}", value.log_tail()))
    expected_failure = hasattr(report, "wasxfail")
    if report.skipped and not expected_failure and item.get_closest_marker("shared") and os.environ.get(VARIABLE):
        _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    # A whole file that skips itself has no marks yet; its reason is all there is to read.
    if report.skipped and os.environ.get(VARIABLE) and VARIABLE in str(report.longrepr):
        _fail(report)
    return report


def _fail(report: Any) -> None:
    report.outcome = "failed"
    report.longrepr = f"skipped although {VARIABLE} is set: {report.longrepr}"


@pytest.fixture
def shared_data() -> Path:
    """The folder of real candles and payloads; for tests marked ``shared``."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        pytest.skip(f"needs the real data that {VARIABLE} names, and it is not set")
    return Path(folder, "data")


@pytest.fixture(scope="session")
def _redis_process(tmp_path_factory: pytest.TempPathFactory) -> Generator[RedisServer, None, None]:
    from redis_server import RedisServer  # found by pytest's pythonpath, which a copy of this file need not have

    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def redis_server(_redis_process: RedisServer) -> Generator[RedisServer, None, None]:
    """A running, empty Redis server; a test may kill or freeze it, the next one finds it up again."""
    yield _redis_process
    _redis_process.thaw()
    _redis_process.start()
    _redis_process.cli("FLUSHALL")
