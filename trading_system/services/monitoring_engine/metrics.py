"""The view of the line as Prometheus metrics: names with their units, labels few and closed. Pure but for the registry.

What is not known is left out of a scrape; it is never a zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from trading_system.services.monitoring_engine.episodes import Episode
from trading_system.services.monitoring_engine.view import Tallies, View
from trading_system.services.vital_signs import BAD_BELLS, STOOD, age_s

Sample = tuple[Sequence[str], float]


class Meter(NamedTuple):
    """One metric, its label if it has one, and its meaning; a name in ``_total`` is a counter, the rest are gauges."""

    name: str
    label: str
    meaning: str


METERS: Final = (
    Meter("trading_equity_quote", "", "equity at the last closed minutes, in quote currency"),
    Meter("trading_equity_marked_quote", "", "equity as the account last marked it, in quote currency"),
    Meter("trading_equity_peak_quote", "", "highest marked equity, in quote currency"),
    Meter("trading_equity_day_start_quote", "", "equity at the beginning of the UTC day, in quote currency"),
    Meter("trading_wallet_quote", "", "cash of the account, in quote currency"),
    Meter("trading_entries_locked", "rule", "1 while a limit of the account has switched entries off"),
    Meter("trading_open_positions", "", "positions that are held"),
    Meter("trading_waiting_entries", "", "entries that wait for their fill"),
    Meter("trading_position_quantity", "symbol", "size of the position in base currency, negative for a short"),
    Meter("trading_position_entry_price", "symbol", "price at which the position was entered"),
    Meter("trading_position_last_price", "symbol", "last closed price of a symbol with a position"),
    Meter("trading_position_stop_price", "symbol", "price of the position's stop"),
    Meter("trading_position_unrealised_quote", "symbol", "profit at the last price before fees, in quote currency"),
    Meter("trading_position_r", "symbol", "profit so far in units of the planned risk"),
    Meter("trading_position_protected", "symbol", "1 if a stop at the venue covers the whole position"),
    Meter("trading_position_unprotected_seconds", "symbol", "for how long the position has had no stop at the venue"),
    Meter("trading_account_step", "", "last closed step (minute) of the account"),
    Meter("trading_service_step", "service", "last step (minute) that the service has done for every symbol"),
    Meter("trading_service_lag_steps", "service", "steps (minutes) by which the service is behind the feed"),
    Meter("trading_service_stood_seconds", "service", "for how long the service's step has not moved"),
    Meter("trading_service_heartbeat_age_seconds", "service", "age of the service's newest heartbeat"),
    Meter("trading_service_up", "service", "1 while the service is neither silent nor failed"),
    Meter("trading_candle_age_seconds", "symbol", "time since the newest closed minute, by the venue's clock"),
    Meter("trading_orders_in_flight", "", "requests to the venue that have no answer yet"),
    Meter("trading_orders_unknown", "", "orders of which it is not known what became of them"),
    Meter("trading_orders_total", "role", "orders placed since the line began"),
    Meter("trading_fills_total", "role", "fills since the line began"),
    Meter("trading_trades_closed_total", "reason", "trades ended since the line began"),
    Meter("trading_signals_rejected_total", "rule", "signals that the account refused since the line began"),
    Meter("trading_entries_withdrawn_total", "rule", "waiting entries taken back since the line began"),
    Meter("trading_halts_total", "rule", "times that a limit switched entries off since the line began"),
    Meter("trading_earned_quote", "", "result of all ended trades after fees, in quote currency"),
    Meter("trading_fees_quote", "", "fees of all fills, in quote currency; rebates are negative"),
    Meter("trading_funding_paid_quote", "", "funding paid less funding received, in quote currency"),
    Meter("trading_feed_cuts_total", "", "times that the feed's socket was cut since the feed started"),
    Meter("trading_feed_bad_frames_total", "", "frames that the feed could not read since it started"),
    Meter("trading_feed_bad_marks_total", "", "mark prices that the feed refused since it started"),
    Meter("trading_feed_minutes_repaired_total", "", "minutes fetched by REST after they were missed"),
    Meter("trading_feed_corrections_total", "", "closed candles that the venue gave differently later"),
    Meter("trading_feed_minutes_by_socket_total", "", "minutes that the socket brought first since the feed started"),
    Meter("trading_feed_minutes_by_rest_total", "", "minutes that REST brought first, the warm-up among them"),
    Meter("trading_feed_gaps_total", "", "minutes that the venue is proven not to have"),
    Meter("trading_feed_close_lag_milliseconds", "", "from the end of the last minute until the socket had brought it"),
    Meter("trading_alerts_lasting", "kind", "troubles that were told and are not over"),
    Meter("trading_messages_refused_total", "service", "messages on the bus that were none of ours, by who got them"),
    Meter("trading_disk_free_bytes", "", "room left on the disk of the store"),
    Meter("trading_clock_offset_seconds", "", "the venue's clock less this machine's"),
    Meter("trading_view_age_seconds", "", "age of everything that is said here, but heartbeats"),
)
FEED_NUMBERS: Final[Mapping[str, str]] = {
    "cut": "trading_feed_cuts_total",
    "bad_frame": "trading_feed_bad_frames_total",
    "bad_mark": "trading_feed_bad_marks_total",
    "repaired": "trading_feed_minutes_repaired_total",
    "corrections": "trading_feed_corrections_total",
    "ws": "trading_feed_minutes_by_socket_total",
    "rest": "trading_feed_minutes_by_rest_total",
    "gaps": "trading_feed_gaps_total",
    "lag_ms": "trading_feed_close_lag_milliseconds",
}


class Watched(Protocol):
    """What the metrics read of the monitoring engine."""

    refused_messages: int
    view: View | None

    @property
    def tallies(self) -> Tallies:
        """Counts over all stored facts of the account."""

    @property
    def lasting(self) -> list[Episode]:
        """The episodes that were told and are not over."""

    @property
    def bare_since(self) -> Mapping[str, int]:
        """Since when (ms UTC) each unprotected position has been seen without its stop."""

    def is_up(self, service: str) -> bool:
        """Tell whether a service is neither silent nor failed."""

    def now_ms(self) -> int:
        """Return this machine's time in ms UTC."""


