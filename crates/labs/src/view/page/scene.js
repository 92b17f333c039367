// ---------------------------------------------------------------------------------------------------
// What is to be seen, and where along the axis: nothing here knows of pixels.

/** How many messages share one pair of bounds, by which those out of sight are passed over together. */
const BLOCK = 256;

/** How far events at one time are painted apart, in pixels, and which part of a line's height they may take. */
const FAN_STEP = 9, FAN_PART = 0.8;

/** Below so many pixels between them, events at one time cannot be told apart. */
const FAN_LEAST = 3;

class Scene {
  constructor(trace, meaning) {
    this.trace = trace;
    this.axis = 'lamport';
    this.known = 0;
    this.x = new Float64Array(0);
    this.from = 0;
    this.to = 1;
    /** By how many microseconds each process is drawn later than its clock says. */
    this.shifts = [];
    this.moved = { events: 0, most: 0 };
    this.ends = new Map(meaning.sections.map(([enter, exit]) => [exit, enter]));
    this.enters = new Set(meaning.sections.map(([enter]) => enter));
    this.created = new Set(meaning.tokens.map(([created]) => created));
    this.tokens = new Set(meaning.tokens.map(([, message]) => message));
    this.sets = {};
    for (const name of ['suspected', 'restored', 'cuts', 'held', 'delivered']) {
      this.sets[name] = new Set(meaning[name]);
    }
    /** What processes are in this run, in a word. */
    this.roles = new Map(meaning.roles ?? []);
    /** For each process, bars from one event to another (NONE: not over yet). */
    this.sections = this.lists();
    this.holdings = this.lists();
    this.waits = this.lists();
    /** By the number that they tell, the events of a cut. */
    this.cuts = new Map();
    this.rounds = new Map();
  }

  lists() {
    return Array.from({ length: this.trace.processes }, () => []);
  }

  /** Takes in what was appended to the trace. */
  update() {
    for (; this.known < this.trace.count; this.known++) this.learn(this.known);
    this.layOut();
  }

  learn(event) {
    const { trace } = this;
    const process = trace.process.data[event];
    const kind = trace.kindOf(event);
    switch (trace.what.data[event]) {
      case INDICATION: this.learnIndication(event, process, kind); break;
      case SEND: if (this.tokens.has(kind)) this.close(this.holdings[process], event); break;
      case RECEIVE: if (this.tokens.has(kind)) this.open(this.holdings[process], event, kind); break;
      case CRASH:
        for (const list of [this.sections, this.holdings, this.waits]) {
          for (const bar of list[process]) if (bar.to === NONE) bar.to = event;
        }
        break;
      default: break;
    }
  }

  learnIndication(event, process, kind) {
    const text = this.trace.textOf(event);
    const what = text.slice(kind.length);
    if (this.ends.has(kind)) this.close(this.sections[process], event, this.ends.get(kind));
    if (this.enters.has(kind)) this.open(this.sections[process], event, kind);
    if (this.created.has(kind)) this.open(this.holdings[process], event, kind);
    if (this.sets.delivered.has(kind)) this.deliver(this.waits[process], event, what);
    if (this.sets.held.has(kind)) this.open(this.waits[process], event, what);
    if (this.sets.cuts.has(kind)) this.record(event, process, text);
  }

  open(list, event, name) {
    list.push({ from: event, to: NONE, name });
  }

  /** What is delivered at once did not wait. */
  deliver(waits, event, what) {
    const bar = this.close(waits, event, what);
    const { n } = this.trace;
    if (bar !== undefined && n.data[event] === n.data[bar.from] + 1) waits.splice(waits.lastIndexOf(bar), 1);
  }

  /** What an indication is marked with, if it has another meaning than others. */
  signOf(kind) {
    if (this.sets.suspected.has(kind)) return '?';
    return this.sets.restored.has(kind) ? '✓' : undefined;
  }

  /** The first that is open, of this name if one is given. */
  close(list, event, name) {
    for (let i = list.length - 1, looked = 0; i >= 0 && looked < 64; i--, looked++) {
      if (list[i].to === NONE && (name === undefined || list[i].name === name)) {
        list[i].to = event;
        return list[i];
      }
    }
    return undefined;
  }

  /** A cut is named by the wave that its events tell (`1`, or `1@p0`), or else by their place among their process's. */
  record(event, process, text) {
    const told = /\d+(@p\d+)?/.exec(text);
    const round = (this.rounds.get(process) ?? 0) + 1;
    this.rounds.set(process, round);
    const name = told === null ? `${round}` : told[0];
    if (!this.cuts.has(name)) this.cuts.set(name, new Map());
    const cut = this.cuts.get(name);
    if (!cut.has(process)) cut.set(process, event);
  }

  /**
   * The number of the event with which the step began that an event belongs to: what arrives, runs out or is
   * asked for begins one. The marker on which a process records its state does not lie before its cut.
   */
  stepOf(event) {
    return this.trace.stepOf(event)[0] + 1;
  }

