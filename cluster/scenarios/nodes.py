"""Hosts that have nothing but sshd, and a client that reaches them by SSH alone."""
import concurrent.futures
import json
import re
import shutil
import subprocess
import time

from harness import expect, wait_until
from marks import Marks
from scenario import scenario

HOSTS = ["s1", "s2", "s3"]

# As much of systemd as an installation talks to: one unit, whose process is the agent.
SYSTEMD = """#!/bin/sh
unit=/etc/systemd/system/eventor-agent.service
case " $* " in
*" show "*) pid=$(cat /run/agent.pid 2>/dev/null) && kill -0 "$pid" 2>/dev/null && echo "$pid" || echo 0 ;;
*" start "*)
  user=$(sed -n 's/^User=//p' $unit)
  cd "$(sed -n 's/^WorkingDirectory=//p' $unit)" || exit 1
  setsid setpriv --reuid="$user" --regid="$user" --init-groups env -i PATH=/usr/bin:/bin HOME="$PWD" \
    $(sed -n 's/^ExecStart=//p' $unit) </dev/null >>/run/journal 2>&1 &
  echo $! >/run/agent.pid
  ;;
*" stop "*) kill -s TERM "$(cat /run/agent.pid)" ;;
*" enable "*) : >/run/agent.enabled ;;
*" is-enabled "*) [ -e /run/agent.enabled ] ;;
esac
"""


class Client:
    """The host `client`: it has the store's password and no way to the store, and SSH to the nodes."""

    def __init__(self, cluster):
        self.cluster = cluster
        environment = cluster.command("env").output
        self.url = re.search(r"EVENTOR_CLUSTER_\w+_URL='(.*)'", environment).group(1)
        self.password = re.search(r":([^:@/]+)@", self.url).group(1)
        there = cluster.state / "client" / "home" / ".config" / "eventor"
        there.mkdir(parents=True)
        file = there / "eventor.yaml"
        file.touch(mode=0o600)
        file.write_text(f"store: main\ndatabases:\n  main: {self.url}\n")
        self.programs = self.copy_of_programs("programs")

    def copy_of_programs(self, name, addition=b""):
        """The programs without what debuggers need, so that they are sent in seconds; `addition` makes them other ones."""
        folder = self.cluster.state / "client" / name
        folder.mkdir()
        for program in ("coordinator", "eventor-agent"):
            subprocess.run(["strip", "-o", folder / program, self.cluster.binaries / program], check=True)
            with open(folder / program, "ab") as file:
                file.write(addition)
        return folder

    def call(self, *words, accept=(0,), timeout=60):
        return self.cluster.coordinator(*words, host="client", accept=accept, timeout=timeout)

    def via(self, host, *words, accept=(0,), timeout=60):
        return self.call("--via", host, *words, accept=accept, timeout=timeout)

    def write(self, program):
        """A file that no other host has: /dev/shm is each host's own."""
        file = f"/dev/shm/{program['program']}.yaml"
        self.cluster.command("exec", "client", "sh", "-c", 'printf "%s" "$1" >"$2"', "sh", json.dumps(program), file)
        return file

    def install(self, *options):
        return self.call("agent", "install", *HOSTS, "--from", self.programs, *options, timeout=90)

    def agents(self):
        """What the first node's coordinator tells of all agents, by host."""
        rows = json.loads(self.via("s1", "agent", "list", "--output", "json").output)
        return {row["host"]: row for row in rows}


def everything_installed(cluster):
    """Names, sizes and times of all that is on the nodes in the places of programs, configuration and state."""
    found = cluster.command("exec", "s1", "true").output
    for host in HOSTS:
        found += cluster.command("exec", host, "find", "/usr/local/bin", "/etc/eventor", "/var/lib/eventor/work", "/etc/passwd", "-type", "f",
                                 "-not", "-name", "*.journal", "-printf", "%p %s %T@ %m %u\\n").output
    return sorted(found.splitlines())


