"""One connection to a server, by each of the transports."""
