// SPDX-License-Identifier: Apache-2.0
// The page of `obai play` draws each frame that the server sends; page.js asks for them.
// Lengths are px of the model's grid, x to the right, y down, unless a name says otherwise.
'use strict';

const REMEMBERED = 150; // frames that charts show

const element = id => document.getElementById(id);
const scene = element('scene');
const pen = scene.getContext('2d');

let frame = null;       // the newest, as the server describes it, with its labels as numbers
let picture = null;     // of the camera
let held = null;        // {slot, from, to, stopped}: what the mouse holds
let paused = false;     // by the button
let history = [];       // {energy, distance: one per slot, null without a goal}

async function load(addresses) {
  const loaded = Object.entries(addresses).map(async ([name, address]) => {
    const image = new Image();
    image.src = address;
    await image.decode();
    return [name, image];
  });
  return Object.fromEntries(await Promise.all(loaded));
}

function remember(next) {
  if (frame && next.frame <= frame.frame) history = []; // the filter started anew
  history.push({
    energy: next.free_energy,
    distance: next.slots.map(slot => slot.wanted && slot.kind === 'object'
      ? Math.hypot(slot.x - slot.wanted[0], slot.y - slot.wanted[1]) : null),
  });
  history = history.slice(-REMEMBERED);
}

function show(name, image) {
  const canvas = element(name), context = canvas.getContext('2d');
  context.imageSmoothingEnabled = false;
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (image) context.drawImage(image, 0, 0, canvas.width, canvas.height);
}

// Where the point (x, y) of the grid is on the canvas of the scene.
function place() {
  const {width, height} = frame.image, {offset_x, offset_y, scale_x, scale_y} = frame.place;
  const across = scene.width / width, down = scene.height / height;
  return {left: offset_x * across, top: offset_y * down,
          wide: scale_x * across, high: scale_y * down};
}

function draw() {
  scene.height = Math.round(scene.width * frame.image.height / frame.image.width);
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.imageSmoothingEnabled = picture.width > 128;
  pen.drawImage(picture, 0, 0, scene.width, scene.height);
  const {left, top, wide, high} = place();
  const at = (x, y) => [left + wide * x, top + high * y];
  if (element('slots').checked) outline(at);
  frame.slots.forEach((slot, number) => {
    if (slot.wanted && slot.kind === 'object' && element('goals').checked && !isHeld(number)) {
      line(at(slot.x, slot.y), at(...slot.wanted), slot.colour, 2, [3, 7]);
    }
    if (slot.wanted && element('goals').checked) cross(at(...slot.wanted), slot.colour);
    if (slot.push && element('actions').checked) {
      const [column, row] = slot.contact, [ax, ay] = slot.push;
      arrow(at(column + .5, row + .5), at(column + .5 + ax, row + .5 + ay));
    }
  });
  if (held) {
    const slot = frame.slots[held.slot];
    line(at(slot.x, slot.y), at(...held.to), slot.colour, 4, []);
    cross(at(...held.to), slot.colour);
  }
}

const isHeld = number => held !== null && held.slot === number;

// Every edge of the grid between a slot and what is not that slot, in the slot's colour.
function outline(at) {
  const {width, height} = frame.grid, labels = frame.labels;
  frame.slots.forEach((slot, number) => {
    if (slot.kind === 'background') return;
    const path = new Path2D(), label = number + 1;
    const edge = (from, to) => { path.moveTo(...at(...from)); path.lineTo(...at(...to)); };
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        if (labels[row * width + column] !== label) continue;
        const other = (r, c) => r < 0 || c < 0 || r >= height || c >= width ||
          labels[r * width + c] !== label;
        if (other(row - 1, column)) edge([column, row], [column + 1, row]);
        if (other(row + 1, column)) edge([column, row + 1], [column + 1, row + 1]);
        if (other(row, column - 1)) edge([column, row], [column, row + 1]);
        if (other(row, column + 1)) edge([column + 1, row], [column + 1, row + 1]);
      }
    }
    stroke(path, slot.colour, slot.kind === 'empty' ? 1 : 3);
  });
}

