"""`demo`: a synthetic market through the whole line, compared with its backtest."""

from typing import Annotated

import typer

from trading_system.cli.exit_codes import FAILED
from trading_system.cli.given import account_settings_of, new_folder, speech_of
from trading_system.cli.options import Exchange, Out, Sets
from trading_system.cli.said import say


def demo(
    out: Out = None,
    seed: Annotated[int, typer.Option(help="seed of the synthetic market")] = 20,
    days: Annotated[int, typer.Option(help="days traded after the warm-up", min=1)] = 7,
    exchange: Exchange = None,
    set_: Sets = None,
) -> None:
    """Trade seven days of a synthetic market through the whole line, offline, and compare with the backtest."""
    from trading_system.demo import run_demo, say_verdict

    settings = account_settings_of(set_, exchange=exchange)
    folder = out or new_folder(settings, "demo")
    done = run_demo(settings, folder, seed=seed, days=days)
    speech = speech_of(settings)
    say_verdict(done, speech)
    say(speech.say("note.alerts", folder=folder / "run" / "alerts"))
    if not done.passed:
        raise typer.Exit(FAILED)
