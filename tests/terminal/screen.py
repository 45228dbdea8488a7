"""What commands show: screen.py BINARY COLUMNS < COMMANDS. Each line of COMMANDS is the arguments of one, as JSON. With 0
columns it writes into a pipe, else on a pseudo-terminal of so many."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios

BINARY, COLUMNS = sys.argv[1], int(sys.argv[2])


def on_terminal(arguments):
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
        os.environ["TERM"] = "xterm"
        os.execv(BINARY, [BINARY, *arguments])
    shown = b""
    while True:
        try:
            more = os.read(fd, 65536)
        except OSError:
            more = b""
        if not more:
            break
        shown += more
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    return shown.replace(b"\r\n", b"\n"), os.waitstatus_to_exitcode(status)


def in_pipe(arguments):
    done = subprocess.run([BINARY, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout, done.returncode


for line in sys.stdin:
    arguments = json.loads(line)
    shown, code = on_terminal(arguments) if COLUMNS else in_pipe(arguments)
    ended = "" if code == 0 else f"(exit {code})\n"
    print(f"$ tracehouse {' '.join(arguments)}\n{shown.decode()}{ended}", flush=True)
