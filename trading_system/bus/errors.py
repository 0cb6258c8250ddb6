"""Why a bus could not do what it was asked; each sentence says what was expected, what was, and what to do."""

from __future__ import annotations


class BusClosedError(RuntimeError):
    """The bus was used after it had been closed."""

    def __init__(self, action: str) -> None:
        super().__init__(f"cannot {action}: expected an open bus, was closed; open another with database.open_bus")


class BusServerError(RuntimeError):
    """The bus's server did not do what was asked; ``server`` names it without any password."""

    def __init__(self, server: str, sentence: str) -> None:
        self.server = server
        super().__init__(sentence)


class BusRefusedError(BusServerError):
    """The server answered and said no: a wrong password, a right that is missing. Trying again does not help."""

    def __init__(self, server: str, was: str) -> None:
        super().__init__(
            server,
            f"BUS_URL: expected {server} to let this client in, was: {was}; correct the user or password in .env",
        )


class BusUnreachableError(BusServerError):
    """The server is away or does not answer in time; the bus goes on trying."""

    def __init__(self, server: str, was: str) -> None:
        super().__init__(
            server,
            f"BUS_URL: expected an answer of {server}, was: {was}; start the server or correct the address in .env",
        )
