"""`conduct`: the conductor of a simulated exchange as a process of its own."""

from typing import Annotated

import typer

from trading_system.cli.said import in_our_language


def conduct(
    simulator: Annotated[str, typer.Argument(metavar="URL", help="a `trading-system exchange --no-conductor`")],
) -> None:
    """Let a simulated exchange go on whenever the line that trades on it is quiet, to the end of its market."""
    import asyncio

    from trading_system.simulated_run import conduct_from_beside

    end = asyncio.run(conduct_from_beside(simulator))
    typer.echo(in_our_language(f"the market is over at step {end.step}, with {end.trade} trades"))
