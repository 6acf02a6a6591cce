"""Floor 3, what is seen: the page, the API, the event stream. Reads snapshots, sends messages, knows no actor."""
