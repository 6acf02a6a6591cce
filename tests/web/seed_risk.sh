#!/usr/bin/env bash
# The risk examples of the seed's README, as they were written there, but for the address and a token of enough scope.
# Run with BASE (http://127.0.0.1:8000) and TOKEN set. Prints one answer a line.
set -euo pipefail

curl -sf -X POST "$BASE/api/v2/risk/max-trades" \
  -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
  -d '{"max_trades_per_day":5}'
echo

curl -sf -X POST "$BASE/api/v2/risk/windows" \
  -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
  -d '{"timezone":"Europe/Stockholm","windows":{"mon":[["08:00","17:00"]],"tue":[["08:00","17:00"]],"wed":[["08:00","17:00"]],"thu":[["08:00","17:00"]],"fri":[["08:00","16:00"]],"sat":[],"sun":[]},"paused":false}'
echo

curl -sf "$BASE/api/v2/risk/status" -H "Authorization: Bearer $TOKEN"
echo

curl -sf -X POST "$BASE/api/v2/risk/max-trades-symbol" \
  -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
  -d '{"max_trades_per_symbol_per_day":3}'
echo

curl -sf "$BASE/api/v2/risk/trade-counter" -H "Authorization: Bearer $TOKEN"
echo
