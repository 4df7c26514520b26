"""Acknowledged messages a second, and how long an ack takes: Hubbub's chat beside straightforward Socket.IO servers.

`python -m bench.chat` runs it. `plan` says who is in which conversation, `servers` starts and fills what is compared,
`load` is the load generator (a process of its own), `adapters` what it speaks, `measure` puts rows together.
"""
