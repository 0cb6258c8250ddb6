"""Binance USDT-M futures: one account behind the venue port, and what everybody may ask there."""