  /** Gives each event its place on the axis. */
  layOut() {
    const { trace } = this;
    const { count } = trace;
    if (this.x.length < count) this.x = new Float64Array(Math.max(1024, 2 * count));
    if (this.axis === 'lamport') this.x.set(trace.lamport.data.subarray(0, count));
    else if (this.axis === 'order') for (let i = 0; i < count; i++) this.x[i] = i;
    else this.layOutByTime();
    let from = Infinity, to = -Infinity;
    for (let i = 0; i < count; i++) {
      if (this.x[i] < from) from = this.x[i];
      if (this.x[i] > to) to = this.x[i];
    }
    this.from = count > 0 ? from : 0;
    this.to = count > 0 ? Math.max(to, from + 1e-9) : 1;
    this.bound();
  }

  /**
   * True to scale: each event stands at its time. The clocks of machines differ, and the events of a process whose
   * clock is behind are shifted together (`clocks.rs`). Where no such shifts put all messages right, because a clock
   * went faster or was set, the receipts that are left are moved to their sendings.
   */
  layOutByTime() {
    const { trace } = this;
    const last = new Float64Array(trace.processes).fill(-Infinity);
    this.moved = { events: 0, most: 0 };
    for (let i = 0; i < trace.count; i++) {
      const process = trace.process.data[i];
      const told = (trace.time.data[i] + (this.shifts[process] ?? 0)) / 1000;
      const least = Math.max(last[process], this.sentAt(i));
      if (told < least) {
        this.moved.events++;
        this.moved.most = Math.max(this.moved.most, least - told);
      }
      this.x[i] = last[process] = Math.max(told, least);
    }
    this.fanOut();
  }

  /** Where the message was sent that arrives with this event. */
  sentAt(event) {
    const message = this.trace.what.data[event] === RECEIVE ? this.trace.message.data[event] : NONE;
    return message === NONE ? -Infinity : this.x[this.trace.from.data[message]];
  }

  /**
   * Events of one process at one time lie on one point. They are painted one below the other, in their order: for
   * each, its place in such a group, counted from the middle, and how many there are.
   */
  fanOut() {
    const { trace } = this;
    this.fanPlace = new Float32Array(trace.count);
    this.fanOf = new Uint32Array(trace.count).fill(1);
    for (const { data, length } of trace.of) {
      for (let first = 0, end = 1; first < length; first = end++) {
        while (end < length && this.x[data[end]] === this.x[data[first]]) end++;
        for (let i = first; i < end; i++) {
          this.fanPlace[data[i]] = i - (first + end - 1) / 2;
          this.fanOf[data[i]] = end - first;
        }
      }
    }
  }

  /** By how much an event is painted below the line of its process, where a line has this height. */
  below(event, rowHeight) {
    if (this.axis !== 'time') return 0;
    return this.fanPlace[event] * Math.min(FAN_STEP, (FAN_PART * rowHeight) / this.fanOf[event]);
  }

  /** Whether an event is painted above or below others of its time. */
  isFanned(event) {
    return this.axis === 'time' && this.fanOf[event] > 1;
  }

  /** Whether this is the first of events at one time that are too many to be told apart. */
  isHeap(event, rowHeight) {
    if (this.axis !== 'time' || (FAN_PART * rowHeight) / this.fanOf[event] > FAN_LEAST) return false;
    return this.fanPlace[event] === (1 - this.fanOf[event]) / 2;
  }

  /** For each block of messages, between which places it lies. */
  bound() {
    const { from, to } = this.trace;
    const blocks = Math.ceil(from.length / BLOCK);
    this.left = new Float64Array(blocks).fill(Infinity);
    this.right = new Float64Array(blocks).fill(-Infinity);
    for (let m = 0; m < from.length; m++) {
      const block = (m / BLOCK) | 0;
      const a = this.x[from.data[m]];
      // One that is under way is drawn as far as the others need at least.
      const b = to.data[m] === NONE ? a + (this.to - this.from) / 20 : this.x[to.data[m]];
      if (Math.min(a, b) < this.left[block]) this.left[block] = Math.min(a, b);
      if (Math.max(a, b) > this.right[block]) this.right[block] = Math.max(a, b);
    }
  }

  /** Calls `visit` with each message that may be seen between two places. */
  messagesBetween(left, right, visit) {
    for (let block = 0; block < this.left.length; block++) {
      if (this.left[block] > right || this.right[block] < left) continue;
      const end = Math.min((block + 1) * BLOCK, this.trace.from.length);
      for (let m = block * BLOCK; m < end; m++) visit(m);
    }
  }

  /** The first event of a process that is not left of a place, as its number less 1. */
  firstFrom(process, place) {
    const { data, length } = this.trace.of[process];
    return firstWhere(length, (i) => this.x[data[i]] >= place);
  }
}
