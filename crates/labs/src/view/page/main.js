// ---------------------------------------------------------------------------------------------------
// Puts the page together, and listens.

const page = JSON.parse(byId('trace').textContent);
byId('trace').textContent = '';

let trace = new Trace(page.header);
let scene = new Scene(trace, page.meaning);
const diagram = new Diagram(scene, byId('diagram'), byId('overview'), {
  chosen(event) {
    panel.event(event);
    const again = trace.repeats(event) ? `, repeats for ever, time ${diagram.rounds}` : '';
    announce(event === NONE ? '' : trace.notation(event) + again);
  },
  hovered(event) {
    panel.event(event !== NONE ? event : diagram.selected);
  },
  tip: showTip,
  hideProcess: (process) => panel.hideProcess(process),
});
const panel = new Panel(trace, diagram, page);

function take(chunks) {
  for (const chunk of chunks) trace.append(chunk);
  scene.shifts = page.status.clock_shifts_us ?? [];
  diagram.missing = new Set((page.status.missing ?? []).map(({ process }) => process));
  diagram.running = page.status.running;
  scene.update();
  diagram.grown();
  panel.title();
  panel.notes();
  panel.legend();
  if (diagram.selected === NONE && diagram.hovered === NONE) panel.event(NONE);
}

// ------------------------------------------------------------------------------------------------ theme

/** A choice is kept where the browser lets a page keep something, which it may refuse to a file. */
const memory = {
  read() { try { return localStorage.getItem('labs-theme'); } catch { return null; } },
  write(theme) { try { localStorage.setItem('labs-theme', theme); } catch { /* then not */ } },
};

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  diagram.theme = theme;
  panel.legend();
  diagram.repaint();
}

const prefersDark = matchMedia('(prefers-color-scheme: dark)');
prefersDark.addEventListener('change', () => {
  if (memory.read() === null) setTheme(prefersDark.matches ? 'dark' : 'light');
});

// -------------------------------------------------------------------------------------------------- tip

function showTip(event, x, y) {
  const tip = byId('tip');
  tip.hidden = event === NONE;
  if (event === NONE) return;
  const about = `Lamport ${trace.lamport.data[event]}, event ${trace.n.data[event]} of ${panel.nameOf(trace.process.data[event])}`;
  const text = trace.notation(event);
  tip.replaceChildren(element('div', {}, text.length > 300 ? `${text.slice(0, 300)}…` : text), element('div', { className: 'hint' }, about));
  const [width, height] = [tip.offsetWidth, tip.offsetHeight];
  tip.style.left = `${Math.max(4, Math.min(x + 14, diagram.width - width - 8))}px`;
  tip.style.top = `${y + 18 + height > diagram.height ? y - height - 12 : y + 18}px`;
}

// ----------------------------------------------------------------------------------------------- search

let hit = -1;

function search() {
  const wanted = byId('search').value.trim().toLowerCase();
  diagram.hits = [];
  hit = -1;
  if (wanted !== '') {
    for (let event = 0; event < trace.count; event++) {
      if (trace.notation(event).toLowerCase().includes(wanted) || trace.kindOf(event).toLowerCase() === wanted ||
        trace.idOf(event) === wanted) diagram.hits.push(event);
    }
    diagram.hits = withLogs(diagram.hits, wanted);
  }
  byId('found').textContent = wanted === '' ? '' : String(diagram.hits.length);
  diagram.repaint();
}

/** The same, and the events at which something was logged that has the wanted text, in their order. */
function withLogs(hits, wanted) {
  const all = new Set(hits);
  trace.logs.forEach((lines, process) => {
    for (const { lamport, text } of lines) {
      const event = text.toLowerCase().includes(wanted) ? trace.eventOfLog(process, lamport) : NONE;
      if (event !== NONE) all.add(event);
    }
  });
  return all.size === hits.length ? hits : [...all].sort((a, b) => a - b);
}

function nextHit(direction) {
  const { hits } = diagram;
  if (hits.length === 0) return;
  hit = (hit + direction + hits.length) % hits.length;
  byId('found').textContent = `${hit + 1}/${hits.length}`;
  diagram.select(hits[hit]);
}

byId('search').addEventListener('input', search);
byId('search').addEventListener('keydown', (event) => {
  if (event.key === 'Enter') nextHit(event.shiftKey ? -1 : 1);
  if (event.key === 'Escape') {
    byId('search').value = '';
    search();
    diagram.canvas.focus();
  }
});

// ------------------------------------------------------------------------------------ buttons and keys

function setUnfold(unfolds) {
  diagram.unfolds = unfolds;
  byId('unfold').setAttribute('aria-pressed', String(unfolds));
  if (unfolds && diagram.selected === NONE) diagram.step(1, false);
  diagram.refocus();
  diagram.repaint();
}

function setAxis(axis) {
  const { selected } = diagram;
  byId('axis').value = axis;
  scene.axis = axis;
  scene.layOut();
  panel.notes();
  diagram.home();
  panel.event(selected);
  if (selected !== NONE) diagram.reveal([selected]);
}

function axisAfter(axis) {
  const axes = [...byId('axis').options].map((option) => option.value);
  return axes[(axes.indexOf(axis) + 1) % axes.length];
}

