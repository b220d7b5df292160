"""What a durable event costs beside a bare INSERT, as runs of the record: `bench.publish`, whole.

No server runs, so it stands beside the rounds.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.record import Record
from bench.servers import ROOT

# Of each turn; there are three and three for each of 16 cases.
SECONDS = 0.4


def publishes(record: Record, *, quick: bool) -> None:
    """One entry per case and round; a failure is recorded with its reason."""
    described = {"scenario": "publishes", "kind": "publishes", "parameters": {}}
    with tempfile.TemporaryDirectory(prefix="pm-bench-") as folder:
        file = Path(folder) / "publish.json"
        arguments = ["--seconds", str(SECONDS), "--json", str(file)]
        if quick:
            arguments += ["--streams", "100", "--batch", "1"]
        done = subprocess.run(
            [sys.executable, "-m", "bench.publish", *arguments],
            cwd=ROOT,
            check=False,
            text=True,
            stderr=subprocess.PIPE,
        )
        if done.returncode != 0:
            record.add("ours", described, 1, {}, done.stderr.strip()[-500:])
            return
        for result in json.loads(file.read_text()):
            parameters = {"database": result["database"], **result["case"]}
            pairs = zip(result["published"], result["bare"], strict=True)
            for repeat, (events, inserts) in enumerate(pairs, start=1):
                figures = {"events_per_s": round(events, 1), "inserts_per_s": round(inserts, 1)}
                record.add("ours", {**described, "parameters": parameters}, repeat, figures, None)
