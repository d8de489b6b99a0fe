// Plots as SVG: quality against cost, and lines with bands. A plot has one tab stop a series; arrows move within it.
const DEFAULT_WIDTH = 680;
const LETTER = 6.6;
const plain = (value) => Number(value.toPrecision(6)).toLocaleString('en', { maximumSignificantDigits: 4 });
const colour = (index) => `c${index % 8}`;

function steps(low, high, wanted) {
  const raw = (high - low) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at += 1) found.push(Number((at * step).toPrecision(12)));
  return found;
}

function logSteps(low, high, wanted) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const one of [1, 2, 5]) if (one * 10 ** power >= low * 0.999 && one * 10 ** power <= high * 1.001) found.push(one * 10 ** power);
  }
  const tens = found.filter((one) => Number.isInteger(Number(Math.log10(one).toFixed(9))));
  const thin = found.length > wanted && tens.length > 1 ? tens : found;
  return thin.length > 1 ? thin : steps(low, high, wanted);
}

function scale(values, start, end, { log = false, pad = 0.06, ticks = null, wanted = 5, from = null } = {}) {
  let low = Math.min(...values), high = Math.max(...values);
  const isLog = log && low > 0;
  const to = isLog ? Math.log : (value) => value;
  const back = isLog ? Math.exp : (value) => value;
  let [a, b] = [to(low), to(high)];
  const room = (b - a || Math.abs(a) * 0.2 || 1) * pad;
  [a, b] = [from === null ? a - room : to(from), b + room];
  const place = (value) => start + (end - start) * (to(value) - a) / (b - a);
  [low, high] = [back(a), back(b)];
  const marks = (ticks || (isLog ? logSteps(low, high, wanted) : steps(low, high, wanted))).filter((one) => one >= low && one <= high);
  return Object.assign(place, { ticks: marks });
}

function frame(svg, x, y, box, xTitle, yTitle) {
  const { left, right, top, bottom } = box;
  const ticks = draw('g', { class: 'tick', 'aria-hidden': 'true' });
  let edge = -Infinity;
  for (const value of x.ticks) {
    const at = x(value), text = plain(value), half = text.length * LETTER / 2;
    ticks.append(draw('line', { x1: at, x2: at, y1: top, y2: bottom }));
    if (at - half > edge + 4) { ticks.append(draw('text', { x: at, y: bottom + 16, 'text-anchor': 'middle' }, text)); edge = at + half; }
  }
  for (const value of y.ticks) {
    ticks.append(draw('line', { x1: left, x2: right, y1: y(value), y2: y(value) }));
    ticks.append(draw('text', { x: left - 6, y: y(value) + 4, 'text-anchor': 'end' }, plain(value)));
  }
  svg.append(ticks, draw('path', { class: 'frame', d: `M${left} ${top}V${bottom}H${right}` }));
  svg.append(draw('text', { class: 'hint', x: right, y: bottom + 34, 'text-anchor': 'end', 'aria-hidden': 'true' }, xTitle));
  svg.append(draw('text', { class: 'hint', x: 2, y: 11, 'aria-hidden': 'true' }, yTitle));
}

function mark(x, y, said, className, radius) {
  return draw('g', { class: `mark ${className}`, tabindex: '-1', role: 'img', 'aria-label': said, 'data-tip': said },
    draw('circle', { cx: x, cy: y, r: 11, 'fill-opacity': 0, 'stroke-opacity': 0, class: 'reach' }), draw('circle', { cx: x, cy: y, r: radius }));
}

function roving(marks) {
  if (marks.length) marks[0].setAttribute('tabindex', '0');
  marks.forEach((element, index) => element.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = marks[(index + step + marks.length) % marks.length];
    element.setAttribute('tabindex', '-1');
    next.setAttribute('tabindex', '0');
    next.focus();
  }));
}