function save(blob, ending) {
  const link = element('a', { href: URL.createObjectURL(blob), download: `${page.header.lab}-${page.header.run}.${ending}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const actions = {
  'step-back': () => diagram.step(-1, false),
  'step-forward': () => diagram.step(1, false),
  unfold: () => setUnfold(!diagram.unfolds),
  'zoom-out': () => diagram.zoom(1 / 1.5),
  'zoom-in': () => diagram.zoom(1.5),
  fit: () => diagram.fit(),
  'save-svg': () => save(new Blob([diagram.toSvg()], { type: 'image/svg+xml' }), 'svg'),
  'save-png': () => diagram.toPng((blob) => save(blob, 'png')),
  theme() {
    const theme = diagram.theme === 'dark' ? 'light' : 'dark';
    memory.write(theme);
    setTheme(theme);
  },
  help: () => byId('keys').showModal(),
};
for (const [id, act] of Object.entries(actions)) byId(id).addEventListener('click', act);
byId('axis').addEventListener('change', () => setAxis(byId('axis').value));

const keys = {
  ArrowRight: (event) => diagram.step(1, event.shiftKey),
  ArrowLeft: (event) => diagram.step(-1, event.shiftKey),
  ArrowUp: () => diagram.stepRow(-1),
  ArrowDown: () => diagram.stepRow(1),
  PageDown: () => diagram.pan(diagram.room * 0.8),
  PageUp: () => diagram.pan(-diagram.room * 0.8),
  w: () => diagram.pan(0, -3 * diagram.rowHeight),
  s: () => diagram.pan(0, 3 * diagram.rowHeight),
  Home: () => { diagram.left = scene.from; diagram.moved(); },
  End: () => {
    diagram.left = scene.to - diagram.room / diagram.scale;
    diagram.moved();
    diagram.follows = page.status.running;
  },
  '+': () => diagram.zoom(1.5),
  '=': () => diagram.zoom(1.5),
  '-': () => diagram.zoom(1 / 1.5),
  0: () => diagram.fit(),
  m: () => {
    const end = diagram.selected === NONE ? NONE : diagram.otherEnd(diagram.selected);
    if (end !== NONE) diagram.select(end);
  },
  n: (event) => nextHit(event.shiftKey ? -1 : 1),
  u: () => actions.unfold(),
  a: () => setAxis(axisAfter(scene.axis)),
  t: () => actions.theme(),
  '/': () => byId('search').focus(),
  '?': () => actions.help(),
  Escape: () => { diagram.hits = []; diagram.select(NONE); },
};

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId('keys').open) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  const act = keys[event.key] ?? keys[event.key.toLowerCase()];
  if (act === undefined) return;
  event.preventDefault();
  act(event);
});

// On paper the diagram is drawn with lines, not with pixels, and always dark on light.
addEventListener('beforeprint', () => {
  const drawn = new DOMParser().parseFromString(diagram.toSvg('light'), 'image/svg+xml').documentElement;
  byId('print').replaceChildren(element('p', {}, diagram.part()), document.importNode(drawn, true));
  document.documentElement.dataset.theme = 'light';
});
addEventListener('afterprint', () => {
  byId('print').replaceChildren();
  setTheme(diagram.theme);
});

/** `#2-17` in the address chooses the event 17 of p2: a place to link to. */
function chooseFromAddress() {
  const parts = /^#(\d+)-(\d+)$/.exec(location.hash);
  const event = parts === null ? NONE : trace.at(Number(parts[1]), Number(parts[2]));
  if (event !== NONE) diagram.select(event);
}

// ------------------------------------------------------------------------------------------------- live

/** Follows a run in progress. After an interruption everything comes again, and the page begins anew. */
function follow() {
  const source = new EventSource('events');
  const waiting = [];
  let due = false;
  const flush = () => {
    due = false;
    take(waiting.splice(0));
  };
  source.addEventListener('begin', () => {
    waiting.length = 0;
    if (trace.count > 0 || trace.logs.some((lines) => lines.length > 0)) location.reload();
  });
  source.addEventListener('chunk', (event) => {
    waiting.push(JSON.parse(event.data));
    if (!due) requestAnimationFrame(flush);
    due = true;
  });
  source.addEventListener('status', (event) => {
    page.status = JSON.parse(event.data);
    if (!panel.hasChosen) panel.chooseFirst();
    panel.verdicts();
    // The clocks of the machines are known better now.
    take([]);
    if (!page.status.running) source.close();
  });
}

// ------------------------------------------------------------------------------------------------ begin

// The checker has no clock.
if (page.header.verb === 'check') byId('axis').querySelector('[value="time"]').remove();
// What repeats for ever stands together there.
if (page.header.cycle_from !== undefined) byId('axis').value = scene.axis = 'order';
// Before the first event is taken: the head line says that the run goes on.
if (page.live) page.status.running = true;
take(page.chunks);
page.chunks = [];
panel.chooseFirst();
panel.verdicts();
setTheme(memory.read() ?? (prefersDark.matches ? 'dark' : 'light'));
diagram.resize();
addEventListener('hashchange', chooseFromAddress);
chooseFromAddress();
if (page.live) {
  diagram.live = true;
  follow();
}

/** For tests, and for the curious at the browser's console. */
window.labs = { trace, scene, diagram, panel, page, opened: performance.now() };
