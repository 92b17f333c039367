// ---------------------------------------------------------------------------------------------------
// Paints what is visible of a scene on a surface: a canvas, or an SVG document.

const FONT = 'system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif';
const GUTTER = 58;
const AXIS = 30;

/** Okabe and Ito (2008); the darker and lighter ones keep their hues. */
const COLOURS = {
  light: {
    paper: '#ffffff', ink: '#1b1f24', soft: '#5b6470', line: '#aab1bb', grid: '#edeff2', halo: '#ffffff',
    section: '#e69f00', token: '#56b4e9', bad: '#d55e00', good: '#009e73', past: '#0072b2', future: '#e69f00',
    hit: '#f0e442', hitEdge: '#8a7f00', doubt: '#a0457a',
    kinds: ['#0072b2', '#00805d', '#a0457a', '#8a6500', '#3c4450'],
  },
  dark: {
    paper: '#14171b', ink: '#e8eaed', soft: '#a0a8b3', line: '#59616c', grid: '#20242a', halo: '#14171b',
    section: '#e69f00', token: '#56b4e9', bad: '#ff8a4a', good: '#2fc79a', past: '#56b4e9', future: '#e69f00',
    hit: '#f0e442', hitEdge: '#f0e442', doubt: '#e29bc4',
    kinds: ['#6cbfee', '#2fc79a', '#e29bc4', '#f0e442', '#c9ced6'],
  },
};

/** Kinds beyond the colours are told apart by their strokes. */
const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3]];

/** Above so many visible events, those that fall on one pixel are painted once. */
const CROWD = 6000;

/** Lines lower than this have no room for the roles of processes above them. */
const ROLE_HEIGHT = 22;

/** How an event stands to the one in focus. */
const ALONE = 0, PAST = 1, FUTURE = 2, CONCURRENT = 3, ITSELF = 4;

class Painter {
  constructor(surface, scene, view, colours) {
    Object.assign(this, { s: surface, scene, trace: scene.trace, view, colours });
    this.left = view.placeAt(GUTTER - 30);
    this.right = view.placeAt(view.width + 30);
    [this.firstRow, this.lastRow] = view.visibleRows();
    this.labels = [];
    /** What stands beside messages and events, if there is room. */
    this.wanted = [];
    this.crowded = this.countVisible() > CROWD;
    this.small = view.rowHeight < 26;
  }

  paint() {
    const { s, view, colours } = this;
    s.globalAlpha = 1;
    s.fillStyle = colours.paper;
    s.fillRect(0, 0, view.width, view.height);
    this.within(GUTTER, AXIS, view.width - GUTTER, view.height - AXIS, () => {
      this.grid();
      this.cones();
      this.repeated();
      this.lines();
      this.holdings();
      this.bars(this.scene.sections, 0.42, 34, colours.section, 0.66);
      this.bars(this.scene.waits, 0.14, 8, colours.doubt, 0.8);
      this.messages();
      this.cuts();
      this.events();
      this.rings();
      this.wayBack();
      this.roles();
      this.eventLabels();
      this.writeWanted();
      this.heapLabels();
    });
    this.axis();
    this.names();
  }

  within(x, y, w, h, work) {
    const { s } = this;
    s.save();
    s.beginPath();
    s.rect(x, y, w, h);
    s.clip();
    work();
    s.restore();
  }

  countVisible() {
    let count = 0;
    for (let row = this.firstRow; row < this.lastRow; row++) {
      const process = this.view.rows[row];
      count += this.scene.firstFrom(process, this.right) - this.scene.firstFrom(process, this.left);
    }
    return count;
  }

  /** Whether the event is there at all: not filtered away, and not later than what is unfolded. */
  shows(event) {
    return event <= this.view.limit && !this.trace.entries[this.trace.entry.data[event]].hidden;
  }

  relation(event) {
    const { focus, past, future } = this.view;
    if (focus === NONE) return ALONE;
    if (event === focus) return ITSELF;
    const process = this.trace.process.data[event];
    const n = this.trace.n.data[event];
    if (n <= past[process]) return PAST;
    return n >= future[process] ? FUTURE : CONCURRENT;
  }

  x(event) {
    return this.view.xOf(this.scene.x[event]);
  }

  y(event) {
    return this.view.yOf(event);
  }

  /** A line from event to event. */
  between(from, to) {
    segment(this.s, this.x(from), this.y(from), this.x(to), this.y(to));
  }

  /** A line along that of a process, not longer than what is seen. */
  level(from, to, y) {
    segment(this.s, Math.max(from, -50), y, Math.min(to, this.view.width + 50), y);
  }

  // ------------------------------------------------------------------------------------- background

  /** What the processes are, at the begin of their lines, wherever the view is. */
  roles() {
    const { view, scene, colours } = this;
    if (scene.roles.size === 0 || view.rowHeight < ROLE_HEIGHT) return;
    for (let row = this.firstRow; row < this.lastRow; row++) {
      const role = scene.roles.get(view.rows[row]);
      const y = view.yOfRow(row) - Math.min(16, view.rowHeight * 0.4);
      if (role !== undefined) this.label(shortened(role), GUTTER + 4, y, colours.soft, Infinity, 'left');
    }
  }

