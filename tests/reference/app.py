from __future__ import annotations

from tests.reference.table import Options

from hubbub.app import Hubbub


def make(options: Options) -> Hubbub:
    raise NotImplementedError
