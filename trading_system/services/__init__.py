"""The services: thin shells of one skeleton around the rules, which speak to each other only through contracts."""