  grid() {
    const { s, view } = this;
    s.strokeStyle = this.colours.grid;
    s.lineWidth = 1;
    s.setLineDash([]);
    s.beginPath();
    for (const place of this.ticks()) {
      const x = Math.round(view.xOf(place)) + 0.5;
      segment(s, x, AXIS, x, view.height);
    }
    s.stroke();
  }

  /** Round places with at least 90 pixels between them. */
  ticks() {
    const { view, scene } = this;
    const least = 90 / view.scale;
    let step = 10 ** Math.floor(Math.log10(least));
    for (const factor of [1, 2, 5, 10]) {
      if (step * factor >= least) {
        step *= factor;
        break;
      }
    }
    if (scene.axis !== 'time') step = Math.max(1, step);
    const ticks = [];
    const begin = Math.ceil(Math.max(this.left, Math.min(0, scene.from)) / step);
    for (let i = begin; i * step <= Math.min(this.right, scene.to + step); i++) ticks.push(i * step);
    return ticks;
  }

  /** The causal past and future of the event in focus, along all lines. */
  cones() {
    const { s, view, scene, trace, colours } = this;
    if (view.focus === NONE) return;
    s.lineCap = 'round';
    s.setLineDash([]);
    s.globalAlpha = 0.28;
    s.lineWidth = Math.min(14, Math.max(4, view.rowHeight * 0.34));
    const paint = (colour, spans) => {
      s.strokeStyle = colour;
      s.beginPath();
      for (const [row, from, to] of spans) this.level(from, to, view.yOfRow(row));
      s.stroke();
    };
    const pasts = [], futures = [];
    for (let row = this.firstRow; row < this.lastRow; row++) {
      const process = view.rows[row];
      const events = trace.of[process];
      if (events.length === 0) continue;
      const first = this.x(events.data[0]);
      const last = view.xOf(scene.x[events.data[events.length - 1]]);
      const known = Math.min(view.past[process], events.length);
      if (known > 0) pasts.push([row, first, this.x(events.data[known - 1])]);
      if (view.future[process] < Infinity) futures.push([row, this.x(events.data[view.future[process] - 1]), last]);
    }
    paint(colours.past, pasts);
    paint(colours.future, futures);
    s.globalAlpha = 1;
    s.lineCap = 'butt';
  }

  /** The line of each process: from its start to its end, broken while it is down or its events are missing. */
  lines() {
    const { s, view, trace, colours } = this;
    s.strokeStyle = colours.line;
    s.lineWidth = 1.25;
    const up = [], down = [];
    for (let row = this.firstRow; row < this.lastRow; row++) {
      const events = trace.of[view.rows[row]];
      const y = Math.round(view.yOfRow(row)) + 0.5;
      if (events.length === 0) {
        down.push([y, GUTTER, view.width]);
        continue;
      }
      let begin = this.x(events.data[0]);
      const end = view.xOf(this.scene.to);
      for (const fall of this.falls(view.rows[row])) {
        up.push([y, begin, this.x(fall.from)]);
        begin = fall.to === NONE ? end : this.x(fall.to);
        down.push([y, this.x(fall.from), begin]);
      }
      const last = events.data[events.length - 1];
      const isMissing = view.missing.has(view.rows[row]);
      const known = isMissing || trace.what.data[last] === STOP ? this.x(last) : end;
      up.push([y, begin, Math.max(begin, known)]);
      if (isMissing) down.push([y, known, end]);
    }
    const paint = (spans, dash) => {
      s.setLineDash(dash);
      s.beginPath();
      for (const [y, from, to] of spans) {
        if (to < 0 || from > view.width) continue;
        this.level(from, to, y);
      }
      s.stroke();
    };
    paint(up, []);
    paint(down, [1.5, 5]);
    s.setLineDash([]);
  }

  /** When a process was down. */
  falls(process) {
    return this.view.falls.get(process) ?? [];
  }

  // ------------------------------------------------------------------------------- what repeats for ever

  /** Of each process, the events that repeat for ever lie on one band. */
  repeated() {
    const { s, view, trace, colours } = this;
    const { cycle } = trace;
    if (cycle === undefined || cycle.from > view.limit) return;
    const last = Math.min(cycle.to, view.limit);
    const h = Math.max(8, Math.min(44, view.rowHeight * 0.62));
    s.fillStyle = colours.bad;
    s.globalAlpha = 0.16;
    for (let row = this.firstRow; row < this.lastRow; row++) {
      const { data, length } = trace.of[view.rows[row]];
      const first = firstWhere(length, (i) => data[i] >= cycle.from);
      const end = firstWhere(length, (i) => data[i] > last);
      if (first >= end) continue;
      const [from, to] = [this.x(data[first]) - 11, this.x(data[end - 1]) + 11];
      if (to < GUTTER || from > view.width) continue;
      const [left, right] = [Math.max(from, -50), Math.min(to, view.width + 50)];
      s.beginPath();
      s.roundRect(left, view.yOfRow(row) - h / 2, right - left, h, 6);
      s.fill();
    }
    s.globalAlpha = 1;
  }

