"""The database is away."""
import json
import time

from harness import expect, wait_until
from marks import Marks
from scenario import scenario

FIVE = ["s1", "s2", "s3", "s4", "s5"]


def spoken(lines):
    """The lines of an agent's log that want to be read: those above the telling of each step's start and end."""
    found = []
    for line in lines:
        try:
            level = str(json.loads(line).get("level", "")).lower()
        except ValueError:
            level = "unreadable"
        if level not in ("trace", "debug", "info"):
            found.append(line)
    return found


@scenario("outage", "fifty steps run on while the database is away; what ended meanwhile is recorded at once when it is back",
          nodes=5, options=("--max-concurrent", "20", "--lock-for", "6s"))
def outage(cluster, effort):
    away = effort.seconds(ci=14, full=120, stress=600)
    marks = Marks(cluster)
    # Ten on each host. Their ends are spread over the outage and a little beyond it. A step of a group would be stopped:
    # its agent can't tell an outage from being cut off. A pinned one is kept.
    steps = {f"on_{host}": {"host": host, "foreach": {"from": 1, "to": 10}, "at_once": 0, "shell": marks.shell(
        f'mark start; sleep $((6 + EVENTOR_LOOP_INDEX * {away + 5} / 10)); mark end')} for host in FIVE}
    run = cluster.submit({"program": "outage", "steps": steps})
    wait_until("fifty steps that run", 60, lambda: len(marks.all(run=run, word="start")) == 50)
    said_before = {host: len(cluster.agent_log(host)) for host in FIVE}

    cluster.command("db", "stop")
    stopped = time.time()
    for host in ("db", "s1"):
        took, busy = [], []
        # The best of three, without what any call takes now: a busy machine is slow, and slower at times.
        for _ in range(3):
            began = time.monotonic()
            cluster.coordinator("--version", host=host)
            busy.append(time.monotonic() - began)
            began = time.monotonic()
            answer = cluster.coordinator("status", host=host, accept=None)
            took.append(time.monotonic() - began)
            expect(answer.code == 4, f"without a database `status` on {host} ends with {answer.code}: {answer.error}")
            expect(len(answer.error.strip().splitlines()) == 1, f"without a database `status` on {host} says: {answer.error}")
        expect(min(took) - min(busy) < 3, f"without a database `status` on {host} takes {took} s, and `--version` {busy} s")
    time.sleep(max(0, stopped + away - time.time()))
    cluster.command("db", "start")
    back = time.time()

    ended_meanwhile = {f"{mark.step}/{mark.sequence}" for mark in marks.all(run=run, word="end")}
    expect(10 <= len(ended_meanwhile) <= 50, f"{len(ended_meanwhile)} steps ended in the outage: this tests little")

    def left():
        recorded = {f"{task['step']}/{task['sequence']}" for task in cluster.tasks(run) if task["status"] == "success"}
        return ended_meanwhile - recorded

    while missing := left():
        expect(time.time() - back < 5, f"5 s after the return {len(missing)} ends aren't recorded: {sorted(missing)[:5]}")
        time.sleep(0.2)
    cluster.say(f"{len(ended_meanwhile)} ends recorded {time.time() - back:.1f} s after the return")

    cluster.ended(run, away + 60)
    for word in ("start", "end"):
        counts = marks.counts(run=run, word=word)
        expect(len(counts) == 50 and set(counts.values()) == {1}, f"marks of the {word}: {dict(counts)}")
    attempts = [task["attempt"] for task in cluster.tasks(run, "--all-attempts")]
    expect(attempts == [1] * 50, f"attempts are {attempts}")
    for host in FIVE:
        said = spoken(cluster.agent_log(host)[said_before[host]:])
        expect(len(said) == 2, f"the agent of {host} said {len(said)} lines, not one at the start and one at the end: {said[:6]}")


@scenario("database-gone", "the server stops and starts, and loses a backend to kill -9, under load: nothing lost or doubled")
def database_gone(cluster, effort):
    marks = Marks(cluster)
    away = effort.seconds(ci=8, full=20, stress=60)
    count = effort.seconds(ci=150, full=1000, stress=4000)
    # Pinned, so that what runs when the server goes is kept.
    steps = {f"on_{host}": {"host": host, "foreach": {"from": 1, "to": count}, "at_once": 0,
                            "shell": marks.shell("mark start; sleep 0.4; mark end")} for host in ("s1", "s2", "s3")}
    program = {"program": "load", "steps": steps}

    def breakage(run):
        """What is done to the server in the middle of the load."""
        some = lambda more: wait_until("steps that have ended", 120, lambda: len(marks.all(run=run, word="end")) > more)
        some(count // 10)
        for _ in range(effort.rounds(ci=2, full=10)):
            cluster.command("db", "crash")
            some(len(marks.all(run=run, word="end")) + 10)
        cluster.command("db", "stop")
        time.sleep(away)
        cluster.command("db", "start")

    run = cluster.submit(program)
    breakage(run)
    cluster.ended(run, 120 + 2 * count)
    wanted = {f"on_{host}/1/{i}": 1 for host in ("s1", "s2", "s3") for i in range(1, count + 1)}
    for word in ("start", "end"):
        counts = marks.counts(run=run, word=word)
        missing = sorted(set(wanted) - set(counts))
        double = sorted(task for task in counts if counts[task] > 1)
        expect(counts == wanted, f"of the {word}s {len(missing)} are missing {missing[:5]}, {len(double)} double {double[:5]}")
    attempts = {task["attempt"] for task in cluster.tasks(run, "--all-attempts")}
    expect(attempts == {1}, f"attempts are {sorted(attempts)}")
