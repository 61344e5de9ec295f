"""What the steps themselves say of when and where they ran: the only witness that does not come from the program."""
import collections

Mark = collections.namedtuple("Mark", "time run step sequence attempt host word")


class Marks:
    """A file, shared by all hosts, to which steps append lines through the shell function `mark`."""

    def __init__(self, cluster, name="marks"):
        self.file = cluster.shared / name

    def shell(self, text):
        """A line of shell that may call `mark WORD`."""
        return (f'mark() {{ read -r node </proc/sys/kernel/hostname; echo "$(date +%s.%N) $EVENTOR_RUN_ID $EVENTOR_STEP_NAME '
                f'$EVENTOR_STEP_SEQUENCE $EVENTOR_STEP_ATTEMPT $node $1" >>"{self.file}"; }}\n{text}')

    def all(self, **wanted):
        """The marks so far, in the order in which they were made; of one run, step, word … where that is said."""
        if not self.file.exists():
            return []
        found = []
        for line in self.file.read_text().splitlines():
            fields = line.split(" ")
            if len(fields) == len(Mark._fields):
                mark = Mark(float(fields[0]), *fields[1:4], int(fields[4]), *fields[5:])
                if all(getattr(mark, name) == value for name, value in wanted.items()):
                    found.append(mark)
        return found

    def counts(self, **wanted):
        """How many marks there are by step and sequence."""
        return collections.Counter(f"{mark.step}/{mark.sequence}" for mark in self.all(**wanted))

    def overlaps(self, run):
        """Pairs of attempts of one task of which the later began before the earlier had made its last mark."""
        spans = {}
        for mark in self.all(run=run):
            first, last = spans.get(key := (mark.step, mark.sequence, mark.attempt), (mark.time, mark.time))
            spans[key] = min(first, mark.time), max(last, mark.time)
        return [f"{a[0]}/{a[1]}: attempt {b[2]} began {spans[a][1] - spans[b][0]:.3f} s before the end of attempt {a[2]}"
                for a in spans for b in spans
                if a[:2] == b[:2] and a[2] < b[2] and spans[b][0] <= spans[a][1]]
