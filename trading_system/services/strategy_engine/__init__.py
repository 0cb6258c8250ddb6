"""From candles and swings to order blocks, flags and signals, and to refused candidates with their numbers."""
