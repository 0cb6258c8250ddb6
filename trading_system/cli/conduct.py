"""`conduct`: the conductor of a simulated exchange as a process of its own."""

from typing import Annotated

import typer


def conduct(
    simulator: Annotated[str, typer.Argument(metavar="URL", help="a `trading-system exchange --no-conductor`")],
) -> None:
    """Let a simulated exchange go on whenever the line that trades on it is quiet, to the end of its market."""
    import asyncio

    from trading_system.simulated_run import conduct_from_beside

    end = asyncio.run(conduct_from_beside(simulator))
    typer.echo(f"the market is over at step {end.step}, with {end.trade} trades")
