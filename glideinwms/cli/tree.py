"""The commands of `gwms` as data: noun -> (help, verb -> function and one line of help)."""

from __future__ import annotations

from dataclasses import dataclass

COMMANDS = "glideinwms.cli.commands"
CONFIGURATION_COMMANDS = "glideinwms.cli.configuration"


@dataclass(frozen=True, slots=True)
class Verb:
    """One command: `target` is `module:function`, a typer command; `help` is its line of help."""

    target: str
    help: str


def _verb(target: str, text: str) -> Verb:
    return Verb(f"{COMMANDS}.{target}", text)


def _configuration(target: str, text: str) -> Verb:
    return Verb(f"{CONFIGURATION_COMMANDS}.{target}", text)


CONFIGURATION = {
    "validate": _configuration("examine:validate", "Check the configuration file."),
    "changes": _configuration(
        "reconfig:changes", "Show what a reconfig would change, as plan FILE.xml."
    ),
    "reconfig": _configuration("reconfig:reconfig", "Apply a new configuration."),
    "upgrade": _configuration("reconfig:reconfig", "Apply a new configuration, as reconfig."),
    "show": _configuration("examine:show", "Show the effective configuration and its origins."),
    "rollback": _configuration("rollback:rollback", "Return to an earlier configuration."),
    "convert": _configuration(
        "examine:convert", "Print the shortest equivalent configuration file."
    ),
}
PLAN = "Show what FILE.xml would change, or what a cycle decided."
REPLAY = "Repeat the decisions of recorded cycles and compare them."

TREE: dict[str, tuple[str, dict[str, Verb] | Verb]] = {
    "why": (
        "Explain why no pilots start, most important reason first.",
        _verb("why:why", "Explain why no pilots start."),
    ),
    "factory": (
        "Operate a Factory and explain its decisions.",
        {
            **CONFIGURATION,
            "run": _verb("factory:run", "Run the daemon."),
            "status": _verb("factory:status", "Show daemon status."),
            "plan": _configuration("plan:factory", PLAN),
            "explain": _verb("factory:explain", "Explain what requests get."),
            "replay": _verb("replay:replay", REPLAY),
            "approve": _verb("factory:approve", "Approve a parked removal of running pilots."),
        },
    ),
    "entry": (
        "Show entries of a Factory, their pilots and logs.",
        {
            "list": _verb("entry:list_", "List all entries."),
            "show": _verb("entry:show", "Show an entry's configuration or submit description."),
            "q": _verb("entry:q", "List an entry's pilots in the queue."),
            "rm": _verb("entry:rm", "Remove pilots of an entry."),
            "log": _verb("entry:log", "Show an entry's log files."),
            "submit": _verb("entry:submit", "Submit a pilot for a Frontend's request now."),
            "stats": _verb("entry:stats", "Show averages over recorded cycles."),
        },
    ),
    "pilot": (
        "Examine finished pilots, or run one by hand.",
        {
            "log": _verb("pilot_log:log", "Show how a pilot ended, and its logs."),
            "list": _verb("pilots:list_", "List finished pilots and their files."),
            "report": _verb("pilot_report:report", "Summarize finished pilots."),
            "run": _verb("pilot_run:run", "Run one pilot on this machine."),
        },
    ),
    "downtime": (
        "Manage downtimes of a Factory.",
        {
            "add": _verb("downtime:add", "Add a downtime, now or later."),
            "end": _verb("downtime:end", "End downtimes."),
            "list": _verb("downtime:list_", "List current and future downtimes."),
            "check": _verb("downtime:check", "Check whether entries are in downtime now."),
            "vacuum": _verb("downtime:vacuum", "Delete downtimes that have ended."),
        },
    ),
    "audit": (
        "Show who did what, when and why.",
        _verb("audit:audit", "Show the audit trail."),
    ),
    "frontend": (
        "Operate a Frontend and explain its requests.",
        {
            **CONFIGURATION,
            "run": _verb("frontend:run", "Run the daemon."),
            "status": _verb("frontend:status", "Show daemon status."),
            "plan": _configuration("plan:frontend", PLAN),
            "explain": _verb("explain:explain", "Explain the requests to entries."),
            "replay": _verb("replay:replay", REPLAY),
            "downtime": _verb("frontend:downtime", "Manage downtimes of the whole Frontend."),
            "remove": _verb("frontend:remove", "Ask the Factories to remove pilots."),
        },
    ),
    "job": (
        "Examine a user's job.",
        {"explain": _verb("job_explain:job", "Explain which entries a job matches, and why.")},
    ),
    "demo": (
        "Run a whole grid on this machine.",
        {
            "run": _verb("demo:run", "Build the grid and run jobs. `gwms demo` does the same."),
            "status": _verb("demo:status", "Show which parts of the demo are up."),
            "down": _verb("demo:down", "Stop a demo that was left running."),
        },
    ),
    "version": (
        "Print the version of this program.",
        _verb("version:version", "Print the version."),
    ),
}

# the verb that a noun alone means
DEFAULT = {"demo": "run"}
