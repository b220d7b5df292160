"""How the project is served: a draining uvicorn server, its workers and its listening socket."""