  /** An arrow from the last of the events that repeat back to the first, above all lines. */
  wayBack() {
    const { s, view, trace, colours } = this;
    if (trace.cycle === undefined || trace.cycle.to > view.limit) return;
    const [first, last] = view.cycleSpan().map((place) => view.xOf(place));
    const [begin, end] = [Math.max(first - 6, -50), Math.min(last + 6, view.width + 50)];
    if (end < GUTTER || begin > view.width) return;
    const [words, top, bottom] = [AXIS + 11, AXIS + 21, AXIS + 36];
    s.strokeStyle = colours.bad;
    s.fillStyle = colours.bad;
    s.lineWidth = 2;
    s.lineJoin = 'round';
    s.setLineDash([]);
    s.beginPath();
    s.moveTo(end, bottom);
    s.lineTo(end, top);
    s.lineTo(begin, top);
    s.lineTo(begin, bottom);
    s.stroke();
    s.beginPath();
    this.head(begin, top, begin, bottom + 4, 9);
    s.fill();
    const times = view.rounds > 1 ? `for ever (time ${view.rounds})` : 'for ever';
    const middle = (Math.max(begin, GUTTER) + Math.min(end, view.width)) / 2;
    void (this.label(times, middle, words, colours.bad, Infinity, 'center', 'bold ') ||
      this.label(times, end + 8, words, colours.bad, Infinity, 'left', 'bold ') ||
      this.label(times, end, words, colours.bad, Infinity, 'right', 'bold '));
  }

  // ----------------------------------------------------------------------------------- bars and bands

  /** Where a bar begins and ends on the screen; nothing if that is out of sight. */
  span(bar) {
    if (bar.from > this.view.limit) return null;
    const from = this.x(bar.from);
    const to = this.isOpen(bar) ? this.openEnd(bar) : this.x(bar.to);
    return to < GUTTER - 20 || from > this.view.width + 20 ? null : [from, Math.max(to, from + 2)];
  }

  /** Whether a bar has not ended, as far as is shown. */
  isOpen(bar) {
    return bar.to === NONE || bar.to > this.view.limit;
  }

  /** How far a bar is known that has not ended: to the last event of its process, or as far as a run goes on. */
  openEnd(bar) {
    const { view, trace, scene } = this;
    if (view.limit !== Infinity) return this.x(view.limit);
    if (view.running) return view.xOf(scene.to);
    const mine = trace.of[trace.process.data[bar.from]];
    return this.x(mine.data[mine.length - 1]);
  }

  bars(lists, height, most, colour, alpha) {
    const { s } = this;
    s.fillStyle = colour;
    const h = Math.max(4, Math.min(most, this.view.rowHeight * height));
    this.eachBar(lists, (bar, from, to, y) => {
      s.globalAlpha = this.dims(bar.from) ? alpha * 0.35 : alpha;
      s.beginPath();
      if (this.isOpen(bar)) this.openBar(from, to, y - h / 2, h);
      else if (to - from > 8) s.roundRect(from, y - h / 2, to - from, h, 4);
      else s.rect(from, y - h / 2, to - from, h);
      s.fill();
    });
    s.globalAlpha = 1;
  }

  /** A bar that has not ended breaks off in stripes. */
  openBar(from, to, y, h) {
    this.s.rect(from, y, to - from, h);
    for (let stripe = 0; stripe < 3; stripe++) this.s.rect(to + 3 + 6 * stripe, y, 3 - 0.75 * stripe, h);
  }

  /** Calls `visit` with each bar in sight, where it begins and ends on the screen, and how high it lies. */
  eachBar(lists, visit) {
    const { view } = this;
    for (let row = this.firstRow; row < this.lastRow; row++) {
      for (const bar of this.inSight(lists[view.rows[row]])) {
        const span = this.span(bar);
        if (span !== null) visit(bar, Math.max(span[0], -50), Math.min(span[1], view.width + 50), view.yOfRow(row));
      }
    }
  }

  /** The bars of one process that may be seen; they are in order. */
  inSight(bars) {
    const first = firstWhere(bars.length, (i) => bars[i].to === NONE || this.scene.x[bars[i].to] >= this.left);
    // Bars may overlap where something is wrong: a few before the first are looked at too.
    const begin = Math.max(0, first - 8);
    let end = begin;
    while (end < bars.length && this.scene.x[bars[end].from] <= this.right) end++;
    return this.crowded ? this.thinned(bars, begin, end) : bars.slice(begin, end);
  }

  thinned(bars, begin, end) {
    const kept = [];
    let last = -Infinity;
    for (let i = begin; i < end; i++) {
      const x = Math.round(this.x(bars[i].from));
      if (x > last || bars[i].to === NONE) kept.push(bars[i]);
      last = x;
    }
    return kept;
  }

