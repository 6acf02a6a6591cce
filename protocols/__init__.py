"""Floor 0, what is said: typed messages between actors and the Bitfinex language, without clock, chance or socket."""
