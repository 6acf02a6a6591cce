"""The Bitfinex language (API v2, WebSocket and REST), sans-IO: bytes in, messages out, and the way back."""
