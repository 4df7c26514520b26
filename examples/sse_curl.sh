#!/bin/sh
# Follow a channel with curl alone, and catch up after a break: HUBBUB_TOKEN=eyJ... sse_curl.sh lobby
# The last event's id is the cursor. Given back as Last-Event-ID, the stream goes on right behind it.
set -eu
channel=${1:-lobby}
url=${HUBBUB_URL:-http://127.0.0.1:8000}
cursor=
# A line of its own for each attempt; HUBBUB_ATTEMPTS ends the loop, for trying out.
for attempt in $(seq "${HUBBUB_ATTEMPTS:-1000000}"); do
  events=$(mktemp)
  curl -sN --max-time "${HUBBUB_SECONDS:-3600}" -G "$url/v1/sse" --data-urlencode "channel=$channel" \
    -H "Authorization: Bearer $HUBBUB_TOKEN" -H "Last-Event-ID: $cursor" |
    tee "$events" | sed -un 's/^data: //p' || true
  cursor=$(sed -n 's/^id: //p' "$events" | tail -n 1 | grep . || echo "$cursor")
  rm -f "$events"
  echo "attempt $attempt ended; the cursor is ${cursor:-none}" >&2
  sleep "${HUBBUB_PAUSE:-1}"
done
