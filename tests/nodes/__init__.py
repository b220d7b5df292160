"""Real servers, a process behind the stage that changes rows, and clients that only know JSON."""
