"""What `doctor` says of the servers that the settings name, before anything is started on them."""

from __future__ import annotations

from pathlib import Path

import pytest
from mongo_server import running
from redis_server import RedisServer, free_port

from trading_system.doctor import Finding, examine


def row(what: str, *, offline: bool = False) -> Finding:
    return next(one for one in examine(offline=offline) if one.what == what)


def test_a_bus_that_answers_is_in_order_and_a_wrong_password_or_nobody_is_named(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUS_URL", redis_server.url)
    assert row("bus") == Finding("bus", "ok", "redis://")
    monkeypatch.setenv("BUS_URL", f"redis://:wrong-one@127.0.0.1:{redis_server.port}/0")
    refused = row("bus")
    assert (refused.verdict, "wrong-one" in refused.seen) == ("fail", False)
    assert "to let this client in" in refused.seen
    monkeypatch.setenv("BUS_URL", f"redis://127.0.0.1:{free_port()}/0")
    assert "expected an answer of" in row("bus").seen
    assert row("bus", offline=True).verdict == "skip"


def test_a_store_that_answers_is_in_order_and_nobody_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path) as server:
        monkeypatch.setenv("DATABASE_URL", server.url())
        assert row("store") == Finding("store", "ok", "mongodb://")
    monkeypatch.setenv("DATABASE_URL", f"mongodb://127.0.0.1:{free_port()}/trading")
    away = row("store")
    assert away.verdict == "fail"
    assert "expected an answer within 2 s" in away.seen
    assert row("store", offline=True).verdict == "skip"