  /** The path of the token: whoever holds it, and the messages that carry it. */
  holdings() {
    const { s, view, trace, scene, colours } = this;
    if (scene.tokens.size === 0) return;
    s.strokeStyle = colours.token;
    s.lineWidth = Math.max(3, Math.min(15, view.rowHeight * 0.26));
    s.lineCap = 'round';
    s.globalAlpha = view.focus === NONE ? 0.38 : 0.2;
    s.setLineDash([]);
    s.beginPath();
    this.eachBar(scene.holdings, (bar, from, to, y) => segment(s, from, y, to, y));
    if (!this.crowded) {
      this.eachMessage((message, from, to) => {
        if (scene.tokens.has(trace.kindOf(from)) && to !== NONE && trace.what.data[to] !== DROP) this.between(from, to);
      });
    }
    s.stroke();
    s.globalAlpha = 1;
    s.lineCap = 'butt';
  }

  dims(event) {
    return this.relation(event) === CONCURRENT;
  }

  // ---------------------------------------------------------------------------------------- messages

  /** Calls `visit` with each message in sight whose both ends have a line; `to` is NONE while under way. */
  eachMessage(visit) {
    const { trace, view, scene } = this;
    scene.messagesBetween(this.left, this.right, (message) => {
      const from = trace.from.data[message];
      if (!this.shows(from)) return;
      let to = trace.to.data[message];
      if (to > view.limit) to = NONE;
      const here = view.rowOf[trace.process.data[from]];
      const there = view.rowOf[trace.peer.data[from]] ?? NONE;
      if (here === NONE || there === NONE) return;
      if (Math.max(here, there) < this.firstRow || Math.min(here, there) >= this.lastRow) return;
      visit(message, from, to);
    });
  }

  messages() {
    const { s, trace, view } = this;
    /** By stroke and by whether it is dimmed: what is alike is stroked at once. */
    const groups = new Map();
    const lost = [], underWay = [];
    const lastAt = new Map();
    let count = 0;
    this.eachMessage((message, from, to) => {
      if (to === NONE) underWay.push(from);
      else if (trace.what.data[to] === DROP) lost.push([from, to]);
      else {
        if (this.crowded && !this.isNew(lastAt, from)) return;
        const dim = this.isApart(from, to);
        const key = trace.entry.data[from] * 2 + (dim ? 1 : 0);
        if (!groups.has(key)) groups.set(key, []);
        groups.get(key).push([from, to]);
        count++;
      }
    });
    this.manyMessages = count > 500;
    s.lineJoin = 'round';
    // What is dimmed lies below.
    const keys = [...groups.keys()].sort((a, b) => (b % 2) - (a % 2));
    for (const key of keys) {
      const { colour, dash } = view.strokeOf(key >> 1, this.colours);
      const dim = key % 2 === 1;
      s.globalAlpha = dim ? 0.13 : this.crowded ? 0.45 : 1;
      this.arrows(groups.get(key), colour, dash, dim);
    }
    s.globalAlpha = 1;
    this.broken(lost, underWay);
    this.unsent();
    this.late();
  }

  /** Whether no message on the same channel was painted at this pixel. */
  isNew(lastAt, from) {
    const channel = this.trace.process.data[from] * this.trace.processes + this.trace.peer.data[from];
    const x = Math.round(this.x(from));
    if (lastAt.get(channel) === x) return false;
    lastAt.set(channel, x);
    return true;
  }

  /** Whether a message plays no part in the past or the future of the event in focus. */
  isApart(from, to) {
    if (this.view.focus === NONE) return false;
    const a = this.relation(from);
    const b = to === NONE ? a : this.relation(to);
    const past = (r) => r === PAST || r === ITSELF;
    const future = (r) => r === FUTURE || r === ITSELF;
    return !((past(a) && past(b)) || (future(a) && future(b)));
  }

  arrows(pairs, colour, dash, dim) {
    const { s } = this;
    s.strokeStyle = colour;
    s.fillStyle = colour;
    s.lineWidth = this.crowded ? 0.6 : this.small ? 1 : 1.5;
    s.setLineDash(dash);
    s.beginPath();
    for (const [from, to] of pairs) {
      if (this.trace.process.data[from] === this.trace.process.data[to]) {
        const [x0, x1, y] = [this.x(from), this.x(to), this.y(from)];
        s.moveTo(x0, y);
        s.quadraticCurveTo((x0 + x1) / 2, y - this.view.rowHeight * 0.7, x1, y);
      } else this.between(from, to);
    }
    s.stroke();
    s.setLineDash([]);
    if (this.crowded) return;
    const size = this.small ? 6 : 9;
    s.beginPath();
    for (const [from, to] of pairs) this.head(this.x(from), this.y(from), this.x(to), this.y(to), size);
    s.fill();
    if (!dim && !this.manyMessages) {
      for (const [from, to] of pairs) this.want(from, () => this.messageLabel(from, to, colour));
    }
  }

