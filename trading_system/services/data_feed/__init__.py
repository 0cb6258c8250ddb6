"""From the exchange to closed candles: each minute once and in order, repaired by REST where the socket left holes."""
