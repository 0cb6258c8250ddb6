"""The words that services say to each other: plain dictionaries with fixed fields.

These types say which fields a message has and in which unit; ``validation.py`` holds what two fields must agree on, and
whether a trade makes sense is decided by ``rules``. Prices are in quote currency on the venue's grid, quantities in
base currency, times are datetimes here and RFC 3339 in UTC on the wire. ``NotRequired`` fields are left out when there
is nothing to say: a null is an error.
"""

# No postponed annotations here: with them Python reads every field as required.
from datetime import datetime
from typing import Annotated, Literal, NotRequired, TypedDict

from msgspec import Meta

Name = Annotated[str, Meta(min_length=1)]
Instant = Annotated[datetime, Meta(tz=True)]
Price = Annotated[float, Meta(ge=0)]
Quantity = Annotated[float, Meta(ge=0)]
Step = Annotated[int, Meta(ge=0)]
Direction = Literal[1, -1]
Side = Literal["long", "short"]
Numbers = dict[str, float | int | str]
Vital = Literal["ok", "waiting", "behind", "failed"]


class CandleDTO(TypedDict):
    """One candle; ``open_time`` names it. Only the first six fields are required."""

    symbol: Name
    open_time: Instant
    open: Price
    high: Price
    low: Price
    close: Price
    volume: NotRequired[Quantity]
    interval: NotRequired[Name]
    exchange: NotRequired[Name]
    closed: NotRequired[bool]


class HighLowDTO(TypedDict):
    """A swing: the candle at ``time`` was a high or a low, known since ``confirmed_at``.

    ``label`` compares it with the swing before (HH, LH, EQH, HL, LL, EQL); ``replaces`` is the id of the swing that
    this one supersedes.
    """

    id: Name
    exchange: Name
    symbol: Name
    interval: Name
    kind: Literal["high", "low"]
    price: Price
    time: Instant
    confirmed_at: Instant
    label: str
    replaces: NotRequired[Name]


class OrderBlockDTO(TypedDict):
    """An order block and the state of its life (formed, touched, mitigated, invalidated, expired)."""

    id: Name
    exchange: Name
    symbol: Name
    interval: Name
    direction: Direction
    top: Price
    bottom: Price
    time: Instant
    confirmed_at: Instant
    state: Name
    volume: Quantity
    strength: Annotated[float, Meta(ge=0)]


class EventDTO(TypedDict):
    """Any fact of detection, flags included: what ``rules`` states about closed candles, with its prices by name.

    ``ref`` is the id of the event whose life goes on here, ``replaces`` the id of the event superseded.
    """

    id: Name
    kind: Name
    exchange: Name
    symbol: Name
    interval: Name
    direction: Direction
    time: Instant
    confirmed_at: Instant
    ref: NotRequired[Name]
    replaces: NotRequired[Name]
    values: Numbers


class TakeProfitDTO(TypedDict):
    """One target and the share of the position that it closes."""

    price: Price
    weight: Annotated[float, Meta(ge=0)]


class TradeSignalDTO(TypedDict):
    """A plan that became a signal; ``expires_at`` bounds how long its entry may wait.

    ``atr`` is in price, ``time_stop`` in seconds after the entry's fill, ``zone`` the id of the order block.
    """

    id: Name
    exchange: Name
    symbol: Name
    interval: Name
    pattern: Name
    side: Side
    time: Instant
    confirmed_at: Instant
    entry_type: Name
    entry_price: Price
    stop_loss: Price
    take_profits: list[TakeProfitDTO]
    rr_net: float
    score: float
    reasons: list[str]
    expires_at: Instant
    atr: NotRequired[Annotated[float, Meta(ge=0)]]
    time_stop: NotRequired[Annotated[float, Meta(ge=0)]]
    zone: NotRequired[str]


class OrderDTO(TypedDict):
    """An order as execution knows it.

    ``side`` is buy or sell, ``type`` market, limit or stop, ``status`` a state of the order's life (``unknown`` is
    one), ``role`` e (entry), s (stop), x (exit) or 1-9 (targets). ``filled`` is the quantity done so far.
    """

    client_id: Name
    venue_id: NotRequired[Name]
    exchange: Name
    symbol: Name
    side: Name
    type: Name
    price: NotRequired[Price]
    trigger_price: NotRequired[Price]
    quantity: Quantity
    reduce_only: bool
    status: Name
    filled: Quantity
    average_price: NotRequired[Price]
    signal_id: Name
    role: Name


