"""Everything that can go wrong between actors, in one tree.

CoreError
├── BadSpec            a child or supervisor spec that cannot be right; raised before anything starts
│   └── BlockCycle     BLOCK channels in a circle: two full ones would wait for each other for ever
├── ChannelFull        nobody lost anything: the message is not in, its sender knows
├── ChannelClosed      the consumer has stopped for good
├── DeadLettered       the question killed its actor too often and was put aside
├── Fenced             this life of the actor is over; whoever still runs in it may not act any more
└── ChildFailure       why a child counts as crashed although it raised nothing itself
    ├── StartFailed    it ended, or the time for its start did, before `ready()`
    ├── Stuck          it had work and made no progress
    ├── Returned       it is permanent and came to an end
    ├── Killed         chaos
    └── Escalated      a supervisor that gave up: its own kind of crash, never a normal end
"""


class CoreError(Exception):
    """The root of this floor's errors."""


class BadSpec(CoreError, ValueError):
    """A spec that cannot be right. Nothing has been started."""


class BlockCycle(BadSpec):
    """BLOCK channels in a circle; the text names the way round."""


class ChannelFull(CoreError):
    """The channel has no room and must not wait. The message is not in."""


class ChannelClosed(CoreError):
    """The consumer has stopped for good. A message that was being put is not in; a question gets no answer."""


class DeadLettered(CoreError):
    """The question was put aside after its last attempt; the text says what it did to its actor."""


class Fenced(CoreError):
    """This generation of the actor is over: it may not lease, ack, reply or send any more."""


class ChildFailure(CoreError):
    """A child counts as crashed for a reason that it did not raise itself."""


class StartFailed(ChildFailure):
    """The child ended before `ready()`, or `start_timeout_s` did."""


class Stuck(ChildFailure):
    """The child had work pending and made no progress for `progress_timeout_s`."""


class Returned(ChildFailure):
    """A permanent child came to an end: that is a failure whatever it thought."""


class Killed(ChildFailure):
    """Somebody asked for this crash; the message in hand is not to blame."""


class Escalated(ChildFailure):
    """A supervisor gave up: too many restarts, too many failures in a row, a failed first start, or a zombie."""
