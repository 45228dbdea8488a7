"""A session of the shell on a pseudo-terminal: session.py BINARY DATABASE. Exits with 0 when all was as expected."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

BINARY, DATABASE = sys.argv[1:3]
# Longest wait for what has to come, on a machine with much else to do.
WAIT_SECONDS = 120
# Would take hours.
LONG = (
    "SELECT count(*) FROM spans a CROSS JOIN spans b CROSS JOIN spans c CROSS JOIN spans d CROSS JOIN spans e "
    "WHERE a.duration_ns + e.duration_ns = 3;"
)
JOIN = [
    "SELECT count(*) AS joined FROM traces t JOIN spans s ON s.trace_id = t.trace_id",
    "LEFT JOIN assessments a ON a.trace_id = t.trace_id WHERE s.name IS NOT NULL;",
]
PROMPT = "tracehouse> "


class Terminal:
    """A process on a terminal of so many columns."""

    def __init__(self, columns, *arguments):
        self.columns = columns
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
            os.environ["TERM"] = "xterm"
            os.execv(BINARY, [BINARY, *arguments])

    def read(self, seconds):
        """More of what is shown; False when nothing came."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.seen += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", data.decode("utf-8", "replace")).replace("\r", "")
        return bool(data)

    def expect(self, text):
        """What is shown up to `text`."""
        end = time.monotonic() + WAIT_SECONDS
        while text not in self.seen:
            left = end - time.monotonic()
            assert left > 0, f"{text!r} never came: {self.seen[-2000:]!r}"
            self.read(min(left, 1))
        before, self.seen = self.seen.split(text, 1)
        return before

    def type(self, text):
        os.write(self.fd, text.encode())

    def ask(self, line, expected):
        """Types a line; gives what is shown until what is expected and the next prompt are."""
        self.type(line + "\r")
        shown = self.expect(expected) + expected
        return shown + self.expect(PROMPT)

    def leave(self):
        """What is shown until it ends, and its exit code."""
        end = time.monotonic() + WAIT_SECONDS
        while self.read(1) and time.monotonic() < end:
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def interrupted_statements():
    shell = Terminal(80, "shell", DATABASE)
    shell.expect(PROMPT)
    # Lines that come at once, from a terminal that does not mark what is pasted, are all read.
    shell.type("SELECT 11 * 11 AS first;\rSELECT 12 * 12\rAS second;\r.mode table\rSELECT 13 * 13 AS third;\r")
    for answer in ["121", "144", "169"]:
        shell.expect(answer)
    shell.expect(PROMPT)
    shell.type(JOIN[0] + "\r")
    shell.expect("...> ")
    shown = shell.ask(JOIN[1], "joined")
    assert re.search(r"\n *[1-9][0-9]*\n", shown), shown
    # Ctrl-C ends the statement, and the shell goes on with the next.
    shell.type(LONG + "\r")
    shell.expect("e.duration_ns")
    time.sleep(0.5)
    shell.type("\x03")
    shell.expect("cancelled")
    shell.expect(PROMPT)
    shell.ask("SELECT 6 * 7 AS answer;", "42")
    # Ctrl-C at the prompt forgets what was begun.
    shell.type("SELECT 'begun'\r")
    shell.expect("...> ")
    shell.type("\x03")
    shell.expect(PROMPT)
    # An alias is completed with the columns of its table.
    shell.type("SELECT 1 FROM spans AS zz WHERE zz.total_tok\t")
    shell.expect("zz.total_tokens")
    shell.type("\x03")
    shell.expect(PROMPT)
    # So is a view that was made after names were looked up.
    shell.type("CREATE VIEW fresh AS SELECT 1 AS fresh_column;\r")
    shell.expect("fresh_column;")
    shell.expect(PROMPT)
    shell.type("SELECT fresh.fresh_c\t")
    shell.expect("fresh.fresh_column")
    shell.type("\x03")
    shell.expect(PROMPT)
    # Killed while a statement runs, it has lost nothing that was typed.
    shell.type(LONG + "\r")
    shell.expect("e.duration_ns")
    time.sleep(0.5)
    os.kill(shell.pid, signal.SIGKILL)
    assert shell.leave() == -signal.SIGKILL


def history_is_there():
    shell = Terminal(120, "shell", DATABASE)
    shell.expect(PROMPT)
    shell.type("\x1b[A")
    shell.expect("CROSS JOIN spans e")
    shell.type("\x1b[A")
    shell.expect("fresh_column;")
    shell.type("\x1b[A")
    shell.expect("6 * 7 AS answer;")
    # The statement of two lines is one of the history.
    shell.type("\x1b[A\x1b[A")
    shell.expect("LEFT JOIN assessments a")
    shell.type("\x03")
    shell.expect(PROMPT)
    shell.type("exit\r")
    assert shell.leave() == 0


def results_fit(columns):
    shell = Terminal(columns, "shell", DATABASE)
    shell.expect(PROMPT)
    shown = shell.ask("SELECT * FROM spans;", "not shown (.mode line for all)")
    wide = [line for line in shown.splitlines()[1:] if len(line) > columns]
    assert not wide, wide
    shown = shell.ask("SELECT 7 AS v FROM spans a CROSS JOIN spans b LIMIT 1000;", "40 of 1,000 rows")
    assert len(re.findall(r"\n *[0-9]+(?=\n)", shown)) == 40, shown
    shell.type(".mode line\r")
    shell.expect(PROMPT)
    shell.ask("SELECT 1 AS a, 'x' AS longer;", "longer = x")
    shell.type("\x04")
    assert shell.leave() == 0


interrupted_statements()
history_is_there()
results_fit(80)
results_fit(120)
