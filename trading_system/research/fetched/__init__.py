"""Minutes fetched from an exchange and kept: how they come, how they lie on the disk, how they are read again."""
