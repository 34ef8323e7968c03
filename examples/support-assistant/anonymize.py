"""Takes names, addresses and order numbers out of tickets. A stand-in until `nearside privacy anonymize`."""
import csv
import re
import sys

source, _, target = sys.argv[1:4]
with open(source, newline="") as file, open(target, "w", newline="") as clean:
    writer = csv.DictWriter(clean, ["id", "topic", "text", "reply"])
    writer.writeheader()
    for row in csv.DictReader(file):
        text = row["text"].replace(row["name"], "NAME").replace(row["email"], "EMAIL")
        text = re.sub(r"\d{5}", "NUMBER", text)
        writer.writerow({"id": row["id"], "topic": row["topic"], "text": text, "reply": row["reply"]})
