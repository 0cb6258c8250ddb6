"""What the benchmarks share: the candles they run on and the table they print."""
