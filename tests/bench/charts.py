#!/usr/bin/env python3
"""Draws what grows with the waiting sentences, and what does not, from a run of the benchmark.

usage: charts.py ROWS.json GROWTH.svg        ROWS.json is what `yukha_bench --json` prints
"""
import json
import sys

WAITING = [0, 10_000, 1_000_000]
# Title, unit, and the rows' names; the last one's goal makes its name another.
PANELS = [
    ("track(), median", "ns", ["floor_track_median_ns/{}"] * 3),
    ("open()", "ms", ["floor_open_ms/{}", "floor_open_ms/{}", "open_with_a_million_ms"]),
    ("memory while it drains", "KiB", [None, "floor_memory_kib/{}", "floor_memory_kib/{}"]),
    ("disk", "MB", ["floor_disk_bytes/{}"] * 3),
]
WIDTH, HEIGHT, GAP, TOP, BOTTOM = 190, 150, 24, 34, 24


def panel(at, title, unit, values):
    known = [(waiting, value) for waiting, value in zip(WAITING, values) if value is not None]
    most = max(value for _, value in known) * 1.25
    slot = WIDTH / len(WAITING)
    yield f'<text x="{at}" y="18" class="title">{title}, {unit}</text>'
    yield f'<line x1="{at}" y1="{TOP + HEIGHT}" x2="{at + WIDTH}" y2="{TOP + HEIGHT}" class="axis"/>'
    for number, (waiting, value) in enumerate(zip(WAITING, values)):
        middle = at + slot * (number + 0.5)
        yield f'<text x="{middle:.0f}" y="{TOP + HEIGHT + 16}" class="tick">{waiting:,}</text>'
        if value is None:
            continue
        high = HEIGHT * value / most
        yield (f'<rect x="{middle - 18:.0f}" y="{TOP + HEIGHT - high:.1f}" width="36" height="{high:.1f}" '
               'class="bar"/>')
        yield f'<text x="{middle:.0f}" y="{TOP + HEIGHT - high - 4:.1f}" class="tick">{value:.3g}</text>'


def main(source, target):
    with open(source, encoding="utf-8") as file:
        rows = {row["name"]: row["value"] for row in json.load(file)}
    width = len(PANELS) * (WIDTH + GAP) + GAP
    height = TOP + HEIGHT + BOTTOM
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             f'viewBox="0 0 {width} {height}">',
             "<title>Cost by the number of sentences that wait</title>",
             "<style>text{font:11px sans-serif;fill:#444}.title{font-weight:bold}.tick{text-anchor:middle}"
             ".axis{stroke:#888}.bar{fill:#3a78b0}</style>",
             f'<rect width="{width}" height="{height}" fill="#fff"/>']
    for number, (title, unit, names) in enumerate(PANELS):
        values = [None if name is None else rows[name.format(waiting)] for name, waiting in zip(names, WAITING)]
        if unit == "MB":
            values = [value / 1e6 for value in values]
        lines += panel(GAP + number * (WIDTH + GAP), title, unit, values)
    lines.append("</svg>")
    with open(target, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
