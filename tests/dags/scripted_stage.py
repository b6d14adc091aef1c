"""Stands for Python where stages run: answers like the stages do, at once, as a folder's script says.

Called as ``python scripted_stage.py FOLDER -m groundswell.cli STAGE --option value …``. Appends the call to ``FOLDER/calls.jsonl``; a file
``FOLDER/STAGE.json`` replaces parts of the report; ``FOLDER/STAGE.not_now`` makes the next call ask for the seconds in it;
``FOLDER/STAGE.refused`` refuses calls for the source in it; ``FOLDER/STAGE.waits`` makes the stage wait until it is ended, its process id in it;
with ``FOLDER/STAGE.real`` it is the real stage.
"""

import json
import os
import sys
import time
from pathlib import Path

folder, _, _, stage, *words = sys.argv[1:]
folder = Path(folder)
options = {}
while words:
    name = words.pop(0).removeprefix("--")
    options[name] = True if not words or words[0].startswith("--") else words.pop(0)  # a flag, or an option and its value
with open(folder / "calls.jsonl", "a") as calls:
    calls.write(json.dumps({"stage": stage, **options}) + "\n")

if (folder / f"{stage}.real").exists():
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])

if (folder / f"{stage}.waits").exists():
    (folder / f"{stage}.waits").write_text(str(os.getpid()))
    time.sleep(120)

if (folder / f"{stage}.not_now").exists():
    print(json.dumps({"retry_after_seconds": float((folder / f"{stage}.not_now").read_text())}))
    (folder / f"{stage}.not_now").unlink()
    sys.exit(75)

refused = folder / f"{stage}.refused"
if refused.exists() and refused.read_text() == options.get("source"):
    sys.exit(77)

report = {"stage": stage, **options}
if stage == "judge":
    report |= {
        "verdict": "PROMOTE",
        "summary": "**PROMOTE**: better\n",
        "challenger_version": "7",
        "champion_version": None,
        "digest": "d1",
        "run_id": "r1",
    }
if stage == "promote":
    report |= {"champion_version": "7"}
if stage == "monitor":
    report |= {"is_drift": options["window"] == "2026-10-20", "reasons": ["posts got longer"]}
if (folder / f"{stage}.json").exists():
    report |= json.loads((folder / f"{stage}.json").read_text())
print("INFO groundswell.scripted: done", file=sys.stderr)
print(json.dumps(report))
