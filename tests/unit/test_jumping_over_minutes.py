"""A backtest that jumps over the minutes in which nothing can happen tells the same story as one that looks at each."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from product_trade import plan_of_bracket
from test_reference_market import START, Play, random_play

from trading_system.research.backtest import Series, _Market
from trading_system.rules.account import Account, Terms, new_account, step
from trading_system.rules.facts import Fact
from trading_system.rules.matching import Minute
from trading_system.rules.records import CANDLE
from trading_system.rules.risk import RiskRules
from trading_system.rules.signals import NOTHING

BASE = 60_000


def story(play: Play, *, every_minute: bool) -> tuple[list[Fact], Account, int]:
    """Return what happened, the account at the end, and how many minutes were looked at."""
    # the minute before the first: its close is the instant at which the plan is given
    rows = (Minute(START - BASE, 0.0, 0.0, 0.0, 0.0, gap=True), *play.minutes)
    candles = np.zeros(len(rows), CANDLE)
    for place, row in enumerate(rows):
        for name in Minute._fields:
            candles[place][name] = getattr(row, name)
    rates = zip(play.minutes, play.funding, strict=True)
    funding = {minute.open_time + BASE: rate for minute, rate in rates if rate is not None}
    judged = NOTHING._replace(plans=(plan_of_bracket(play.bracket, play.instrument, START),))
    terms = Terms((play.instrument,), RiskRules(leverage=float(play.bracket.leverage)), play.rules)
    market = _Market([Series(play.instrument, candles, funding)], [{START: judged}], terms, 3 * BASE, BASE)
    account = new_account(10_000.0, 1, START - BASE)
    facts: list[Fact] = []
    looked_at = 0
    minutes = market.all_minutes() if every_minute else market.due_minutes()
    k = next(minutes)
    while k < market.length:
        account, happened = step(account, market.instant(k, account), terms)
        facts += happened
        looked_at += 1
        k = minutes.send(account)
    return facts, account, looked_at


@pytest.mark.parametrize("seed", range(4))
def test_jumping_over_minutes_changes_nothing(seed: int) -> None:
    random = Random(seed)
    jumped = 0
    for number in range(400):
        play = random_play(random)
        facts, account, all_minutes = story(play, every_minute=True)
        jumping_facts, jumping_account, some_minutes = story(play, every_minute=False)
        assert jumping_facts == facts, f"trade {number} of seed {seed}: {play}"
        assert jumping_account.wallet == account.wallet
        jumped += all_minutes - some_minutes
    assert jumped > 1000
