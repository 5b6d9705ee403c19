# SPDX-License-Identifier: BSD-2-Clause
"""Joins a person's terminal to the guest's."""
import os
import select
import sys
import termios
import threading
import tty

from .errors import LabError


def relay(session):
    if not sys.stdin.isatty():
        raise LabError("shell needs a terminal: use 'run' or 'exec' from scripts")
    size = os.get_terminal_size(0)
    session.guest.run(f"stty rows {size.lines} cols {size.columns} </dev/hvc0")
    status = []
    ended, ending = os.pipe()

    def wait():
        try:
            status.append(session.guest.shell())
        except LabError as error:
            status.append(error)
        os.write(ending, b".")

    threading.Thread(target=wait, daemon=True).start()
    settings = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        copy_until(session.machine.terminal, ended)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, settings)
        print()
    if isinstance(status[0], LabError):
        raise status[0]
    return status[0]


def copy_until(guest, ended):
    while True:
        ready, _, _ = select.select([0, guest, ended], [], [])
        if guest in ready:
            os.write(1, guest.recv(65536))
        elif ended in ready:
            return
        if 0 in ready:
            guest.sendall(os.read(0, 4096))
