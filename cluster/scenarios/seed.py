"""The example of the notes on distribution, and many runs at once."""
from harness import expect
from marks import Marks
from scenario import scenario


def example(marks):
    """s11 and s12 both cause s2, which runs once; the hosts are those of the notes."""

    def step(host, on, then=None):
        return {"host": host, "on": on, "shell": marks.shell('mark ran; printf %s "$EVENTOR_STEP_NAME" >"$EVENTOR_RESULT_FILE"'),
                "triggers": {"success": then} if then else {}}

    return {
        "program": "seed",
        "events": {"run_step1": {}, "run_step2": {}, "run_step3": {}},
        "steps": {
            "s11": step("s1", "run_step1", ["run_step2"]),
            "s12": step("s2", "run_step1", ["run_step2"]),
            "s2": step("s2", "run_step2", ["run_step3"]),
            "s3": step("s1", "run_step3"),
        },
        "start": [{"event": "run_step1", "sequence": "1"}],
    }


@scenario("seed", "the four-step example of the notes runs on the hosts it names, and the doubly caused step once")
def seed(cluster, effort):
    marks = Marks(cluster)
    program = example(marks)
    for _ in range(effort.rounds(ci=2, full=10)):
        run = cluster.submit(program)
        report = cluster.ended(run, 60)
        wanted = {"s11": "s1", "s12": "s2", "s2": "s2", "s3": "s1"}
        told = {task["step"]: task["host"] for task in report["tasks"]}
        expect(told == wanted, f"status tells other hosts: {told}")
        done = sorted((mark.step, mark.host) for mark in marks.all(run=run))
        expect(done == sorted(wanted.items()), f"the steps ran otherwise: {done}")


def five_programs(marks):
    """Programs of different shapes, each with the marks a run of it must leave: step/sequence, how often."""
    anywhere = {"any": {"hosts": ["s1", "s2", "s3"]}}
    ran = marks.shell("sleep 0.1; mark ran")

    def step(**more):
        return {"group": "any", "shell": ran, **more}

    chain = {"program": "chain", "groups": anywhere,
             "steps": {"c1": step(), "c2": step(after=["c1"]), "c3": step(after=["c2"]), "c4": step(after=["c3"])}}
    join = {"program": "join", "groups": anywhere,
            "events": {"left": {}, "right": {}, "both": {"when": "left and right"}},
            "steps": {"a": step(triggers={"success": ["left"]}), "b": step(triggers={"success": ["right"]}),
                      "ab": step(on="both")}}
    loop = {"program": "loop", "groups": anywhere, "events": {"again": {}},
            "steps": {"item": step(on="again"), "last": step(after=["items"])},
            "loops": {"items": {"over": {"from": 1, "to": 5}, "start": ["again"], "max_concurrent": 2}}}
    fan = {"program": "fan", "groups": anywhere, "resources": {"seat": {"capacity": 2, "scope": "cluster"}},
           "steps": {"work": step(foreach=["a", "b", "c", "d", "e", "f"], at_once=0, acquires={"seat": 1}),
                     "sum": step(after=["work"])}}
    pinned = {"program": "pinned", "events": {"there": {}},
              "steps": {"p1": {"host": "s1", "shell": ran, "triggers": {"success": ["there"]}},
                        "p2": {"host": "s2", "shell": ran, "on": "there"},
                        "p3": {"host": "s3", "shell": ran, "on": "there"}}}
    return [
        (chain, ["c1/1", "c2/1", "c3/1", "c4/1"]),
        (join, ["a/1", "b/1", "ab/1"]),
        (loop, [f"item/1/{i}" for i in range(1, 6)] + ["last/1"]),
        (fan, [f"work/1/{i}" for i in range(1, 7)] + ["sum/1"]),
        (pinned, ["p1/1", "p2/1", "p3/1"]),
    ]


@scenario("many-runs", "twenty runs of five programs at once do not disturb each other")
def many_runs(cluster, effort):
    marks = Marks(cluster)
    for _ in range(effort.rounds(ci=1, full=5)):
        begun = []
        for _ in range(4):
            for program, wanted in five_programs(marks):
                begun.append((cluster.submit(program), program["program"], wanted))
        for run, name, wanted in begun:
            report = cluster.ended(run, 120)
            counts = marks.counts(run=run)
            expect(counts == {task: 1 for task in wanted}, f"run {run} of {name} left {dict(counts)}, not one each of {wanted}")
            attempts = {task["attempt"] for task in report["tasks"]}
            expect(attempts == {1}, f"run {run} of {name} needed attempts {sorted(attempts)}")
