"""Binance spot: its public market. USDT-M speaks the same words over other paths and weights."""
