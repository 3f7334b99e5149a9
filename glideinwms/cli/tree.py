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
        Verb("glideinwms.cli.why:why", "Why nothing starts."),
    ),
    "factory": (
        "The Factory: what it submits, and why not more.",
        {
            "validate": Verb("glideinwms.cli.config:factory_validate", "Check the configuration file."),
            "changes": Verb("glideinwms.cli.config:factory_changes", "The same as plan FILE.xml."),
            "reconfig": Verb("glideinwms.cli.config:factory_reconfig", "Take a new configuration."),
            "upgrade": Verb("glideinwms.cli.config:factory_reconfig", "The same: nothing is left to upgrade."),
            "show": Verb("glideinwms.cli.config:factory_show", "The effective configuration, with origins."),
            "rollback": Verb("glideinwms.cli.config:factory_rollback", "Go back to an earlier configuration."),
            "convert": Verb("glideinwms.cli.config:factory_convert", "The shortest file that means the same."),
            "run": Verb("glideinwms.cli.factory:run", "Run the daemon."),
            "status": Verb("glideinwms.cli.factory:status", "What the daemon says of itself."),
            "plan": Verb("glideinwms.cli.config_plan:factory", "What FILE.xml would change; or what a cycle decided."),
            "explain": Verb("glideinwms.cli.factory:explain", "Why requests get what they get."),
            "replay": Verb("glideinwms.cli.recorded:factory", "Decide recorded cycles anew, and compare."),
            "approve": Verb("glideinwms.cli.factory:approve", "Let a parked removal of running pilots go on."),
        },
    ),
    "entry": (
        "Entries of a Factory, their pilots and logs.",
        {
            "list": Verb("glideinwms.cli.entry:list_", "All entries."),
            "show": Verb("glideinwms.cli.entry:show", "An entry's configuration, or its submit description."),
            "q": Verb("glideinwms.cli.entry:q", "The entry's pilots in the queue."),
            "rm": Verb("glideinwms.cli.entry:rm", "Remove pilots of an entry."),
            "log": Verb("glideinwms.cli.entry:log", "The entry's log files."),
            "submit": Verb("glideinwms.cli.entry:submit", "Submit a pilot for a Frontend's request now."),
            "stats": Verb("glideinwms.cli.entry:stats", "What was asked, waited, ran: averages over recorded cycles."),
        },
    ),
    "pilot": (
        "Finished pilots: what they did and left.",
        {
            "log": Verb("glideinwms.cli.pilotlog:log", "How a pilot ended, and the logs in its output."),
            "list": Verb("glideinwms.cli.pilots:list_", "Finished pilots by entry and day, and their files."),
            "report": Verb("glideinwms.cli.pilotlog:report", "What finished pilots did, by entry and Frontend."),
            "run": Verb("glideinwms.cli.pilotrun:run", "Start one pilot by hand, on this machine or by a script."),
        },
    ),
    "downtime": (
        "Downtimes of a Factory.",
        {
            "add": Verb("glideinwms.cli.downtime:add", "Begin a downtime, now or later."),
            "end": Verb("glideinwms.cli.downtime:end", "End downtimes."),
            "list": Verb("glideinwms.cli.downtime:list_", "Downtimes that are on or to come."),
            "check": Verb("glideinwms.cli.downtime:check", "Whether submission goes on now."),
            "vacuum": Verb("glideinwms.cli.downtime:vacuum", "Drop lines that are over."),
        },
    ),
    "audit": ("Who did what, when and why.", Verb("glideinwms.cli.audit:audit", "The audit trail.")),
    "frontend": (
        "The Frontend: what it asks the Factories for, and why.",
        {
            "validate": Verb("glideinwms.cli.config:frontend_validate", "Check the configuration file."),
            "changes": Verb("glideinwms.cli.config:frontend_changes", "The same as plan FILE.xml."),
            "reconfig": Verb("glideinwms.cli.config:frontend_reconfig", "Take a new configuration."),
            "upgrade": Verb("glideinwms.cli.config:frontend_reconfig", "The same: nothing is left to upgrade."),
            "show": Verb("glideinwms.cli.config:frontend_show", "The effective configuration, with origins."),
            "rollback": Verb("glideinwms.cli.config:frontend_rollback", "Go back to an earlier configuration."),
            "convert": Verb("glideinwms.cli.config:frontend_convert", "The shortest file that means the same."),
            "run": Verb("glideinwms.cli.frontend:run", "Run the daemon."),
            "status": Verb("glideinwms.cli.frontend:status", "What the daemon says of itself."),
            "plan": Verb("glideinwms.cli.config_plan:frontend", "What FILE.xml would change; or what a cycle decided."),
            "explain": Verb("glideinwms.cli.explain:explain", "Why entries are asked for what they are."),
            "replay": Verb("glideinwms.cli.recorded:frontend", "Decide recorded cycles anew, and compare."),
            "downtime": Verb("glideinwms.cli.frontend:downtime", "Downtimes of the whole Frontend."),
            "remove": Verb("glideinwms.cli.frontend:remove", "Ask the Factories to remove pilots."),
        },
    ),
    "job": (
        "A user's job.",
        {"explain": Verb("glideinwms.cli.explain:job", "Which entries it fits, what stops the others, what is asked.")},
    ),
    "demo": (
        "A whole grid on this machine.",
        {
            "run": Verb("glideinwms.cli.demo:run", "From nothing to finished jobs (`gwms demo` alone does this)."),
            "status": Verb("glideinwms.cli.demo:status", "What of it is up, and how to look around."),
            "down": Verb("glideinwms.cli.demo:down", "End a demo that was left up."),
        },
    ),
    "version": ("The version of this program.", Verb("glideinwms.cli.version:version", "Print the version.")),
}

# what a noun alone does
DEFAULT = {"demo": "run"}
