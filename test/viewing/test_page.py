# SPDX-License-Identifier: Apache-2.0
"""The server of the page, as browsers see it, and what it refuses."""

from concurrent.futures import ThreadPoolExecutor
import http.client
import json
from pathlib import Path
import re
import socket
import time

from obai_ros.viewing import page as module
from obai_ros.viewing.page import FILES, KINDS, Page, PageError, Wish, WISHES
import pytest

HOME = Path(module.__file__).parent


@pytest.fixture
def page():
    with Page(port=0) as made:
        yield made


@pytest.fixture
def visit(page):
    """Return visit(method, path, body, **headers) -> (status, type, body)."""
    def visit(method, path, body=None, **headers):
        connection = http.client.HTTPConnection(page.address.split('/')[2], timeout=30)
        connection.request(method, path, body, {
            name.replace('_', '-'): value for name, value in headers.items()})
        answer = connection.getresponse()
        found = answer.status, answer.headers.get_content_type(), answer.read()
        connection.close()
        return found
    return visit


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, 'waited in vain'
        time.sleep(.005)


@pytest.mark.parametrize('path', FILES)
def test_the_page_comes_whole(visit, path):
    name, kind = FILES[path]
    assert visit('GET', path) == (200, kind, (HOME / name).read_bytes())


@pytest.mark.parametrize('path', ['/page.py', '/../page.py', '/etc/passwd', '/frames/x'])
def test_nothing_else_is_given_away(visit, path):
    status, _, body = visit('GET', path)
    assert status == 404 and 'there is nothing at' in json.loads(body)['says']


def test_frames_reach_who_looks_the_newest_first(page):
    page.show({'frame': 1})
    page.show({'frame': 2})
    with socket.create_connection(('127.0.0.1', int(page.address.split(':')[2][:-1]))) as browser:
        browser.settimeout(30)
        browser.sendall(b'GET /frames HTTP/1.1\r\nHost: localhost\r\n\r\n')
        lines = browser.makefile()
        while lines.readline().strip():
            pass  # the head
        assert lines.readline() == 'data: {"frame": 2}\n'
        assert page.viewers == 1
        page.show({'frame': 3})
        assert 'data: {"frame": 3}\n' in (lines.readline() for _ in range(1000))
        lines.close()
    until(lambda: page.viewers == 0)


def test_no_number_is_sent_that_browsers_cannot_read(page):
    with pytest.raises(ValueError):
        page.show({'free_energy': float('nan')})


def test_a_wish_is_answered_by_who_grants_it(page, visit):
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(visit, 'POST', '/wish', json.dumps(
            {'do': 'goal', 'kind': 'object', 'u': 1, 'v': 2.5, 'x': 3, 'y': 4, 'also': True}),
            Content_Type='application/json')
        found = []
        until(lambda: found.extend(page.wishes()) or found)
        assert (found[0].what, found[0].says) == (
            'goal', {'kind': 'object', 'u': 1., 'v': 2.5, 'x': 3., 'y': 4., 'also': True})
        found[0].answer(False, 'no object shows there')
        status, kind, body = answer.result(30)
    assert (status, kind) == (200, 'application/json')
    assert json.loads(body) == {'granted': False, 'says': 'no object shows there'}
    assert page.wishes() == []


def test_a_wish_that_nobody_grants_ends(monkeypatch):
    monkeypatch.setattr(module, 'PATIENCE', .01)
    answer = Wish('reset', {}).wait()
    assert not answer['granted'] and 'no answer for 0.01 s' in answer['says']


@pytest.mark.parametrize('body, said', [
    ('', 'no JSON'), ('{', 'no JSON'), ('[' * 4000, 'no JSON'), ('[]', "do is None, expected one"),
    ('{"do": "dance"}', "do is 'dance', expected one of goal, reset, pause, step"),
    ('{"do": ["goal"]}', "do is .'goal'., expected one of"),
    ('{"do": "reset", "x": 1}', 'reset takes no x'), ('{"do": "pause"}', 'pause needs on'),
    ('{"do": "pause", "on": 1}', 'on is 1.0, expected true or false'),
    ('{"do": "goal"}', 'kind is None, expected one of none, all, object'),
    ('{"do": "goal", "kind": "class"}', "kind is 'class'"),
    ('{"do": "goal", "kind": "all", "x": 1}', 'goal needs y'),
    ('{"do": "goal", "kind": "all", "x": 1, "y": NaN}', 'y is nan, expected a number from -10000'),
    ('{"do": "goal", "kind": "all", "x": true, "y": 1}', 'x is True, expected a number'),
    ('{"do": "goal", "kind": "all", "x": 1' + 400 * '0' + ', "y": 2}', 'x is inf, expected')])
def test_what_is_no_wish_is_refused_in_words(page, visit, body, said):
    status, _, answer = visit('POST', '/wish', body, Content_Type='application/json')
    assert status == 400 and re.search(said, json.loads(answer)['says'])
    assert page.wishes() == []


def test_long_wishes_are_not_read(page, visit):
    assert visit('POST', '/wish', b' ' * 5000, Content_Type='application/json')[0] == 413
    assert page.wishes() == []


def test_pages_from_elsewhere_are_refused(page, visit):
    """A form of another site can be sent here, but not as JSON; nor may its name lead here."""
    wish = json.dumps({'do': 'reset'})
    assert visit('POST', '/wish', wish, Content_Type='text/plain')[0] == 404
    assert visit('POST', '/wish', wish, Content_Type='application/json',
                 Host='evil.example:8764')[0] == 403
    assert visit('GET', '/frames', Host='evil.example')[0] == 403
    assert page.wishes() == []


def test_a_port_that_is_taken_is_said(page):
    port = int(page.address.split(':')[2][:-1])
    with pytest.raises(PageError, match=f'cannot listen at 127.0.0.1:{port} .*choose another'):
        Page(port=port)


def test_the_scripts_know_the_page_and_what_can_be_wished():
    script = ''.join((HOME / name).read_text() for name in ('drawing.js', 'page.js'))
    ids = set(re.findall(r'id="(\w+)"', (HOME / 'page.html').read_text()))
    named = set(re.findall(r"(?:element|show|chart)\('(\w+)'", script))
    assert named and named <= ids
    buttons = re.search(r'const buttons = \{(.*?)\n\};', script, re.DOTALL).group(1)
    assert set(re.findall(r'^  (\w+):', buttons, re.MULTILINE)) <= ids
    assert set(re.findall(r"(?:ask|wish)\('(\w+)'", script)) == WISHES.keys()
    assert set(re.findall(r"kind: '(\w+)'", script)) == KINDS.keys()
