"""From facts to what a person reads: a text and a picture for each signal, lines for what became of it."""
