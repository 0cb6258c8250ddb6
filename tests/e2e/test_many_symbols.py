"""Two hundred symbols on one line, six of them trading at a time: what the line did is what the backtest does.

Three days here; the month is ``python benchmarks/many_symbols.py --month``.
"""

from __future__ import annotations

from pathlib import Path

import many_symbols
import pytest
from measure.parity import beside_its_backtest


@pytest.mark.slow
async def test_a_line_of_two_hundred_symbols_with_six_trades_at_a_time_equals_its_backtest(tmp_path: Path) -> None:
    found = await beside_its_backtest(many_symbols.line_settings(), 200, 3, tmp_path)
    assert found.differs == ()
    assert found.fingerprints[0] == found.fingerprints[1]
    assert found.most == 6
    assert found.fills > 20
    assert found.events > 1_000
