"""A mailbox that tests lease from, acknowledge and crash at."""

from genesis.core.mailbox import Channel, DeadLetter, Envelope, Inbox, Mailbox, Overflow
from genesis.core.term import Term


class Desk:
    """A mailbox over two channels and the generations that come and go at it."""

    def __init__(self, overflow: Overflow = Overflow.UNBOUNDED, capacity: int = 1024, max_attempts: int = 3) -> None:
        key = (lambda number: number % 10) if overflow is Overflow.CONFLATE else None
        self.a = Channel[int]("a", overflow, capacity=capacity, key=key)
        self.b = Channel[int]("b", overflow, capacity=capacity, key=key)
        self.mailbox = Mailbox("desk", [self.a, self.b], max_attempts=max_attempts)
        self.generation = 0
        self.inbox = self.next()

    def next(self) -> Inbox:
        self.generation += 1
        term = Term("actor", self.generation)
        self.mailbox.new_term(term)
        return Inbox(self.mailbox, term)

    def crash(self, blame: str | None = "Boom") -> DeadLetter | None:
        letter = self.mailbox.end_term(blame=blame)
        self.inbox = self.next()
        self.check()
        return letter

    def check(self) -> None:
        self.a.check_books()
        self.b.check_books()

    async def lease(self, limit: int = 1024) -> list[Envelope]:
        return await self.inbox.lease(limit=limit)


def words(batch: list[Envelope]) -> list[int]:
    return [envelope.message for envelope in batch]
