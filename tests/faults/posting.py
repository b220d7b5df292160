"""How long posts take, one after another, as one client sees it."""

import time

import httpx


def post_times_ms(client: httpx.Client, address: str, posts: int) -> list[float]:
    """Milliseconds of each of that many posts. Raises AssertionError when one fails."""
    took: list[float] = []
    for number in range(posts):
        began = time.perf_counter()
        answer = client.post(address, json={"body": f"message {number}"})
        took.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == httpx.codes.CREATED, answer.text
    return took
