"""Figures in, a table on the terminal and JSON lines in a file out."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, JustifyMethod
from rich.table import Table

from bench.against import Row
from bench.frame import Figure, build


def show(figures: Sequence[Figure]) -> None:
    """Print the table: a row a figure, its target, whether it holds, and the load it was taken under."""
    table = Table(title=f"AOB bench on {build()}", title_justify="left", header_style="bold")
    columns: tuple[tuple[str, JustifyMethod], ...] = (
        ("measure", "left"), ("value", "right"), ("unit", "left"), ("target", "right"),
    )  # fmt: skip
    for heading, justify in columns:
        table.add_column(heading, justify=justify, no_wrap=True)
    table.add_column("holds", no_wrap=True)
    table.add_column("load", justify="right", no_wrap=True)
    for figure in figures:
        held = {None: "", True: "[green]yes[/]", False: "[red]no[/]"}[figure.met]
        sign = "<=" if figure.at_most else ">="
        target = "" if figure.target is None else f"{sign} {written(figure.target)}"
        table.add_row(figure.name, written(figure.value), figure.unit, target, held, f"{figure.load:.2f}")
    console = Console()
    console.print(table)
    for figure in figures:
        if figure.note:
            console.print(f"{figure.name}: {figure.note}", style="dim")


def show_against(commit: str, rows: Sequence[Row]) -> None:
    """Print what a commit and this tree need, and the difference: above nothing is what this tree costs more."""
    table = Table(title=f"AOB bench: this tree against {commit}", title_justify="left", header_style="bold")
    table.add_column("measure", no_wrap=True)
    for heading in (commit[:12], "this tree", "unit", "difference"):
        table.add_column(heading, justify="left" if heading == "unit" else "right", no_wrap=True)
    for row in rows:
        table.add_row(row.name, written(row.before), written(row.now), row.unit, f"{row.cost:+.1f} %")
    Console().print(table)


def markdown(figures: Sequence[Figure]) -> str:
    """The same table for a page: figure, value, unit, target, load; the interpreter above it."""
    rows = [f"Taken on {build()}.", "", "| figure | value | unit | target | load |", "|---|---|---|---|---|"]
    for figure in figures:
        sign = "<=" if figure.at_most else ">="
        target = "" if figure.target is None else f"{sign} {written(figure.target)}"
        rows.append(f"| `{figure.name}` | {written(figure.value)} | {figure.unit} | {target} | {figure.load:.2f} |")
    return "\n".join(rows)


def written(value: float) -> str:
    """A number as people read it: thousands parted, small ones to three figures."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def store(path: Path, figures: Sequence[Figure]) -> None:
    """Write one JSON object a line: `name value unit load build`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = [{"name": f.name, "value": round(f.value, 6), "unit": f.unit, "load": f.load} for f in figures]
    lines = [json.dumps({**each, "build": build()}) for each in told]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