@scenario("install", "bare hosts have live agents within a minute; a second time changes nothing; an upgrade interrupts no step", bare=True)
def install(cluster, effort):
    client, marks = Client(cluster), Marks(cluster)
    # Nothing is there, and the client has no way to the store.
    expect(client.call("agent", "start", "s1", accept=None).code == 3, "an agent that is not installed was started")
    expect(client.call("agent", "list", accept=None, timeout=90).code == 4, "the client reaches the store")

    # Two hosts have neither systemd nor cron, and one has what looks like systemd.
    cluster.command("exec", "s3", "sh", "-c", 'mkdir -p /run/systemd/system; printf "%s" "$0" >/usr/local/bin/systemctl; '
                    "chmod 755 /usr/local/bin/systemctl", SYSTEMD)
    began = time.monotonic()
    answer = client.install()
    took = time.monotonic() - began
    lines = answer.output.splitlines()
    expect(len(lines) == 3 and all(line.startswith(f"ok    {host}: installed") for host, line in zip(HOSTS, lines)), f"install said: {lines}")
    expect("wrote /etc/systemd/system/eventor-agent.service" in lines[2] and "by systemd" in lines[2], f"install said: {lines[2]}")
    expect(took < 60, f"install took {took:.1f} s")
    agents = client.agents()
    expect({host: agent["state"] for host, agent in agents.items()} == {host: "live" for host in HOSTS}, f"agents are {agents}")
    cluster.say(f"three agents live after {took:.1f} s")

    before = everything_installed(cluster)
    lines = client.install().output.splitlines()
    expect(all(": eventor-agent" in line and "nothing to do" in line for line in lines), f"the second install said: {lines}")
    expect(everything_installed(cluster) == before, "the second install changed files")
    expect({h: a["pid"] for h, a in client.agents().items()} == {h: a["pid"] for h, a in agents.items()}, "the second install restarted agents")

    # The password went there sealed, and stands nowhere in the clear.
    pattern = cluster.state / "pattern"
    pattern.write_text(client.password)
    for host in HOSTS:
        found = cluster.command("exec", host, "sh", "-c", "grep -rlaF -f \"$0\" /etc/eventor /var/lib/eventor /etc/cron.d /run/journal "
                                "/proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null", pattern, accept=None).output.split()
        expect(not found, f"the password stands in {found} on {host}")
        expect("secret:main" in cluster.command("exec", host, "cat", "/etc/eventor/eventor.yaml").output, f"{host} has no secret:main")

    # Steps that are longer than all of the upgrade: they wait for its end.
    flag = cluster.shared / "upgraded"
    program = {"program": "lasting", "steps": {f"on_{host}": {"host": host, "shell": marks.shell(
        "mark start; yes 'a long log' | head -c 200000; "
        f"i=0; until [ -e '{flag}' ] || [ $i -eq 600 ]; do sleep 0.2; i=$((i + 1)); done; mark end; echo the end")}
        for host in HOSTS}}
    marks.file.touch(mode=0o666)
    marks.file.chmod(0o666)
    run = client.via("s2", "submit", client.write(program)).output.strip()
    wait_until("three steps that run", 30, lambda: len(marks.all(run=run, word="start")) == 3)
    client.programs = client.copy_of_programs("newer", b"newer")
    answer = client.call("agent", "upgrade", *HOSTS, "--rolling", "--from", client.programs, timeout=90)
    lines = answer.output.splitlines()
    expect(len(lines) == 3 and all(": replaced coordinator and eventor-agent" in line for line in lines), f"upgrade said: {lines}")
    after = client.agents()
    expect(all(after[host]["state"] == "live" and after[host]["pid"] != agents[host]["pid"] for host in HOSTS), f"agents are {after}")
    expect(not marks.all(run=run, word="end"), f"steps have ended with the upgrade: {marks.all(run=run)}")
    flag.touch()
    expect(client.via("s3", "wait", run, "--timeout", "40s").code == 0, "the run failed")
    tasks = json.loads(client.via("s1", "status", run, "--json", "--all-attempts").output)["tasks"]
    expect([task["attempt"] for task in tasks] == [1, 1, 1], f"attempts are {tasks}")
    for word in ("start", "end"):
        expect(sorted(marks.counts(run=run, word=word).values()) == [1, 1, 1], f"marks are {marks.all(run=run)}")
    # A node that may log in to the others shows what they have written, and the store has the end of.
    ours, theirs = (cluster.state / host / "home" / ".ssh" for host in ("s1", "client"))
    for name in ("config", "known_hosts"):
        shutil.copy(theirs / name, ours / name)
    stored = client.via("s1", "logs", run, "on_s2", "--stored").output
    expect(10_000 < len(stored) < 70_000, f"the store has {len(stored)} bytes of 200,000")
    whole = client.via("s1", "logs", run, "on_s2").output
    expect(whole.count("a long log") > 18_000 and whole.endswith("the end\n"), f"from its host came {len(whole)} bytes")
    lines = client.call("agent", "upgrade", *HOSTS, "--from", client.programs).output.splitlines()
    expect(all("nothing to do" in line for line in lines), f"the second upgrade said: {lines}")


