"""Cancel means dead."""
import os
import pathlib
import time

from harness import expect, wait_until
from marks import Marks
from scenario import scenario

# Each leaves processes in a way of its own; all carry the run's marker in their environment.
WAYS = {
    "plain": "mark start; sleep 300",
    "stubborn": "trap '' TERM INT HUP; mark start; while :; do sleep 1; done",
    "children": "for i in 1 2 3; do sleep 300 & done; mark start; wait",
    "double_fork": "(sh -c 'trap \"\" TERM; while :; do sleep 1; done' & ) & mark start; sleep 300",
    "own_session": "setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' & setsid -f sleep 300; mark start; sleep 300",
}


def marked(run):
    """Processes on all of the machine, and so on all hosts, whose environment names the run: pid and command."""
    needle = f"EVENTOR_RUN_ID={run}".encode()
    found = []
    for directory in pathlib.Path("/proc").iterdir():
        if not directory.name.isdigit() or int(directory.name) == os.getpid():
            continue
        try:
            if needle in (directory / "environ").read_bytes().split(b"\0"):
                found.append(f"{directory.name} {(directory / 'cmdline').read_bytes().replace(bytes(1), b' ').decode(errors='replace')}")
        except OSError:
            pass  # it has ended
    return found


def zombies(cluster):
    """Processes on the hosts that have ended and whose end nobody has taken note of."""
    found = []
    for host in cluster.nodes:
        for line in cluster.command("exec", host, "ps", "-eo", "stat=,pid=,args=").output.splitlines():
            if line.startswith("Z"):
                found.append(f"{host}: {line}")
    return found


@scenario("cancel", "after cancel no process of the run is left on any host, also where the agent was dead at that moment")
def cancel(cluster, effort):
    marks = Marks(cluster)
    steps = {f"{way}_{host}": {"host": host, "kill_after": "1s", "shell": marks.shell(text)}
             for way, text in WAYS.items() for host in cluster.nodes}
    for number in range(effort.rounds(ci=2, full=100)):
        run = cluster.submit({"program": "cancelled", "steps": steps})
        wait_until("steps that run everywhere", 60, lambda: len(marks.all(run=run, word="start")) == len(steps))
        expect(len(marked(run)) > len(steps), f"round {number}: processes are not found by their marker")
        dead = number % 2 == 1
        if dead:
            cluster.kill_agent("s1")
        cluster.coordinator("cancel", run)
        if dead:
            time.sleep(1)
            cluster.start_agent("s1")
        wait_until(f"round {number}: the death of every process of run {run}", 60, lambda: not marked(run))
        report = cluster.ended(run, 60, status="cancelled")
        expect({task["status"] for task in report["tasks"]} == {"cancelled"},
               f"round {number}: tasks are {[(t['step'], t['status']) for t in report['tasks']]}")
        time.sleep(0.5)
        expect(not (left := marked(run)), f"round {number}: a process came back: {left}")
        wait_until(f"round {number}: no zombies on the hosts ({zombies(cluster)[:3]})", 20, lambda: not zombies(cluster))
