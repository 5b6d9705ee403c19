# SPDX-License-Identifier: BSD-2-Clause
"""The table of results, readable in a terminal and as Markdown, and the same as data. A row of the table is a list of texts."""
from statistics import median

HEAD = ["goal", "case", "what", "ours", "peer", "peer's", "ratio", "aim", "verdict", "spread"]
CASE = HEAD.index("case")
RIGHT = {"ours", "peer's", "ratio", "spread"}
PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def figure(value, unit):
    """Three digits, with a prefix where the unit is a rate."""
    if unit.endswith("/s"):
        for size, letter in PREFIXES:
            if value >= size:
                return f"{value / size:.3g} {letter}{unit}"
    if value >= 100:
        return f"{value:,.0f} {unit}".replace(",", " ").strip()
    return f"{value:.3g} {unit}".strip()


def peer_of(row):
    return row.peer_name or row.peer[0].removesuffix(" stream") if row.peer else ""


def cells(case, line):
    row = line.row
    ours = figure(median(line.ours), row.unit) if line.ours else "-"
    peers = figure(median(line.peer), row.unit) if line.peer else "-"
    return [row.id, case.name, row.title.strip(), ours, peer_of(row), peers if row.peer else "",
            f"{median(line.ratios):.2f}" if line.ratios else "", row.goal.text() if row.goal else "", line.verdict,
            f"{100 * line.spread():.0f} %"]


def text(rows):
    rows = [HEAD, *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    def put(row):
        return "| " + " | ".join(cell.rjust(width) if name in RIGHT else cell.ljust(width)
                                 for cell, width, name in zip(row, widths, HEAD)) + " |"
    rule = "|" + "|".join("-" * (width + 1) + (":" if name in RIGHT else "-") for width, name in zip(widths, HEAD)) + "|"
    return "\n".join([put(rows[0]), rule, *map(put, rows[1:])])


def parse(text):
    """The rows of such a table among other lines. One with other columns has none."""
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return found[2:] if found and found[0] == HEAD else []


def data(case, line):
    return {
        "goal": line.row.id, "case": case.name, "what": line.row.title.strip(), "unit": line.row.unit, "figure": line.row.ours[1],
        "ours": line.ours, "peer": peer_of(line.row) or None, "peers": line.peer, "ratios": line.ratios,
        "aim": line.row.goal.text() if line.row.goal else None, "verdict": line.verdict or None, "spread": line.spread(),
    }
