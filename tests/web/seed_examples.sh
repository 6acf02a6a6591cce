#!/usr/bin/env bash
# The shell examples of the seed's README against `genesis run --dev`: token, wallets, a small market order, cancel all,
# and risk. As they were written there, but for the address. Run with BASE set. Prints one answer a line.
set -euo pipefail

TOKEN=$(curl -sf -X POST "$BASE/api/v2/auth/ws-token" \
  -H 'Content-Type: application/json' \
  -d '{"user_id":"frontend_user","scope":"read","expiry_hours":1}' | sed -E 's/.*"token":"([^"]+)".*/\1/')
export TOKEN

curl -sf "$BASE/api/v2/wallets" -H "Authorization: Bearer $TOKEN"
echo

curl -sf -X POST "$BASE/api/v2/order" -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
  -d '{"symbol":"tBTCUSD","amount":"0.0001","type":"EXCHANGE MARKET"}'
echo

curl -sf -X POST "$BASE/api/v2/orders/cancel/all" -H "Authorization: Bearer $TOKEN"
echo

bash "$(dirname "$0")/seed_risk.sh"