  /** Beside the middle of an arrow, and between two lines. */
  messageLabel(from, to, colour) {
    const { s, view, trace } = this;
    const [x0, y0, x1, y1] = [this.x(from), this.y(from), this.x(to), this.y(to)];
    if (Math.hypot(x1 - x0, y1 - y0) < 40 || this.small) return;
    const middle = (view.rowOf[trace.process.data[from]] + view.rowOf[trace.process.data[to]]) / 2;
    const y = view.yOfRow(Math.floor(middle) + 0.5);
    const text = view.shortOf(from);
    if (y1 === y0) {
      this.label(text, (x0 + x1) / 2, y0 - view.rowHeight * 0.45, colour, Infinity);
      return;
    }
    const x = x0 + ((x1 - x0) * (y - y0)) / (y1 - y0);
    s.font = `12px ${FONT}`;
    const room = s.measureText(text).width / 2 + (this.scene.tokens.has(trace.kindOf(from)) ? 11 : 6);
    void (this.label(text, x + room, y, colour, Infinity) || this.label(text, x - room, y, colour, Infinity));
  }

  head(x0, y0, x1, y1, size) {
    const { s } = this;
    const length = Math.hypot(x1 - x0, y1 - y0);
    if (length < 2 * size) return;
    const [dx, dy] = [(x1 - x0) / length, (y1 - y0) / length];
    // Its point touches the mark of the event.
    const [tx, ty] = [x1 - 2.5 * dx, y1 - 2.5 * dy];
    s.moveTo(tx, ty);
    s.lineTo(tx - size * dx - 0.36 * size * dy, ty - size * dy + 0.36 * size * dx);
    s.lineTo(tx - size * dx + 0.36 * size * dy, ty - size * dy - 0.36 * size * dx);
    s.closePath();
  }

  /** Messages that the network lost break off; those under way end open. */
  broken(lost, underWay) {
    const { s, trace, view, colours } = this;
    const crosses = [];
    for (const [pairs, isLost] of [[lost, true], [underWay.map((from) => [from, NONE]), false]]) {
      for (const [from, to] of pairs) {
        const { colour, dash } = view.strokeOf(trace.entry.data[from], colours);
        const [x0, y0] = [this.x(from), this.y(from)];
        const y1 = view.yOfRow(view.rowOf[trace.peer.data[from]]);
        const reach = Math.max(18, Math.min(60, 3 * view.scale));
        // Between two lines: on one of them it would seem to be that process's.
        const [x, y] = [x0 + reach, y0 + (Math.sign(y1 - y0) || -1) * view.rowHeight * 0.5];
        s.globalAlpha = this.isApart(from, to) ? 0.2 : 1;
        s.strokeStyle = colour;
        s.lineWidth = 1.5;
        s.setLineDash(isLost ? dash : [3, 3]);
        s.beginPath();
        segment(s, x0, y0, x, y);
        s.stroke();
        s.setLineDash([]);
        if (isLost) crosses.push([x, y]);
        else {
          s.fillStyle = colour;
          s.beginPath();
          this.head(x0, y0, x, y, 8);
          s.fill();
        }
        if (isLost && !this.crowded && !this.isApart(from, to)) this.label(`${view.shortOf(from)} lost`, x + 8, y, colours.bad, Infinity, 'left');
      }
    }
    s.globalAlpha = 1;
    s.strokeStyle = colours.bad;
    s.lineWidth = 2.5;
    s.beginPath();
    for (const [x, y] of crosses) cross(s, x, y, 5);
    s.stroke();
  }

  /** Messages whose sending is missing come from a question mark between two lines. */
  unsent() {
    const { s, trace, view } = this;
    if (this.crowded) return;
    for (const [event, [sender]] of trace.unsent) {
      const here = view.rowOf[trace.process.data[event]];
      if (here === NONE || !this.shows(event) || this.x(event) < GUTTER || this.x(event) > view.width) continue;
      const [x, y] = [this.x(event), this.y(event)];
      const there = view.rowOf[sender] === NONE ? here - 1 : view.rowOf[sender];
      const [x0, y0] = [x - 26, y + (Math.sign(there - here) || -1) * view.rowHeight * 0.4];
      const { colour } = view.strokeOf(trace.entry.data[event], this.colours);
      s.globalAlpha = this.isApart(event, NONE) ? 0.2 : 1;
      s.strokeStyle = colour;
      s.fillStyle = colour;
      s.lineWidth = 1.5;
      s.setLineDash([3, 3]);
      s.beginPath();
      segment(s, x0, y0, x, y);
      s.stroke();
      s.setLineDash([]);
      s.beginPath();
      this.head(x0, y0, x, y, 8);
      s.fill();
      this.label('?', x0, y0, colour, Infinity, 'right', 'bold ');
      if (!this.isApart(event, NONE)) this.label(view.shortOf(event), x0 + 4, y0 - 10, colour, Infinity, 'left');
    }
    s.globalAlpha = 1;
  }

