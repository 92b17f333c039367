// ---------------------------------------------------------------------------------------------------
// What part of the scene is seen, which event is chosen, and what mouse and keyboard do about it.

/** How far one may zoom in: pixels for one unit of Lamport time, or for a microsecond. */
const SCALE_MAX = 4000;

/** How much room there is above the lines for the arrow of a run that goes round, in pixels. */
const ROOF = 34;

/** Which part of the window shows what led to the event that a long run is opened at. */
const LED_TO = 0.4;

/** Runs whose events get this much room are shown whole at first; longer ones from their begin. */
const READABLE = 5;

/** How long the text beside an event may be, in letters. */
const SHORT_MAX = 28;

/** A number that stands for itself, or the one process that is told. */
const NUMBER = /(?<![\w.])-?\d+(?![\w.])|(?<=\()p\d+(?=\))/g;

/** How many numbers of a text with several are shown. */
const NUMBERS_SHOWN = 2;

/** The first numbers that a text tells, with what stands before them: of `Request { ask: 1, token: 7 }` the fields. */
function firstNumbers(text, kind) {
  let inner = text;
  for (let outer; (outer = /^\w+ ?[({] ?(.*?) ?[)}]$/.exec(inner)) !== null;) inner = outer[1];
  const told = [];
  for (const part of inner.split(', ')) {
    // What stands behind the last number of a part is no part of it.
    const number = /^[^[{(]*(?<![\w.])-?\d+(?![\w.])(@p\d+)?/.exec(part);
    if (number === null || told.length === NUMBERS_SHOWN) break;
    told.push(number[0].replace(/(?<=[a-z]): /, ' '));
  }
  // A field that is called like the whole need not say so.
  const all = told.join(', ');
  return all.startsWith(`${kind.toLowerCase()} `) ? all.slice(kind.length + 1) : all;
}

/** What hashing begins with: a number with which no two messages of a lab here get the same colour. */
const HASH_BASIS = 7425584;

/** FNV-1a, with another basis: the same number for the same name, on every page. */
function hash(name) {
  let value = HASH_BASIS;
  for (const letter of name) value = Math.imul(value ^ letter.codePointAt(0), 16777619);
  return value >>> 0;
}

class Diagram {
  constructor(scene, canvas, overview, tell) {
    Object.assign(this, { scene, trace: scene.trace, canvas, overview, tell });
    this.theme = 'light';
    this.selected = NONE;
    this.hovered = NONE;
    this.focus = NONE;
    this.past = null;
    this.future = null;
    this.witnesses = [];
    this.hits = [];
    this.unfolds = false;
    /** Whether events are appended, whether the run still goes on, and whether the view moves on with it. */
    this.live = false;
    this.running = false;
    this.follows = false;
    this.left = 0;
    this.scale = 1;
    this.top = 0;
    this.stretch = 1;
    this.falls = new Map();
    /** The processes whose last events are missing. */
    this.missing = new Set();
    this.shorts = new Map();
    this.hiddenProcesses = new Set();
    /** How many times the steps went round, in a run without end; the first time counts. */
    this.rounds = 1;
    this.width = 0;
    this.height = 0;
    this.listen();
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  /** The last event that is shown, when a run is unfolded step by step. */
  get limit() {
    return this.unfolds && this.selected !== NONE ? this.selected : Infinity;
  }

  // --------------------------------------------------------------------------------------- geometry

  resize() {
    const { clientWidth, clientHeight } = this.canvas;
    if (clientWidth === 0 || clientHeight === 0) return;
    const first = this.width === 0;
    this.width = clientWidth;
    this.height = clientHeight;
    this.density = Math.max(1, Math.min(3, window.devicePixelRatio || 1));
    for (const canvas of [this.canvas, this.overview]) {
      canvas.width = Math.round(canvas.clientWidth * this.density);
      canvas.height = Math.round(canvas.clientHeight * this.density);
    }
    this.layRows();
    if (first || this.isWhole) this.home();
    // At once: a canvas is empty after its size was set.
    this.paintNow();
  }

  layRows() {
    const rows = [];
    this.rowOf = new Int32Array(this.trace.processes).fill(NONE);
    for (let process = 0; process < this.trace.processes; process++) {
      if (this.hiddenProcesses.has(process)) continue;
      this.rowOf[process] = rows.length;
      rows.push(process);
    }
    this.rows = rows;
    const { room } = this.box;
    this.rowHeight = this.stretch * Math.max(12, Math.min(120, room / Math.max(1, rows.length)));
    this.top = this.clampTop(this.top);
  }

  /** Where the lines begin, and how much room they have. */
  get box() {
    const begins = AXIS + 4 + (this.trace.cycle === undefined ? 0 : ROOF);
    return { begins, room: this.height - begins - 6 };
  }

  clampTop(top) {
    const { room } = this.box;
    return Math.max(0, Math.min(top, this.rows.length * this.rowHeight - room));
  }

  /** Few lines on a high screen stand in its middle. */
  get above() {
    const { room } = this.box;
    return Math.max(0, (room - this.rows.length * this.rowHeight) / 2);
  }

  yOfRow(row) { return this.box.begins + this.above + (row + 0.5) * this.rowHeight - this.top; }
  /** Where an event is painted: events at one time lie below each other. */
  yOf(event) {
    return this.yOfRow(this.rowOf[this.trace.process.data[event]]) + this.scene.below(event, this.rowHeight);
  }

  xOf(place) { return GUTTER + 14 + (place - this.left) * this.scale; }
  placeAt(x) { return this.left + (x - GUTTER - 14) / this.scale; }

  visibleRows() {
    const row = (y) => (y - this.box.begins - this.above + this.top) / this.rowHeight;
    return [Math.max(0, Math.floor(row(AXIS)) - 1), Math.min(this.rows.length, Math.ceil(row(this.height)) + 1)];
  }

  /** Behind the last event there is room for what it says. */
  get room() { return Math.max(100, this.width - GUTTER - 14 - 74); }

  /** The whole run. */
  fit() {
    this.left = this.scene.from;
    this.scale = Math.min(SCALE_MAX, this.room / (this.scene.to - this.scene.from));
    this.isWhole = true;
    this.repaint();
  }

  /** The whole of a run in progress as long as that can be read, then its newest part. */
  fitLive() {
    this.fit();
    const least = this.readable();
    if (!this.live || this.scale >= least) return;
    this.scale = Math.min(SCALE_MAX, 2 * least);
    this.left = this.scene.to - this.room / this.scale;
    this.isWhole = false;
    this.follows = true;
  }

  /** The whole run if that can be read, else where something happens, or its begin. */
  home() {
    this.fit();
    const least = this.readable();
    if (this.scale < least) {
      this.scale = Math.min(SCALE_MAX, 3 * least);
      this.isWhole = false;
      const first = this.firstOfInterest();
      // What led to it stands before it.
      if (first !== NONE) this.left = Math.max(this.left, this.scene.x[first] - (this.room * LED_TO) / this.scale);
    }
    this.repaint();
  }

  /** The first witness of a violation, or else where the run begins to go round, or the first crash or suspicion. */
  firstOfInterest() {
    if (this.witnesses.length > 0) return this.witnesses.reduce((a, b) => (this.scene.x[b] < this.scene.x[a] ? b : a));
    const { trace, scene } = this;
    if (trace.cycle !== undefined) return trace.cycle.from;
    for (let event = 0; event < trace.count; event++) {
      const what = trace.what.data[event];
      if (what === CRASH || (what === INDICATION && scene.sets.suspected.has(trace.kindOf(event)))) return event;
    }
    return NONE;
  }

  /** The least scale at which events that stand behind each other, on one line or along the Lamport times, are told apart. */
  readable() {
    if (this.scene.axis !== 'time') return READABLE;
    const longest = this.trace.of.reduce((most, events) => Math.max(most, events.length), 1);
    return (READABLE * longest) / (this.scene.to - this.scene.from);
  }

  zoom(factor, x = GUTTER + this.room / 2) {
    const place = this.placeAt(x);
    const least = (0.5 * this.room) / (this.scene.to - this.scene.from);
    this.scale = Math.max(least, Math.min(SCALE_MAX, this.scale * factor));
    this.left = place - (x - GUTTER - 14) / this.scale;
    this.moved();
  }

  pan(dx, dy = 0) {
    this.left += dx / this.scale;
    this.top = this.clampTop(this.top + dy);
    this.moved();
  }

  moved() {
    this.isWhole = false;
    this.follows = false;
    const room = this.room / this.scale;
    const { from, to } = this.scene;
    this.left = Math.max(from - room * 0.7, Math.min(to - room * 0.3, this.left));
    this.repaint();
  }

  /** Brings events into view, with as little movement as that takes. */
  reveal(events, margin = 80) {
    const shown = events.filter((event) => this.rowOf[this.trace.process.data[event]] !== NONE);
    if (shown.length === 0) return;
    const places = shown.map((event) => this.scene.x[event]);
    const [first, last] = [Math.min(...places), Math.max(...places)];
    if ((last - first) * this.scale > this.room - 2 * margin) {
      this.scale = Math.max(1e-9, (this.room - 2 * margin) / (last - first));
    }
    const [a, b] = [this.xOf(first), this.xOf(last)];
    const isWhole = a >= GUTTER && b <= this.width;
    if (!isWhole || a < GUTTER + 14 + Math.min(margin, 20) || b > this.width - Math.min(margin, 20)) {
      if (!(this.isWhole && isWhole)) {
        this.left = (first + last) / 2 - this.room / 2 / this.scale;
        this.isWhole = false;
      }
    }
    const ys = shown.map((event) => this.yOfRow(this.rowOf[this.trace.process.data[event]]));
    const [high, low] = [Math.min(...ys), Math.max(...ys)];
    if (high < AXIS + 10) this.top = this.clampTop(this.top - (AXIS + 30 - high));
    else if (low > this.height - 10) this.top = this.clampTop(this.top + (low - this.height + 30));
    this.repaint();
  }

  // ------------------------------------------------------------------------------------------- names

  /** The stroke of a kind of message. */
  strokeOf(entry, colours) {
    if (this.strokes === undefined || this.strokes.entries !== this.trace.entries.length) {
      this.strokes = { entries: this.trace.entries.length, place: this.placeStrokes() };
    }
    const place = this.strokes.place.get(entry) ?? 0;
    const { kinds } = colours;
    return { colour: kinds[place % kinds.length], dash: DASHES[Math.floor(place / kinds.length) % DASHES.length] };
  }

  /**
   * Gives each kind of message a stroke, which follows from its name, so that pages of one lab look alike. Tokens have
   * the first colour. If names mean the same colour, the first in the alphabet has it, and the others get what is left.
   */
  placeStrokes() {
    const colours = COLOURS.light.kinds.length;
    const isToken = (entry) => this.scene.tokens.has(entry.name);
    const messages = this.trace.entries.filter((entry) => entry.role === 'message');
    messages.sort((a, b) => Number(isToken(b)) - Number(isToken(a)) || (a.name < b.name ? -1 : 1));
    const taken = new Map();
    const others = messages.filter((entry) => {
      const colour = isToken(entry) ? 0 : hash(entry.name) % colours;
      if (taken.has(colour)) return true;
      taken.set(colour, entry.number);
      return false;
    });
    // When all colours are taken, they are given once more, with another dash.
    let free = 0;
    for (const entry of others) {
      while (taken.has(free)) free++;
      taken.set(free, entry.number);
    }
    return new Map([...taken].map(([stroke, number]) => [number, stroke]));
  }

  /**
   * A message or an indication in a few words: its kind, and the number that it tells. If it tells several, the first
   * of them with their names.
   */
  shortOf(event) {
    const key = this.trace.kind.data[event] * 4294967296 + this.trace.text.data[event];
    let short = this.shorts.get(key);
    if (short === undefined) {
      const text = this.trace.textOf(event);
      const numbers = text.match(NUMBER) ?? [];
      const kind = this.trace.kindOf(event);
      const tells = numbers.length > 1 ? firstNumbers(text, kind) : numbers.join('');
      short = tells === '' ? kind : `${kind} ${tells}`;
      if (short.length > SHORT_MAX) short = `${short.slice(0, SHORT_MAX - 1)}…`;
      this.shorts.set(key, short);
    }
    return short;
  }

  // ----------------------------------------------------------------------------------------- choosing

  /** Takes in what was appended to the trace. */
  grown() {
    this.falls.clear();
    for (let process = 0; process < this.trace.processes; process++) this.findFalls(process);
    if (this.width === 0) return;
    // What has begun to go round takes room.
    this.layRows();
    if (this.follows) {
      const room = this.room / this.scale;
      this.left = Math.max(this.scene.from, this.scene.to - room);
    } else if (this.isWhole) this.fitLive();
    this.refocus();
    this.repaint();
  }

  findFalls(process) {
    const { data, length } = this.trace.of[process];
    const list = [];
    // A process that crashed and did not recover has nothing behind the crash but its end.
    for (let i = Math.max(0, length - 2); i < length; i++) {
      if (this.trace.what.data[data[i]] === CRASH) list.push({ from: data[i], to: NONE });
    }
    if (this.trace.entryNumbers.has('recovers recovers')) {
      list.length = 0;
      for (let i = 0; i < length; i++) {
        const what = this.trace.what.data[data[i]];
        if (what === CRASH) list.push({ from: data[i], to: NONE });
        else if (what === RECOVER && list.length > 0) list[list.length - 1].to = data[i];
      }
    }
    if (list.length > 0) this.falls.set(process, list);
  }

  select(event, reveal = true) {
    this.selected = event;
    if (!this.trace.repeats(event)) this.rounds = 1;
    this.refocus();
    if (event !== NONE && reveal) this.reveal([event]);
    this.tell.chosen(event);
    this.repaint();
  }

  hover(event) {
    if (event === this.hovered) return;
    this.hovered = event;
    this.refocus();
    this.tell.hovered(event);
    this.repaint();
  }

  /** The event in focus is the one under the mouse, or else the chosen one. */
  refocus() {
    this.focus = this.hovered !== NONE ? this.hovered : this.unfolds ? NONE : this.selected;
    if (this.focus !== NONE) {
      this.past = this.trace.pastOf(this.focus);
      this.future = this.trace.futureOf(this.focus);
    }
  }

  isShown(event) {
    return !this.trace.entries[this.trace.entry.data[event]].hidden &&
      this.rowOf[this.trace.process.data[event]] !== NONE;
  }

  /** The next event that is shown, in the order of the file, or of one process; in a run without end, round and round. */
  step(direction, sameProcess) {
    const { trace, selected } = this;
    const next = sameProcess && selected !== NONE
      ? (event) => trace.at(trace.process.data[event], trace.n.data[event] + direction)
      : (event) => (event === NONE && direction < 0 ? trace.count : event) + direction;
    let event = selected, { rounds } = this;
    for (let looked = 0; looked <= trace.count; looked++) {
      const after = next(event);
      const bend = this.bend(event, after, direction, sameProcess, rounds);
      if (bend !== NONE) rounds += direction;
      event = bend === NONE ? after : bend;
      if (event < 0 || event >= trace.count) return;
      if (this.isShown(event)) {
        this.rounds = rounds;
        this.select(event);
        return;
      }
    }
  }

  /** Where a run without end goes on behind the last event that repeats, or before the first; else NONE. */
  bend(event, after, direction, sameProcess, rounds) {
    const { trace } = this;
    if (!trace.repeats(event) || trace.repeats(after) || (direction < 0 && rounds === 1)) return NONE;
    const { from, to } = trace.cycle;
    if (!sameProcess) return direction > 0 ? from : to;
    const mine = trace.of[trace.process.data[event]];
    const first = firstWhere(mine.length, (i) => mine.data[i] >= from);
    const end = firstWhere(mine.length, (i) => mine.data[i] > to);
    return mine.data[direction > 0 ? first : end - 1];
  }

  /** The event of the next line that is closest to the chosen one. */
  stepRow(direction) {
    const { trace, scene, selected } = this;
    if (selected === NONE) return this.step(1, false);
    const place = scene.x[selected];
    for (let row = this.rowOf[trace.process.data[selected]] + direction; row >= 0 && row < this.rows.length; row += direction) {
      const events = [...this.near(this.rows[row], place)].filter((event) => this.isShown(event));
      if (events.length === 0) continue;
      events.sort((a, b) => Math.abs(scene.x[a] - place) - Math.abs(scene.x[b] - place));
      return this.select(events[0]);
    }
    return undefined;
  }

  * near(process, place) {
    const at = this.scene.firstFrom(process, place);
    for (let i = at - 8; i < at + 8; i++) {
      const event = this.trace.at(process, i + 1);
      if (event !== NONE) yield event;
    }
  }

  /** The other end of the chosen message. */
  otherEnd(event) {
    const message = this.trace.message.data[event];
    if (message === NONE) return NONE;
    return this.trace.what.data[event] === SEND ? this.trace.to.data[message] : this.trace.from.data[message];
  }

  // --------------------------------------------------------------------------------- mouse and wheel

  /** The event at a place of the screen, or the receipt of the message there. */
  eventAt(x, y) {
    if (x < GUTTER || y < AXIS) return NONE;
    const reach = 9;
    let best = NONE, distance = reach * reach;
    const [first, last] = this.visibleRows();
    for (let row = first; row < last; row++) {
      if (Math.abs(this.yOfRow(row) - y) > Math.max(reach, this.rowHeight / 2)) continue;
      const process = this.rows[row];
      const { data, length } = this.trace.of[process];
      for (let i = this.scene.firstFrom(process, this.placeAt(x - reach)); i < length; i++) {
        const dx = this.xOf(this.scene.x[data[i]]) - x;
        if (dx > reach) break;
        const dy = this.yOf(data[i]) - y;
        const d = dx * dx + dy * dy;
        if (d < distance && this.isShown(data[i]) && data[i] <= this.limit) [best, distance] = [data[i], d];
      }
    }
    return best === NONE ? this.messageAt(x, y) : best;
  }

  messageAt(x, y) {
    const { trace, scene } = this;
    let best = NONE, distance = 5, looked = 0;
    const margin = 60 / this.scale;
    scene.messagesBetween(this.placeAt(x) - margin, this.placeAt(x) + margin, (m) => {
      const [from, to] = [trace.from.data[m], trace.to.data[m]];
      if (to === NONE || looked++ > 20000 || !this.isShown(from) || !this.isShown(to) || to > this.limit) return;
      if (trace.what.data[to] === DROP) return;
      const [x0, x1] = [this.xOf(scene.x[from]), this.xOf(scene.x[to])];
      const [y0, y1] = [this.yOf(from), this.yOf(to)];
      const length2 = (x1 - x0) ** 2 + (y1 - y0) ** 2;
      const t = Math.max(0, Math.min(1, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length2));
      const d = Math.hypot(x - x0 - t * (x1 - x0), y - y0 - t * (y1 - y0));
      if (d < distance) [best, distance] = [to, d];
    });
    return best;
  }

  listen() {
    const { canvas, overview } = this;
    let grip = null;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      const [x, y] = at(event);
      grip = { x, y, moved: false };
      canvas.setPointerCapture(event.pointerId);
      canvas.focus({ preventScroll: true });
    });
    canvas.addEventListener('pointermove', (event) => {
      const [x, y] = at(event);
      if (grip === null) {
        this.hover(this.eventAt(x, y));
        canvas.classList.toggle('pointing', this.hovered !== NONE);
        this.tell.tip(this.hovered, x, y);
        return;
      }
      if (!grip.moved && Math.hypot(x - grip.x, y - grip.y) < 4) return;
      canvas.classList.add('dragging');
      this.pan(grip.x - x, grip.y - y);
      grip = { x, y, moved: true };
    });
    const release = (event) => {
      if (grip !== null && !grip.moved && event.type === 'pointerup') this.click(...at(event));
      grip = null;
      canvas.classList.remove('dragging');
    };
    canvas.addEventListener('pointerup', release);
    canvas.addEventListener('pointercancel', release);
    canvas.addEventListener('pointerleave', () => {
      this.hover(NONE);
      this.tell.tip(NONE, 0, 0);
    });
    canvas.addEventListener('wheel', (event) => {
      event.preventDefault();
      const [x] = at(event);
      const unit = event.deltaMode === 1 ? 24 : 1;
      if (event.altKey) this.pan(0, event.deltaY * unit);
      else if (event.shiftKey) this.pan((event.deltaX || event.deltaY) * unit);
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan(event.deltaX * unit);
      else this.zoom(Math.exp(-event.deltaY * unit * 0.0016), x);
    }, { passive: false });
    const jump = (event) => {
      const share = (event.offsetX - GUTTER - 14) / this.room;
      const place = this.scene.from + share * (this.scene.to - this.scene.from);
      this.left = place - this.room / 2 / this.scale;
      this.moved();
    };
    overview.addEventListener('pointerdown', (event) => {
      overview.setPointerCapture(event.pointerId);
      jump(event);
    });
    overview.addEventListener('pointermove', (event) => {
      if (event.buttons === 1) jump(event);
    });
  }

  click(x, y) {
    if (x < GUTTER) {
      const row = this.rows.findIndex((_, i) => Math.abs(this.yOfRow(i) - y) < Math.min(12, this.rowHeight / 2));
      if (row >= 0 && this.rows.length > 1) this.tell.hideProcess(this.rows[row]);
      return;
    }
    this.select(this.eventAt(x, y), false);
  }

  // ----------------------------------------------------------------------------------------- painting

  /** Paints before the next frame, however often it is asked for. */
  repaint() {
    if (this.frame !== undefined || this.width === 0) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = undefined;
      this.paintNow();
    });
  }

  paintNow() {
    if (this.width === 0) return;
    const begin = performance.now();
    const context = this.canvas.getContext('2d', { alpha: false });
    context.setTransform(this.density, 0, 0, this.density, 0, 0);
    this.paintOn(context);
    this.paintOverview();
    this.paintTook = performance.now() - begin;
    this.paints = (this.paints ?? 0) + 1;
  }

  paintOn(surface, theme = this.theme) {
    new Painter(surface, this.scene, this, COLOURS[theme]).paint();
  }

  /** How much happened when, and which part of it is seen. */
  paintOverview() {
    const s = this.overview.getContext('2d');
    const colours = COLOURS[this.theme];
    const { scene } = this;
    const [width, height] = [this.overview.clientWidth, this.overview.clientHeight];
    s.setTransform(this.density, 0, 0, this.density, 0, 0);
    s.fillStyle = colours.paper;
    s.fillRect(0, 0, width, height);
    const range = scene.to - scene.from;
    const x = (place) => GUTTER + 14 + ((place - scene.from) / range) * this.room;
    const bins = this.histogram(Math.max(1, Math.floor(this.room / 3)));
    const most = bins.reduce((a, b) => Math.max(a, b), 1);
    s.fillStyle = colours.line;
    s.globalAlpha = 0.6;
    bins.forEach((count, i) => {
      const h = (count / most) * (height - 8);
      s.fillRect(GUTTER + 14 + (i * this.room) / bins.length, height - h, this.room / bins.length - 0.5, h);
    });
    const ticks = (events, colour) => {
      s.fillStyle = colour;
      for (const event of events) s.fillRect(x(scene.x[event]) - 1, 2, 2, height - 2);
    };
    s.globalAlpha = 1;
    ticks(this.hits.slice(0, 2000), colours.hitEdge);
    ticks(this.witnesses, colours.bad);
    for (const list of this.falls.values()) ticks(list.map((fall) => fall.from), colours.bad);
    if (this.selected !== NONE) ticks([this.selected], colours.ink);
    if (this.trace.cycle !== undefined) {
      const [first, last] = this.cycleSpan();
      s.fillStyle = colours.bad;
      s.globalAlpha = 0.25;
      s.fillRect(x(first) - 2, 0, x(last) - x(first) + 4, height);
      s.globalAlpha = 1;
    }
    const [a, b] = [x(this.left), x(this.placeAt(this.width))];
    s.fillStyle = colours.past;
    s.globalAlpha = 0.12;
    s.fillRect(Math.max(GUTTER, a), 0, Math.min(width, b) - Math.max(GUTTER, a), height);
    s.globalAlpha = 0.8;
    s.strokeStyle = colours.past;
    s.lineWidth = 1.5;
    s.strokeRect(Math.max(GUTTER, a), 1, Math.max(3, Math.min(width - 1, b) - Math.max(GUTTER, a)), height - 2);
    s.globalAlpha = 1;
  }

  /** Between which places the events lie that repeat for ever. */
  cycleSpan() {
    const { from, to } = this.trace.cycle;
    let first = Infinity, last = -Infinity;
    for (let event = from; event <= to; event++) {
      first = Math.min(first, this.scene.x[event]);
      last = Math.max(last, this.scene.x[event]);
    }
    return [first, last];
  }

  histogram(size) {
    const key = `${size} ${this.scene.axis} ${this.trace.count}`;
    if (this.bins?.key !== key) {
      const counts = new Array(size).fill(0);
      const scale = (size - 1e-6) / (this.scene.to - this.scene.from);
      for (let i = 0; i < this.trace.count; i++) counts[Math.floor((this.scene.x[i] - this.scene.from) * scale)]++;
      this.bins = { key, counts };
    }
    return this.bins.counts;
  }

  /** Which part of the run is seen, in words. */
  part() {
    const { scene, trace, rows } = this;
    const [from, to] = [Math.max(scene.from, this.placeAt(GUTTER)), Math.min(scene.to, this.placeAt(this.width))];
    const seen = rows.filter((_, row) => this.yOfRow(row) > AXIS && this.yOfRow(row) < this.height);
    const isWhole = from <= scene.from && to >= scene.to && seen.length === trace.processes;
    if (isWhole) return 'The whole run.';
    const about = { lamport: 'Lamport time', time: 'clock time in ms', order: 'events' }[scene.axis];
    const range = (a, b) => `${Math.round(a).toLocaleString('en')} to ${Math.round(b).toLocaleString('en')}`;
    const all = count(trace.processes, 'process', 'processes');
    return `A part of the run: ${about} ${range(from, to)} of ${range(scene.from, scene.to)}, ` +
      `${seen.length.toLocaleString('en')} of ${all}. The button “Fit” shows the whole run.`;
  }

  /** What is seen, as an SVG document. */
  toSvg(theme = this.theme) {
    const surface = new SvgSurface(this.width, this.height);
    this.paintOn(surface, theme);
    return surface.document();
  }

  /** What is seen, as a PNG of twice the size. */
  toPng(done) {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [2 * this.width, 2 * this.height];
    const context = canvas.getContext('2d', { alpha: false });
    context.scale(2, 2);
    this.paintOn(context);
    canvas.toBlob(done, 'image/png');
  }
}
