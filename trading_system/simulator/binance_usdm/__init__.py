"""The wire of Binance USDT-M in front of the simulated exchange."""
