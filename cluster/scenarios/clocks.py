"""Hosts whose clocks are an hour apart."""
import datetime
import json
import time

from cut_off import ANYWHERE, LOCK, SHORT_LOCKS, first_mark
from harness import expect, wait_until
from marks import Marks
from scenario import scenario


def set_clocks(cluster):
    for host, offset in (("s1", "+1h"), ("s2", "-1h")):
        cluster.stop_agent(host)
        cluster.start_agent(host, "--clock", offset)


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@scenario("clocks", "with clocks an hour fast and an hour slow, delays, locks and take-over are as with right ones", options=SHORT_LOCKS)
def clocks(cluster, effort):
    marks = Marks(cluster)
    set_clocks(cluster)
    proof = cluster.submit({"program": "proof", "steps": {
        host: {"host": host, "shell": 'date +%s >"$EVENTOR_RESULT_FILE"'} for host in cluster.nodes}})
    shown = {t["step"]: int(t["result"]) - time.time() for t in cluster.ended(proof, 60)["tasks"]}
    expect(shown["s1"] > 3500 and shown["s2"] < -3500 and abs(shown["s3"]) < 60, f"the clocks are not as set: {shown}")

    for number in range(effort.rounds(ci=1, full=10)):
        # Delays from host to host, each longer than nothing and shorter than an hour.
        ping = {"program": "delays", "events": {f"e{i}": {} for i in range(4)}, "steps": {
            f"d{i}": {"host": host, "run": ["true"], "triggers": {"success": [f"e{i}"]}}
            for i, host in enumerate(["s1", "s2", "s3", "s1"])},
            "associations": [{"event": f"e{i}", "to": [f"d{i + 1}"], "delay": "2s"} for i in range(3)]}
        # Longer than any lock, on every host, with others that would take it over.
        lasting = {"program": "locks", "groups": ANYWHERE, "steps": {
            **{f"on_{host}": {"host": host, "shell": marks.shell(f"mark start; sleep {4 * LOCK}; mark end")} for host in cluster.nodes},
            **{f"any_{i}": {"group": "any", "shell": marks.shell(f"mark start; sleep {4 * LOCK}; mark end")} for i in range(6)}}}
        delays, locks = cluster.submit(ping), cluster.submit(lasting)
        tasks = {task["step"]: task for task in cluster.ended(delays, 90)["tasks"]}
        for i in range(3):
            gap = when(tasks[f"d{i + 1}"]["started_at"]) - when(tasks[f"d{i}"]["ended_at"])
            expect(1.95 <= gap < 7, f"round {number}: a delay of 2 s took {gap:.2f} s from {tasks[f'd{i}']['host']}")
        cluster.ended(locks, 90)
        attempts = {(task["step"], task["attempt"]) for task in cluster.tasks(locks, "--all-attempts")}
        expect({attempt for _, attempt in attempts} == {1}, f"round {number}: locks were taken over: {sorted(attempts)}")

        # And the one that is really gone is followed, by hosts whose clocks disagree with its own.
        gone = cluster.submit({"program": "gone", "groups": ANYWHERE, "steps": {"work": {"group": "any", "shell": marks.shell(
            'mark start; if [ "$EVENTOR_STEP_ATTEMPT" -eq 1 ]; then sleep 600; fi')}}})
        host = first_mark(marks, gone, 1, 60).host
        cluster.kill(host)
        killed = time.monotonic()
        first_mark(marks, gone, 2, 20 * LOCK)
        cluster.say(f"taken over after {time.monotonic() - killed:.1f} s")
        cluster.ended(gone, 60)
        cluster.start(host)


@scenario("schedule", "with clocks an hour apart, each minute's firing happens once", options=SHORT_LOCKS, slow=True)
def schedule(cluster, effort):
    set_clocks(cluster)
    file = cluster.write({"program": "minutely", "events": {"tick": {}}, "steps": {"work": {"on": "tick", "host": "s3", "run": ["true"]}},
                          "schedule": [{"name": "minutes", "cron": "* * * * *", "timezone": "UTC", "event": "tick"}]})
    cluster.coordinator("program", "register", file)
    minutes = effort.rounds(ci=2, full=5)

    def firings():
        """The moments at which scheduled tasks became ready, by the database's clock."""
        runs = json.loads(cluster.coordinator("runs", "--program", "minutely", "--json").output)
        tasks = [task for run in runs for task in cluster.tasks(run["id"])]
        return sorted(when(task["ready_at"]) for task in tasks if task["step"] == "work")

    wait_until(f"{minutes} firings", 60 * minutes + 90, lambda: len(firings()) >= minutes, pause=2)
    time.sleep(5)
    found = firings()
    ticks = [int(moment // 60) for moment in found]
    expect(len(set(ticks)) == len(ticks), f"a minute fired twice: {found}")
    expect(ticks == list(range(ticks[0], ticks[0] + len(ticks))), f"a minute did not fire: {found}")
    expect(all(moment % 60 < 10 for moment in found), f"firings are late: {[round(m % 60, 1) for m in found]}")
