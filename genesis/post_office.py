"""Opens the places that news goes to: a Telegram chat, a webhook, and the file in which what was not told waits."""

import contextlib
from typing import Final
from urllib.parse import urlsplit

from actors.notifier import Post
from genesis.edge.errors import SecretRefused
from genesis.edge.http import HttpClient
from genesis.edge.kept_file import KeptFile
from genesis.edge.logs import conceal
from genesis.edge.messengers import POLL_MARGIN_S, POLL_S, Messenger, TelegramChat, Webhook
from genesis.edge.secrets import Secret, find
from genesis.run_options import CannotStart, ExitCode, RunOptions

CONNECTIONS: Final = 2
ANSWER_BYTES: Final = 1024 * 1024


async def open_post(stack: contextlib.AsyncExitStack, options: RunOptions) -> Post:
    """A place for each secret that is there; none: nobody is told. Raises CannotStart on one that is wrong."""
    environment = dict(options.environment)
    directory = options.user_dir.secrets
    settings = options.settings.notify
    try:
        token, chat_id, address = (
            find(name, directory=directory, environment=environment)
            for name in ("TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID", "NOTIFY_WEBHOOK_URL")
        )
    except SecretRefused as error:
        raise CannotStart(str(error), ExitCode.CONFIGURATION) from None
    for secret in (token, address):
        if secret is not None:
            conceal(secret.reveal())
    messengers: list[Messenger] = []
    chat: TelegramChat | None = None
    if (token is None) != (chat_id is None):
        missing = "TELEGRAM_CHAT_ID" if chat_id is None else "TELEGRAM_BOT_TOKEN"
        raise CannotStart(f"{missing} must be given with the other one for Telegram, was not", ExitCode.CONFIGURATION)
    if token is not None and chat_id is not None:
        http = HttpClient(
            settings.telegram_url,
            timeout_s=POLL_S + POLL_MARGIN_S,
            max_body_bytes=ANSWER_BYTES,
            max_connections=CONNECTIONS,
        )
        chat = TelegramChat(http=await stack.enter_async_context(http), token=token, chat_id=chat_id.reveal())
        messengers.append(chat)
    if address is not None:
        messengers.append(await _webhook(stack, address, settings.webhook_format))
    file = KeptFile(options.user_dir.data / f"notifications-{options.mode.value}.json")
    return Post(messengers=tuple(messengers), chat=chat, file=file if messengers else None)


async def _webhook(stack: contextlib.AsyncExitStack, address: Secret, form: str) -> Webhook:
    try:
        parts = urlsplit(address.reveal())
        # Asked for its port as well, which raises where it is none.
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise CannotStart(
            "NOTIFY_WEBHOOK_URL must be an address that begins with https://, was not", ExitCode.CONFIGURATION
        )
    http = HttpClient(f"{parts.scheme}://{parts.netloc}", max_body_bytes=ANSWER_BYTES, max_connections=CONNECTIONS)
    path = parts.path or "/"
    return Webhook(
        http=await stack.enter_async_context(http),
        path=Secret(f"{path}?{parts.query}" if parts.query else path),
        form=form,
    )
