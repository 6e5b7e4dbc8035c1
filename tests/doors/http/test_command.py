"""`consentry door http`, and callers that we did not write."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys

import pytest

from consentry.server.build import open_services
from consentry.server.settings import Settings


async def test_one_resource_in_the_foreground(tmp_path, upstream):
    config, data = tmp_path / "consentry.toml", tmp_path / "data"
    config.write_text(f'[log]\nlevel = "error"\n[resources.shop]\nkind = "http"\nupstream = "{upstream.url}"\n')
    async with open_services(Settings.model_validate({"data_dir": data})) as services:
        owner = await services.directory.invite(None, "mara@example.org")
        token = (await services.directory.create_agent(None, "bot", owner.person)).token
    command = ["-m", "consentry", "door", "http", "--resource", "shop", "--listen", "127.0.0.1:0"]
    child = await asyncio.create_subprocess_exec(
        sys.executable, *command, "--config", str(config), "--data", str(data), stderr=asyncio.subprocess.PIPE
    )
    try:
        assert child.stderr is not None
        line = (await child.stderr.readline()).decode()
        found = re.search(r"`shop` is at (http://\S+);", line)
        assert found is not None, line
        curl = shutil.which("curl")
        if curl is None:
            pytest.skip("curl is not installed")
        environment = {"PATH": os.environ["PATH"]}
        status = await _output(
            curl, "-sS", "--noproxy", "*", "-H", f"Authorization: Bearer {token}", f"{found[1]}/a?b=c", env=environment
        )
        assert b'"path": "/a?b=c"' in status
    finally:
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 20) == 0
    assert upstream.lines == ["GET /a?b=c"]


async def _output(*command: str, env: dict[str, str]) -> bytes:
    child = await asyncio.create_subprocess_exec(*command, env=env, stdout=asyncio.subprocess.PIPE)
    found, _ = await child.communicate()
    return found


async def test_curl_uploads_waits_and_streams(gateway, upstream, tmp_path):
    """What curl adds of its own: `Expect: 100-continue`, chunks, ranges of keep-alive."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    file = tmp_path / "body"
    file.write_bytes(b"z" * 2_000_000)
    given = ["-sS", "--noproxy", "*", "-H", f"Authorization: Bearer {gateway.token}"]
    environment = {"PATH": os.environ["PATH"]}
    asking = asyncio.create_task(
        _output(curl, *given, "-H", "Expect: 100-continue", "-T", str(file), gateway.url("/up"), env=environment)
    )
    await gateway.vote()
    assert b'"bytes": 2000000' in await asking
    events = await _output(curl, *given, "-N", gateway.url("/events"), env=environment)
    assert events.count(b"data: ") == 3


async def test_a_resource_that_is_not_there(tmp_path):
    from consentry.cli.root import run

    code = await asyncio.to_thread(run, ["door", "http", "--resource", "none", "--data", str(tmp_path / "d")])
    assert code in (1, 2)
