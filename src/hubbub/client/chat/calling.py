"""What the generated methods of the chat's operations are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from msgspec import UNSET

T = TypeVar("T")
PREFIX = "chat."
"""Of the operations' names as methods of `call`."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: how REST has it (`path` is below `/v1`), and its result. `nullable` are the params for which null
    is not the same as absent."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    kind: Literal["write", "read", "run"]
    result: Any
    nullable: tuple[str, ...] = ()

    @property
    def keyed(self) -> bool:
        """Whether it takes an idempotency key, and is safe to repeat with one."""
        return self.kind == "write"

    def given(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the params that say something."""
        return {
            name: value
            for name, value in params.items()
            if value is not UNSET and (value is not None or name in self.nullable)
        }


class Call(Protocol):
    """Has an operation done, by whichever way. Raises HubbubError for a refusal, ClientError if it fails."""

    async def __call__(
        self, name: str, params: Mapping[str, Any], result: type[T], key: str | None = None
    ) -> T: ...


class Methods:
    """Operations of one subject."""

    def __init__(self, call: Call) -> None:
        self._call = call
