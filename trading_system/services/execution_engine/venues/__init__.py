"""Exchanges that orders can be sent to: one port, and one adapter of tables and parsers for each of them."""
