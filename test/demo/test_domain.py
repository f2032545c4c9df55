# SPDX-License-Identifier: Apache-2.0
"""Domain: never one that somebody on this machine uses or has claimed."""
import socket

from obai_ros.demo.domain import claim_domain, DOMAINS
import pytest


def test_two_claims_do_not_collide():
    with claim_domain() as first:
        candidates = [first.number, *(n for n in DOMAINS if n != first.number)]
        with claim_domain(candidates) as second:
            assert first.number in DOMAINS and second.number in DOMAINS
            assert first.number != second.number


def test_a_claim_ends_with_the_block():
    with claim_domain() as first:
        pass
    with claim_domain([first.number]) as second:
        assert second.number == first.number


@pytest.mark.parametrize('offset', [0, 10, 11])
def test_a_domain_with_a_participant_is_not_free(offset):
    with claim_domain() as domain:
        number = domain.number
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as participant:
        participant.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as DDS does
        participant.bind(('', 7400 + 250 * number + offset))
        with pytest.raises(RuntimeError, match='all of the 1 ROS domains'):
            claim_domain([number])
