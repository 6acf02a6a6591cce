"""The notifier: tells people who are not looking, and answers the one chat that may ask.

It is a subtree of its own and nothing waits for it: it hears a copy of the news in a channel that drops the oldest, and
what does not arrive waits in outboxes that belong to the engine and in a file. So it may be down, slow or refused for
hours; trading neither knows nor cares. It recovers by reading that file in the first life of a process.
"""

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import attrs
import msgspec
import structlog
import trio

from genesis.core.actor import Context
from genesis.core.latest import Latest
from genesis.domain.news import LastHeard, Outbox, OutboxState, Reporter, tell_all
from genesis.edge.io_stats import IoStats
from genesis.edge.kept_file import KeptFile
from genesis.edge.messengers import Heard, Messenger, NotDelivered, TelegramChat
from protocols.risk import RiskStatus
from protocols.settings import Settings

LOOK_S: Final = 1.0
OLDEST_COMMAND_S: Final = 60
"""A command that was written while we were down is not carried out hours later."""
PAUSE_S: Final = 5.0

log = structlog.get_logger("genesis.notifier")
_DECODER = msgspec.json.Decoder(dict[str, OutboxState])


@attrs.define(kw_only=True, eq=False)
class Post:
    """What of notifying outlives the actor: the places, what waits for each, and what was told."""

    messengers: Sequence[Messenger] = ()
    chat: TelegramChat | None = None
    file: KeptFile | None = None
    reporter: Reporter = attrs.field(factory=Reporter)
    boxes: dict[str, Outbox] = attrs.field(factory=dict)
    io: dict[str, IoStats] = attrs.field(factory=dict)
    last_update: int = 0
    strangers: int = 0
    commands: int = 0
    restored: bool = False

    def __attrs_post_init__(self) -> None:
        self.boxes = {messenger.name: Outbox() for messenger in self.messengers}
        self.io = {messenger.name: IoStats() for messenger in self.messengers}

    def counters(self) -> dict[str, float]:
        """Its figures, by their full Prometheus names."""
        return {
            "genesis_news_sent_total": float(sum(box.sent_total for box in self.boxes.values())),
            "genesis_news_failed_total": float(sum(box.failed_total for box in self.boxes.values())),
            "genesis_chat_commands_total": float(self.commands),
            "genesis_chat_strangers_total": float(self.strangers),
        }


