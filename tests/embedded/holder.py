"""A process that keeps an EmbeddedValkey, as a server process would: `python -m ... DATA_DIR`.

Prints one line once its server answers, then lives until its standard input closes.
"""

import sys
import threading
from pathlib import Path

from realtime.embedded.valkey import EmbeddedValkey


def main() -> None:
    valkey = EmbeddedValkey(Path(sys.argv[1]))
    # From a thread that ends at once: the server must not die with the thread that asked for it.
    asking = threading.Thread(target=valkey.ensure)
    asking.start()
    asking.join()
    print("owner" if valkey.owner else "guest", flush=True)  # noqa: T201 - the test reads it
    sys.stdin.read()


if __name__ == "__main__":
    main()