class FillDTO(TypedDict):
    """One execution; ``trade_id`` is the venue's, ``fee`` in quote currency (negative for a rebate)."""

    trade_id: Name
    client_id: Name
    venue_id: NotRequired[Name]
    exchange: Name
    symbol: Name
    side: Name
    price: Price
    quantity: Quantity
    fee: float
    time: Instant
    role: NotRequired[Name]
    signal_id: NotRequired[Name]
    maker: NotRequired[bool]
    realized: NotRequired[float]


class PositionDTO(TypedDict):
    """A symbol's slot: how much is held and what protects it; a quantity of 0 means flat.

    ``r`` is the result so far in multiples of the risk taken; ``protected`` says whether a stop covers the whole of it.
    """

    exchange: Name
    symbol: Name
    side: Side
    quantity: Quantity
    entry_price: Price
    time: Instant
    protected: bool
    stop_loss: NotRequired[Price]
    take_profits: NotRequired[list[TakeProfitDTO]]
    signal_id: NotRequired[Name]
    r: NotRequired[float]
    realized: NotRequired[float]
    unrealized: NotRequired[float]


class AccountDTO(TypedDict):
    """The account after ``step``, in quote currency.

    ``equity`` is at the last closes, ``day_result`` its change since the UTC day began, ``open_risk`` what all stops
    together would cost. ``positions`` and ``waiting`` are the symbols with a position and those with a waiting entry.
    """

    exchange: Name
    step: Step
    time: Instant
    equity: float
    wallet: float
    peak: float
    day_result: float
    day_locked: bool
    drawdown_locked: bool
    paused: NotRequired[bool]
    open_risk: float
    positions: list[Name]
    waiting: list[Name]


class RejectionDTO(TypedDict):
    """A candidate or signal that a rule refused, with the numbers that decided."""

    exchange: Name
    symbol: Name
    rule: Name
    confirmed_at: Instant
    numbers: Numbers
    interval: NotRequired[Name]
    pattern: NotRequired[Name]
    side: NotRequired[Side]
    signal_id: NotRequired[Name]
    event: NotRequired[Name]
    sentence: NotRequired[str]


class HealthDTO(TypedDict):
    """A service's heartbeat; ``progress`` holds its counters by name.

    ``step`` is the last step that it has done for every symbol; ``detail`` names what it waits for, or is the sentence
    of its failure.
    """

    service: Name
    status: Vital
    time: Instant
    step: NotRequired[Step]
    progress: NotRequired[Numbers]
    detail: NotRequired[str]


class MarkPriceDTO(TypedDict):
    """The price by which the exchange values positions, as it is shown; nothing that decides reads it."""

    symbol: Name
    time: Instant
    price: Price


class AlertDTO(TypedDict):
    """One end of an episode that a person should hear of: it began, or all is in order again (``over``).

    ``kind`` is out of the closed set of ``services/health_words.py``; ``subject`` is the service or the symbol, or
    ``account``. Both ends carry the same ``id`` and ``began``; ``time`` is when this end was noticed.
    """

    id: Name
    kind: Name
    subject: Name
    over: bool
    time: Instant
    began: Instant
    numbers: Numbers


class CommandDTO(TypedDict):
    """A row of the command inbox, or its answer: who asks for what, how far it is and what came of it.

    ``status`` is new for a request, done or refused for an answer. An answer says the same twice: as a sentence in
    English (``answer``), and as a word of a closed set with its ``numbers``, for who says it in another language.
    """

    id: Name
    sender: Name
    command: Name
    time: Instant
    status: Name
    arguments: NotRequired[Numbers]
    answer: NotRequired[str]
    reason: NotRequired[Name]
    numbers: NotRequired[Numbers]


class StepDTO(TypedDict):
    """All that one room has to say about one minute of one symbol; ``step`` is its close divided by 60,000 ms.

    ``candles`` are those that close in this step, longest interval first. ``gap`` marks a minute without prices: it
    brings no base candle, though a longer one may end in it.
    """

    exchange: Name
    symbol: Name
    step: Step
    candles: list[CandleDTO]
    swings: NotRequired[list[HighLowDTO]]
    events: NotRequired[list[EventDTO]]
    signals: NotRequired[list[TradeSignalDTO]]
    refused: NotRequired[list[RejectionDTO]]
    gap: NotRequired[bool]
