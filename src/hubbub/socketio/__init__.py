"""Socket.IO on the hub: namespaces, rooms, acknowledgements, handlers. Names are those of Socket.IO, here only.

A socket is a Session whose Connection shares its client's link with the client's other namespaces; a room is a
channel (decision 8). Engine.IO, which carries it all, is in `transports/engineio/`.
"""
