"""Agents that are killed, and hosts that lose their power."""
import time

from cut_off import ANYWHERE, LOCK, SHORT_LOCKS, TWO_HEARTBEATS, first_mark
from harness import expect, wait_until
from marks import Marks
from scenario import scenario


@scenario("restart", "ten steps go on while their agent is killed and started again: one execution each", nodes=2)
def restart(cluster, effort):
    marks = Marks(cluster)
    for number in range(effort.rounds(ci=1, full=20)):
        run = cluster.submit({"program": "restart", "steps": {"work": {
            "host": "s1", "foreach": {"from": 1, "to": 10}, "at_once": 0, "shell": marks.shell("mark start; sleep 5; mark end")}}})
        wait_until("ten steps that run", 60, lambda: len(marks.all(run=run, word="start")) == 10)
        cluster.kill_agent("s1")
        # In every other round they end while nobody looks.
        time.sleep(2 if number % 2 == 0 else 6)
        cluster.start_agent("s1")
        report = cluster.ended(run, 60)
        wanted = {f"work/1/{i}": 1 for i in range(1, 11)}
        for word in ("start", "end"):
            counts = marks.counts(run=run, word=word)
            expect(counts == wanted, f"round {number}: marks of the {word} are {dict(counts)}")
        attempts = [task["attempt"] for task in cluster.tasks(run, "--all-attempts")]
        expect(attempts == [1] * 10, f"round {number}: attempts are {attempts}")
        expect(len(report["tasks"]) == 10, f"round {number}: there are {len(report['tasks'])} tasks")


@scenario("host-killed", "a group's step is taken over once when its host loses power", options=SHORT_LOCKS)
def host_killed(cluster, effort):
    marks = Marks(cluster)
    for number in range(effort.rounds(ci=1, full=20)):
        run = cluster.submit({"program": "taken-over", "groups": ANYWHERE, "steps": {"work": {"group": "any", "shell": marks.shell(
            'mark start; if [ "$EVENTOR_STEP_ATTEMPT" -eq 1 ]; then sleep 600; fi; sleep 1; mark end')}}})
        host = first_mark(marks, run, 1, 60).host
        cluster.kill(host)
        cluster.told(host, ["silent", "gone"], TWO_HEARTBEATS)
        cluster.ended(run, 60 + 20 * LOCK)
        cluster.start(host)
        cluster.told(host, ["live"], TWO_HEARTBEATS)
        time.sleep(2 * LOCK)
        found = [(mark.attempt, mark.word, mark.host == host) for mark in marks.all(run=run)]
        expect(found == [(1, "start", True), (2, "start", False), (2, "end", False)], f"round {number}: the step left {found}")
        (task,) = cluster.tasks(run)
        expect((task["status"], task["attempt"]) == ("success", 2), f"round {number}: the record is {task}")


@scenario("host-rebooted", "a pinned step waits for its host without power, and follows on_lost when it is back", options=SHORT_LOCKS)
def host_rebooted(cluster, effort):
    marks = Marks(cluster)
    text = marks.shell('mark start; if [ "$EVENTOR_STEP_ATTEMPT" -eq 1 ]; then sleep 600; fi; mark end')
    for number in range(effort.rounds(ci=1, full=10)):
        again = cluster.submit({"program": "again", "steps": {"work": {"host": "s1", "on_lost": "rerun", "shell": text}}})
        fails = cluster.submit({"program": "fails", "steps": {"work": {"host": "s1", "on_lost": "fail", "shell": text}}})
        for run in (again, fails):
            first_mark(marks, run, 1, 60)
        cluster.kill("s1")
        time.sleep(4 * LOCK)
        report = cluster.status(again)
        expect(report["run"]["status"] == "running", f"round {number}: without its host the run is {report['run']}")
        expect(len(marks.all(run=again)) == 1, f"round {number}: the pinned step ran elsewhere: {marks.all(run=again)}")
        cluster.start("s1")
        cluster.ended(again, 60 + 20 * LOCK)
        cluster.ended(fails, 60 + 20 * LOCK, status="failure")
        found = [(mark.attempt, mark.word, mark.host) for mark in marks.all(run=again)]
        expect(found == [(1, "start", "s1"), (2, "start", "s1"), (2, "end", "s1")], f"round {number}: the step left {found}")
        found = [(mark.attempt, mark.word) for mark in marks.all(run=fails)]
        expect(found == [(1, "start")], f"round {number}: with on_lost: fail the step left {found}")
