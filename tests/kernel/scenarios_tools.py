#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# What could go wrong: the rdsco command serves another rdsco only, and an administrator who points it at a kernel is told of nothing or of faults.
# How the test forces it: ping over every address, and stress as either end of rds-stress's protocol, against the AF_RDS sockets of a fresh kernel.
import json
import os
import re
import sys

sys.dont_write_bytecode = True
from scenario import (  # noqa: E402
    BOTH_ORDERS, EVERY_ADDRESS, arguments, check, each_address, kernel_address, run)

STRESS_END = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stress_end.py")
TASKS, DEPTH, REQUEST, ACKNOWLEDGEMENT, SECONDS = 2, 4, 3000, 100, 2


def command(wire, *words):
    job = wire.session.native.start([wire.options.rdsco, *map(str, words)])
    wire.jobs.append(job)
    return job


def ping(wire, own):
    count = 5
    # The interval is also how long the last answer is waited for: a busy machine is given more.
    for interval in ("200ms", "2", "20"):
        job = command(wire, "ping", "-c", count, "-i", interval, "-I", own, kernel_address(own))
        status = job.wait(600)
        answers = re.findall(r"^ +\d+: \d+ usec$", job.stdout().decode(), re.MULTILINE)
        check(b"DUP!" not in job.stdout(), job.tail())
        if len(answers) == count:
            break
    check(status == 0 and len(answers) == count, status, job.tail())


def stress_end(wire, own, *words):
    job = wire.session.guest.start([sys.executable, "-B", STRESS_END, "--own", kernel_address(own), *map(str, words)])
    wire.jobs.append(job)
    return job


def our_account(job):
    status = job.wait(300)
    check(status == 0, "rdsco stress", status, job.tail())
    account = json.loads(job.stdout())
    check(account["clean"] and not any(account["faults"].values()), account)
    return account


def we_start_stress(wire, own):
    """We are the active end, in both versions of the agreement."""
    for version in ((), ("--protocol-2.0.6",)):
        theirs = stress_end(wire, own).wait_until_ready()
        ours = our_account(command(wire, "stress", "-r", own, "-s", kernel_address(own), "-t", TASKS, "-d", DEPTH, "-q", REQUEST,
                                   "-a", ACKNOWLEDGEMENT, "-T", SECONDS, "-v", "--json", "--patience", "200", *version))
        judge(ours, theirs)


def the_kernel_starts_stress(wire, own):
    for version in ((), ("--newer",)):
        job = command(wire, "stress", "-r", own, "--json", "--patience", "200")
        job.wait_until(lambda: listens(wire), "a listening socket")
        theirs = stress_end(wire, own, "--peer", own, "--tasks", TASKS, "--depth", DEPTH, "--request", REQUEST, "--acknowledgement",
                            ACKNOWLEDGEMENT, "--seconds", SECONDS, *version)
        judge(our_account(job), theirs)


def listens(wire):
    return wire.session.native.run("ss -Htln 'sport = :4000'")[1]


def judge(ours, theirs):
    status, facts = theirs.report()
    check(status == 0 and facts["clean"], facts)
    check(ours["requests_sent"] > DEPTH and ours["requests_received"] > DEPTH and ours["payload_checked"], ours)
    check(facts["requests"] > DEPTH and facts["answered"] > DEPTH, facts)
    check(ours["request_bytes"] == REQUEST and ours["ack_bytes"] == ACKNOWLEDGEMENT and ours["tasks"] == TASKS, ours)


CASES = [each_address(ping, EVERY_ADDRESS), each_address(we_start_stress, BOTH_ORDERS), each_address(the_kernel_starts_stress, BOTH_ORDERS)]


def main():
    parser = arguments(__doc__)
    parser.add_argument("--rdsco", required=True, type=os.path.abspath, help="the program rdsco")
    return run(parser.parse_args(), CASES)


sys.exit(main())