function stroke(path, colour, width, dashes = []) {
  pen.lineCap = 'round';
  pen.setLineDash(dashes);
  for (const [shade, wide] of [['rgb(20, 20, 20)', width + 3], [colour, width]]) {
    pen.strokeStyle = shade;
    pen.lineWidth = wide;
    pen.stroke(path);
  }
}

function line(from, to, colour, width, dashes) {
  const path = new Path2D();
  path.moveTo(...from);
  path.lineTo(...to);
  stroke(path, colour, width, dashes);
}

function cross([x, y], colour) {
  const path = new Path2D();
  path.arc(x, y, 11, 0, 2 * Math.PI);
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    path.moveTo(x + 5 * dx, y + 5 * dy);
    path.lineTo(x + 19 * dx, y + 19 * dy);
  }
  stroke(path, colour, 3);
}

function arrow(from, to) {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]], length = Math.hypot(dx, dy);
  if (length < 2) return;
  const [ux, uy] = [dx / length, dy / length], head = Math.min(10, length);
  const path = new Path2D();
  path.moveTo(...from);
  path.lineTo(...to);
  for (const side of [1, -1]) {
    path.moveTo(...to);
    path.lineTo(to[0] - head * (ux + .5 * side * uy), to[1] - head * (uy - .5 * side * ux));
  }
  stroke(path, 'white', 3);
}

function tabulate() {
  const cell = text => Object.assign(document.createElement('td'), {textContent: text});
  element('table').replaceChildren(...frame.slots.map((slot, number) => {
    const row = document.createElement('tr'), first = cell(`${number} ${slot.kind}`);
    const swatch = document.createElement('span'), object = slot.kind === 'object';
    swatch.className = 'swatch';
    swatch.style.background = object ? slot.colour : 'transparent';
    first.prepend(swatch);
    row.className = object ? '' : 'empty';
    const pushed = slot.push && (slot.push[0] || slot.push[1]);
    row.append(first, cell(object ? pair([slot.x, slot.y]) : ''),
               cell(object && slot.wanted ? pair(slot.wanted) : ''),
               cell(pushed ? pair(slot.push) : ''), cell(round(slot.entropy, 0)),
               cell(round(slot.feef, 1)));
    return row;
  }));
}

// Adding 0 makes 0 of -0.
const round = (number, digits) =>
  number == null ? '' : (Number(number.toFixed(digits)) + 0).toFixed(digits);
const pair = numbers => numbers.map(number => round(number, 1)).join(', ');

// Lines from left (past) to right (now); series: for each frame one number, or null, per line.
function chart(name, series, colours) {
  const canvas = element(name), context = canvas.getContext('2d');
  const style = getComputedStyle(document.body), margin = 8;
  const numbers = series.flat().filter(number => number != null);
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!numbers.length) return;
  const least = Math.min(name === 'distance' ? 0 : Infinity, ...numbers);
  const most = Math.max(name === 'distance' ? 10 : least + 1, ...numbers);
  const x = index => canvas.width - margin - (series.length - 1 - index) *
    (canvas.width - 110) / (REMEMBERED - 1);
  const y = number => canvas.height - margin - (number - least) / (most - least) *
    (canvas.height - 2 * margin);
  context.font = `24px ${style.fontFamily}`;
  context.fillStyle = style.getPropertyValue('--faint');
  context.textBaseline = 'top';
  context.fillText(most.toFixed(0), 6, 6);
  context.textBaseline = 'bottom';
  context.fillText(least.toFixed(0), 6, canvas.height - 4);
  context.lineWidth = 4;
  context.lineJoin = 'round';
  colours.forEach((colour, which) => {
    context.strokeStyle = colour;
    context.beginPath();
    let open = false;
    series.forEach((values, index) => {
      const value = values[which];
      if (value == null) { open = false; return; }
      if (open) context.lineTo(x(index), y(value));
      else context.moveTo(x(index), y(value));
      open = true;
    });
    context.stroke();
  });
}
