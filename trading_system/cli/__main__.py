"""Lets ``python -m trading_system.cli`` be the program."""

from trading_system.cli.entry import main

main()
