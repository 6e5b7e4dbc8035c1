"""What a killed process journaled reaches the ledger while another one lives, without anybody starting anew."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace

from consentry.consent.errors import UnknownAction
from consentry.consent.gate import Gate

ROUTINE = """
import asyncio, json, os, signal, sys
from pathlib import Path
from consentry.actions import Action, Actor, Kind
from consentry.consent import journaling
from consentry.consent.gate import Gate
from consentry.consent.model import Submission
from consentry.consent.settings import GateSettings
from consentry.policy.model import Facts

journaling.DRAIN_SECONDS = 3600

async def main():
    data, url, policies, origin, agent = sys.argv[1:]
    settings = GateSettings(data_dir=Path(data), store_url=url, policy_dir=Path(policies), ledger_origin=origin)
    gate = await Gate.open(settings)
    made = []
    for n in range(3):
        action = Action(Actor(Kind.AGENT, agent), "s3.get", "customers", {"n": n})
        decision = await gate.submit(Submission(action, Facts()), claim=True)
        made.append([decision.action_id, decision.claim.id])
    print(json.dumps(made), flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_g1_a_living_gate_brings_in_what_a_killed_one_journaled(arena):
    gate = await Gate.open(replace(arena.settings, background=True, sweep_seconds=0.02))
    settings = arena.settings
    places = (settings.data_dir, settings.store_url, settings.policy_dir, settings.ledger_origin, arena.agent.id)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ROUTINE, *map(str, places), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        made = json.loads(await child.stdout.readline())
        assert len(made) == 3
        assert await arrived(gate, made) == set()  # its process lives: what it journaled is its own to bring in
        await child.communicate(b"die\n")
        async with asyncio.timeout(30):
            while len(await arrived(gate, made)) < 3:
                await asyncio.sleep(0.02)
        for action_id, claim_id in made:
            note = {"what": "journaled", "action": action_id, "claim": claim_id}
            await arena.check_acknowledged(gate, [note])
        assert not [path for path in (settings.data_dir / "journal").iterdir() if not path.name.startswith(own(gate))]
    finally:
        await gate.close()
    assert list((settings.data_dir / "journal").iterdir()) == []


def own(gate: Gate) -> str:
    return gate._journal._journal._instance


async def arrived(gate: Gate, made: list[list[str]]) -> set[str]:
    found = set()
    for action_id, _ in made:
        try:
            await gate.decision(action_id)
        except UnknownAction:
            continue
        found.add(action_id)
    return found
