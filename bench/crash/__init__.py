"""kill -9 in the middle of load, again and again, and the checker of `bench.faults`, which says whether anything was
lost by it.

`python -m bench.crash` runs it. `servers` is what is killed, `run` brings it together with the clients of
`bench.faults`.
"""
