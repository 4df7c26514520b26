"""Hubbub: a self-hosted real-time messaging server and the library to build on it."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["ErrorCode", "Hubbub", "HubbubError", "Principal", "Session", "__version__"]

if TYPE_CHECKING:
    from hubbub.app import Hubbub
    from hubbub.errors import ErrorCode, HubbubError
    from hubbub.hub.session import Session
    from hubbub.model import Principal

_HOMES = {
    "ErrorCode": "hubbub.errors",
    "Hubbub": "hubbub.app",
    "HubbubError": "hubbub.errors",
    "Principal": "hubbub.model",
    "Session": "hubbub.hub.session",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: the load generator and the token tools need no server.
    if name not in _HOMES:
        raise AttributeError(f"module 'hubbub' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
