"""The simulated Binance spot: its public market, and no account."""