  /** Messages that cross a cut backwards: received before it and sent after it. They make it inconsistent. */
  late() {
    const { s, scene, colours } = this;
    const cuts = [...scene.cuts.values()].filter((cut) => cut.size > 1);
    if (cuts.length === 0 || cuts.length > 64 || this.crowded) return;
    s.strokeStyle = colours.bad;
    s.fillStyle = colours.bad;
    s.lineWidth = 2.5;
    const { process, n, what } = this.trace;
    const goesBack = (from, to) => (cut) => {
      const [left, right] = [cut.get(process.data[from]), cut.get(process.data[to])];
      return left !== undefined && right !== undefined && n.data[from] > n.data[left] &&
        n.data[to] < scene.stepOf(right);
    };
    this.eachMessage((message, from, to) => {
      if (to === NONE || what.data[to] !== RECEIVE || this.isApart(from, to)) return;
      if (!cuts.some(goesBack(from, to))) return;
      s.beginPath();
      this.between(from, to);
      s.stroke();
      s.beginPath();
      this.head(this.x(from), this.y(from), this.x(to), this.y(to), 10);
      s.fill();
    });
  }

  /** Each cut as a line through its events, from the top to the bottom. */
  cuts() {
    const { s, scene, view, colours } = this;
    s.lineJoin = 'round';
    for (const [name, cut] of scene.cuts) {
      const points = [];
      for (let row = 0; row < view.rows.length; row++) {
        const event = cut.get(view.rows[row]);
        if (event !== undefined && event <= view.limit) points.push([this.x(event), view.yOfRow(row), event]);
      }
      if (points.length < 2 || points.every(([x]) => x < 0) || points.every(([x]) => x > view.width)) continue;
      const half = view.rowHeight / 2;
      s.strokeStyle = colours.ink;
      s.lineWidth = 2;
      s.setLineDash([8, 4]);
      s.beginPath();
      s.moveTo(points[0][0], points[0][1] - half);
      for (const [x, y] of points) s.lineTo(x, y);
      s.lineTo(points[points.length - 1][0], points[points.length - 1][1] + half);
      s.stroke();
      s.setLineDash([]);
      this.label(`cut ${name}`, points[0][0] + 4, points[0][1] - half + 8, colours.ink, Infinity, 'left');
    }
  }

  // ------------------------------------------------------------------------------------------ events

  events() {
    const { view, trace, scene } = this;
    /** Marks of one colour are filled at once. */
    const marks = new Map();
    this.special = [];
    this.heaps = [];
    for (let row = this.firstRow; row < this.lastRow; row++) {
      const process = view.rows[row];
      const { data, length } = trace.of[process];
      let i = scene.firstFrom(process, this.left);
      while (i < length && scene.x[data[i]] <= this.right) {
        const event = data[i];
        if (this.shows(event)) this.mark(event, marks);
        if (!this.crowded && scene.isHeap(event, view.rowHeight)) this.heaps.push(event);
        i = this.crowded && trace.what.data[event] !== CRASH
          ? Math.max(i + 1, scene.firstFrom(process, view.placeAt(this.x(event) + 1)))
          : i + 1;
      }
    }
    this.dots(marks);
    if (!this.crowded || this.special.length < 2000) for (const event of this.special) this.glyph(event);
  }

  mark(event, marks) {
    const what = this.trace.what.data[event];
    if (what !== SEND && what !== RECEIVE && what !== DROP && (!this.crowded || what === CRASH)) {
      this.special.push(event);
      return;
    }
    const colour = this.colourOf(event);
    const key = `${colour} ${this.dims(event) ? 0.25 : 1}`;
    if (!marks.has(key)) marks.set(key, []);
    marks.get(key).push(event);
  }

  colourOf(event) {
    const { colours, view, trace } = this;
    const relation = this.relation(event);
    if (relation === PAST) return colours.past;
    if (relation === FUTURE) return colours.future;
    const what = trace.what.data[event];
    return what === SEND || what === RECEIVE || what === DROP
      ? view.strokeOf(trace.entry.data[event], colours).colour : colours.ink;
  }

  dots(marks) {
    const { s } = this;
    const r = this.small ? 1.7 : 2.8;
    for (const [key, events] of marks) {
      const [colour, alpha] = key.split(' ');
      s.globalAlpha = Number(alpha);
      s.fillStyle = colour;
      s.beginPath();
      for (const event of events) {
        const [x, y] = [this.x(event), this.y(event)];
        if (this.crowded) s.rect(Math.round(x), y - 2, 1, 4);
        else {
          s.moveTo(x + r, y);
          s.arc(x, y, r, 0, 2 * Math.PI);
        }
      }
      s.fill();
    }
    s.globalAlpha = 1;
  }

