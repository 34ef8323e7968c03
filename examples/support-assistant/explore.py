"""Describes a table of tickets in one HTML page: rows, topics, lengths."""
import collections
import csv
import html
import sys

source, _, target = sys.argv[1:4]
with open(source, newline="") as file:
    rows = list(csv.DictReader(file))
topics = collections.Counter(row["topic"] for row in rows)
lengths = sorted(len(row["text"]) for row in rows)
with open(target, "w") as page:
    page.write(f"<h1>{len(rows)} tickets</h1><p>median length {lengths[len(lengths) // 2]} letters</p><ul>")
    for topic, count in sorted(topics.items()):
        page.write(f"<li>{html.escape(topic)}: {count}</li>")
    page.write("</ul>\n")
print(f"{len(rows)} tickets, {len(topics)} topics")
