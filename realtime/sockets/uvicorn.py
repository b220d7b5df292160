"""uvicorn's log, kept free of what clients do wrong."""

import logging

INVALID_UTF8 = "Invalid UTF-8 sequence received from client."


class ClientFaults(logging.Filter):
    """A client's invalid text closes its socket with 1007; uvicorn logs it as its own exception,
    so that anybody could fill the log with tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg == INVALID_UTF8:
            record.levelno, record.levelname = logging.INFO, "INFO"
            record.exc_info = record.exc_text = None
        return True


def install() -> None:
    """Once per process, before it serves."""
    logger = logging.getLogger("uvicorn.error")
    if not any(isinstance(found, ClientFaults) for found in logger.filters):
        logger.addFilter(ClientFaults())
