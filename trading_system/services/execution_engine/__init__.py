"""From signals to orders, fills and the account: what should rest is decided by the rules, made to rest here."""
