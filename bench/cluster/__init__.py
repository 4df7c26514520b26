"""What several nodes with a Redis between them do: `python -m bench.cluster`."""
