"""Faults under load: nodes, Redis and the network are broken by a seed while real clients talk, and a checker that
knows nothing of the server judges what they wrote down."""
