"""kill -9 in the middle of load, again and again, and a checker that says whether anything was lost by it.

`python -m bench.crash` runs it. `history` is what the clients write down, `checker` judges it and knows nothing of any
server; `clients`, `wire` and `worker` are the load, `servers` what is killed, `run` brings them together.
"""
