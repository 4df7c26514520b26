#!/bin/sh
# Follow a channel with curl alone and catch up after each break: HUBBUB_TOKEN=eyJ... sse_curl.sh lobby [CURSOR]
# The id of the last event is the cursor. Given back as Last-Event-ID, the stream goes on right behind it.
# HUBBUB_ATTEMPTS ends the loop after so many streams.
set -eu
channel=${1:-lobby}
cursor=${2:-}
url=${HUBBUB_URL:-http://127.0.0.1:8000}
attempts=${HUBBUB_ATTEMPTS:-1000000}
events=$(mktemp)
trap 'rm -f "$events"' EXIT
while :; do
  curl -sSN --fail-with-body -G "$url/v1/sse" --data-urlencode "channel=$channel" \
    -H "Authorization: Bearer $HUBBUB_TOKEN" -H "Last-Event-ID: $cursor" |
    tee "$events" | sed -un 's/^data: //p'
  last=$(sed -n 's/^id: //p' "$events" | tail -n 1)
  cursor=${last:-$cursor}
  echo "the stream ended; the cursor is $cursor" >&2
  attempts=$((attempts - 1))
  [ "$attempts" -gt 0 ] || exit 0
  sleep 1
done
