"""A local exchange on loopback: the venue's wire over the same matching rules, its faults, and a synthetic market."""
