# SPDX-License-Identifier: Apache-2.0
"""A ROS domain that nobody on this machine uses."""
from __future__ import annotations

import os
import socket

# DDS derives its UDP ports from the domain's number (DDSI-RTPS 2.5, section 9.6.2).
_FIRST_PORT = 7400
_PORTS_PER_DOMAIN = 250
_DISCOVERY = 0           # multicast discovery: bound by every participant
_UNICAST = range(10, 30)  # the first ten participants
_CLAIM = 249             # of a participant that no machine has: free to serve as our lock

# Above 101 the ports run into those that Linux hands out for outgoing connections; 0 is where
# everyone is by default.
DOMAINS = range(1, 102)


class Domain:
    """
    A ROS domain, claimed for as long as this object is open.

    number: for ROS_DOMAIN_ID; claim: what keeps others away, None if nothing has to.
    """

    def __init__(self, number: int, claim: socket.socket | None = None):
        self.number = number
        self._claim = claim

    def __enter__(self) -> Domain:
        return self

    def __exit__(self, *_):
        if self._claim is not None:
            self._claim.close()


def claim_domain(candidates=None) -> Domain:
    """
    Claim a domain that has no participant on this machine and that no other demo has claimed.

    candidates: the numbers to try, in this order. Default: all of 1..101, starting at one that
        depends on the process id, so that demos that start together seldom try the same.

    The claim is a bound socket, which the system releases however the process ends. It keeps two
    demos apart that look at the same moment, when neither has a participant yet.
    Raises RuntimeError when none is free.
    """
    if candidates is None:
        first = os.getpid() % len(DOMAINS)
        candidates = [*DOMAINS[first:], *DOMAINS[:first]]
    for number in candidates:
        base = _FIRST_PORT + _PORTS_PER_DOMAIN * number
        claim = _bind(base + _CLAIM)
        if claim is None:
            continue
        if all(_is_free(base + offset) for offset in (_DISCOVERY, *_UNICAST)):
            return Domain(number, claim)
        claim.close()
    raise RuntimeError(f'all of the {len(candidates)} ROS domains tried are in use on this '
                       'machine; end a ROS program, or name a domain with --domain')


def _bind(port: int) -> socket.socket | None:
    """Return a UDP socket bound to a port that nobody else has, or None."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.bind(('', port))
    except OSError:
        bound.close()
        return None
    return bound


def _is_free(port: int) -> bool:
    probe = _bind(port)
    if probe is None:
        return False
    probe.close()
    return True
