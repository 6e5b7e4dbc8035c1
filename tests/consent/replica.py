"""Another replica of the gate in a process of its own, told what to do over a pipe; test_races.py runs it.

One JSON object a line: `{"do": [[verb, argument…], …]}` does all at once and answers with their results, an error as
its code. Verbs: claim ACTION · submit OPERATION ROWS · vote REQUEST PERSON VERDICT · revoke GRANT PERSON · wait ACTION
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from consentry.actions import Action, Actor, Kind
from consentry.consent.gate import Gate
from consentry.consent.model import Ballot, BallotVerdict, Submission, Voter
from consentry.consent.settings import GateSettings
from consentry.errors import ConsentryError
from consentry.policy.model import Assurance, Facts

AGENT = Actor(Kind.AGENT, "agt_etl")


def voter(person: str) -> Voter:
    return Voter(person, Assurance.SESSION, "api", "ses_x")


async def one(gate: Gate, verb: str, *arguments: str) -> str:
    try:
        match verb, arguments:
            case "claim", (action,):
                return (await gate.claim(action, AGENT)).id
            case "submit", (operation, rows):
                action = Action(AGENT, operation, "customers", {"rows": int(rows)})
                return (await gate.submit(Submission(action, Facts()))).request_id or "denied"
            case "vote", (request, person, verdict):
                shown = (await gate.request(request)).shown_digest
                return (await gate.vote(request, voter(person), Ballot(BallotVerdict(verdict), shown))).state.value
            case "revoke", (grant, person):
                return (await gate.revoke_grant(grant, voter(person))).state.value
            case "wait", (action,):
                return (await gate.wait(action, timeout_s=60)).state.value
        raise AssertionError(verb)
    except ConsentryError as error:
        return error.code


async def main(url: str, data: str, policies: str) -> None:
    gate = await Gate.open(
        GateSettings(Path(data), store_url=url, policy_dir=Path(policies) if policies else None, background=False)
    )
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        done = await asyncio.gather(*(one(gate, *step) for step in json.loads(line)["do"]))
        print(json.dumps(done), flush=True)
    await gate.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
