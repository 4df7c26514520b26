"""What hatchling does before it packs: build the web app, so that the wheel and the source archive have it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGE = "src/hubbub/web/static/index.html"


class WebApp(BuildHookInterface):  # type: ignore[type-arg]
    """Runs `scripts/web` in a source checkout. What comes from an archive has the app in it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if version == "editable":  # `scripts/serve` builds it when it is wanted
            return
        if (root / "web" / "package.json").exists():
            subprocess.run([root / "scripts" / "web"], check=True)
        if not (root / PAGE).exists():
            self.app.display_warning(
                "The web app is not in this package: building it takes Node 20 or later."
            )
