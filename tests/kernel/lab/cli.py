# SPDX-License-Identifier: BSD-2-Clause
"""The command line of scripts/kernel-lab. docs/kernel-lab.md is its manual."""
import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from . import kernels, network, siw, terminal
from .errors import DeadGuest, LabError, TimedOut
from .job import shell_status
from .service import Client, choose_session, running_sessions
from .session import Session


def main(arguments=None):
    options = parse(sys.argv[1:] if arguments is None else arguments)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        # An exception, so that sessions are removed on the way out.
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    try:
        return options.verb(options)
    except LabError as error:
        print(f"kernel-lab: {error}", file=sys.stderr)
        return error.status


def parse(arguments):
    parser = argparse.ArgumentParser(prog="kernel-lab", description="Debian kernels under QEMU, next to native programs.",
                                     epilog="Exit status: that of the command; 124 time is up, 125 the guest died, "
                                            "77 this machine cannot do it. Manual: docs/kernel-lab.md")
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    def verb(name, function, help_text, takes_command=False, boots=False, joins=False):
        sub = verbs.add_parser(name, help=help_text, description=help_text)
        sub.set_defaults(verb=function)
        if boots:
            add_boot_options(sub)
        if joins:
            sub.add_argument("-s", "--session", help="directory of the session (default $RDSCO_LAB_SESSION, or the only one)")
        if takes_command:
            sub.usage = sub.format_usage().removeprefix("usage: ").rstrip("\n") + " [--timeout S] -- COMMAND..."
            sub.add_argument("--timeout", type=float, metavar="S", help="seconds until the command is killed (status 124)")
            sub.set_defaults(command=None)
        return sub

    setup = verb("setup", set_up, "download and unpack kernels; install missing packages")
    setup.add_argument("series", nargs="*", choices=[*kernels.SERIES, "all", []], default=[], metavar="6.1|6.12|all")
    setup.add_argument("--siw", action="store_true", help="build soft-iWARP for them, too")
    run = verb("run", run_once, "run a command in a fresh guest", True, boots=True)
    run.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="environment of the command")
    tap = verb("tap", run_tap, "boot a guest on a TAP and run a native command at the wire's other end", True, boots=True)
    tap.add_argument("--guest", metavar="TEXT", help="shell command to run in the guest at the same time")
    shell = verb("shell", run_shell, "boot a guest and open a shell in it", boots=True)
    shell.add_argument("--tap", action="store_true", help="with a network: use 'native' from another terminal")
    verb("up", bring_up, "boot a guest on a TAP in the background and print the session's directory", boots=True)
    execute = verb("exec", run_in_session, "run a command in the guest of a session", True, joins=True)
    execute.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="environment of the command")
    verb("native", run_native, "run a native command at the session's other end of the wire", True, joins=True)
    verb("restart-rds", order_session, "unload and load rds_tcp in the guest", joins=True).set_defaults(order="restart_rds")
    verb("reset-tcp", order_session, "reset the guest's RDS over TCP connections", joins=True).set_defaults(order="reset_tcp")
    verb("down", order_session, "end a background session", joins=True).set_defaults(order="down")
    verb("list", list_sessions, "list the running sessions")
    # Split here, because argparse would take a "--" of the command for its own.
    split = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:split])
    command = arguments[split + 1:]
    if hasattr(options, "command") != bool(command):
        parser.error("this verb takes no command" if command else "a command is missing: ... -- COMMAND...")
    options.command = command
    return options


def add_boot_options(parser):
    parser.add_argument("--kernel", choices=kernels.SERIES, default="6.1")
    parser.add_argument("--smp", type=int, default=1, metavar="N", help="processors (default 1)")
    parser.add_argument("--memory", type=int, default=512, metavar="MIB", help="memory (default 512)")
    parser.add_argument("--accel", choices=("tcg", "kvm"), default="tcg", help="tcg (default) needs no hardware")
    parser.add_argument("--mtu", type=int, default=1500, help="of the wire")
    parser.add_argument("--native-address", action="append", metavar="ADDRESS/LENGTH",
                        help=f"repeatable; default {' '.join(network.NATIVE_ADDRESSES)}")
    parser.add_argument("--guest-address", action="append", metavar="ADDRESS/LENGTH",
                        help=f"repeatable; default {' '.join(network.GUEST_ADDRESSES)}")


def tell(text):
    print(f"kernel-lab: {text}", file=sys.stderr, flush=True)


def boot(options, **more):
    kernels.find(options.kernel, tell)
    return Session(options.kernel, smp=options.smp, memory=options.memory, accel=options.accel, mtu=options.mtu,
                   native_addresses=options.native_address or network.NATIVE_ADDRESSES,
                   guest_addresses=options.guest_address or network.GUEST_ADDRESSES, **more)


def set_up(options):
    wanted = [one for one in options.series if one != "all"] if options.series else ["6.1"]
    if "all" in options.series:
        wanted = list(kernels.SERIES)
    for series in wanted:
        kernel = kernels.set_up(series, tell)
        if options.siw:
            siw.add_to(kernel, tell)
        print(f"{series}: {kernel.release}{' with soft-iWARP' if siw.is_in(kernel) else ''}")
    return 0


