"""What an alert looks like: ``scene`` decides what is drawn where, ``png`` draws it."""
