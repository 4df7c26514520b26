"""A Policy of your own, for sessions that are not JWTs: `hubbub serve policy_hook:app --dev`.

It takes the place of the default one: who someone is and what they may do is decided here alone.
"""

from __future__ import annotations

import hashlib

from hubbub import ErrorCode, Hubbub, HubbubError, Principal
from hubbub.auth.base import ConnectionInfo
from hubbub.model import Operation

# Yours would be the session table of your web framework. Keep digests there, not what opens a session.
SESSIONS = {
    hashlib.sha256(b"cookie-of-ada").hexdigest(): "ada",
    hashlib.sha256(b"cookie-of-bob").hexdigest(): "bob",
}
TEAMS = {"red": {"ada", "bob"}, "blue": {"ada"}}
SUSPENDED: set[str] = set()


class SessionPolicy:
    """Both methods may await, and raise HubbubError to refuse. They are called for every command: be quick."""

    async def authenticate(self, token: str | None, info: ConnectionInfo) -> Principal:
        user = SESSIONS.get(hashlib.sha256((token or "").encode()).hexdigest())
        if user is None:
            raise HubbubError(ErrorCode.INVALID_TOKEN, "invalid token: there is no such session")
        return Principal(user, info=b'{"team": "red"}')

    async def authorize(
        self, principal: Principal, operation: Operation, channel: str, token: str | None = None
    ) -> None:
        if principal.user in SUSPENDED:
            raise HubbubError(ErrorCode.PERMISSION_DENIED, "this account is suspended")
        if principal.user not in TEAMS.get(channel.removeprefix("team:"), ()):
            raise HubbubError(ErrorCode.PERMISSION_DENIED, f"{principal.user} is not in {channel}")


app = Hubbub(policy=SessionPolicy())
