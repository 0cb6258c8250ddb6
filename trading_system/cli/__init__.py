"""The command line: ``command_table`` names the commands, each has a module here, ``entry`` starts the one named."""

from trading_system.cli.entry import main

__all__ = ["main"]