@scenario("client", "from a client without a way to the store: start, submit, watch, follow, recover, rerun, cancel, by SSH alone", bare=True)
def client(cluster, effort):
    client, marks = Client(cluster), Marks(cluster)
    client.install("--user")
    answer = client.call("agent", "start", "s1")
    expect("it ran already" in answer.output and "agent.log" in answer.output, f"start of a running agent said: {answer.output}")
    answer = client.call("agent", "stop", "s1")
    expect("stopped the agent" in answer.output, f"stop said: {answer.output}")
    state = json.loads(client.call("agent", "status", "s1", "--json").output)["hosts"][0]
    expect(state["state"] == "stopped" and state["pid"] is None, f"status of a stopped agent is {state}")
    answer = client.call("agent", "start", "s1")
    expect("started the agent" in answer.output and "live" in answer.output, f"start said: {answer.output}")
    # The SSH session is over, and the agent lives.
    expect(client.agents()["s1"]["state"] == "live", "the agent has ended with its SSH session")
    check = json.loads(client.call("ssh", "check", *HOSTS, "--json").output)["hosts"]
    expect(all(host["store"]["answer_ms"] is not None for host in check), f"ssh check: {check}")

    flag = cluster.shared / "mended"
    program = {"program": "work", "steps": {
        "first": {"host": "s1", "shell": marks.shell("mark ran; echo from $(uname -n)")},
        "second": {"host": "s2", "after": ["first"], "shell": marks.shell(
            f"mark ran; echo tries; sleep 2; test -e '{flag}' || exit 9")},
        "third": {"host": "s3", "after": ["second"], "shell": marks.shell("mark ran; echo third")}}}
    run = client.via("s1", "submit", client.write(program)).output.strip()
    # Both while it runs, and to its end.
    with concurrent.futures.ThreadPoolExecutor() as pool:
        watching = pool.submit(client.via, "s2", "status", run, "--watch", "--json")
        followed = client.via("s3", "logs", run, "--follow")
        watched = [json.loads(line)["run"]["status"] for line in watching.result().output.splitlines()]
    expect("from s1" in followed.output and "tries" in followed.output, f"logs --follow printed: {followed.output}")
    expect(len(watched) > 1 and watched[0] == "running" and watched[-1] == "failure", f"status --watch told: {watched}")
    # Of several hosts at once, each in its line.
    told = [json.loads(line) for line in client.call("--via", "s1", "--via", "s2", "runs", "--json").output.splitlines()]
    expect([line["host"] for line in told] == ["s1", "s2"] and all(run in json.dumps(line["output"]) for line in told),
           f"runs of two hosts: {told}")
    expect(client.via("s2", "wait", run, accept=None).code == 1, "wait for a failed run does not end with 1")
    expect(client.via("s1", "status", "no-such-run", accept=None).code == 3, "an unknown run is not 3")
    expect(client.via("s1", "submit", "/dev/shm/none.yaml", accept=None).code in (2, 3), "a file that is nowhere is accepted")
    broken = client.write({"program": "broken", "steps": {"a": {"shell": "true", "nonsense": 1}}})
    expect(client.via("s1", "submit", broken, accept=None).code == 2, "a bad file is not 2")

    flag.touch()
    expect(client.via("s3", "recover", run, "--wait", accept=None).code == 0, "the recovered run failed")
    expect(marks.counts(run=run) == {"first/1": 1, "second/1": 2, "third/1": 1}, f"marks after recover: {marks.counts(run=run)}")
    expect(client.via("s3", "rerun", run, "--step", "third", "--only", "--wait", accept=None).code == 0, "the rerun failed")
    expect(marks.counts(run=run)["third/1"] == 2, f"marks after rerun: {marks.counts(run=run)}")

    slow = client.write({"program": "slow", "steps": {"s": {"host": "s2", "shell": marks.shell("mark start; sleep 300")}}})
    run = client.via("s1", "submit", slow).output.strip()
    wait_until("a step that runs", 30, lambda: marks.all(run=run, word="start"))
    client.via("s3", "cancel", run)
    expect(client.via("s1", "wait", run, "--timeout", "30s", accept=None).code == 6, "a cancelled run is not 6")
    expect(client.call("--via", "s9", "runs", accept=None).code == 5, "an unknown host is not 5")