def run_once(options):
    limit = deadline(options)
    with boot(options) as session:
        job = session.guest.start(options.command, environment(options))
        return follow(job.directory, lambda seconds: job.wait(seconds), limit)


def run_tap(options):
    limit = deadline(options)
    with boot(options, tap=True) as session:
        job = session.guest.start(options.guest) if options.guest else None
        if job:
            guest_status = []
            follower = threading.Thread(target=lambda: guest_status.append(guest_end(job, limit)), daemon=True)
            follower.start()
        native = session.native.popen(options.command)
        try:
            status = native.wait(remaining(limit))
        except subprocess.TimeoutExpired:
            native.kill()
            raise TimedOut(f"the native command did not end in {options.timeout:g} s") from None
        if job:
            follower.join(remaining(limit))
            if not guest_status:
                raise TimedOut(f"the guest's command did not end in {options.timeout:g} s")
            print(f"kernel-lab: native status {shell_status(status)}, guest status {guest_status[0]}", file=sys.stderr)
            status = status or guest_status[0]
        if session.guest.dead:
            raise DeadGuest(f"the guest died\n{session.machine.evidence()}")
        return shell_status(status)


def guest_end(job, limit):
    try:
        return follow(job.directory, job.wait, limit)
    except LabError as error:
        return error.status


def run_shell(options):
    with boot(options, tap=options.tap, terminal=True) as session:
        if options.tap:
            print(f"kernel-lab: session {session.directory}", file=sys.stderr)
        return terminal.relay(session)


def bring_up(options):
    receiving, sending = os.pipe()
    if os.fork() > 0:
        os.close(sending)
        with os.fdopen(receiving) as answers:
            answer = answers.read()
        status, _, text = answer.partition(" ")
        print(text or "kernel-lab: the session ended", file=sys.stdout if status == "0" else sys.stderr)
        return int(status or 1)
    os.close(receiving)
    os.setsid()
    return keep(options, sending)


def keep(options, sending):
    """The background process of a session: its end is the session's end."""
    try:
        session = boot(options, tap=True)
    except LabError as error:
        os.write(sending, f"{error.status} kernel-lab: {error}".encode())
        return error.status
    with session:
        os.write(sending, f"0 {session.directory}".encode())
        os.close(sending)
        with open(os.devnull, "r+b") as nothing:
            for descriptor in (0, 1, 2):
                os.dup2(nothing.fileno(), descriptor)
        session.service.down.wait()
    return 0


def run_in_session(options):
    limit = deadline(options)
    directory, _ = choose_session(options.session)
    client = Client(directory)
    job = client.order(order="exec", command=options.command, directory=os.getcwd(), environment=environment(options))["job"]
    answers = []

    def listen():
        try:
            answers.append(client.answer())
        except LabError as error:
            answers.append(error)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()

    def wait(seconds):
        listener.join(seconds)
        if not answers:
            raise TimedOut("not finished")
        if isinstance(answers[0], LabError):
            raise answers[0]
        return answers[0]["status"]

    return follow(Path(job), wait, limit)


def run_native(options):
    directory, facts = choose_session(options.session)
    if facts["namespace"] is None:
        raise LabError("this session has no network: start it with tap, up or shell --tap")
    command = ["nsenter", f"--net=/proc/{facts['pid']}/fd/{facts['namespace']}", "--", *options.command]
    try:
        process = subprocess.Popen(command, env={**os.environ, "RDSCO_LAB_SESSION": str(directory)})
        status = process.wait(options.timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise TimedOut(f"the command did not end in {options.timeout:g} s") from None
    return shell_status(status)


def order_session(options):
    directory, _ = choose_session(options.session)
    sys.stdout.write(Client(directory).order(order=options.order)["text"])
    return 0


def list_sessions(_options):
    for directory, facts in running_sessions():
        print(f"{directory}  pid {facts['pid']}  {facts['kernel']}  {'tap' if facts['namespace'] is not None else 'no network'}")
    return 0


def environment(options):
    return dict(pair.split("=", 1) if "=" in pair else (pair, os.environ.get(pair, "")) for pair in options.env)


def deadline(options):
    return None if options.timeout is None else time.monotonic() + options.timeout


def remaining(limit):
    return None if limit is None else max(0.0, limit - time.monotonic())


def follow(directory, wait, limit):
    """Copies a job's output while it runs; returns its status."""
    with open(directory / "stdout", "rb") as stdout, open(directory / "stderr", "rb") as stderr:
        def copy():
            for source, target in ((stdout, sys.stdout.buffer), (stderr, sys.stderr.buffer)):
                shutil.copyfileobj(source, target)
                target.flush()

        while True:
            try:
                status = wait(0.02)
                copy()
                return status
            except TimedOut:
                copy()
                if limit is not None and time.monotonic() > limit:
                    raise TimedOut("time is up: the guest's command did not end") from None
            except LabError:
                copy()
                raise
