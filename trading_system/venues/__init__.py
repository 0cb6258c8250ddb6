"""Exchanges: one port, and for each venue a folder with its tables, parsers and adapter. Nothing else knows a venue."""