class LineCollector(Collector):
    """Makes the metrics anew at each scrape, so that a closed position leaves no number behind."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched

    def collect(self) -> Iterator[Metric]:
        """Yield every metric that has a value now."""
        samples: dict[str, list[Sample]] = {}
        for name, label, value in _samples(self._watched):
            samples.setdefault(name, []).append(([label] if label else [], value))
        for meter in METERS:
            found = samples.get(meter.name)
            if not found:
                continue
            labels = [meter.label] if meter.label else []
            family: GaugeMetricFamily | CounterMetricFamily
            if meter.name.endswith("_total"):
                family = CounterMetricFamily(meter.name, meter.meaning, labels=labels)
            else:
                family = GaugeMetricFamily(meter.name, meter.meaning, labels=labels)
            for values, number in found:
                family.add_metric(values, number)
            yield family


def _samples(watched: Watched) -> Iterator[tuple[str, str, float]]:
    """Yield (metric, value of its label, number)."""
    yield "trading_messages_refused_total", "monitoring_engine", watched.refused_messages
    view, now = watched.view, watched.now_ms()
    if view is None:
        return
    yield "trading_view_age_seconds", "", (now - view.time) / 1000
    yield from _account(view)
    yield from _positions(view, watched.bare_since)
    yield from _services(view, watched, now)
    yield from _counted(watched.tallies)
    kinds = sorted({episode.kind for episode in watched.lasting})
    for kind in kinds:
        yield "trading_alerts_lasting", kind, sum(episode.kind == kind for episode in watched.lasting)
    if view.free_disk_bytes is not None:
        yield "trading_disk_free_bytes", "", view.free_disk_bytes
    if view.clock_off_ms is not None:
        yield "trading_clock_offset_seconds", "", view.clock_off_ms / 1000


def _account(view: View) -> Iterator[tuple[str, str, float]]:
    account = view.account
    if view.step is not None:
        yield "trading_account_step", "", view.step
    if account is None:
        return
    if view.equity is not None:
        yield "trading_equity_quote", "", view.equity
    yield "trading_equity_marked_quote", "", account.equity
    yield "trading_equity_peak_quote", "", account.peak
    yield "trading_equity_day_start_quote", "", account.day_equity
    yield "trading_wallet_quote", "", account.wallet
    yield "trading_entries_locked", "day_loss", int(account.day_locked)
    yield "trading_entries_locked", "drawdown_stop", int(account.drawdown_locked)
    yield "trading_open_positions", "", len(view.open_positions)
    yield "trading_waiting_entries", "", len(view.held) - len(view.open_positions)


def _positions(view: View, bare_since: Mapping[str, int]) -> Iterator[tuple[str, str, float]]:
    for one in view.open_positions:
        yield "trading_position_quantity", one.symbol, one.side * one.quantity
        yield "trading_position_entry_price", one.symbol, one.entry
        yield "trading_position_stop_price", one.symbol, one.trade.stop
        yield "trading_position_protected", one.symbol, int(view.protected(one))
        since = bare_since.get(one.symbol)
        yield "trading_position_unprotected_seconds", one.symbol, 0.0 if since is None else (view.time - since) / 1000
        gain, r = one.unrealised, one.r
        if one.last is not None and gain is not None and r is not None:
            yield "trading_position_last_price", one.symbol, one.last
            yield "trading_position_unrealised_quote", one.symbol, gain
            yield "trading_position_r", one.symbol, r


def _services(view: View, watched: Watched, now: int) -> Iterator[tuple[str, str, float]]:
    for symbol in view.heads:
        age = view.candle_age_s(symbol)
        if age is not None:
            yield "trading_candle_age_seconds", symbol, age
    for service, lag in view.lags.items():
        yield "trading_service_lag_steps", service, lag
    for service in view.expected:
        yield "trading_service_up", service, int(watched.is_up(service))
        health = view.health.get(service)
        if health is None:
            continue
        yield "trading_service_heartbeat_age_seconds", service, age_s(health, now)
        bad = health.get("progress", {}).get(BAD_BELLS)
        if isinstance(bad, int):
            yield "trading_messages_refused_total", service, bad
        if "step" in health:
            yield "trading_service_step", service, health["step"]
        stood = health.get("progress", {}).get(STOOD)
        if isinstance(stood, int | float):
            yield "trading_service_stood_seconds", service, stood
    feed = view.health.get("data_feed")
    for word, name in FEED_NUMBERS.items():
        value = None if feed is None else feed.get("progress", {}).get(word)
        if isinstance(value, int | float):
            yield name, "", value
    for word in ("in_flight", "unknown"):
        number = view.execution_number(word)
        if number is not None:
            yield f"trading_orders_{word}", "", number


def _counted(tallies: Tallies) -> Iterator[tuple[str, str, float]]:
    counters = (
        ("trading_orders_total", tallies.orders),
        ("trading_fills_total", tallies.fills),
        ("trading_trades_closed_total", tallies.closed),
        ("trading_signals_rejected_total", tallies.refused),
        ("trading_entries_withdrawn_total", tallies.withdrawn),
        ("trading_halts_total", tallies.halted),
    )
    for name, counter in counters:
        for label, count in sorted(counter.items()):
            yield name, label, count
    yield "trading_earned_quote", "", tallies.earned
    yield "trading_fees_quote", "", tallies.fees
    yield "trading_funding_paid_quote", "", tallies.funding
