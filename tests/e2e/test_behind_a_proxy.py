"""A program behind SOCKS asks a venue over TLS: the certificate is the venue's, whatever the way to it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from paper_exchange import PublicFeed
from program import program, sets
from proxies import Carrying, proxy, socks5
from tls_front import tls_front

from trading_system.secret import Secret
from trading_system.venue_access import paper_access
from trading_system.venues.market_errors import MarketAwayError

HOST = "fapi.binance.com"

pytestmark = pytest.mark.slow


class Behind(NamedTuple):
    """A venue over TLS under its official name, the way to it, and the certificate that proves it."""

    feed: PublicFeed
    base: str
    certificate: Path
    way: Carrying

    @property
    def proxy(self) -> str:
        return f"socks5://me:secret@127.0.0.1:{self.way.port}"


@pytest.fixture
async def behind(tmp_path: Path) -> AsyncIterator[Behind]:
    feed = PublicFeed()
    await feed.open()
    port = int(feed.settings.market.rest.rpartition(":")[2])
    try:
        async with tls_front(port, tmp_path) as front, proxy(socks5, HOST) as way:
            yield Behind(feed, f"https://{HOST}:{front.port}", front.certificate, way)
    finally:
        await feed.server.stop()


async def test_doctor_asks_the_exchange_over_tls_through_socks(behind: Behind, tmp_path: Path) -> None:
    extra = {"TRADING_PROXY": behind.proxy, "SSL_CERT_FILE": str(behind.certificate)}
    words = ("doctor", "--json", *sets((f"market.rest={behind.base}",)))
    told = await asyncio.to_thread(program, *words, cwd=tmp_path, extra=extra)
    (row,) = [one for one in json.loads(told.stdout)["rows"] if one["what"] == "exchange"]
    assert row["seen"].startswith(f"{behind.base} answers")
    assert [host for host, _ in behind.way.reached] == [HOST]
    assert ":secret" not in told.stdout + told.stderr


async def test_a_certificate_that_nobody_trusts_is_refused_behind_socks_too(behind: Behind) -> None:
    market = behind.feed.settings.market.model_copy(update={"rest": behind.base})
    access = paper_access(behind.feed.settings.model_copy(update={"market": market, "proxy": Secret(behind.proxy)}))
    async with access.open_http() as http:
        with pytest.raises(MarketAwayError, match=r"certificate that cannot be trusted \(self.signed certificate\)"):
            await access.market(http).server_time()
