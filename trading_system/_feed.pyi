# Candles from an exchange's socket: the compiled feed decides whether a frame is sound and whether a connection lives.
# What a missing, late or corrected minute means, and its repair by REST, is left to the data feed service.
# Classes and methods are described where they are written, in rust/src/python.rs: help(Feed) shows it.

from collections.abc import Sequence
from typing import Literal, TypeAlias, final

# The aliases exist for type checkers only: import them under TYPE_CHECKING.
# Symbol, open_time, open, high, low, close, volume, event_time: times in ms UTC, prices in quote currency.
CandleEvent: TypeAlias = tuple[Literal["candle"], str, int, float, float, float, float, float, int]
RunningEvent: TypeAlias = tuple[Literal["running"], str, int, float, float, float, float, float, int]

Event: TypeAlias = (
    # A closed minute.
    CandleEvent
    # A minute still traded, newest state only; no decision may read it.
    | RunningEvent
    # The price by which positions of a symbol are valued: symbol, time in ms UTC, price; no decision may read it.
    | tuple[Literal["mark"], str, int, float]
    # The venue does not give these symbols' streams, and why; the others go on.
    | tuple[Literal["refused"], list[str], str]
    # Open, nothing subscribed yet. Without a "cut" before it: the connection was replaced by a younger one.
    | tuple[Literal["connected"]]
    # All subscriptions of a connection are acknowledged: number of its symbols. Again when symbols have joined.
    | tuple[Literal["subscribed"], int]
    # The line is down; what closed until the next "subscribed" must be repaired. The reason begins with one of
    # connect_failed, banned (no attempt until the time that it names is over), closed, not_acknowledged, refused,
    # acknowledged_but_silent, silent, half_open, crashed and a colon.
    | tuple[Literal["cut"], str]
    # A frame was refused and skipped: field, expected, was. It may have been a closed minute.
    | tuple[Literal["bad_frame"], str]
    # A mark price was refused and skipped, as above; the last one stays.
    | tuple[Literal["bad_mark"], str]
    # Nothing heard for so many ms: from one symbol, or ("") from the whole line, which is cut next.
    | tuple[Literal["silent"], str, int]
    # The venue announced that it will close; a successor is being prepared.
    | tuple[Literal["leaving"]]
    # No successor could be had, for a reason as in "cut"; the old connection goes on, and it is tried again.
    | tuple[Literal["rotation_failed"], str]
)

@final
class Feed:
    def __new__(
        cls,
        url: str,
        symbols: list[str],
        *,
        silence_ms: int | None = None,
        ack_timeout_ms: int = 5_000,
        pong_timeout_ms: int = 15_000,
        backoff_cap_ms: int = 30_000,
        rotate_after_s: tuple[float, float] = (72_000.0, 82_800.0),
        ping_ms: int = 15_000,
        queue_limit: int = 131_072,
        venue: str = "binance_usdm",
        mark_price: bool = False,
        proxy: str = "",
        symbols_per_connection: int = 0,
    ) -> Feed: ...
    def add(self, symbols: Sequence[str]) -> None: ...
    def remove(self, symbols: Sequence[str]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def is_running(self) -> bool: ...
    def fileno(self) -> int: ...
    def drain(self) -> list[Event]: ...

_Answer: TypeAlias = tuple[list[Event], list[str]]

@final
class Session:
    def __new__(
        cls,
        symbols: list[str],
        *,
        silence_ms: int | None = None,
        ack_timeout_ms: int = 5_000,
        venue: str = "binance_usdm",
        mark_price: bool = False,
    ) -> Session: ...
    def add(self, now_ms: int, symbols: list[str]) -> _Answer: ...
    def remove(self, now_ms: int, symbols: list[str]) -> _Answer: ...
    def on_open(self, now_ms: int) -> _Answer: ...
    def on_bytes(self, now_ms: int, message: bytes) -> _Answer: ...
    def on_tick(self, now_ms: int) -> _Answer: ...
    def on_close(self, reason: str) -> _Answer: ...
    @property
    def is_open(self) -> bool: ...
