"""Fetching from strangers, behind one guard: `fetch.Egress`. Nothing else in the server asks where a user says."""
