"""An event-driven trading system: closed candles come in, facts go out."""

__version__ = "0.1.0"
