"""Agents that can't reach the store, and one that stands still."""
import random
import time

from harness import expect, wait_until
from marks import Marks
from scenario import scenario

LOCK = 3  # seconds: short, so that a round is
SHORT_LOCKS = ("--lock-for", f"{LOCK}s")
# An agent reports three times in the life of a lock.
TWO_HEARTBEATS = 2 * LOCK / 3
# An agent that was cut off tries again after at most 2 s, and the first packets of that are lost with the network: what is nothing
# beside the heartbeats of usual locks, is much beside these.
RECONNECTING = 4
ANYWHERE = {"any": {"hosts": ["s1", "s2", "s3"]}}


def signs_of_life(marks, stubborn):
    """A first attempt that would go on for a minute, and says so all the time; later ones end soon."""
    ignore = "trap '' TERM\n" if stubborn else ""
    return marks.shell(f"""{ignore}left=1200
if [ "$EVENTOR_STEP_ATTEMPT" -gt 1 ]; then left=10; fi
while [ $left -gt 0 ]; do mark alive; sleep 0.05; left=$((left - 1)); done""")


def first_mark(marks, run, attempt, seconds):
    return wait_until(f"a sign of attempt {attempt} of run {run}", seconds,
                      lambda: marks.all(run=run, attempt=attempt), pause=0.05)[0]


@scenario("partition-stop", "a group's step ends on a host that is cut off before another host starts it", options=SHORT_LOCKS)
def partition_stop(cluster, effort):
    marks = Marks(cluster)
    for number in range(effort.rounds(ci=2, full=50)):
        # Every other one ignores SIGTERM, and every other one leaves the stopping to the default of groups.
        step = {"group": "any", "kill_after": "1s", "shell": signs_of_life(marks, stubborn=number % 2 == 1)}
        if number % 4 < 2:
            step["on_cut_off"] = "stop"
        run = cluster.submit({"program": "cut-off", "groups": ANYWHERE, "steps": {"work": step}})
        host = first_mark(marks, run, 1, 60).host
        time.sleep(random.random())
        cluster.partition(host, *(["--from-db"] if number % 3 == 1 else []))
        second = first_mark(marks, run, 2, 20 * LOCK)
        expect(second.host != host, f"{host} is cut off and began attempt 2")
        cluster.ended(run, 60)
        before = [mark.time for mark in marks.all(run=run, attempt=1)]
        cluster.say(f"round {number}: {second.time - before[-1]:.3f} s between the attempts")
        cluster.told(host, ["silent", "gone"], 0)
        cluster.heal(host)
        cluster.told(host, ["live"], TWO_HEARTBEATS + RECONNECTING)
        expect(not (overlaps := marks.overlaps(run)), f"round {number}: {overlaps}")
        # The first comes back and must neither end the task again nor go on.
        time.sleep(1)
        report = cluster.status(run)
        (task,) = report["tasks"]
        expect(report["run"]["status"] == "success" and task["attempt"] == 2 and task["host"] == second.host,
               f"round {number}: after the healing the record is {task}")
        expect(not marks.all(run=run, attempt=3), f"round {number}: there was a third attempt")
        expect(not (overlaps := marks.overlaps(run)), f"round {number}, after the healing: {overlaps}")


@scenario("partition-keep", "a pinned step goes on while its host is cut off, and its end is delivered afterwards",
          options=SHORT_LOCKS)
def partition_keep(cluster, effort):
    marks = Marks(cluster)
    for number in range(effort.rounds(ci=2, full=20)):
        # It ends while the host is cut off, or after.
        lasts = 2 * LOCK if number % 2 == 0 else 5 * LOCK
        run = cluster.submit({"program": "kept", "steps": {
            "work": {"host": "s1", "shell": marks.shell(f"mark start; sleep {lasts}; mark end"),
                     "triggers": {"success": ["over"]}},
            "next": {"host": "s2", "on": "over", "shell": marks.shell("mark start")}}, "events": {"over": {}}})
        first_mark(marks, run, 1, 60)
        cluster.partition("s1", *(["--from-db"] if number % 4 >= 2 else []))
        healing = time.monotonic() + 3 * LOCK
        cluster.told("s1", ["silent", "gone"], TWO_HEARTBEATS)
        time.sleep(max(0, healing - time.monotonic()))
        cluster.heal("s1")
        cluster.told("s1", ["live"], TWO_HEARTBEATS + RECONNECTING)
        report = cluster.ended(run, lasts + 60)
        work = marks.all(run=run, step="work")
        expect([mark.word for mark in work] == ["start", "end"], f"round {number}: the step left {[m[4:] for m in work]}")
        attempts = {task["step"]: task["attempt"] for task in report["tasks"]}
        expect(attempts == {"work": 1, "next": 1}, f"round {number}: attempts are {attempts}")
        everything = cluster.tasks(run, "--all-attempts")
        expect(len(everything) == 2, f"round {number}: there were more attempts: {everything}")
        expect(marks.counts(run=run, step="next") == {"next/1": 1}, f"round {number}: what follows ran otherwise")


@scenario("late", "an agent that stands still past its lock and goes on records nothing; the taker's record stands",
          options=SHORT_LOCKS)
def late(cluster, effort):
    marks = Marks(cluster)
    for number in range(effort.rounds(ci=1, full=20)):
        # The first attempt ends by itself: on its own when its agent stands still, or when it has gone on.
        lasts = 2 * LOCK if number % 2 == 0 else 8 * LOCK
        run = cluster.submit({"program": "late", "groups": ANYWHERE, "steps": {"work": {"group": "any", "shell": marks.shell(
            f'mark start; if [ "$EVENTOR_STEP_ATTEMPT" -eq 1 ]; then sleep {lasts}; else sleep 4; fi; '
            'printf %s "$EVENTOR_STEP_ATTEMPT" >"$EVENTOR_RESULT_FILE"')}}})
        host = first_mark(marks, run, 1, 60).host
        cluster.pause(host)
        cluster.told(host, ["silent", "gone"], TWO_HEARTBEATS)
        second = first_mark(marks, run, 2, 20 * LOCK)
        expect(second.host != host, f"attempt 2 is on {host}, whose agent stands still")
        time.sleep(LOCK)
        cluster.resume(host)
        cluster.told(host, ["live"], TWO_HEARTBEATS)
        cluster.ended(run, 60)
        time.sleep(LOCK)
        (task,) = cluster.tasks(run)
        expect((task["attempt"], task["host"], str(task["result"])) == (2, second.host, "2"),
               f"round {number}: the record is {task}")
        (former,) = [t for t in cluster.tasks(run, "--all-attempts") if t["attempt"] == 1]
        expect(former.get("superseded"), f"round {number}: the late attempt is listed as {former}")
        expect(former["status"] not in ("success", "running"), f"round {number}: the late agent recorded {former}")
        expect(len(marks.all(run=run)) == 2, f"round {number}: there were other attempts: {marks.all(run=run)}")
