// SPDX-License-Identifier: Apache-2.0
// The page of `obai play`: frames that come from the server, and wishes that go there. All that is
// drawn, and the frame that is, are in drawing.js.
'use strict';

const CLICK = 1.5; // px of the grid, within which a drag is a click

const source = new EventSource('frames');
source.onmessage = async event => {
  const next = JSON.parse(event.data);
  const pictures = await load({camera: next.image.picture, ...next.pictures});
  next.labels = Uint8Array.from(atob(next.grid.labels), letter => letter.charCodeAt(0));
  if (!frame) say('Drag an object, or click the ground.');
  remember(next);
  frame = next;
  picture = pictures.camera;
  draw();
  for (const name of ['reconstruction', 'prediction']) show(name, pictures[name]);
  tabulate();
  chart('distance', history.map(past => past.distance), frame.slots.map(slot => slot.colour));
  chart('energy', history.map(past => [past.energy]), [getComputedStyle(document.body).color]);
  element('number').textContent =
    `${round(frame.free_energy, 0)} after ${frame.iterations} refinements, frame ${frame.frame}`;
};
source.onerror = () => say('No connection: is `obai play` still running?', false);

async function wish(what, details = {}) {
  try {
    const response = await fetch('wish', {
      method: 'POST', headers: {'Content-Type': 'application/json'},
      body: JSON.stringify({do: what, ...details})});
    return await response.json();
  } catch (error) {
    return {granted: false, says: 'No connection: is `obai play` still running?'};
  }
}

async function ask(what, details) {
  const answer = await wish(what, details);
  say(answer.says, answer.granted);
  return answer.granted;
}

function say(sentence, good = true) {
  element('message').textContent = sentence;
  element('message').className = good ? '' : 'refused';
}

function toGrid(event) {
  const box = scene.getBoundingClientRect(), {left, top, wide, high} = place();
  return [tenths(((event.clientX - box.left) * scene.width / box.width - left) / wide),
          tenths(((event.clientY - box.top) * scene.height / box.height - top) / high)];
}

// The slot of the object at (x, y), null where there is none.
function objectAt([x, y]) {
  const {width, height} = frame.grid;
  if (!(x >= 0 && y >= 0 && x < width && y < height)) return null;
  const slot = frame.labels[Math.floor(y) * width + Math.floor(x)] - 1;
  return frame.slots[slot]?.kind === 'object' ? slot : null;
}

const tenths = number => Math.round(10 * number) / 10;
const inside = ([x, y]) => [Math.min(Math.max(x, 0), frame.grid.width),
                            Math.min(Math.max(y, 0), frame.grid.height)];

scene.addEventListener('pointerdown', event => {
  if (!frame || event.button !== 0) return;
  const from = toGrid(event), slot = objectAt(from);
  if (slot === null) {
    if (event.isPrimary) held = null;
    return;
  }
  scene.setPointerCapture(event.pointerId);
  scene.classList.add('held');
  // Time stands still, if there is a simulator: what moves is hard to point at.
  held = {slot, from, to: from, stopped: paused ? null : wish('pause', {on: true})};
  draw();
});

scene.addEventListener('pointermove', event => {
  if (!frame) return;
  const to = toGrid(event);
  scene.classList.toggle('over', objectAt(to) !== null);
  if (held) {
    held.to = inside(to);
    draw();
  }
});

scene.addEventListener('pointerup', async event => {
  if (!frame || event.button !== 0) return;
  const to = toGrid(event);
  if (!held) {
    const [x, y] = to;
    if (objectAt(to) === null && inside(to)[0] === x && inside(to)[1] === y) {
      ask('goal', {kind: 'all', x, y});
    }
    return;
  }
  const {slot, from, stopped} = held, [x, y] = inside(to);
  await stopped;
  if (Math.hypot(to[0] - from[0], to[1] - from[1]) > CLICK) {
    const now = frame.slots[slot]; // it may have moved meanwhile
    await ask('goal', {kind: 'object', u: tenths(now.x), v: tenths(now.y), x, y, also: true});
  }
  drop(stopped);
});

scene.addEventListener('pointercancel', () => held && drop(held.stopped));

function drop(stopped) {
  held = null;
  scene.classList.remove('held');
  if (stopped) wish('pause', {on: false});
}

async function pause(on) {
  if (!await ask('pause', {on})) return;
  paused = on;
  element('pause').textContent = on ? 'Go on' : 'Pause';
}

const buttons = {
  none: () => ask('goal', {kind: 'none'}),
  reset: () => ask('reset'),
  pause: () => pause(!paused),
  step: async () => { if (paused || await pause(true) || paused) ask('step'); },
};
for (const [name, press] of Object.entries(buttons)) {
  element(name).addEventListener('click', press);
}
for (const name of ['slots', 'actions', 'goals']) {
  element(name).addEventListener('change', () => frame && draw());
}
document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches('button, input')) return;
  const press = {n: 'none', r: 'reset', ' ': 'pause', s: 'step'}[event.key];
  if (press) { event.preventDefault(); buttons[press](); }
});