function canvas(width, height, label) {
  return draw('svg', { viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': label });
}

// The points that no other beats in both.
function front(points, lessX, lessY) {
  const [sx, sy] = [lessX ? 1 : -1, lessY ? -1 : 1];
  return points.filter((p) => !points.some((q) => sx * q.x <= sx * p.x && sy * q.y >= sy * p.y && (q.x !== p.x || q.y !== p.y)))
    .sort((p, q) => p.x - q.x);
}

function labels(svg, points, box) {
  const taken = points.map((p) => [p.px - 6, p.py - 6, p.px + 6, p.py + 6]);
  for (const p of points) {
    const width = (p.shown || p.label).length * LETTER;
    const places = [[p.px + 9, p.py + 4, 'start'], [p.px - 9, p.py + 4, 'end'], [p.px, p.py - 10, 'middle'], [p.px, p.py + 20, 'middle'],
      [p.px + 9, p.py - 10, 'start'], [p.px + 9, p.py + 18, 'start'], [p.px - 9, p.py - 10, 'end'], [p.px - 9, p.py + 18, 'end']];
    for (const [x, y, anchor] of places) {
      const left = anchor === 'start' ? x : anchor === 'end' ? x - width : x - width / 2;
      const area = [left, y - 11, left + width, y + 3];
      const free = left > box.left + 2 && left + width < box.limit && area[1] > 12 && area[3] < box.bottom
        && !taken.some((o, at) => points[at] !== p && area[0] < o[2] && area[2] > o[0] && area[1] < o[3] && area[3] > o[1]);
      if (!free) continue;
      taken.push(area);
      svg.append(draw('text', { class: 'halo', x, y, 'text-anchor': anchor, 'aria-hidden': 'true' }, p.shown || p.label));
      break;
    }
  }
}

function tradeoff(drawing, width, chosen, title) {
  const xs = drawing.xs.find((one) => one.key === chosen.x), ys = drawing.ys.find((one) => one.key === chosen.y);
  const every = drawing.points.map((p, index) => ({ label: p.label, x: p.x[xs.key], y: p.y[ys.key], bounds: p.bounds[ys.key], said: p.said[ys.key], edge: p.edge.includes(xs.key), index }));
  const points = every.filter((p) => p.x !== null && p.y !== null);
  const height = width < 520 ? 300 : 360;
  const svg = canvas(width, height, `${ys.title} against ${xs.title}, ${title}`);
  if (!points.length) {
    svg.append(draw('text', { x: 8, y: 40 }, 'No model has both numbers.'));
    return svg;
  }
  const box = { left: 44, right: width - 12, limit: width, top: 22, bottom: height - 42 };
  const values = points.map((p) => p.x);
  const log = Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) > 20;
  const x = scale(values, box.left, box.right, { log, pad: 0.1, wanted: width / 90 });
  const y = scale(points.flatMap((p) => [p.y, ...(p.bounds || [])]), box.bottom, box.top, { pad: 0.06, wanted: 6 });
  frame(svg, x, y, box, xs.title + (log ? ', log scale' : ''), ys.title);
  const best = front(points, !xs.more, ys.less);
  svg.append(draw('path', { class: 'front', d: best.map((p, at) => `${at ? 'L' : 'M'}${x(p.x)} ${y(p.y)}`).join('') }));
  for (const p of points) {
    p.px = x(p.x);
    p.py = y(p.y);
    if (p.bounds) svg.append(draw('path', { class: `span ${colour(p.index)}`, d: `M${p.px} ${y(p.bounds[0])}V${y(p.bounds[1])}` }));
  }
  labels(svg, points.map((p) => (p.edge ? Object.assign(p, { shown: `‹ ${p.label}` }) : p)), box);
  const marks = points.sort((p, q) => p.x - q.x).map((p) => {
    const place = best.includes(p) ? ', on the front' : '';
    return mark(p.px, p.py, `${p.label}${place}\n${ys.title}: ${p.said || plain(p.y)}\n${xs.title}: ${p.edge ? 'below ' : ''}${plain(p.x)}`, colour(p.index), best.includes(p) ? 6 : 4.5);
  });
  svg.append(...marks);
  roving(marks);
  const lacking = every.filter((p) => p.x === null && p.y !== null).map((p) => p.label);
  if (!lacking.length) return svg;
  return make('div', {}, svg, make('p', { class: 'note lacking' }, `Not drawn, since no ${xs.title} is known of it: ${lacking.join(', ')}.`));
}

function lines(drawing, width, chosen, title) {
  const many = drawing.lines.length > 8;
  const beside = width >= 560 && !many;
  const longest = Math.min(26, Math.max(...drawing.lines.map((one) => one.label.length)));
  const height = width < 520 ? 300 : 360;
  const box = { left: 44, right: width - (beside ? longest * LETTER + 24 : 14), top: 22, bottom: height - 42 };
  const svg = canvas(width, height, `${drawing.y} by ${drawing.x}, ${title}`);
  const every = drawing.lines.flatMap((one) => one.points);
  const ys = every.flatMap((p) => p.slice(1)).filter((value) => value !== null);
  if (drawing.chance !== undefined) ys.push(drawing.chance);
  const x = scale(every.map((p) => p[0]), box.left, box.right, { log: drawing.log, pad: 0.03, ticks: drawing.ticks, wanted: width / 90 });
  const y = scale(ys, box.bottom, box.top, { pad: 0.05, wanted: 6 });
  frame(svg, x, y, box, drawing.x, drawing.y);
  if (drawing.chance !== undefined) {
    svg.append(draw('line', { class: 'chance', x1: box.left, x2: box.right, y1: y(drawing.chance), y2: y(drawing.chance) }));
    svg.append(draw('text', { class: 'chance halo', x: box.right - 4, y: y(drawing.chance) - 4, 'text-anchor': 'end' }, 'chance'));
  }
  const bases = [...new Set(drawing.lines.map((one) => one.label.replace(/-scratch$/, '')))];
  const ends = [];
  for (const one of drawing.lines) {
    const tint = colour(one.twin === undefined ? drawing.lines.indexOf(one) : bases.indexOf(one.label.replace(/-scratch$/, '')));
    const group = draw('g', { class: tint });
    const known = one.points.filter((p) => p[2] !== null && p[2] !== undefined);
    if (known.length > 1) {
      const up = known.map((p, at) => `${at ? 'L' : 'M'}${x(p[0])} ${y(p[3])}`).join('');
      const down = [...known].reverse().map((p) => `L${x(p[0])} ${y(p[2])}`).join('');
      group.append(draw('path', { class: 'band', d: `${up}${down}Z` }));
    }
    const path = { class: 'line', d: one.points.map((p, at) => `${at ? 'L' : 'M'}${x(p[0])} ${y(p[1])}`).join('') };
    group.append(draw('path', one.twin ? { ...path, 'stroke-dasharray': '6 4' } : path));
    const shown = one.points.filter((_, at) => one.points.length <= 24 || at % Math.ceil(one.points.length / 24) === 0 || at === one.points.length - 1);
    const marks = shown.map((p) => {
      const bounds = p[2] === null || p[2] === undefined ? '' : ` [${plain(p[2])}, ${plain(p[3])}]`;
      return mark(x(p[0]), y(p[1]), `${one.label}\n${drawing.x}: ${plain(p[0])}\n${drawing.y}: ${plain(p[1])}${bounds}`, tint, one.points.length <= 24 ? 4 : 2.5);
    });
    roving(marks);
    group.append(...marks);
    svg.append(group);
    const end = one.points[one.points.length - 1];
    ends.push({ label: one.label, tint, at: y(end[1]), x: x(end[0]) });
  }
  if (beside) {
    ends.sort((a, b) => a.at - b.at);
    ends.forEach((one, index) => { if (index) one.at = Math.max(one.at, ends[index - 1].at + 14); });
    for (const one of ends) svg.append(draw('text', { class: `series ${one.tint}`, x: box.right + 10, y: one.at + 4, 'aria-hidden': 'true' }, one.label.length > 26 ? `${one.label.slice(0, 25)}…` : one.label));
    return svg;
  }
  const legend = make('p', { class: 'legend' });
  for (const one of ends) legend.append(make('span', { class: one.tint }, one.label), ' ');
  return make('div', {}, svg, legend);
}

function choices(figure, name, label, options, chosen, redraw) {
  const list = make('select', { 'aria-label': `${label}, ${figure.dataset.title}` }, ...options.map((one) => make('option', { value: one.key }, one.title)));
  list.value = chosen[name];
  list.addEventListener('change', () => { chosen[name] = list.value; redraw(); });
  one('.controls', figure).append(make('label', { class: 'field' }, make('span', {}, label), ' ', list));
}

for (const figure of all('[data-chart]')) {
  const drawing = data.charts[figure.dataset.chart];
  const place = one('.plot', figure);
  const chosen = drawing.kind === 'tradeoff' ? { x: drawing.xs[0].key, y: drawing.ys[0].key } : {};
  let width = 0;
  const redraw = () => {
    const plot = drawing.kind === 'tradeoff' ? tradeoff : lines;
    place.replaceChildren(plot(drawing, width || DEFAULT_WIDTH, chosen, figure.dataset.title));
  };
  if (drawing.kind === 'tradeoff') {
    choices(figure, 'y', 'Up', drawing.ys, chosen, redraw);
    choices(figure, 'x', 'Across', drawing.xs, chosen, redraw);
  }
  redraw();
  new ResizeObserver(() => {
    const now = Math.round(place.clientWidth);
    if (now && now !== width) { width = now; redraw(); }
  }).observe(place);
}
