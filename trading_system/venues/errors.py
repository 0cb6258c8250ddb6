"""What can come of a request to a venue other than its answer. Only a refusal is a failure; an unknown outcome is not.

Which answer means which of these is decided by each venue's own table (``outcomes.py``); what to do next is decided by
``reconcile.py`` and ``unknown_orders.py``.
"""

from __future__ import annotations


class VenueError(Exception):
    """Anything that keeps a request from its plain answer."""


class RefusedError(VenueError):
    """The venue refused by its own word: the request had no effect and will be refused again as it is.

    ``code`` and ``message`` are the venue's.
    """

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"the venue refused with {code}: {message}")


class StopPassedError(RefusedError):
    """A stop would fire at once: price is beyond it already. The position must be closed at market instead."""


class NothingToReduceError(RefusedError):
    """A reduce-only order finds no position that it could reduce. Read the position before anything else."""


class NotTakenError(RefusedError):
    """The venue had no time for the request: it had no effect, and another attempt may succeed.

    ``wait_s`` is how long the venue asks to be left alone, 0.0 if it does not say.
    """

    def __init__(self, code: int, message: str, wait_s: float = 0.0) -> None:
        self.wait_s = wait_s
        super().__init__(code, message)


def left_alone(left_s: float) -> NotTakenError:
    """Return that a request did not leave, as the venue wants no more for ``left_s`` seconds."""
    return NotTakenError(0, f"not sent, as the venue wants to be left alone for another {left_s:.1f} s", left_s)


class NoSuchSymbolError(VenueError):
    """The venue does not trade a symbol, or not as it did before: its sentence says what would mend it."""


class HaltedSymbolError(NoSuchSymbolError):
    """The venue lists a symbol and does not trade it for now; it may at any time."""


class EndedSymbolError(NoSuchSymbolError):
    """The venue lists a symbol as one that it will never trade again."""


class NoSuchOrderError(VenueError):
    """The venue knows no open order by this name: it is filled, cancelled, expired, never arrived, or not seen yet."""


class OutcomeUnknownError(VenueError):
    """Nobody can tell whether the request took effect. It must not be sent again; its outcome must be looked up."""


class NotLoopbackError(VenueError, ValueError):
    """Signed requests would have left this machine."""

    def __init__(self, host: str | None) -> None:
        super().__init__(
            f"signed orders go to an exchange on this machine only: expected a loopback address such as 127.0.0.1, "
            f"was {host!r}; start `trading-system exchange` and use the address it prints"
        )
