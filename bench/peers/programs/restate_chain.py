"""A service of Restate with chains of five steps, for hypercorn."""

import restate

chain = restate.Service("Chain")


@chain.handler()
async def run(ctx: restate.Context, value: dict) -> dict:
    """Five steps that give back what they get."""
    for number in range(5):
        value = await ctx.run_typed(f"n{number}", lambda given=value: given)
    return value


app = restate.app([chain])
