"""Questions and wishes from outside, put to the actors with a deadline for their answers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from genesis.audit import search_journal
from genesis.core.channel import Channel
from genesis.core.errors import ChannelClosed, ChannelFull, DeadLettered
from genesis.domain.decision_search import DecisionSearch, DecisionsFound
from genesis.plan import Channels
from protocols.config import ConfigCommand, SettingsReply
from protocols.orders import TERMINAL_STATES, CancelIntent, OrderView, OrderWish, UpdateIntent
from protocols.risk import ChangeAnswer, ChangeOrder, EvaluateOrder, ManualOrder, RiskCommand, Verdict
from web.controls import Busy, Refused

ANSWER_WITHIN_S: Final = 10.0
"""A control that the engine has taken but not answered after this long is reported as under way."""


@attrs.frozen(kw_only=True)
class Asking:
    """Every method raises Busy when nobody can take it now, and gives None when the answer takes too long."""

    channels: Channels
    journal: Path
    orders: Callable[[], Sequence[OrderView]]

    async def evaluate(self, question: EvaluateOrder) -> Verdict | None:
        """What risk would say to an order that nobody places."""
        answer: Verdict | None = await ask(self.channels.risk_commands, question, "risk")
        return answer

    async def change(self, command: ChangeOrder) -> ChangeAnswer | None:
        """A person's change of a resting order, with risk's answer; risk hands it on."""
        answer: ChangeAnswer | None = await ask(self.channels.risk_commands, command, "risk")
        return answer

    async def search(self, asked: DecisionSearch) -> DecisionsFound:
        """Look through the verdicts of the journal, in a thread."""
        return await trio.to_thread.run_sync(search_journal, self.journal, asked)

    async def order(self, order: ManualOrder) -> Verdict | None:
        """A person's order, with risk's answer."""
        answer = await ask(self.channels.risk_commands, order, "risk")
        assert answer is None or isinstance(answer, Verdict)
        return answer

    async def risk(self, command: RiskCommand) -> bool:
        """A switch of risk. False when risk has it and has not answered in time."""
        return await ask(self.channels.risk_commands, command, "risk") is not None

    async def wish(self, wish: OrderWish) -> None:
        """Something about orders that there are. Raises Refused for one that is unknown or has ended."""
        if isinstance(wish, CancelIntent | UpdateIntent) and wish.intent_id is not None:
            known = {order.intent_id: order.state for order in self.orders() if order.intent_id}
            if wish.intent_id not in known:
                raise Refused("unknown_order", f"order must be one of ours, was {wish.intent_id}")
            if known[wish.intent_id] in TERMINAL_STATES:
                raise Refused("order_ended", f"order must be open, was {known[wish.intent_id].value}")
        await ask(self.channels.order_wishes, wish, "orders")

    async def settings(self, wish: ConfigCommand) -> SettingsReply | None:
        """A command for the config actor."""
        answer: SettingsReply | None = await ask(self.channels.set_settings, wish, "configuration")
        return answer


async def ask(channel: Channel[Any], message: Any, what: str) -> Any:
    """The answer; None when it takes too long. Raises Busy and Refused."""
    try:
        with trio.move_on_after(ANSWER_WITHIN_S):
            return await channel.ask(message)
    except ChannelFull:
        raise Busy(what) from None
    except ChannelClosed:
        raise Busy(what, retry_after_s=5.0) from None
    except DeadLettered as error:
        raise Refused("not_understood", str(error)) from None
    return None