  /** Events that are not messages have shapes of their own. */
  glyph(event) {
    const { s, scene, trace, colours } = this;
    const [x, y] = [this.x(event), this.y(event)];
    const r = this.small ? 3.4 : 5;
    const what = trace.what.data[event];
    const sign = what === INDICATION ? scene.signOf(trace.kindOf(event)) : undefined;
    s.globalAlpha = this.dims(event) ? 0.25 : 1;
    const colour = this.colourOf(event);
    s.fillStyle = colour;
    s.strokeStyle = colour;
    s.lineWidth = 1.5;
    if (sign !== undefined) paintSign(s, sign, x, y, r * 1.5, colours);
    else paintShape(s, what, x, y, r, colours, colour);
    s.globalAlpha = 1;
  }

  /** Around the chosen event, the witnesses of a violation, and what was found. */
  rings() {
    const { s, view, colours, trace } = this;
    const ring = (event, r, colour, width) => {
      if (event > view.limit || view.rowOf[trace.process.data[event]] === NONE) return;
      const x = this.x(event);
      if (x < -20 || x > view.width + 20) return;
      s.strokeStyle = colour;
      s.lineWidth = width;
      s.beginPath();
      s.arc(x, this.y(event), r, 0, 2 * Math.PI);
      s.stroke();
    };
    s.setLineDash([]);
    if (view.hits.length < 5000) {
      for (const event of view.hits) {
        ring(event, 8, colours.hitEdge, 4);
        ring(event, 8, colours.hit, 2.5);
      }
    }
    view.witnesses.forEach((event, i) => {
      ring(event, 10, colours.paper, 5);
      ring(event, 10, colours.bad, 3);
      if (view.rowOf[trace.process.data[event]] !== NONE && event <= view.limit) {
        this.label(String(i + 1), this.x(event) + 11, this.y(event) - 12, colours.bad, Infinity, 'left', 'bold ');
      }
    });
    if (view.selected !== NONE) ring(view.selected, 8, colours.ink, 2.2);
    if (view.hovered !== NONE && view.hovered !== view.selected) ring(view.hovered, 8, colours.soft, 1.5);
  }

  /** Where too many events lie on one point to be told apart, their number stands beside them. */
  heapLabels() {
    for (const event of this.heaps) {
      const text = `${this.scene.fanOf[event]} at once`;
      this.label(text, this.x(event) + 6, this.y(event), this.colours.soft, Infinity, 'left');
    }
  }

  /** What processes told their applications, where there is room. */
  eventLabels() {
    if (this.crowded || this.view.rowHeight < 30) return;
    const { view, trace, colours } = this;
    for (const event of this.special) {
      const what = trace.what.data[event];
      if (what !== INDICATION && what !== REQUEST && what !== CRASH && what !== RECOVER) continue;
      const kind = trace.kindOf(event);
      // The end of a bar says so already.
      if (this.dims(event) || this.scene.ends.has(kind)) continue;
      const text = what === CRASH || what === RECOVER ? LIFE[what] : view.shortOf(event);
      const colour = what === CRASH ? colours.bad : colours.ink;
      this.want(event, () => this.eventLabel(text, event, colour));
    }
  }

  /** Something is to be written beside an event or its message. */
  want(event, write) {
    const { count, role } = this.trace.entries[this.trace.entry.data[event]];
    this.wanted.push({ count, isMessage: role === 'message', write });
  }

  /** What is rare comes first: it tells most. */
  writeWanted() {
    this.wanted.sort((a, b) => a.count - b.count || Number(a.isMessage) - Number(b.isMessage));
    for (const { write } of this.wanted) write();
  }

  /** Above or below an event, so that what follows at once has a second chance; beside it if others lie there. */
  eventLabel(text, event, colour) {
    const [x, y, room] = [this.x(event), this.y(event), Math.min(24, this.view.rowHeight * 0.34)];
    if (this.scene.isFanned(event)) {
      void (this.label(text, x + 9, y, colour, Infinity, 'left') || this.label(text, x - 9, y, colour, Infinity, 'right'));
    } else void (this.label(text, x, y - room, colour, Infinity) || this.label(text, x, y + room, colour, Infinity));
  }

  /** Writes a text if it fits and nothing was written there. */
  label(text, x, y, colour, room, align = 'center', weight = '') {
    const { s, colours } = this;
    if (this.labels.length > 400 || text === '') return false;
    s.font = `${weight}${this.small ? 10.5 : 12}px ${FONT}`;
    const width = s.measureText(text).width;
    if (width > room) return false;
    const left = x - { left: 0, center: 0.5, right: 1 }[align] * width;
    const box = [left - 3, y - 8, left + width + 3, y + 8];
    if (box[0] < GUTTER || box[2] > this.view.width || box[1] < AXIS || box[3] > this.view.height) return false;
    const clash = ([l, t, r, b]) => box[0] < r && box[2] > l && box[1] < b && box[3] > t;
    if (this.labels.some(clash)) return false;
    this.labels.push(box);
    s.textAlign = align;
    s.textBaseline = 'middle';
    s.strokeStyle = colours.halo;
    s.lineWidth = 3.5;
    s.lineJoin = 'round';
    s.strokeText(text, x, y);
    s.fillStyle = colour;
    s.fillText(text, x, y);
    return true;
  }

