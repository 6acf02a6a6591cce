"""Places outside that take messages: a Telegram chat and a webhook. They move text and know nothing of what it says.

Addresses hold tokens, so no error of these doors repeats one: only what kind of trouble it was.
"""

from typing import Any, Final, Protocol

import attrs
import msgspec

from genesis.edge.errors import EdgeError, RequestFailed
from genesis.edge.http import HttpAnswer, HttpClient
from genesis.edge.secrets import Secret
from genesis.edge.waits import bounded_s

POLL_S: Final = 25
"""How long Telegram keeps a question for updates open when there are none."""
POLL_MARGIN_S: Final = 10.0
DISCORD_LIMIT: Final = 2000
LASTING: Final = frozenset({400, 401, 403, 404})
"""Answers that will be the same in a minute: a wrong token or chat, an address that is gone."""


class NotDelivered(EdgeError):
    """A message did not arrive. `lasting` troubles do not pass by waiting."""

    def __init__(self, text: str, *, retry_after_s: float | None = None, lasting: bool = False) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s
        self.lasting = lasting


class Messenger(Protocol):
    """One place that takes messages."""

    name: str

    async def send(self, text: str, *, silent: bool) -> None:
        """Raises NotDelivered."""
        ...


@attrs.frozen(kw_only=True)
class Heard:
    """One message that somebody wrote in a chat. `sent_s` is Unix time."""

    update_id: int
    chat_id: str
    text: str
    sent_s: int


class _Chat(msgspec.Struct):
    id: int


class _Message(msgspec.Struct):
    chat: _Chat
    date: int = 0
    text: str = ""


class _Update(msgspec.Struct):
    update_id: int
    message: _Message | None = None


class _Updates(msgspec.Struct):
    ok: bool
    result: tuple[_Update, ...] = ()


class _Parameters(msgspec.Struct, frozen=True):
    retry_after: float | None = None


class _Refusal(msgspec.Struct):
    description: str = ""
    parameters: _Parameters = _Parameters()


_UPDATES = msgspec.json.Decoder(_Updates)
_REFUSAL = msgspec.json.Decoder(_Refusal)


@attrs.define(eq=False, kw_only=True)
class TelegramChat:
    """One bot in one chat. `http` needs a time-out above `POLL_S`: asking for updates waits that long."""

    http: HttpClient
    token: Secret
    chat_id: str
    name: str = "telegram"

    async def send(self, text: str, *, silent: bool) -> None:
        """Plain text, so nothing in it can break a markup. Raises NotDelivered."""
        await self._call(
            "sendMessage",
            {
                "chat_id": self.chat_id,
                "text": text,
                "disable_notification": silent,
                "link_preview_options": {"is_disabled": True},
            },
        )

    async def updates(self, after: int) -> list[Heard]:
        """What was written since the update `after`; waits up to `POLL_S`. Raises NotDelivered."""
        asked = {"offset": after + 1, "timeout": POLL_S, "allowed_updates": ["message"]}
        answer = await self._call("getUpdates", asked)
        try:
            told = _UPDATES.decode(answer.body)
        except msgspec.MsgspecError:
            raise NotDelivered("telegram answered what cannot be read") from None
        heard: list[Heard] = []
        for update in told.result:
            message = update.message
            chat = "" if message is None else str(message.chat.id)
            text, sent_s = ("", 0) if message is None else (message.text, message.date)
            heard.append(Heard(update_id=update.update_id, chat_id=chat, text=text, sent_s=sent_s))
        return heard

    async def _call(self, method: str, body: dict[str, Any]) -> HttpAnswer:
        target = f"/bot{self.token.reveal()}/{method}"
        answer = await _post(self.http, target, msgspec.json.encode(body), "telegram")
        if answer.status == 200:
            return answer
        try:
            refusal = _REFUSAL.decode(answer.body)
        except msgspec.MsgspecError:
            refusal = _Refusal()
        told = refusal.parameters.retry_after
        raise NotDelivered(
            f"telegram answered {answer.status} {refusal.description[:200]}".rstrip(),
            retry_after_s=bounded_s(told) if told else answer.retry_after_s,
            lasting=answer.status in LASTING,
        )


@attrs.define(eq=False, kw_only=True)
class Webhook:
    """An address that takes a POST. `form` is json (`{"text", "silent"}`), discord or slack."""

    http: HttpClient
    path: Secret
    form: str = "json"
    name: str = "webhook"

    async def send(self, text: str, *, silent: bool) -> None:
        """Raises NotDelivered."""
        body: dict[str, Any]
        match self.form:
            case "discord":
                short = text if len(text) <= DISCORD_LIMIT else f"{text[: DISCORD_LIMIT - 1]}…"
                # 4096 is SUPPRESS_NOTIFICATIONS; nobody is ever mentioned by what the venue wrote.
                body = {"content": short, "flags": 4096 if silent else 0, "allowed_mentions": {"parse": []}}
            case "slack":
                plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
                body = {"text": plain}
            case _:
                body = {"text": text, "silent": silent}
        answer = await _post(self.http, self.path.reveal(), msgspec.json.encode(body), "webhook")
        if not 200 <= answer.status < 300:
            raise NotDelivered(
                f"webhook answered {answer.status}",
                retry_after_s=answer.retry_after_s,
                lasting=answer.status in LASTING,
            )


async def _post(http: HttpClient, target: str, body: bytes, name: str) -> HttpAnswer:
    try:
        return await http.exchange("POST", target, headers={"content-type": "application/json"}, body=body)
    except RequestFailed as error:
        what = "was not reached" if not error.sent else "did not answer"
        # Without the cause: its text has the address.
        raise NotDelivered(f"{name} {what}") from None
