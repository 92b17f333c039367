// ---------------------------------------------------------------------------------------------------
// The events of a run, in typed arrays, and what happened before what.

const INIT = 0, REQUEST = 1, INDICATION = 2, SEND = 3, RECEIVE = 4, DROP = 5, TIMEOUT = 6, CRASH = 7,
  RECOVER = 8, STOP = 9;
const NONE = -1;

/** The largest number that an event is given here, where more are missing than anybody counts. */
const EVENT_MAX = 2 ** 32 - 1;

/** What a legend calls the events that carry no name of their own. */
const LIFE = ['starts', 'request', 'indication', 'message', 'message', 'message', 'timer', 'crashes',
  'recovers', 'stops'];

/** A typed array that grows. */
class Growing {
  constructor(Type) {
    this.data = new Type(1024);
    this.length = 0;
  }

  push(value) {
    if (this.length === this.data.length) {
      const wider = new this.data.constructor(2 * this.length);
      wider.set(this.data);
      this.data = wider;
    }
    this.data[this.length++] = value;
  }
}

/** Reads numbers as `columns.rs` writes them: LEB128 in base64. */
class Column {
  constructor(base64) {
    const text = atob(base64);
    this.bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) this.bytes[i] = text.charCodeAt(i);
    this.at = 0;
  }

  next() {
    let byte = this.bytes[this.at++];
    if (byte < 128) return byte;
    let value = byte - 128;
    let scale = 128;
    do {
      byte = this.bytes[this.at++];
      value += (byte & 127) * scale;
      scale *= 128;
    } while (byte >= 128);
    return value;
  }

  difference() {
    const value = this.next();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

/** The first place from 0 to `length` of which this is true, where it is true of all that follow. */
function firstWhere(length, isTrue) {
  let low = 0, high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isTrue(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

class Trace {
  constructor(header) {
    this.header = header;
    this.processes = header.processes;
    this.strings = [''];
    this.count = 0;
    const columns = {
      process: Uint32Array, what: Uint8Array, n: Uint32Array, time: Float64Array, lamport: Float64Array,
      peer: Int32Array, bytes: Float64Array, kind: Uint32Array, text: Uint32Array, state: Uint32Array,
      /** The event's place in the legend. */
      entry: Uint16Array,
      /** With a sending, its first message; with a receipt or a loss, its message. */
      message: Int32Array,
    };
    for (const [name, Type] of Object.entries(columns)) this[name] = new Growing(Type);
    /** The events of each process, by number less 1. */
    this.of = Array.from({ length: this.processes }, () => new Growing(Int32Array));
    /** Messages: from which event to which (NONE: under way), and the next of the same sending. */
    this.from = new Growing(Int32Array);
    this.to = new Growing(Int32Array);
    this.next = new Growing(Int32Array);
    this.entries = [];
    this.entryNumbers = new Map();
    /** Receipts that stand before their sending, which happens while a run is being collected. */
    this.waiting = new Map();
    /** Receipts whose sending is not there, with the process that sent and the number of its event. */
    this.unsent = new Map();
    this.hasStates = false;
    this.lastTime = 0;
    /** The first event with which a process stops. */
    this.firstStop = NONE;
    /** What each process logged, in the order of the Lamport times of the events at which it did. */
    this.logs = Array.from({ length: this.processes }, () => []);
  }

  append(chunk) {
    for (const text of chunk.strings) this.strings.push(text);
    const column = {};
    for (const name of ['process', 'what', 'time', 'lamport', 'peer', 'sent', 'bytes', 'kind', 'text', 'state']) {
      column[name] = new Column(chunk[name]);
    }
    for (let i = 0; i < chunk.events; i++) this.read(column);
    for (const [process, lamport, text] of chunk.logs ?? []) this.logLine(process, lamport, text);
  }

  /** One that started again has a second log, whose lines come later or earlier than those of the first. */
  logLine(process, lamport, text) {
    const lines = this.logs[process];
    if (lines === undefined) return;
    let at = lines.length;
    if (at > 0 && lines[at - 1].lamport > lamport) at = firstWhere(lines.length, (i) => lines[i].lamport > lamport);
    lines.splice(at, 0, { lamport, text });
  }

  read(column) {
    const process = column.process.next();
    const what = column.what.next();
    const mine = this.of[process];
    const before = mine.length > 0 ? mine.data[mine.length - 1] : NONE;
    const time = column.time.difference() + (before === NONE ? 0 : this.time.data[before]);
    const lamport = column.lamport.difference() + (before === NONE ? 0 : this.lamport.data[before]);
    const peer = column.peer.next() - 1;
    const sent = column.sent.next();
    const kind = (this.bytes.push(column.bytes.next()), column.kind.next());
    this.process.push(process);
    this.what.push(what);
    this.time.push(time);
    this.lamport.push(lamport);
    this.peer.push(peer);
    this.kind.push(kind);
    this.text.push(column.text.next());
    const state = column.state.next();
    this.state.push(state);
    this.hasStates ||= state !== 0;
    this.entry.push(this.entryOf(what, kind));
    this.message.push(NONE);
    this.lastTime = Math.max(this.lastTime, time);
    const event = this.count++;
    if (what === STOP && this.firstStop === NONE) this.firstStop = event;
    mine.push(event);
    this.n.push(mine.length);
    if (what === SEND) this.send(event, process, mine.length);
    else if (what === RECEIVE) this.arrive(event, peer, sent);
    else if (what === DROP) this.arrive(event, process, sent);
  }

  send(event, process, n) {
    this.message.data[event] = this.from.length;
    this.newMessage(event, NONE);
    const key = `${process}-${n}`;
    const early = this.waiting.get(key);
    if (early === undefined) return;
    this.waiting.delete(key);
    for (const receipt of early) this.join(event, receipt);
  }

  arrive(event, sender, n) {
    const theirs = this.of[sender];
    if (theirs !== undefined && n <= theirs.length && n > 0) {
      this.join(theirs.data[n - 1], event);
      return;
    }
    if (this.what.data[event] === RECEIVE) this.unsent.set(event, [sender, Math.min(n, EVENT_MAX)]);
    const key = `${sender}-${n}`;
    if (!this.waiting.has(key)) this.waiting.set(key, []);
    this.waiting.get(key).push(event);
  }

  /** A message that arrives twice is two messages of one sending. */
  join(send, receipt) {
    let message = this.message.data[send];
    if (message === NONE) return;
    if (this.to.data[message] !== NONE) {
      while (this.next.data[message] !== NONE) message = this.next.data[message];
      this.next.data[message] = this.from.length;
      message = this.from.length;
      this.newMessage(send, NONE);
    }
    this.to.data[message] = receipt;
    this.message.data[receipt] = message;
    this.unsent.delete(receipt);
  }

  newMessage(from, to) {
    this.from.push(from);
    this.to.push(to);
    this.next.push(NONE);
  }

  /** Kinds are told apart by what they are kinds of: a timer may be called like a message. */
  entryOf(what, kind) {
    const role = LIFE[what];
    const name = kind === 0 || what === STOP ? role : this.strings[kind];
    const key = `${role} ${name}`;
    let number = this.entryNumbers.get(key);
    if (number === undefined) {
      number = this.entries.length;
      this.entryNumbers.set(key, number);
      this.entries.push({ number, role, name, count: 0, hidden: false });
    }
    if (what !== RECEIVE && what !== DROP) this.entries[number].count++;
    return number;
  }

  /** Of a run without end, the first and the last of the events that repeat for ever; else nothing. */
  get cycle() {
    const begin = this.header.cycle_from;
    if (begin === undefined) return undefined;
    // The header is line 1.
    const [from, to] = [begin.line - 2, (this.firstStop === NONE ? this.count : this.firstStop) - 1];
    return from >= 0 && from <= to ? { from, to } : undefined;
  }

  /** Whether an event is one of those that repeat for ever. */
  repeats(event) {
    const { cycle } = this;
    return cycle !== undefined && event >= cycle.from && event <= cycle.to;
  }

  kindOf(event) {
    return this.strings[this.kind.data[event]];
  }

  textOf(event) {
    return this.strings[this.text.data[event]];
  }

  stateOf(event) {
    return this.strings[this.state.data[event]];
  }

  /** The event with this number of this process, counted from 1; NONE if it is not there. */
  at(process, n) {
    const mine = this.of[process];
    return mine !== undefined && n >= 1 && n <= mine.length ? mine.data[n - 1] : NONE;
  }

  /** The id of the message of a sending, a receipt or a loss. */
  idOf(event) {
    const message = this.message.data[event];
    if (message === NONE) return '';
    const send = this.from.data[message];
    return `${this.process.data[send]}-${this.n.data[send]}`;
  }

  /** The step of an event: the numbers of its first event, less 1, and of its last. */
  stepOf(event) {
    const mine = this.of[this.process.data[event]];
    const begins = (n) => ![SEND, DROP, INDICATION].includes(this.what.data[mine.data[n]]);
    let from = this.n.data[event] - 1, to = this.n.data[event];
    while (from > 0 && !begins(from)) from--;
    while (to < mine.length && !begins(to)) to++;
    return [from, to];
  }

  /** What was logged in the step of an event. */
  logOf(event) {
    const process = this.process.data[event];
    const lines = this.logs[process];
    if (lines.length === 0) return [];
    const [from, to] = this.stepOf(event);
    const mine = this.of[process];
    const before = (n) => firstWhere(lines.length, (i) => lines[i].lamport >= this.lamport.data[mine.data[n]]);
    return lines.slice(from === 0 ? 0 : before(from), to === mine.length ? lines.length : before(to)).map(({ text }) => text);
  }

  /** The event at which a process logged something. */
  eventOfLog(process, lamport) {
    const mine = this.of[process];
    const after = firstWhere(mine.length, (n) => this.lamport.data[mine.data[n]] > lamport);
    return mine.length === 0 ? NONE : mine.data[Math.max(after - 1, 0)];
  }

  /** The same notation as in logs, counterexamples and scripts. */
  notation(event) {
    const me = `p${this.process.data[event]}`;
    const peer = `p${this.peer.data[event]}`;
    const text = this.textOf(event);
    switch (this.what.data[event]) {
      case INIT: return `${me} starts`;
      case REQUEST: return `${me} ? ${text}`;
      case INDICATION: return `${me} ! ${text}`;
      case SEND: return `${me} ↗ ${peer} ${text}`;
      case RECEIVE: return `${peer} → ${me} ${text}`;
      case DROP: return `${me} ⇥ ${peer} ${text}`;
      case TIMEOUT: return `${me} ⏰ ${text}`;
      case CRASH: return `${me} crashes`;
      case RECOVER: return `${me} recovers`;
      default: return `${me} stops${this.kindOf(event) === 'cut short' ? ' (cut short)' : ''}`;
    }
  }

  /**
   * The causal past of an event: for each process the number of its last event in it, 0 if none. With the
   * event itself counted in, that is its vector clock: if events are missing, the least that it can be.
   */
  pastOf(event) {
    const last = new Uint32Array(this.processes);
    const looked = new Uint32Array(this.processes);
    const rise = [this.process.data[event]];
    last[rise[0]] = this.n.data[event];
    while (rise.length > 0) {
      const process = rise.pop();
      const mine = this.of[process].data;
      for (let n = Math.min(last[process], this.of[process].length); n > looked[process]; n--) {
        const sending = this.sendingOf(mine[n - 1]);
        if (sending === undefined) continue;
        const [sender, sent] = sending;
        if (sent > last[sender]) {
          last[sender] = sent;
          rise.push(sender);
        }
      }
      looked[process] = last[process];
    }
    return last;
  }

  /** With a receipt, the process that sent the message, and the number of its event, though that may be missing. */
  sendingOf(receipt) {
    if (this.what.data[receipt] !== RECEIVE) return undefined;
    const message = this.message.data[receipt];
    if (message === NONE) return this.unsent.get(receipt);
    const send = this.from.data[message];
    return [this.process.data[send], this.n.data[send]];
  }

  /** Whether something in this past is missing, so that there may be more. */
  isLeast(past) {
    for (const receipt of this.unsent.keys()) if (this.n.data[receipt] <= past[this.process.data[receipt]]) return true;
    return false;
  }

  /** The causal future: for each process the number of its first event in it, Infinity if none. */
  futureOf(event) {
    const first = new Float64Array(this.processes).fill(Infinity);
    const looked = new Float64Array(this.processes);
    for (let process = 0; process < this.processes; process++) looked[process] = this.of[process].length + 1;
    const fall = [this.process.data[event]];
    first[fall[0]] = this.n.data[event];
    while (fall.length > 0) {
      const process = fall.pop();
      const mine = this.of[process].data;
      const end = looked[process];
      looked[process] = first[process];
      for (let n = first[process]; n < end; n++) {
        const send = mine[n - 1];
        if (this.what.data[send] !== SEND) continue;
        for (let m = this.message.data[send]; m !== NONE; m = this.next.data[m]) {
          const receipt = this.to.data[m];
          if (receipt === NONE || this.what.data[receipt] !== RECEIVE) continue;
          const receiver = this.process.data[receipt];
          if (this.n.data[receipt] < first[receiver]) {
            first[receiver] = this.n.data[receipt];
            fall.push(receiver);
          }
        }
      }
    }
    return first;
  }
}
