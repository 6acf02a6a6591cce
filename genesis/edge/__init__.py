"""Floor 1, how bytes move: sockets, HTTP, files and secrets, without meaning."""