  // ------------------------------------------------------------------------------------------ margins

  axis() {
    const { s, view, scene, colours } = this;
    s.globalAlpha = 1;
    s.fillStyle = colours.paper;
    s.fillRect(0, 0, view.width, AXIS);
    s.strokeStyle = colours.line;
    s.lineWidth = 1;
    s.setLineDash([]);
    s.beginPath();
    segment(s, GUTTER, AXIS - 0.5, view.width, AXIS - 0.5);
    s.stroke();
    s.font = `11.5px ${FONT}`;
    s.fillStyle = colours.soft;
    s.textAlign = 'center';
    s.textBaseline = 'middle';
    const name = { lamport: 'Lamport time', time: 'ms', order: 'event' }[scene.axis];
    const nameWidth = s.measureText(name).width + 18;
    for (const place of this.ticks()) {
      const x = view.xOf(place);
      if (x < GUTTER - 4 || x > view.width - nameWidth - 16) continue;
      s.beginPath();
      segment(s, x, AXIS - 5, x, AXIS);
      s.stroke();
      s.fillText(String(Number(place.toPrecision(12))), x, AXIS / 2 - 1);
    }
    s.textAlign = 'right';
    s.fillText(name, view.width - 10, AXIS / 2 - 1);
  }

  names() {
    const { s, view, colours } = this;
    s.fillStyle = colours.paper;
    s.fillRect(0, 0, GUTTER - 10, view.height);
    s.textAlign = 'right';
    s.textBaseline = 'middle';
    s.font = `600 ${this.small ? 10.5 : 13}px ${FONT}`;
    const each = Math.max(1, Math.ceil(11 / view.rowHeight));
    for (let row = this.firstRow; row < this.lastRow; row++) {
      const y = view.yOfRow(row);
      if (row % each !== 0 || y < AXIS + 5) continue;
      const process = view.rows[row];
      const inFocus = view.focus !== NONE && this.trace.process.data[view.focus] === process;
      s.fillStyle = inFocus ? colours.ink : colours.soft;
      s.fillText(`p${process}`, GUTTER - 16, y);
    }
  }
}

/** How many letters of a role are written. */
const ROLE_MAX = 24;

function shortened(role) {
  return role.length > ROLE_MAX ? `${role.slice(0, ROLE_MAX - 1)}…` : role;
}

function segment(s, x0, y0, x1, y1) {
  s.moveTo(x0, y0);
  s.lineTo(x1, y1);
}

function cross(s, x, y, r) {
  segment(s, x - r, y - r, x + r, y + r);
  segment(s, x + r, y - r, x - r, y + r);
}

/** A suspicion, or that it is taken back; the legend shows the same. */
function paintSign(s, sign, x, y, r, colours) {
  s.fillStyle = sign === '?' ? colours.doubt : colours.good;
  s.beginPath();
  s.arc(x, y, r, 0, 2 * Math.PI);
  s.fill();
  s.fillStyle = colours.paper;
  s.font = `bold ${Math.round(r * 1.6)}px ${FONT}`;
  s.textAlign = 'center';
  s.textBaseline = 'middle';
  s.fillText(sign, x, y + 0.5);
}

/** The shape of an event that is no message; the legend shows the same. */
function paintShape(s, what, x, y, r, colours, colour) {
  s.beginPath();
  switch (what) {
    case INIT:
      s.fillStyle = colours.paper;
      s.arc(x, y, r * 0.8, 0, 2 * Math.PI);
      s.fill();
      s.stroke();
      break;
    case REQUEST:
      s.moveTo(x - r, y - r * 0.8);
      s.lineTo(x + r, y - r * 0.8);
      s.lineTo(x, y + r);
      s.closePath();
      s.fill();
      break;
    case INDICATION:
      s.moveTo(x, y - r * 1.1);
      s.lineTo(x + r * 1.1, y);
      s.lineTo(x, y + r * 1.1);
      s.lineTo(x - r * 1.1, y);
      s.closePath();
      s.fill();
      break;
    case TIMEOUT:
      s.fillStyle = colours.paper;
      s.arc(x, y, r * 0.9, 0, 2 * Math.PI);
      s.fill();
      s.moveTo(x, y - r * 0.6);
      s.lineTo(x, y);
      s.lineTo(x + r * 0.5, y);
      s.stroke();
      break;
    case CRASH:
      s.strokeStyle = colours.bad;
      s.lineWidth = 3;
      cross(s, x, y, r * 1.3);
      s.stroke();
      break;
    case RECOVER:
      s.strokeStyle = colours.good;
      s.lineWidth = 2.5;
      s.arc(x, y, r, 0, 2 * Math.PI);
      s.stroke();
      break;
    case STOP:
      s.rect(x - 1.5, y - r * 1.2, 3, r * 2.4);
      s.fill();
      break;
    default:
      s.arc(x, y, r * 0.6, 0, 2 * Math.PI);
      s.fillStyle = colour;
      s.fill();
  }
}
