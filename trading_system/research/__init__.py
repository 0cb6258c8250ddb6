"""Questions to the past: candle files are read here, strictly, and the backtest runs over them."""
