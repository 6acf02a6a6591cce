"""The notifier against a Telegram and a webhook that refuse, limit, fall silent and come back."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import trio
from trio.testing import MockClock

from actors.notifier import NotifierActor, Post
from genesis.core.channel import Channel, Overflow
from genesis.core.latest import Latest
from genesis.edge.http import HttpClient
from genesis.edge.kept_file import KeptFile
from genesis.edge.messengers import TelegramChat, Webhook
from genesis.edge.secrets import Secret
from protocols.health import Notice
from protocols.orders import Fill
from protocols.risk import RiskStatus, TradingState
from protocols.settings import Settings
from tests.actors.deciding_stage import Stage, journal_channel, on_stage
from tests.actors.scripted_venue import eventually
from tests.genesis.edge.scripted_http import Answer, Heard, ScriptedHttp, scripted_http
from tests.web.fakes import a_fill, a_risk

TOKEN = "123:secret-token"
CHAT = "42"
NOW_MS = 1_800_000_000_000


def an_alarm(text: str, code: str = "books_differ") -> Notice:
    return Notice(level="alarm", code=code, text=text, at_ms=NOW_MS)


@pytest.fixture(autouse=True)
def files_on_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual clock knows nothing of threads: it would jump over hours while one writes a file, and he who waits for
    it be taken for hung."""

    async def at_once(call: Callable[..., Any], *args: Any, **_: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return call(*args)

    monkeypatch.setattr(trio.to_thread, "run_sync", at_once)


@attrs.define(kw_only=True)
class World:
    server: ScriptedHttp
    stage: Stage
    post: Post
    news: Channel[Any]
    risk: Latest[RiskStatus | None]
    asked: list[str]
    written: list[dict[str, Any]]

    @property
    def texts(self) -> list[str]:
        return [json.loads(heard.body)["text"] for heard in self.server.heard if "sendMessage" in heard.target]

    def somebody_writes(self, text: str, *, chat: str = CHAT, sent_ms: int = NOW_MS) -> None:
        number = len(self.written) + 1
        message = {"chat": {"id": int(chat)}, "date": sent_ms // 1000, "text": text}
        self.written.append({"update_id": number, "message": message})

    async def until_told(self, text: str) -> None:
        await eventually(lambda: any(text in one for one in self.texts), within_s=3000.0)


@asynccontextmanager
async def a_world(
    clock: MockClock, folder: Path, *, wall_ms: int = NOW_MS, booked: Sequence[Fill] = ()
) -> AsyncIterator[World]:
    clock.autojump_threshold = 0.02
    written: list[dict[str, Any]] = []
    asked: list[str] = []

    async def answer(line: str) -> str:
        asked.append(line)
        return f"answer to {line}"

    async def a_while() -> None:
        await trio.sleep(1.0)

    def telegram(heard: Heard) -> Answer:
        if "getUpdates" in heard.target:
            after = json.loads(heard.body)["offset"]
            new = [update for update in written if update["update_id"] >= after]
            return Answer(body=json.dumps({"ok": True, "result": new}).encode(), wait=None if new else a_while)
        return Answer(body=b'{"ok":true,"result":{}}')

    async with scripted_http() as server, HttpClient(server.url, timeout_s=40.0) as http:
        server.otherwise = telegram
        chat = TelegramChat(http=http, token=Secret(TOKEN), chat_id=CHAT)
        post = Post(messengers=(chat,), chat=chat, file=KeptFile(folder / "news.json"))
        post.reporter.after(booked, {})
        news = Channel[Any]("news", Overflow.DROP_OLDEST)
        risk = Latest[RiskStatus | None](a_risk())

        def start() -> NotifierActor:
            return NotifierActor(
                post=post, settings=Latest(Settings()), risk=risk, wall_ms=lambda: wall_ms, answer=answer
            )

        async with on_stage(start, hears=(news,), journal=journal_channel(), listeners={}) as stage:
            yield World(server=server, stage=stage, post=post, news=news, risk=risk, asked=asked, written=written)


async def test_an_alarm_arrives_and_what_halts_trading_too(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        world.news.put_nowait(an_alarm("the venue says otherwise"))
        await world.until_told("the venue says otherwise")
        world.risk.set(a_risk(TradingState.HALTED))
        await world.until_told("trading is HALTED")


@pytest.mark.parametrize("asked_s", [30, 60_000])
async def test_an_outage_and_a_limit_delay_and_lose_nothing(
    autojump_clock: MockClock, tmp_path: Path, asked_s: int
) -> None:
    """A limit of most of a day is asked again after ten minutes."""
    async with a_world(autojump_clock, tmp_path) as world:
        limited = b'{"ok":false,"description":"Too Many Requests","parameters":{"retry_after":%d}}' % asked_s
        troubles = [Answer(status=502), Answer(cut=True, body=b"x" * 50), Answer(status=429, body=limited)]
        usual = world.server.otherwise

        def troubled(heard: Heard) -> Answer:
            if "sendMessage" in heard.target and troubles:
                return troubles.pop(0)
            return usual(heard)

        world.server.otherwise = troubled
        began = trio.current_time()
        world.news.put_nowait(an_alarm("first"))
        await eventually(lambda: not troubles, within_s=3000.0)
        world.news.put_nowait(an_alarm("second", code="another"))
        await eventually(lambda: len(world.post.boxes["telegram"]) == 0, within_s=3000.0)
        assert trio.current_time() - began >= 30.0
        assert "first" in world.texts[-1]
        assert "second" in world.texts[-1]


async def test_what_waits_outlives_the_process(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        world.server.otherwise = lambda heard: Answer(status=500)
        world.news.put_nowait(an_alarm("told after the restart"))
        await eventually(lambda: world.post.boxes["telegram"].failed_total > 1, within_s=3000.0)
    async with a_world(autojump_clock, tmp_path) as world:
        await world.until_told("told after the restart")


async def test_a_fill_that_a_kill_kept_from_the_file_is_told_by_the_next_life(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """The journal has it, no outbox had: the start says all fills again, and knows which of them nobody heard."""
    booked = [msgspec.structs.replace(a_fill(number), quantity=Decimal(number)) for number in (1, 2)]
    async with a_world(autojump_clock, tmp_path) as world:
        world.news.put_nowait(booked[0])
        await world.until_told("bought 1 tBTCUSD")
    for life in range(2):
        async with a_world(autojump_clock, tmp_path, booked=booked) as world:
            for said in booked:
                world.news.put_nowait(said)
            world.news.put_nowait(an_alarm("the last word"))
            await world.until_told("the last word")
            told = "\n".join(world.texts)
            assert "bought 1 tBTCUSD" not in told
            assert ("bought 2 tBTCUSD at 6900.5 (entry, btc-ema) (before the restart)" in told) is (life == 0)


async def test_a_damaged_file_loses_what_waited_and_nothing_else(autojump_clock: MockClock, tmp_path: Path) -> None:
    (tmp_path / "news.json").write_bytes(b'{"telegram": {"letters": [')
    async with a_world(autojump_clock, tmp_path) as world:
        world.news.put_nowait(an_alarm("still here"))
        await world.until_told("still here")


async def test_killed_in_the_middle_it_tells_what_it_had(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        for number in range(20):
            world.news.put_nowait(an_alarm(f"alarm {number}", code=f"c{number}"))
            await trio.testing.wait_all_tasks_blocked()
            # It may be between two lives: then there is nobody to kill.
            world.stage.supervisor.kill("world/subject", reason="the test says so")
        for number in range(20):
            await world.until_told(f"alarm {number}")


async def test_the_one_chat_is_answered_and_strangers_are_not(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        world.somebody_writes("/stop", chat="666")
        world.somebody_writes("good morning")
        world.somebody_writes("/status")
        await world.until_told("answer to /status")
        assert world.asked == ["/status"]
        assert world.post.strangers == 1


async def test_a_command_of_an_hour_ago_is_not_carried_out(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        world.somebody_writes("/forceexit all", sent_ms=NOW_MS - 3_600_000)
        await world.until_told("too old to be carried out: /forceexit all")
        assert world.asked == []


async def test_no_error_repeats_the_token(autojump_clock: MockClock, tmp_path: Path, capfd: Any) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        world.server.otherwise = lambda heard: Answer(status=401, body=b'{"description":"Unauthorized"}')
        world.news.put_nowait(an_alarm("x"))
        await eventually(lambda: world.post.boxes["telegram"].failed_total > 0, within_s=3000.0)
    told = "".join(capfd.readouterr())
    assert "Unauthorized" in told
    assert "secret-token" not in told


async def test_webhooks_speak_the_dialect_of_their_place(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = 0.02
    async with scripted_http() as server, HttpClient(server.url) as http:
        for form in ("json", "discord", "slack"):
            await Webhook(http=http, path=Secret("/hook/abc"), form=form).send("a <b> @everyone", silent=True)
        bodies = [json.loads(heard.body) for heard in server.heard]
    assert bodies[0] == {"text": "a <b> @everyone", "silent": True}
    assert bodies[1] == {"content": "a <b> @everyone", "flags": 4096, "allowed_mentions": {"parse": []}}
    assert bodies[2] == {"text": "a &lt;b&gt; @everyone"}
