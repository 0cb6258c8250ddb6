"""Bybit spot: its public market. Linear contracts speak the same words under another category."""
