"""A cluster of `cluster/up`, as the scenarios use it."""
import json
import pathlib
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Failed(Exception):
    """What a scenario expected did not hold."""


def expect(condition, message):
    if not condition:
        raise Failed(message)


def wait_until(what, seconds, condition, pause=0.2):
    """Waits for `condition` to give something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Failed(f"waited {seconds:g} s in vain: {what}")
        time.sleep(pause)


class Cluster:
    """Nodes s1 to sN with agents, and a database.

    Commands of the coordinator are given on the host `db` unless another is named: no scenario cuts that one off.
    """

    def __init__(self, directory, database, nodes, agent_options, binaries, say, bare=False):
        self.directory = pathlib.Path(directory)
        self.state = self.directory / "cluster"
        self.shared = self.directory / "shared"
        self.database = database
        self.nodes = [f"s{i}" for i in range(1, nodes + 1)]
        self.agent_options = agent_options
        self.binaries = binaries
        self.say = say
        self.bare = bare

    # --- the commands of cluster/ ---------------------------------------------------------------------------------

    def command(self, *words, timeout=90, accept=(0,)):
        """Runs a command of cluster/. One that ends otherwise than `accept` says fails the scenario; None: any end is right."""
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
                       "EVENTOR_CLUSTER_DIR": str(self.state), "EVENTOR_BIN": str(self.binaries)}
        words = [str(word) for word in words]
        self.say(f"cluster/{' '.join(words[:4])}{' …' if len(words) > 4 else ''}")
        try:
            # Not through pipes: a process that outlives the command may hold their other end.
            with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
                code = subprocess.run([ROOT / "cluster" / words[0], *words[1:]], env=environment, cwd=ROOT,
                                      stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=timeout).returncode
                out.seek(0), err.seek(0)
                answer = Answer(code, out.read().decode(errors="replace"), err.read().decode(errors="replace"))
        except subprocess.TimeoutExpired:
            raise Failed(f"`{' '.join(words)}` did not end within {timeout} s") from None
        if accept is not None and answer.code not in accept:
            raise Failed(f"`{' '.join(words)}` ended with {answer.code}: {answer.error.strip()[-500:]}")
        return answer

    def up(self):
        self.command("down")
        for former in (self.shared, self.directory / "logs"):
            shutil.rmtree(former, ignore_errors=True)
        self.shared.mkdir(parents=True)
        options = ["--bare"] if self.bare else ["--", *self.agent_options]
        self.command("up", len(self.nodes), "--database", self.database, *options, timeout=180)

    def down(self):
        self.command("down")

    def partition(self, host, *options):
        self.command("partition", host, *options)

    def heal(self, host):
        self.command("heal", host)

    def kill(self, host):
        self.command("kill", host)

    def start(self, host):
        self.command("start", host)

    def kill_agent(self, host):
        self.command("kill", host, "--agent")

    def start_agent(self, host, *options):
        self.command("start-agent", host, *options)

    def stop_agent(self, host):
        self.command("stop-agent", host)

    def pause(self, host):
        self.command("pause", host)

    def resume(self, host):
        self.command("resume", host)

    # --- the coordinator ------------------------------------------------------------------------------------------

    def coordinator(self, *words, host="db", timeout=60, accept=(0,)):
        return self.command("exec", host, "coordinator", *words, timeout=timeout, accept=accept)

    def write(self, program):
        """A program, as a mapping, becomes a file: JSON is YAML too."""
        file = self.shared / f"{program['program']}.yaml"
        file.write_text(json.dumps(program, indent=1))
        return file

    def submit(self, program, *options):
        """Starts a run and returns its id."""
        return self.coordinator("submit", self.write(program), *options).output.strip()

    def agents(self):
        """What `agent list` tells of the agents, by host."""
        rows = json.loads(self.coordinator("agent", "list", "--output", "json").output)
        return {row["host"]: row for row in rows}

    def told(self, host, states, seconds):
        """Waits until `agent list` tells that the agent of a host is in one of `states`: no longer than `seconds`, and what a
        call may take."""
        began = time.monotonic()
        state = wait_until(f"`agent list` tells of {host}: {' or '.join(states)}", seconds + 3,
                           lambda: next((s for s in states if self.agents()[host]["state"] == s), None))
        self.say(f"`agent list` tells of {host}: {state}, after {time.monotonic() - began:.1f} s")

    def status(self, run, *options):
        return json.loads(self.coordinator("status", run, "--json", *options).output)

    def tasks(self, run, *options):
        return self.status(run, *options)["tasks"]

    def ended(self, run, seconds, status="success"):
        """Waits for the end of a run, expects its status, and returns what `status` says of it."""

        def over():
            report = self.status(run)
            return report if report["run"]["status"] not in ("running", "paused") else None

        report = wait_until(f"the end of run {run}", seconds, over, pause=0.4)
        expect(report["run"]["status"] == status, f"run {run} is {report['run']['status']}, not {status}: "
               f"{report['run'].get('message')}; {self.failures(report)}")
        return report

    @staticmethod
    def failures(report):
        return [f"{t['step']}/{t['sequence']} {t['status']} {t.get('message') or ''}".strip()
                for t in report["tasks"] if t["status"] != "success"][:5]

    # --- what is on the hosts -------------------------------------------------------------------------------------

    def agent_log(self, host):
        """The lines that the agent of a host has logged."""
        file = self.state / host / "logs" / "agent"
        return file.read_text(errors="replace").splitlines() if file.exists() else []

    def keep_logs(self):
        """Copies the logs to where `down` leaves them."""
        kept = self.directory / "logs"
        shutil.rmtree(kept, ignore_errors=True)
        for logs in self.state.glob("*/logs"):
            shutil.copytree(logs, kept / logs.parent.name, dirs_exist_ok=True)
        for log in self.state.glob("db/services/*/log"):
            shutil.copy(log, kept / "db" / log.parent.name)
        return kept


class Answer:
    """How a command ended and what it said."""

    def __init__(self, code, output, error):
        self.code, self.output, self.error = code, output, error
