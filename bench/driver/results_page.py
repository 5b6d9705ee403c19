# SPDX-License-Identifier: BSD-2-Clause
"""The marked section of a Markdown file: results, those of some cases perhaps newer than the rest."""
from dataclasses import dataclass, field

import table

MARKS = ("<!-- results: begin -->", "<!-- results: end -->")
NOT_MEASURED = "Not measured: "
ONLY = "Only "


@dataclass
class Results:
    """`about` are sentences on machine and versions, `rows` those of the table, `absent` what is not in it: (case, why)."""
    about: list = field(default_factory=list)
    rows: list = field(default_factory=list)
    absent: list = field(default_factory=list)

    def text(self):
        absent = [f"{NOT_MEASURED}{case}{why}" for case, why in self.absent]
        return "\n\n".join([*self.about, table.text(self.rows), *absent]) + "\n"


def parse(section, names):
    """What an earlier run wrote."""
    found = Results(rows=table.parse(section))
    if not found.rows:
        return Results()
    for line in section.splitlines():
        if line.startswith(NOT_MEASURED):
            said = line.removeprefix(NOT_MEASURED)
            case = next((name for name in sorted(names, key=len, reverse=True) if said.startswith(name)), None)
            if case:
                found.absent.append((case, said.removeprefix(case)))
        elif line and not line.startswith("|"):
            found.about.append(line)
    return found


def merged(old, new, measured, names):
    """`new` holds the cases `measured`; every other one stays as it was. Cases that there no longer are (not in `names`) go."""
    if not old.rows or set(measured) == set(names):
        return new
    of_these = f"{ONLY}{', '.join(measured)}: "
    about = [line for line in old.about if not line.startswith(of_these)] + [of_these + " ".join(new.about)]
    kept = [row for row in old.rows if row[table.CASE] in names and row[table.CASE] not in measured]
    rows = sorted(kept + new.rows, key=lambda row: names.index(row[table.CASE]))
    absent = [entry for entry in old.absent if entry[0] not in measured] + new.absent
    return Results(about, rows, absent)


def update(path, new, measured, names):
    before, _, rest = path.read_text().partition(MARKS[0])
    section, _, after = rest.partition(MARKS[1])
    body = merged(parse(section, names), new, measured, names).text()
    path.write_text(f"{before}{MARKS[0]}\n\n{body}\n{MARKS[1]}{after}")
