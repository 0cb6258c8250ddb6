"""Bybit linear perpetuals (v5): one account behind the venue port, and what everybody may ask there."""
