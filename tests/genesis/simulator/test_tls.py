"""The exchange over TLS: the same conversation, for clients that take no other address."""

import json
import random
import ssl
from pathlib import Path

import httpx
import pytest
import trio
import trustme
from trio_websocket import open_websocket_url

from genesis.cli.main import call
from genesis.core.clock import TrioClock
from genesis.run_options import ExitCode
from genesis.simulator.__main__ import main
from genesis.simulator.exchange import Exchange
from genesis.simulator.settings import demo_settings
from genesis.simulator.tls import TlsError, server_context
from tests.genesis.simulator.conftest import a_recording


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, ssl.SSLContext]:
    """Certificate, key, and what a client must trust."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return certificate, key, trusting


async def test_rest_and_websocket_over_tls(files: tuple[Path, Path, ssl.SSLContext]) -> None:
    certificate, key, trusting = files
    exchange = Exchange(demo_settings(), a_recording(), TrioClock(), random.Random(7))
    async with trio.open_nursery() as nursery:
        tls = server_context(certificate, key)
        address = await nursery.start(lambda task_status: exchange.serve(tls=tls, task_status=task_status))
        assert address.rest.startswith("https://")
        assert address.websocket.startswith("wss://")
        async with httpx.AsyncClient(base_url=address.rest, verify=trusting) as client:
            assert (await client.get("/v2/platform/status")).json() == [1]
            big = (await client.get("/v2/book/tBTCUSD/P0?len=100")).json()
            assert len(big) == 200
        with trio.fail_after(60):
            async with open_websocket_url(address.websocket, ssl_context=trusting) as socket:
                assert json.loads(await socket.get_message())["event"] == "info"
                await socket.send_message('{"event":"ping","cid":7}')
                assert json.loads(await socket.get_message())["cid"] == 7
        # Somebody who speaks plain HTTP to it is let go of, and nobody else notices.
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.TransportError):
                await client.get(address.rest.replace("https", "http") + "/v2/platform/status")
        async with httpx.AsyncClient(base_url=address.rest, verify=trusting) as client:
            assert (await client.get("/v2/platform/status")).json() == [1]
        nursery.cancel_scope.cancel()


def test_what_is_no_certificate_is_refused_in_words(
    files: tuple[Path, Path, ssl.SSLContext], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate, key, _ = files
    for bad in ((key, certificate), (tmp_path / "none", key), (certificate, tmp_path / "none")):
        with pytest.raises(TlsError, match="must be a certificate and its key"):
            server_context(*bad)
    assert call(["simulator", "--port", "0", "--tls-cert", str(certificate)]) == ExitCode.CONFIGURATION
    assert "must be given together" in capsys.readouterr().err
    assert call(["simulator", "--port", "0", "--tls-cert", str(key), "--tls-key", str(key)]) == ExitCode.ERROR
    assert "must be a certificate" in capsys.readouterr().err
    assert main(["--tls-cert", str(key), "--tls-key", str(key)]) == 1
