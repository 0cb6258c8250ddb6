"""Clients of other people, unchanged, read and trade on the simulator: what they say is what its books say."""

from __future__ import annotations

from pathlib import Path

import pytest
from oracle_page import CLIENTS, PAGE, Client, transcript


@pytest.mark.slow
@pytest.mark.parametrize("client", CLIENTS, ids=[f"{each.client}_{each.exchange}" for each in CLIENTS])
async def test_an_unmodified_client_reads_and_trades_over_its_official_urls(client: Client, tmp_path: Path) -> None:
    said = await transcript(client, tmp_path)
    assert said in PAGE.read_text(encoding="utf-8"), (
        "expected the transcript of docs/oracles.md; run `make transcripts`"
    )
