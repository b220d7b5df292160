"""How long a search takes among many memories, through HTTP: `python -m bench.search`.

Memories are reports of a JSON Lines file, or made-up ones without it; beyond their number they are
varied: the words of another one, the vectors moved a little. All of them are rows of the database,
as the embedder would have made them. `serve` runs as deployed, with its embedder.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench.folder import temporary_site
from bench.latency import ROOT, running_server

START_TIMEOUT_S = 60.0
SEED = 11


def made_up_texts(count: int) -> list[tuple[str, str]]:
    """Titles and bodies of about 60 words over a vocabulary of 2,000."""
    dice = random.Random(SEED)
    pieces = ["con", "ter", "mo", "val", "set", "ri", "pan", "dex", "lo", "shi", "bur", "ne"]
    vocabulary = ["".join(dice.choices(pieces, k=dice.randint(2, 4))) for _ in range(2000)]
    return [
        (" ".join(dice.choices(vocabulary, k=6)), " ".join(dice.choices(vocabulary, k=60)))
        for _ in range(count)
    ]


def texts_of(file: Path | None) -> list[tuple[str, str]]:
    if file is None:
        return made_up_texts(200)
    reports = [json.loads(line) for line in file.read_text().splitlines() if line]
    return [(one["title"], one["text"]) for one in reports]


def fill(project: int, count: int, file: Path | None) -> None:
    """In a process of its own, in the site's environment."""
    import django

    django.setup()
    import numpy as np
    from django.db import models, transaction

    from chat.models import Memory, MemoryVector
    from chat.search import pgvector
    from chat.search.embedding import hash_of, text_of
    from chat.search.engine.model import MODEL, VERSION, EmbeddingModel, packed, unit

    model = EmbeddingModel()
    texts = texts_of(file)
    encoded = [model.encode(f"{title}\n{body}") for title, body in texts]
    noise = np.random.default_rng(SEED)
    plain: models.QuerySet[Memory] = models.QuerySet(Memory)
    for begin in range(0, count, 1000):
        numbers = range(begin, min(begin + 1000, count))
        with transaction.atomic():
            rows = plain.bulk_create(
                Memory(
                    project_id=project,
                    title=f"{texts[n % len(texts)][0]} {n}"[:200],
                    body=texts[n % len(texts)][1],
                )
                for n in numbers
            )
            vectors = []
            for row, n in zip(rows, numbers, strict=True):
                found = encoded[n % len(texts)]
                moved = found.vector + noise.normal(0, 0.02, 384).astype(np.float32)
                turned = found.words + noise.normal(0, 0.02, found.words.shape).astype(np.float32)
                vectors.append(
                    MemoryVector(
                        memory=row,
                        project_id=project,
                        model=MODEL,
                        version=VERSION,
                        text_hash=hash_of(text_of(row)),
                        vector=unit(moved).tobytes(),
                        pieces=found.pieces.tobytes(),
                        words=packed(unit(turned)),
                    )
                )
            MemoryVector.objects.bulk_create(vectors)
            if pgvector.present():
                pgvector.write(vectors)


def asked(base: str, key: str, project: int, questions: Sequence[str], count: int) -> list[float]:
    """Times in ms. Raises SystemExit when one was answered by keywords."""
    times = []
    with httpx.Client(headers={"Authorization": f"Api-Key {key}"}, timeout=10) as client:
        path = f"{base}/api/projects/{project}/memories/similar/"
        deadline = time.monotonic() + START_TIMEOUT_S
        while client.get(path, params={"q": "warm"}).headers["X-Search-Mode"] != "meaning":
            if time.monotonic() > deadline:
                raise SystemExit("expected the embedder to answer within a minute")
            time.sleep(0.2)
        for number in range(count):
            begun = time.perf_counter()
            answer = client.get(path, params={"q": questions[number % len(questions)]})
            times.append((time.perf_counter() - begun) * 1000)
            answer.raise_for_status()
            if answer.headers["X-Search-Mode"] != "meaning":
                raise SystemExit("expected every answer by meaning, got one by keywords")
    return times


def embedder_of(folder: str) -> psutil.Process:
    from chat.search.wire import asked as ask
    from chat.search.wire import embedder_socket

    return psutil.Process(ask(embedder_socket(Path(folder)), {"ask": "ping"}, 1)["pid"])


def measure(arguments: argparse.Namespace, environment: dict[str, str]) -> dict[str, Any]:
    made = subprocess.run(
        [sys.executable, "-m", "bench.site", "1", "1"],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    site = json.loads(made.stdout)
    project, key = site["rooms"][0], site["owner"]
    file = [str(arguments.issues)] if arguments.issues else []
    command = [sys.executable, "-m", "bench.search", "--fill", str(project)]
    filling = [*command, "--memories", str(arguments.memories), *file]
    subprocess.run(filling, cwd=ROOT, env=environment, check=True)
    questions = [title for title, _ in texts_of(arguments.issues)]
    with running_server(environment, 1) as base:
        times = asked(base, key, project, questions, arguments.queries)
        process = embedder_of(environment["DATA_DIR"])
        resident = process.memory_info().rss / 2**20
        status = Path(f"/proc/{process.pid}/status")
        peak = [line for line in status.read_text().splitlines() if "VmHWM" in line]
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return {
        "memories": arguments.memories,
        "queries": len(times),
        "p50_ms": round(cuts[49], 1),
        "p95_ms": round(cuts[94], 1),
        "p99_ms": round(cuts[98], 1),
        "embedder_mb": round(resident, 1),
        "embedder_peak_mb": round(int(peak[0].split()[1]) / 1024, 1) if peak else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("issues", nargs="?", type=Path, help="reports: a JSON Lines file")
    parser.add_argument("--memories", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--fill", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fill is not None:
        fill(arguments.fill, arguments.memories, arguments.issues)
        return
    with temporary_site("pm-search-", os.environ.get("DATABASE_URL")) as environment:
        measured = measure(arguments, {**environment, "EMBEDDER": "true", "WORKER": "false"})
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
