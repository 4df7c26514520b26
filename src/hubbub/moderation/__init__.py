"""Judging what people write, before it is sent: rules, and what else may look."""
