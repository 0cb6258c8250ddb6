"""Reads every recorded message of the exchanges with our code and writes what became of each to docs/payloads.md.

Usage: TRADING_SHARED=FOLDER python tests/payloads/payload_page.py, with data/payloads in the folder.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from payload_checks import Checks
from payload_files import VENUES, Payload, payloads
from payload_table import Use, rule_of

PAGE = Path(__file__).parents[2] / "docs" / "payloads.md"
PATIENCE_S = 30.0
_HEAD = """# What becomes of the exchanges' recorded messages

Nobody of this project wrote these messages: they were recorded at the exchanges, or stand in their documentation and in
other programs' tests. Each of those for Binance USDT-M, Binance spot and Bybit is either understood by our code, and
every value that we use is compared with the one in the message, or it is not consumed, for the reason given. What could
come over a socket of ours all the same is shown to our readers too, which must pass it over without a word.

`tests/payloads/test_payloads.py` reads them all again and compares the outcome with this page;
`tests/payloads/payload_table.py` is the table of reasons, `tests/payloads/payload_page.py` writes the page. The
messages themselves are not part of the project: `TRADING_SHARED` names the folder in which they are.
"""


class Outcome(NamedTuple):
    """What became of one message. ``values``: how many agreed; ``problem``: what did not, "" if nothing."""

    payload: Payload
    use: Use
    values: int
    problem: str


async def outcome_of(payload: Payload) -> Outcome:
    """Read one message. Raises: UnknownPayloadError."""
    use, checks = rule_of(payload).use, Checks()
    if use.reader is None:
        return Outcome(payload, use, 0, "")
    try:
        async with asyncio.timeout(PATIENCE_S):
            await use.reader(payload, checks)
    except Exception as error:  # noqa: BLE001  whatever it is, the table of outcomes names the file
        return Outcome(payload, use, checks.count, f"{type(error).__name__}: {error}")
    return Outcome(payload, use, checks.count, "" if checks.count else "no value was compared")


async def outcomes(folder: Path) -> list[Outcome]:
    """Read every message in ``folder``, by name."""
    return [await outcome_of(payload) for payload in payloads(folder)]


def page(found: list[Outcome]) -> str:
    """Return the whole page."""
    parts = [_HEAD, _summary(found)]
    for venue in VENUES:
        rows = ["| file | message | what becomes of it |", "| --- | --- | --- |"]
        for one in found:
            if one.payload.venue == venue:
                name = one.payload.name.partition("/")[2]
                rows.append(f"| `{name}` | {one.payload.kind} | {_fate(one)} |")
        parts.append(f"## {venue}\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _fate(one: Outcome) -> str:
    if not one.use.because:
        return f"read by {one.use.by}, {one.values} values compared"
    return f"not consumed: {one.use.because}" + ("; shown and passed over" if one.use.reader else "")


def _summary(found: list[Outcome]) -> str:
    rows = ["| exchange | files | read | shown and passed over | never asked for | values compared |"]
    rows.append("| --- | --- | --- | --- | --- | --- |")
    for venue in VENUES:
        own = [one for one in found if one.payload.venue == venue]
        fates = Counter((not one.use.because, one.use.reader is not None) for one in own)
        values = sum(one.values for one in own if not one.use.because)
        counts = (len(own), fates[True, True], fates[False, True], fates[False, False], values)
        rows.append(f"| {venue} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    read = asyncio.run(outcomes(Path(os.environ["TRADING_SHARED"], "data", "payloads")))
    failed = [f"{one.payload.name}: {one.problem}" for one in read if one.problem]
    if failed:
        raise SystemExit("\n".join(failed))
    PAGE.write_text(page(read), encoding="utf-8")
