"""One life of an actor: from its start to its end, over once and for all."""


class Term:
    """What fences an actor: inbox and outlets of a generation share its term and refuse to act once it is over.

    `draining` says that the actor has been asked to stop and gets nothing new. `waiting` counts its puts that wait for
    room and its questions that wait for an answer: that is the receiver's lack of progress, not its own. `outside`
    counts what it awaits of the world outside (a disk, a socket): no hang, but no progress either.
    """

    __slots__ = ("actor", "draining", "generation", "outside", "over", "waiting")

    def __init__(self, actor: str, generation: int) -> None:
        self.actor = actor
        self.generation = generation
        self.over = False
        self.draining = False
        self.waiting = 0
        self.outside = 0

    def __str__(self) -> str:
        return f"generation {self.generation} of {self.actor}"
