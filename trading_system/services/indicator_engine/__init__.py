"""From closed candles to highs and lows."""
