"""Logging: an event and its fields. Console for people, JSON lines for journald and files."""

from __future__ import annotations

import logging
import sys
from logging.handlers import TimedRotatingFileHandler
from pathlib import Path
from typing import Any

import structlog


def setup(
    daemon: str, log_dir: Path | None = None, *, level: str = "INFO", console: bool | None = None
) -> None:
    """Configure structlog: JSON lines into `<log_dir>/<daemon>.log` when given (renamed to
    `.log.YYYY-MM-DD` at midnight; the daemon's retention removes those), and onto stderr (coloured
    on a terminal, JSON otherwise; `console` forces the first).
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    pretty = sys.stderr.isatty() if console is None else console
    render: Any = (
        structlog.dev.ConsoleRenderer(colors=pretty)
        if pretty
        else structlog.processors.JSONRenderer()
    )
    handlers: list[logging.Handler] = [_handler(logging.StreamHandler(sys.stderr), shared, render)]
    if log_dir is not None:
        log_dir.mkdir(parents=True, exist_ok=True)
        file = TimedRotatingFileHandler(
            log_dir / f"{daemon}.log", when="midnight", backupCount=0, encoding="utf-8"
        )
        handlers.append(_handler(file, shared, structlog.processors.JSONRenderer()))
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(daemon=daemon)


def _handler(handler: logging.Handler, shared: list[Any], render: Any) -> logging.Handler:
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[strip, render])
    )
    return handler


def get(noun: str) -> structlog.stdlib.BoundLogger:
    """The logger of one module."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(noun)
    return logger
