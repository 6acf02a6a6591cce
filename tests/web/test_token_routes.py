"""Tokens and tickets over HTTP, and what a guess or a flood is told."""

from tests.web.fakes import Told, a_web
from web.tokens import Scope

V2 = "/api/v2"


async def test_the_mint_answers_401_without_proof_and_mints_with_it() -> None:
    web = a_web()
    wish = {"user_id": "frontend_user", "scope": "read", "expiry_hours": 1}
    async with web.client(None) as client:
        assert (await client.post(f"{V2}/auth/ws-token", json=wish)).status_code == 401
        proof = {"Authorization": f"Bearer {web.tokens.keyring.bootstrap_secret}"}
        answer = (await client.post(f"{V2}/auth/ws-token", json=wish, headers=proof)).json()
        assert answer["token"] == answer["access_token"]
        assert answer["scope"] == "read"
        good = {"Authorization": f"Bearer {answer['token']}"}
        assert (await client.get(f"{V2}/wallets", headers=good)).status_code == 200
        assert (await client.post(f"{V2}/orders/cancel/all", headers=good)).status_code == 403


async def test_the_mint_is_closed_to_the_network() -> None:
    web = a_web(loopback=False)
    proof = {"Authorization": f"Bearer {web.tokens.keyring.bootstrap_secret}"}
    web.caller = "192.0.2.7"
    async with web.client(None) as client:
        assert (await client.post(f"{V2}/auth/ws-token", json={}, headers=proof)).status_code == 403
        assert (await client.post(f"{V2}/auth/link", json={}, headers=proof)).status_code == 401
    # Its owner sits at the machine.
    web.caller = "127.0.0.1"
    async with web.client(None) as client:
        assert (await client.post(f"{V2}/auth/ws-token", json={}, headers=proof)).status_code == 200
        assert (await client.post(f"{V2}/auth/link", json={}, headers=proof)).status_code == 200


async def test_the_manuals_examples_work_in_dev_mode() -> None:
    told = Told()
    async with a_web(told=told, dev=True).client(None) as client:
        wish = {"user_id": "frontend_user", "scope": "read", "expiry_hours": 1}
        answer = (await client.post(f"{V2}/auth/ws-token", json=wish)).json()
        assert "dev" in answer["message"]
        good = {"Authorization": f"Bearer {answer['token']}"}
        assert (await client.get(f"{V2}/wallets", headers=good)).status_code == 200
        order = {"symbol": "tBTCUSD", "amount": "0.0001", "type": "EXCHANGE MARKET"}
        assert (await client.post(f"{V2}/order", headers=good, json=order)).status_code == 202
        assert (await client.post(f"{V2}/orders/cancel/all", headers=good)).status_code == 202
        assert (await client.get("/health")).json()["dev"] is True


async def test_a_ticket_opens_the_page_once() -> None:
    web = a_web()
    ticket = web.tokens.ticket().text
    async with web.client(None) as client:
        first = await client.post(f"{V2}/auth/ticket", json={"ticket": ticket})
        assert first.json()["scope"] == "admin"
        assert (await client.post(f"{V2}/auth/ticket", json={"ticket": ticket})).status_code == 401
        proof = {"Authorization": f"Bearer {web.tokens.keyring.bootstrap_secret}"}
        link = (await client.post(f"{V2}/auth/link", headers=proof)).json()
        assert (await client.post(f"{V2}/auth/ticket", json={"ticket": link["ticket"]})).status_code == 200
        assert (await client.post(f"{V2}/auth/link")).status_code == 401


async def test_signing_out_and_revoking_end_tokens() -> None:
    web = a_web()
    async with web.client(Scope.READ) as client:
        assert (await client.post(f"{V2}/auth/renew")).status_code == 200
        assert (await client.post(f"{V2}/auth/sign-out")).status_code == 200
        assert (await client.get(f"{V2}/status")).status_code == 401
    async with web.client(Scope.ADMIN) as client:
        assert (await client.post(f"{V2}/auth/revoke", json={"jti": "zz"})).status_code == 422
        assert (await client.post(f"{V2}/auth/revoke", json={})).status_code == 422
        assert (await client.post(f"{V2}/auth/revoke", json={"everything": True})).status_code == 200
        assert (await client.get(f"{V2}/status")).status_code == 401


async def test_guessing_tokens_is_slowed_down_and_the_owner_is_not() -> None:
    web = a_web()
    async with web.client(None) as client:
        statuses = [
            (await client.get(f"{V2}/status", headers={"Authorization": "Bearer x.y.z"})).status_code for _ in range(12)
        ]
        assert statuses[:5] == [401] * 5
        assert statuses[-1] == 429
        assert (await client.get(f"{V2}/status", headers=web.bearer())).status_code == 200


async def test_a_flood_from_one_token_is_told_to_wait() -> None:
    web = a_web()
    async with web.client(Scope.READ) as client:
        statuses = {(await client.get(f"{V2}/notifications")).status_code for _ in range(205)}
        assert statuses == {200, 429}
        web.clock.seconds += 10
        assert (await client.get(f"{V2}/status")).status_code == 200
