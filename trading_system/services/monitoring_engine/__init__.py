"""Watches the line: what it holds, how every service is, and what a person must hear of."""
