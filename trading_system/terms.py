"""Settings as the rules read them."""

from __future__ import annotations

from collections.abc import Sequence

from trading_system.rules.account import Terms
from trading_system.rules.grid import Instrument
from trading_system.rules.interval_table import interval_ms
from trading_system.rules.intervals import past_boundary
from trading_system.rules.matching import FillRules
from trading_system.rules.risk import RiskRules
from trading_system.rules.signals import SignalRules
from trading_system.rules.trade_plan import PlanRules
from trading_system.services.vital_signs import Limits
from trading_system.settings import Settings


def origin_before(now: int, settings: Settings) -> int:
    """Return the newest origin (ms UTC) of a line whose warm-up is over at ``now``, on the longest interval's grid."""
    warm_up = settings.plans.warm_up * interval_ms(settings.signal_interval)
    longest = interval_ms(settings.higher_interval or settings.signal_interval)
    begin = now - warm_up
    return int(begin - past_boundary(begin, longest))


def terms_of(settings: Settings, instruments: Sequence[Instrument]) -> Terms:
    """Return what does not change during a run."""
    account, venue = settings.account, settings.venue
    risk = RiskRules(
        risk_pct=account.risk_pct,
        leverage=account.leverage,
        max_positions=account.max_positions,
        open_risk_pct=account.open_risk_pct,
        day_loss_pct=account.day_loss_pct,
        drawdown_pct=account.drawdown_pct,
    )
    fills = FillRules(venue.slippage_ticks, venue.limit_fill, venue.walk)
    return Terms(tuple(instruments), risk, fills, advised=settings.entries == "advisor")


def limits_of(settings: Settings) -> Limits:
    """Return from where on the line is in trouble."""
    monitoring = settings.monitoring
    return Limits(
        silent_s=monitoring.silent,
        behind_steps=monitoring.behind,
        feed_silent_s=monitoring.feed_silent,
        unprotected_s=monitoring.unprotected,
        unknown_s=monitoring.unknown,
        stuck_s=monitoring.stuck,
        free_disk_bytes=round(monitoring.disk_free_mb * 1_000_000),
        clock_off_ms=round(monitoring.clock_off * 1000),
    )


def signal_rules_of(settings: Settings, origin: int) -> SignalRules:
    """Return how a line with this ``origin`` (ms UTC) makes signals."""
    plans = settings.plans
    rules = PlanRules(
        entry_at=plans.entry_at,
        stop_atr=plans.stop_atr,
        block_multiples=plans.block_multiples,
        block_weights=plans.block_weights,
        flag_targets=plans.flag_targets,
        flag_time_stop=plans.flag_time_stop,
        ttl=plans.ttl,
        min_rr=plans.min_rr,
        trend=plans.trend,
    )
    signal = settings.signal_interval
    return SignalRules(rules, signal, interval_ms(signal), origin, plans.warm_up, plans.setups)
