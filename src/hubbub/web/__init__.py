"""The web app at `/`: what `web/` was built into, served with a strict policy and lasting caches."""

from hubbub.web.site import takes as takes
from hubbub.web.site import web_app as web_app
