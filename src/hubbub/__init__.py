"""Hubbub: a self-hosted real-time messaging server and the library to build on it."""

__version__ = "0.1.0"
