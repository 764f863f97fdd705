// What the page does beyond standing still: charts tell their values under the
// pointer and to the arrow keys, and commands can be copied.
'use strict';

// number writes v as the page does, internal/format's Number: four digits or all
// that stand before the point.
const number = (v) => {
  const size = Math.abs(v);
  const sign = v < 0 ? '−' : '';
  if (size >= 9999.5 && size < 999999.5) return sign + String(Math.round(size)).replace(/\B(?=(\d{3})+$)/g, '\u202f');
  const [mantissa, exponent] = size.toExponential(3).split('e');
  if (size === 0 || (exponent >= -4 && exponent < 4)) return sign + String(Number(size.toPrecision(4)));
  const power = `10${[...String(Number(exponent))].map((c) => (c === '-' ? '⁻' : '⁰¹²³⁴⁵⁶⁷⁸⁹'[c])).join('')}`;
  return sign + (Number(mantissa) === 1 ? power : `${Number(mantissa)}·${power}`);
};

const element = (tag, className, text) => {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
};

// place returns where a value stands on an axis, from 0 to 1.
const place = (axis, v) => {
  const f = axis.log ? Math.log10 : (x) => x;
  return (f(v) - f(axis.lo)) / (f(axis.hi) - f(axis.lo));
};

// nearest returns the index of the sorted value that is closest to v.
const nearest = (sorted, v) => {
  let lo = 0;
  let hi = sorted.length - 1;
  while (hi - lo > 1) {
    const mid = (lo + hi) >> 1;
    if (sorted[mid] < v) lo = mid; else hi = mid;
  }
  return Math.abs(sorted[lo] - v) <= Math.abs(sorted[hi] - v) ? lo : hi;
};

// Each chart has stops that a reader can be at: of lines every x, of points
// every point. A stop says where the cursor and the dots go and what to tell.
const stopsOfLines = (data) => {
  const xs = [...new Set(data.series.flatMap((s) => s.x))].sort((a, b) => a - b);
  const reach = data.series.map((s) => s.x.reduce((gap, x, i) => (i ? Math.max(gap, x - s.x[i - 1]) : gap), 0) / 2);
  return xs.map((x) => {
    const rows = [];
    data.series.forEach((s, i) => {
      if (!s.x.length) return;
      const j = nearest(s.x, x);
      if (s.y[j] === null || Math.abs(s.x[j] - x) > reach[i]) return;
      rows.push({ name: s.name, className: s.class, y: s.y[j], value: number(s.y[j]) });
    });
    return { x, title: `${data.x.label} ${number(x)}`, rows };
  });
};

const stopsOfPoints = (data) => {
  const told = data.series.filter((s) => s.notes);
  return (told.length ? told : data.series).flatMap((s) => s.x.map((x, i) => ({
    x,
    y: s.y[i],
    title: s.notes ? s.notes[i] : s.name,
    rows: [
      { name: data.x.label, value: number(x) },
      { name: data.y.label, className: s.class, y: s.y[i], value: number(s.y[i]) },
    ],
  })));
};

const setUpChart = (figure) => {
  const data = JSON.parse(figure.querySelector('script').textContent);
  const plot = figure.querySelector('.plot');
  const cursor = figure.querySelector('.cursor');
  const readout = figure.querySelector('.readout');
  const lines = data.nearest === 'x';
  const stops = lines ? stopsOfLines(data) : stopsOfPoints(data);
  if (!stops.length) return;
  let at = -1;

  const hide = () => {
    at = -1;
    cursor.hidden = true;
    readout.hidden = true;
    plot.querySelectorAll('.dot').forEach((d) => d.remove());
  };

  const show = (i) => {
    if (i === at) return;
    hide();
    at = i;
    const stop = stops[i];
    const across = place(data.x, stop.x);
    cursor.style.left = `${100 * across}%`;
    cursor.hidden = !lines;
    readout.replaceChildren(element('p', '', stop.title));
    const list = readout.appendChild(element('dl'));
    for (const row of stop.rows) {
      const name = list.appendChild(element('dt'));
      if (row.className) name.append(element('i', `swatch ${row.className}`));
      name.append(row.name);
      list.append(element('dd', '', row.value));
      if (row.y === undefined) continue;
      const dot = plot.appendChild(element('i', `dot ${row.className}${lines ? '' : ' ring'}`));
      dot.style.left = `${100 * across}%`;
      dot.style.bottom = `${100 * place(data.y, row.y)}%`;
    }
    // The read-out goes where it hides least: away from the cursor and the dots.
    const heights = stop.rows.filter((row) => row.y !== undefined).map((row) => place(data.y, row.y));
    readout.classList.toggle('before', across > 0.5);
    readout.classList.toggle('below', heights.reduce((sum, h) => sum + h, 0) / heights.length > 0.5);
    readout.hidden = false;
    plot.setAttribute('aria-valuenow', i);
    plot.setAttribute('aria-valuetext', [stop.title, ...stop.rows.map((r) => `${r.name} ${r.value}`)].join(', '));
  };

  // find returns the stop that is nearest to the pointer.
  const find = (event) => {
    const box = plot.getBoundingClientRect();
    const px = event.clientX - box.left;
    const py = event.clientY - box.top;
    let best = 0;
    let least = Infinity;
    stops.forEach((stop, i) => {
      const dx = place(data.x, stop.x) * box.width - px;
      const dy = lines ? 0 : (1 - place(data.y, stop.y)) * box.height - py;
      const distance = dx * dx + dy * dy;
      if (distance < least) [best, least] = [i, distance];
    });
    return best;
  };

  for (const type of ['pointermove', 'pointerdown']) plot.addEventListener(type, (e) => show(find(e)));
  plot.addEventListener('pointerleave', hide);
  plot.addEventListener('blur', hide);

  plot.tabIndex = 0;
  plot.setAttribute('role', 'slider');
  plot.setAttribute('aria-label', `Values of the chart: ${figure.querySelector('h3').textContent}`);
  plot.setAttribute('aria-valuemin', 0);
  plot.setAttribute('aria-valuemax', stops.length - 1);
  plot.setAttribute('aria-valuenow', 0);
  const page = Math.max(1, Math.round(stops.length / 10));
  const moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -page, PageUp: page, Home: -Infinity, End: Infinity };
  plot.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') return hide();
    if (!(event.key in moves)) return;
    event.preventDefault();
    show(Math.min(stops.length - 1, Math.max(0, (at < 0 && moves[event.key] === -1 ? stops.length : at) + moves[event.key])));
  });
};

const setUpCommand = (box) => {
  const button = box.querySelector('.copy');
  const code = box.querySelector('code');
  button.hidden = false;
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(code); // to be copied by hand
      button.textContent = 'Selected';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });
};

document.querySelectorAll('figure.chart').forEach(setUpChart);
document.querySelectorAll('.command').forEach(setUpCommand);
