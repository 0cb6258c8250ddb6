"""The rules of trading as pure functions: no clock, no chance, no input or output. Import the module you mean."""
