"""`health`: whether one service gives signs and makes progress, as a container's health check asks."""

import time
from typing import Annotated

import typer

from trading_system.cli.exit_codes import FAILED
from trading_system.cli.given import settings_of
from trading_system.cli.language import spoken
from trading_system.cli.options import AsJson
from trading_system.cli.said import refuse, say

ServiceName = Annotated[str, typer.Argument(metavar="SERVICE", help="e.g. data_feed")]


def health(service: ServiceName, json: AsJson = False) -> None:
    """Tell by the exit code whether a service gives signs and makes progress while the feed moves: 0 yes, 1 no."""
    from trading_system.bus.errors import BusServerError
    from trading_system.cli.signs import signs_now
    from trading_system.console import print_json
    from trading_system.contracts import SERVICES
    from trading_system.services.health_words import health_in, trouble_sentence
    from trading_system.services.vital_signs import lag_of, service_trouble
    from trading_system.terms import limits_of

    settings = settings_of(None)
    if service not in SERVICES:
        refuse(f"{service}: expected one of {' '.join(SERVICES)}; correct the name")
    if settings.bus_url.startswith("memory:"):
        refuse(
            "BUS_URL: expected a bus on which services give their signs, such as redis://localhost:6379/0, was "
            "memory://; set it in .env"
        )
    try:
        signs = signs_now(settings)
    except BusServerError as error:
        say(str(error))
        raise typer.Exit(FAILED) from None
    sign = signs.get(service)
    lag = lag_of(sign, signs.get("data_feed"))
    trouble = service_trouble(service, sign, lag, time.time_ns() // 1_000_000, limits_of(settings))
    if json:
        found = None if trouble is None else {"kind": trouble.kind, **trouble.numbers}
        print_json({"service": service, "ok": trouble is None, "trouble": found})
    else:
        typer.echo(trouble_sentence(service, trouble, health_in(spoken.get())))
    if trouble is not None:
        raise typer.Exit(FAILED)
