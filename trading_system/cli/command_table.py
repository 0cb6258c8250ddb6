"""Every command of the command line, in the order of ``--help``: where it is written, and what it does in a few words.

A new command is a function of its name in a module beside this and one row here. The module is imported only when its
command is named; the function's docstring is the command's own help. Other languages have its texts in ``ar.help.po``.
"""

from collections.abc import Mapping
from typing import NamedTuple

PROGRAM = "trading-system"
ABOUT = (
    "An event-driven trading system: closed candles in, facts out.",
    "Backtest, paper and live are one source.",
    f"`{PROGRAM} COMMAND --help` says more of a command.",
)


class Row(NamedTuple):
    """A command: its module in this package, and one short line that is shown whole on a narrow terminal."""

    module: str
    line: str


COMMANDS: Mapping[str, Row] = {
    "demo": Row("demo", "trade a synthetic market offline and compare with the backtest"),
    "run": Row("run", "trade: on paper over the public feed, or candle files"),
    "data": Row("data", "fetch minutes from an exchange, list and check them"),
    "backtest": Row("backtest", "trade candle files, fast; --report makes a page of it"),
    "compare": Row("compare", "walk two runs step by step and name the first difference"),
    "detect": Row("detect", "print every event of a candle file, one object a line"),
    "chart": Row("chart", "draw candles with swings, order blocks and flags"),
    "exchange": Row("exchange", "serve candle files as a simulated exchange"),
    "conduct": Row("conduct", "move a simulated exchange in step with the line on it"),
    "status": Row("reading", "where a line stands and what it waits for"),
    "positions": Row("reading", "open positions and waiting entries"),
    "signals": Row("reading", "signals, and what came of each"),
    "trades": Row("reading", "ended trades, with result and R"),
    "why": Row("reading", "what became of a symbol's candles: why it did not trade"),
    "symbols": Row("symbols", "which symbols a line trades; add and remove them"),
    "health": Row("health", "whether a service makes progress; for health checks"),
    "telegram": Row("telegram", "pair a Telegram chat with a line"),
    "pause": Row("order_commands", "switch entries off; stops and targets stay"),
    "resume": Row("order_commands", "switch entries on again"),
    "close": Row("order_commands", "take back a symbol's entry, or leave its position"),
    "panic": Row("order_commands", "leave every position and switch entries off"),
    "take": Row("order_commands", "trade a signal that was offered"),
    "skip": Row("order_commands", "decline a signal that was offered"),
    "doctor": Row("doctor", "look at the machine and the set-up, and say what mends it"),
    "init": Row("init", "write a first trading.toml and .env into this folder"),
    "config": Row("config", "print, check or describe the settings"),
}
OPTIONS: Mapping[str, str] = {
    "--config FILE": "settings; default: trading.toml, if it is there",
    "--lang en|ar": "language of what people read; default: the setting `language`",
    "--help": "show this, or the help of the command named",
}
"""What may stand anywhere on the line."""