@attrs.define(kw_only=True, eq=False)
class NotifierActor:
    """`answer` gives the text that answers a chat's line. `wall_ms` is this machine's clock, not a replayed venue's."""

    post: Post
    settings: Latest[Settings]
    risk: Latest[RiskStatus | None]
    wall_ms: Callable[[], int]
    answer: Callable[[str], Awaitable[str]] | None = None
    _bells: dict[str, trio.Event] = attrs.field(factory=dict, init=False)

    async def run(self, ctx: Context) -> None:
        await self._restore(ctx)
        self._bells = {name: trio.Event() for name in self.post.boxes}
        async with trio.open_nursery() as nursery:
            for messenger in self.post.messengers:
                nursery.start_soon(self._deliver, ctx, messenger)
            if self.post.chat is not None and self.answer is not None:
                nursery.start_soon(self._listen, self.post.chat, self.answer)
            ctx.ready()
            await self._hear(ctx)

    async def _hear(self, ctx: Context) -> None:
        risk_version = -1
        while True:
            batch = await ctx.inbox.lease(until=ctx.clock.now() + LOOK_S if self.post.boxes else math.inf)
            if not self.post.boxes:
                # Nobody has asked to be told: no text is made.
                ctx.inbox.ack_all(batch)
                continue
            told = [self.post.reporter.hear(envelope.message, ctx.clock.wall_ms()) for envelope in batch]
            news = [one for one in told if one is not None]
            if self.risk.version != risk_version:
                risk_version = self.risk.version
                news += self.post.reporter.on_risk(self.risk.value)
            if news and tell_all(news, self.post.boxes.values(), self.settings.value.notify, ctx.clock.now()):
                await self._keep()
                for bell in self._bells.values():
                    bell.set()
            ctx.inbox.ack_all(batch)

    # --- telling ----------------------------------------------------------------------------------------------------

    async def _deliver(self, ctx: Context, messenger: Messenger) -> None:
        box = self.post.boxes[messenger.name]
        while True:
            now = ctx.clock.now()
            at = box.next_at(self.settings.value.notify, now)
            if at is None or at > now:
                self._bells[messenger.name] = bell = trio.Event()
                with trio.move_on_at(trio.current_time() + (at - now) if at is not None else float("inf")):
                    await bell.wait()
                continue
            parcel = box.take(self.settings.value.notify, now)
            if parcel is None:
                continue
            io, began = self.post.io[messenger.name], ctx.clock.now()
            try:
                await messenger.send(parcel.text, silent=parcel.silent)
            except NotDelivered as error:
                io.failed(sent=len(parcel.text.encode()))
                again = box.failed(ctx.clock.now(), retry_after_s=error.retry_after_s, lasting=error.lasting)
                log.warning(
                    "not_delivered",
                    place=messenger.name,
                    reason=str(error),
                    waiting=len(box),
                    again_in_s=round(again - ctx.clock.now(), 1),
                )
            else:
                io.answered(ctx.clock.now() - began, sent=len(parcel.text.encode()))
                box.sent(parcel, ctx.clock.now())
                await self._keep()

    # --- listening --------------------------------------------------------------------------------------------------

    async def _listen(self, chat: TelegramChat, answer: Callable[[str], Awaitable[str]]) -> None:
        pause = PAUSE_S
        while True:
            try:
                heard = await chat.updates(self.post.last_update)
            except NotDelivered as error:
                log.warning("not_listening", place=chat.name, reason=str(error), again_in_s=pause)
                await trio.sleep(max(pause, error.retry_after_s or 0.0))
                pause = min(pause * 2, 300.0)
                continue
            pause = PAUSE_S
            for message in heard:
                self.post.last_update = max(self.post.last_update, message.update_id)
                await self._on_message(chat, message, answer)

    async def _on_message(self, chat: TelegramChat, message: Heard, answer: Callable[[str], Awaitable[str]]) -> None:
        if message.chat_id != chat.chat_id:
            if message.text:
                self.post.strangers += 1
                log.warning("stranger", place=chat.name, chat_id=message.chat_id)
            return
        if not message.text.startswith("/"):
            return
        if self.wall_ms() / 1000 - message.sent_s > OLDEST_COMMAND_S:
            reply = f"too old to be carried out: {message.text[:100]}"
        else:
            self.post.commands += 1
            log.info("command", place=chat.name, text=message.text[:100])
            reply = await answer(message.text)
        try:
            await chat.send(reply, silent=True)
        except NotDelivered as error:
            log.warning("not_answered", place=chat.name, reason=str(error))

    # --- what is kept -----------------------------------------------------------------------------------------------

    async def _restore(self, ctx: Context) -> None:
        post = self.post
        if post.restored or post.file is None:
            return
        post.restored = True
        try:
            data = await trio.to_thread.run_sync(post.file.read)
            states = {} if not data else _DECODER.decode(data)
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("notifications_lost", path=str(post.file.path), reason=str(error))
            return
        heard: list[LastHeard] = []
        for name, state in states.items():
            if name in post.boxes:
                post.boxes[name].restore(state, ctx.clock.now())
                if state.heard is not None and state.heard not in heard:
                    heard.append(state.heard)
        for each in heard[:1]:
            post.reporter.miss_after(each)

    async def _keep(self) -> None:
        file = self.post.file
        if file is None:
            return
        heard = self.post.reporter.heard
        states = {name: msgspec.structs.replace(box.state(), heard=heard) for name, box in self.post.boxes.items()}
        data = msgspec.json.encode(states)
        try:
            await trio.to_thread.run_sync(file.replace, data)
        except OSError as error:
            # It is still told from memory; a full disk must not silence the alarm about it.
            log.warning("notifications_not_kept", path=str(file.path), reason=error.strerror)
