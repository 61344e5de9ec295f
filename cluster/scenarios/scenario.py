"""The table of scenarios: each is a function that is given a cluster and how much it shall do."""
import collections

Scenario = collections.namedtuple("Scenario", "name about nodes options run slow bare")

ALL = {}


def scenario(name, about, nodes=3, options=(), slow=False, bare=False):
    """Enters a function into the table. `options` are the agents'; a slow one runs only with --full or by its name; the
    nodes of a bare one have nothing but sshd."""

    def enter(run):
        ALL[name] = Scenario(name, about, nodes, list(options), run, slow, bare)
        return run

    return enter


class Effort:
    """How much a scenario shall do: `ci` in minutes, `full` and `stress` as long as it takes."""

    def __init__(self, level, rounds=None):
        self.level, self.given = level, rounds

    def rounds(self, ci, full):
        if self.given:
            return self.given
        return ci if self.level == "ci" else full

    def seconds(self, ci, full, stress):
        return {"ci": ci, "full": full, "stress": stress}[self.level]
