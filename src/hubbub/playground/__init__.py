"""The playground at `/` in `--dev`: two clients in one channel, their frames, and a network to drop."""

from hubbub.playground.page import playground_app as playground_app
from hubbub.playground.page import takes as takes
