"""What `gwms` can do, as data: noun -> (about, verb -> where it is and one line of help)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verb:
    """One command: `target` is `module:function`, a typer command; `help` its line in the listing."""

    target: str
    help: str


TREE: dict[str, tuple[str, dict[str, Verb] | Verb]] = {
    "why": (
        "Why nothing starts: what stands in the way, most important first.",
        Verb("glideinwms.cli.commands.why:why", "Why nothing starts."),
    ),
    "factory": (
        "The Factory: what it submits, and why not more.",
        {
            "validate": Verb(
                "glideinwms.cli.commands.config:factory_validate", "Check the configuration file."
            ),
            "changes": Verb(
                "glideinwms.cli.commands.config:factory_changes", "The same as plan FILE.xml."
            ),
            "reconfig": Verb(
                "glideinwms.cli.commands.config:factory_reconfig", "Take a new configuration."
            ),
            "upgrade": Verb(
                "glideinwms.cli.commands.config:factory_reconfig",
                "The same: nothing is left to upgrade.",
            ),
            "show": Verb(
                "glideinwms.cli.commands.config:factory_show",
                "The effective configuration, with origins.",
            ),
            "rollback": Verb(
                "glideinwms.cli.commands.config:factory_rollback",
                "Go back to an earlier configuration.",
            ),
            "convert": Verb(
                "glideinwms.cli.commands.config:factory_convert",
                "The shortest file that means the same.",
            ),
            "run": Verb("glideinwms.cli.commands.factory:run", "Run the daemon."),
            "status": Verb(
                "glideinwms.cli.commands.factory:status", "What the daemon says of itself."
            ),
            "plan": Verb(
                "glideinwms.cli.commands.config_plan:factory",
                "What FILE.xml would change; or what a cycle decided.",
            ),
            "explain": Verb(
                "glideinwms.cli.commands.factory:explain", "Why requests get what they get."
            ),
            "replay": Verb(
                "glideinwms.cli.commands.replay:factory",
                "Decide recorded cycles anew, and compare.",
            ),
            "approve": Verb(
                "glideinwms.cli.commands.factory:approve",
                "Let a parked removal of running pilots go on.",
            ),
        },
    ),
    "entry": (
        "Entries of a Factory, their pilots and logs.",
        {
            "list": Verb("glideinwms.cli.commands.entry:list_", "All entries."),
            "show": Verb(
                "glideinwms.cli.commands.entry:show",
                "An entry's configuration, or its submit description.",
            ),
            "q": Verb("glideinwms.cli.commands.entry:q", "The entry's pilots in the queue."),
            "rm": Verb("glideinwms.cli.commands.entry:rm", "Remove pilots of an entry."),
            "log": Verb("glideinwms.cli.commands.entry:log", "The entry's log files."),
            "submit": Verb(
                "glideinwms.cli.commands.entry:submit",
                "Submit a pilot for a Frontend's request now.",
            ),
            "stats": Verb(
                "glideinwms.cli.commands.entry:stats",
                "What was asked, waited, ran: averages over recorded cycles.",
            ),
        },
    ),
    "pilot": (
        "Finished pilots: what they did and left.",
        {
            "log": Verb(
                "glideinwms.cli.commands.pilot_log:log",
                "How a pilot ended, and the logs in its output.",
            ),
            "list": Verb(
                "glideinwms.cli.commands.pilots:list_",
                "Finished pilots by entry and day, and their files.",
            ),
            "report": Verb(
                "glideinwms.cli.commands.pilot_log:report",
                "What finished pilots did, by entry and Frontend.",
            ),
            "run": Verb(
                "glideinwms.cli.commands.pilot_run:run",
                "Start one pilot by hand, on this machine or by a script.",
            ),
        },
    ),
    "downtime": (
        "Downtimes of a Factory.",
        {
            "add": Verb("glideinwms.cli.commands.downtime:add", "Begin a downtime, now or later."),
            "end": Verb("glideinwms.cli.commands.downtime:end", "End downtimes."),
            "list": Verb(
                "glideinwms.cli.commands.downtime:list_", "Downtimes that are on or to come."
            ),
            "check": Verb(
                "glideinwms.cli.commands.downtime:check", "Whether submission goes on now."
            ),
            "vacuum": Verb("glideinwms.cli.commands.downtime:vacuum", "Drop lines that are over."),
        },
    ),
    "audit": (
        "Who did what, when and why.",
        Verb("glideinwms.cli.commands.audit:audit", "The audit trail."),
    ),
    "frontend": (
        "The Frontend: what it asks the Factories for, and why.",
        {
            "validate": Verb(
                "glideinwms.cli.commands.config:frontend_validate", "Check the configuration file."
            ),
            "changes": Verb(
                "glideinwms.cli.commands.config:frontend_changes", "The same as plan FILE.xml."
            ),
            "reconfig": Verb(
                "glideinwms.cli.commands.config:frontend_reconfig", "Take a new configuration."
            ),
            "upgrade": Verb(
                "glideinwms.cli.commands.config:frontend_reconfig",
                "The same: nothing is left to upgrade.",
            ),
            "show": Verb(
                "glideinwms.cli.commands.config:frontend_show",
                "The effective configuration, with origins.",
            ),
            "rollback": Verb(
                "glideinwms.cli.commands.config:frontend_rollback",
                "Go back to an earlier configuration.",
            ),
            "convert": Verb(
                "glideinwms.cli.commands.config:frontend_convert",
                "The shortest file that means the same.",
            ),
            "run": Verb("glideinwms.cli.commands.frontend:run", "Run the daemon."),
            "status": Verb(
                "glideinwms.cli.commands.frontend:status", "What the daemon says of itself."
            ),
            "plan": Verb(
                "glideinwms.cli.commands.config_plan:frontend",
                "What FILE.xml would change; or what a cycle decided.",
            ),
            "explain": Verb(
                "glideinwms.cli.commands.explain:explain",
                "Why entries are asked for what they are.",
            ),
            "replay": Verb(
                "glideinwms.cli.commands.replay:frontend",
                "Decide recorded cycles anew, and compare.",
            ),
            "downtime": Verb(
                "glideinwms.cli.commands.frontend:downtime", "Downtimes of the whole Frontend."
            ),
            "remove": Verb(
                "glideinwms.cli.commands.frontend:remove", "Ask the Factories to remove pilots."
            ),
        },
    ),
    "job": (
        "A user's job.",
        {
            "explain": Verb(
                "glideinwms.cli.commands.explain:job",
                "Which entries it fits, what stops the others, what is asked.",
            )
        },
    ),
    "demo": (
        "A whole grid on this machine.",
        {
            "run": Verb(
                "glideinwms.cli.commands.demo:run",
                "From nothing to finished jobs (`gwms demo` alone does this).",
            ),
            "status": Verb(
                "glideinwms.cli.commands.demo:status", "What of it is up, and how to look around."
            ),
            "down": Verb("glideinwms.cli.commands.demo:down", "End a demo that was left up."),
        },
    ),
    "version": (
        "The version of this program.",
        Verb("glideinwms.cli.commands.version:version", "Print the version."),
    ),
}

# what a noun alone does
DEFAULT = {"demo": "run"}
