//! Candles from an exchange's socket. `session` decides everything about one connection without touching a socket or
//! a clock; `shell` owns sockets, time and the thread; `python` shows both to Python. What a candle means for trading
//! is decided elsewhere: nothing here knows a strategy.

pub mod backoff;
pub mod binance;
pub mod budget;
pub mod bybit;
pub mod connection;
pub mod decimal;
pub mod event;
pub mod fields;
pub mod outbox;
pub mod proxy;
pub mod requests;
pub mod scan;
pub mod session;
pub mod shards;
pub mod shell;
pub mod venue;
pub mod wake;

#[cfg(feature = "pyo3")]
mod python;
