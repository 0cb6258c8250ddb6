"""What can be wrong with fetched minutes; each sentence ends with what mends it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from trading_system.contracts.instants import from_ms

COMMAND = "trading-system data fetch"


class FetchedError(ValueError):
    """Fetched minutes that are not there, not sound, or that the exchange's archive does not give."""


class NotFetchedError(FetchedError):
    """Minutes that were never fetched."""

    def __init__(self, symbol: str, exchange: str, lacks: str, command: str) -> None:
        super().__init__(f"{symbol}: expected fetched minutes of {exchange}, was nothing {lacks}; run `{command}`")


class DamagedMonthError(FetchedError):
    """A stored month that is not what was stored."""

    def __init__(self, path: Path, expected: str, was: str, command: str) -> None:
        super().__init__(f"{path}: expected {expected}, was {was}; run `{command}`")
        self.problem = f"expected {expected}, was {was}"


class NoArchiveError(FetchedError):
    """An exchange that publishes no files of minutes."""

    def __init__(self, exchange: str) -> None:
        super().__init__(
            f"--source archive: expected an exchange that publishes its minutes as files, was {exchange}; "
            "give --source rest"
        )


class NoVolumesError(FetchedError):
    """A choice by volume of a source that knows no volumes."""

    def __init__(self, top: int) -> None:
        super().__init__(
            f"--source archive: expected symbols by name, was the top {top} by volume; give their names, or leave out "
            "--source"
        )


class ArchiveFileError(FetchedError):
    """A file of the archive that cannot be used; the host itself answers."""

    def __init__(self, url: str, expected: str, was: str) -> None:
        super().__init__(f"{url}: expected {expected}, was {was}; give --source rest")


class ArchiveAwayError(FetchedError):
    """The archive's host does not answer, or not with files."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(
            f"{url}: expected a file of the archive, was {problem}; look at the network, or give another host "
            "with --set market.archive=URL"
        )


class FetchBusyError(FetchedError):
    """Another process fetches the same symbol."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder}: expected nobody at work here, was another `{COMMAND}`; wait until it has ended")


class SpanError(FetchedError):
    """Bounds between which no closed minute can lie."""

    def __init__(self, first: int, until: int) -> None:
        super().__init__(
            f"expected --from before --to and before now, was --from {written(first)} and an end of {written(until)}; "
            "move --from"
        )


class NoSuchExchangeError(FetchedError):
    """A name that is no exchange of ours."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else "give one of them"
        super().__init__(f"--exchange: expected {', '.join(names)}, was {name!r}; {hint}")


def written(instant: int) -> str:
    """Return an instant in ms UTC as ``--from`` and ``--to`` take it; midnight as the day alone."""
    moment = from_ms(instant)
    return f"{moment:%Y-%m-%d}" if instant % 86_400_000 == 0 else f"{moment:%Y-%m-%dT%H:%MZ}"


def command_for(exchange: str, symbols: Sequence[str], first: int | None = None, until: int | None = None) -> str:
    """Return the command that fetches ``symbols`` from ``first`` to ``until`` (ms UTC)."""
    words = [COMMAND, f"--exchange {exchange}", *(f"--symbol {symbol}" for symbol in symbols)]
    words.append(f"--from {'2025-01-01' if first is None else written(first)}")
    if until is not None:
        words.append(f"--to {written(until)}")
    return " ".join(words)
