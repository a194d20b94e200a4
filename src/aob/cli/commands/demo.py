"""`aob demo`: shows the main job on the terminal, or an organisation of agents."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path

from aob.cli.examples import examples
from aob.cli.screen import Screen
from aob.cli.words import Commands, command

FOLDER = "demo-home"
ORG_FOLDER = "org-home"


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob demo`."""
    one = command(
        commands, common, "demo", "show the main job on real services, in about a minute", demo, reach="alone"
    )
    one.add_argument("--tour", action="store_true", help="the narrated tour, five to seven minutes")
    one.add_argument("--org", action="store_true", help="instead, an organisation of agents at work; no model needed")


async def demo(args: Namespace, screen: Screen, env: Mapping[str, str]) -> int:
    """Run the demo in a separate folder."""
    examples()
    if args.org:
        from triage import demo as organisation

        return await organisation(Path(args.home or ORG_FOLDER), as_json=screen.json)
    from demo import demo as tell

    return await tell(Path(args.home or FOLDER), tour=args.tour)
