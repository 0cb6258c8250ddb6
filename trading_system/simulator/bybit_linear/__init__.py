"""The wire of Bybit v5 linear in front of the simulated exchange."""
