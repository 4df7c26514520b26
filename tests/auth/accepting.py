"""Whether keys verify a signer's tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from tests.auth.signers import NOW, Signer

from hubbub.auth.keys import Keys
from hubbub.auth.tokens import TokenRules, verify

RULES = TokenRules()


def accepts(keys: Keys, of: Signer) -> bool:
    """Whether the keys of now verify a token of the signer."""
    key_id = of.key.id
    header = {"alg": of.algorithm} | ({"kid": key_id} if key_id else {})
    try:
        verify(of.sign(header, of.claims()), keys.current, RULES, NOW)
    except Exception:
        return False
    return True


def key_set(*keys: object) -> bytes:
    return json.dumps({"keys": keys}).encode()


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def pem(private: Any) -> bytes:
    data: bytes = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return data
