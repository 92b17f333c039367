// ---------------------------------------------------------------------------------------------------
// Everything beside the diagram. Texts of the trace become texts of the page, and nothing else.

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

const byId = (id) => document.getElementById(id);

/** How many entries of a vector clock are written out. */
const ENTRIES_MAX = 64;

/** How many lines of the log are written out at an event. */
const LINES_MAX = 50;

/** How bad a line of a log says it is: `07:15:00.123456 WARN ...`. */
function logLevel(text) {
  return /^\S+ (ERROR|WARN) /.exec(text)?.[1].toLowerCase() ?? '';
}

/** The signs of verdicts, as paths: a hook, a cross, a question mark. Readers of the screen hear the word. */
const SIGNS = {
  holds: 'M2 7.5L5.5 11L12 3', violated: 'M2.5 2.5L11.5 11.5M11.5 2.5L2.5 11.5',
  unknown: 'M4 4.5C4 1 10 1 10 4.5C10 7 7 6.5 7 9M7 12V12.1',
};

class Panel {
  constructor(trace, diagram, page) {
    Object.assign(this, { trace, diagram, page });
    this.chosenVerdict = NONE;
    this.hasChosen = false;
    byId('processes').addEventListener('change', () => this.filterProcesses());
    byId('processes').addEventListener('keydown', (event) => {
      if (event.key === 'Enter') this.filterProcesses();
    });
  }

  // ------------------------------------------------------------------------------------- the head line

  title() {
    const { header, status } = this.page;
    byId('lab').textContent = header.lab;
    document.title = `${header.lab} ${header.verb} – space-time diagram`;
    const parts = [
      header.cycle_from !== undefined ? 'run without end'
        : { run: 'real run', simulate: 'simulation', check: 'counterexample' }[header.verb] ?? header.verb,
      count(header.processes, 'process', 'processes'), count(this.trace.count, 'event'),
    ];
    if (header.verb !== 'check') parts.push(`seed ${header.seed}`);
    const { cycle } = this.trace;
    if (cycle !== undefined) parts.push(`the last ${count(cycle.to - cycle.from + 1, 'event')} repeat for ever`);
    else if (status.cut_short) parts.push(`cut short: ${status.cut_short}`);
    const about = byId('about');
    about.replaceChildren(parts.join(' · '));
    if (status.running) about.append(' · ', element('span', { className: 'live' }, '● live'));
    about.title = `${header.run}  ${header.arguments.join(' ')}`;
  }

  // ------------------------------------------------------------------------------------------- the notes

  /** What must be known to read the diagram, below it. */
  notes() {
    const lines = [...this.missingNotes(), ...this.clockNotes()];
    byId('notes').hidden = lines.length === 0;
    byId('notes').replaceChildren(...lines.map((text) => element('p', {}, text)));
  }

  /** Which events are not in the trace, and how that shows. */
  missingNotes() {
    const missing = this.page.status.missing ?? [];
    if (missing.length === 0) return [];
    const names = missing.map(({ process, from }) => (from === 1 ? `p${process}` : `p${process} from its event ${from} on`));
    const comes = this.trace.unsent.size > 0 ? ' A message whose sending is missing comes from a question mark.' : '';
    return [`The trace lacks the events of ${some(names)}. Dotted lines stand for them.${comes} What depends on these events is not judged.`];
  }

  /** How far the clock times of several machines can be believed. */
  clockNotes() {
    const { scene } = this.diagram;
    const isOneClock = this.page.header.verb !== 'run' && scene.shifts.length === 0 && scene.moved.events === 0;
    if (scene.axis !== 'time' || isOneClock) return [];
    const shifted = scene.shifts.flatMap((us, process) => (us > 0 ? [`p${process} by ${milliseconds(us / 1000)}`] : []));
    const { events, most } = scene.moved;
    const own = 'Each process counts time from its own start, by the clock of its machine.';
    const lines = [shifted.length === 0 ? `${own} The times of two processes can be compared only roughly.`
      : `${own} Some are drawn later than they count, so that no message arrives before it was sent: ${some(shifted)}.`];
    if (events > 0) {
      lines.push(`Some clocks went faster than others, or were set: ${count(events, 'event')} ${events === 1 ? 'is' : 'are'} drawn later than that, by up to ${milliseconds(most)}.`);
    }
    return lines;
  }

  // ---------------------------------------------------------------------------------------- properties

  verdicts() {
    const rows = this.page.status.verdicts.map((verdict, i) => {
      const state = verdict.holds === null ? 'unknown' : verdict.holds ? 'holds' : 'violated';
      const empty = verdict.holds && !verdict.tested ? 'never put to the test: ' : '';
      const button = element('button', {
        'aria-pressed': String(this.chosenVerdict === i), className: 'verdict',
        title: `${verdict.kind}: ${empty}${verdict.detail}`,
      },
      element('span', { className: 'sign' }, svg([['path', { d: SIGNS[state] }]], '0 0 14 14')),
      element('span', { className: 'name' }, verdict.name, element('span', { className: 'unseen' }, ` (${state})`)),
      element('span', { className: 'detail' }, empty + verdict.detail));
      button.addEventListener('click', () => this.chooseVerdict(i));
      return { rank: { violated: 0, unknown: 1, holds: 2 }[state], item: element('li', { className: state }, button) };
    });
    rows.sort((a, b) => a.rank - b.rank);
    const none = element('li', { className: 'hint' }, 'The trace demands nothing.');
    byId('verdicts').replaceChildren(...(rows.length > 0 ? rows.map(({ item }) => item) : [none]));
  }

  /** Shows the events that show a violation; a second click takes them away. */
  chooseVerdict(i) {
    const { diagram, trace } = this;
    // The first that is violated was chosen without a click: a click on it shows it.
    const isAgain = this.hasChosen && this.chosenVerdict === i;
    this.hasChosen = true;
    this.chosenVerdict = isAgain ? NONE : i;
    this.markWitnesses();
    this.verdicts();
    if (diagram.witnesses.length > 0) {
      diagram.unfolds = false;
      byId('unfold').setAttribute('aria-pressed', 'false');
      diagram.hiddenProcesses.clear();
      byId('processes').value = '';
      diagram.layRows();
      diagram.select(NONE);
      if (diagram.scale < 8 && diagram.scene.axis !== 'time') diagram.scale = 12;
      diagram.reveal(diagram.witnesses, 120);
      announce(`${count(diagram.witnesses.length, 'witness', 'witnesses')}: ${diagram.witnesses.map((e) => trace.notation(e)).join(', ')}`);
    }
    diagram.repaint();
  }

  /** The first that is violated is chosen from the begin; the view stays where it is. */
  chooseFirst() {
    this.chosenVerdict = this.page.status.verdicts.findIndex((verdict) => verdict.holds === false);
    this.markWitnesses();
  }

  markWitnesses() {
    const witnesses = this.page.status.verdicts[this.chosenVerdict]?.witnesses ?? [];
    this.diagram.witnesses = witnesses.map(({ process, n }) => this.trace.at(process, n)).filter((event) => event !== NONE);
  }

  // ------------------------------------------------------------------------------------------ one event

  event(event) {
    const { trace, diagram } = this;
    const body = byId('event-body');
    if (event === NONE) {
      body.replaceChildren(element('p', { className: 'hint' }, 'Point at an event or a message to see what it depends on. Click to keep it; arrow keys step on.'));
      this.states(NONE);
      return;
    }
    const what = trace.what.data[event];
    const rows = [];
    const row = (name, ...value) => rows.push(element('dt', {}, name), element('dd', {}, ...value));
    row('process', `${this.nameOf(trace.process.data[event])}, its event ${trace.n.data[event]}`);
    row('Lamport', String(trace.lamport.data[event]));
    if (trace.repeats(event)) row('for ever', this.placeInCycle(event));
    if (this.page.header.verb !== 'check') row('clock', this.clockOf(event));
    if (what === SEND || what === RECEIVE || what === DROP) this.message(event, row);
    else if (trace.text.data[event] !== 0) row(LIFE[what], trace.textOf(event));
    const state = this.stateAfter(trace.process.data[event], event);
    if (state !== NONE) row('state', element('span', { className: 'mono' }, ...this.stateBeside(state)));
    const past = event === diagram.focus ? diagram.past : trace.pastOf(event);
    const future = event === diagram.focus ? diagram.future : trace.futureOf(event);
    row(trace.isLeast(past) ? 'vector, at least' : 'vector', this.clock(past, trace.process.data[event]));
    body.replaceChildren(
      element('p', { className: 'what' }, trace.notation(event)),
      element('dl', {}, ...rows),
      this.relations(past, future),
      ...this.log(event),
    );
    this.states(event);
  }

  /** Which of the events that repeat it is, and how many times the steps went round. */
  placeInCycle(event) {
    const { from, to } = this.trace.cycle;
    return `${event - from + 1} of ${count(to - from + 1, 'event')} that repeat, time ${this.diagram.rounds}`;
  }

  /** A process, and what it is in this run. */
  nameOf(process) {
    const role = this.diagram.scene.roles.get(process);
    return role === undefined ? `p${process}` : `p${process} (${role})`;
  }

  /** The time of an event by the clock of its process, and where it is drawn, if that is elsewhere. */
  clockOf(event) {
    const { scene } = this.diagram;
    const told = this.trace.time.data[event] / 1000;
    const isElsewhere = scene.axis === 'time' && scene.x[event] !== told;
    return isElsewhere ? `${milliseconds(told)}, drawn at ${milliseconds(scene.x[event])}` : milliseconds(told);
  }

  message(event, row) {
    const { trace, diagram } = this;
    row('message', element('span', { className: 'mono' }, trace.idOf(event)), ` ${trace.kindOf(event)}`);
    if (trace.bytes.data[event] > 0) row('size', count(trace.bytes.data[event], 'byte'));
    const end = diagram.otherEnd(event);
    const name = trace.what.data[event] === SEND ? 'arrives' : 'sent';
    if (end === NONE) {
      row(name, trace.what.data[event] === SEND ? 'not in this trace' : this.unsent(event));
      return;
    }
    const link = element('button', { className: 'link' }, trace.notation(end));
    link.addEventListener('click', () => diagram.select(end));
    row(trace.what.data[end] === DROP ? 'lost' : name, link);
  }

  /** What is known of a sending that is missing. */
  unsent(receipt) {
    const sending = this.trace.unsent.get(receipt);
    return sending === undefined ? 'unknown' : `by p${sending[0]}, as its event ${sending[1]}, which the trace lacks`;
  }

  /** What the process logged in the step of this event. */
  log(event) {
    const lines = this.trace.logOf(event);
    if (lines.length === 0) return [];
    const items = lines.slice(0, LINES_MAX).map((text) => element('li', { className: logLevel(text) }, text));
    if (lines.length > LINES_MAX) items.push(element('li', {}, `and ${lines.length - LINES_MAX} more`));
    return [element('h3', {}, 'Log'), element('ul', { className: 'log mono' }, ...items)];
  }

  clock(past, own) {
    const shown = [...past.subarray(0, ENTRIES_MAX)].map((n, process) => element('span', {
      className: process === own ? 'own' : '', title: `p${process}`,
    }, String(n)));
    if (past.length > ENTRIES_MAX) shown.push(element('span', {}, '…'));
    return element('div', { className: 'clock mono', role: 'group', 'aria-label': 'vector clock' }, ...shown);
  }

  relations(past, future) {
    const { trace } = this;
    let before = -1, after = -1;
    for (let process = 0; process < trace.processes; process++) {
      before += Math.min(past[process], trace.of[process].length);
      if (future[process] < Infinity) after += trace.of[process].length - future[process] + 1;
    }
    const box = (name, number) => element('div', { className: name }, element('b', {}, String(number)), name);
    return element('div', { className: 'relation' }, box('past', before), box('concurrent', trace.count - 1 - before - after), box('future', after));
  }

  /** A state, with what is not as it was before the step marked. */
  stateBeside(event) {
    const { trace } = this;
    const [from] = trace.stepOf(event);
    const process = trace.process.data[event];
    const before = from === 0 ? NONE : this.stateAfter(process, trace.of[process].data[from - 1]);
    const now = trace.stateOf(event);
    if (before === NONE || trace.stateOf(before) === now) return [now];
    const [begin, end] = changed(trace.stateOf(before), now);
    return [now.slice(0, begin), element('mark', {}, now.slice(begin, end)), now.slice(end)];
  }

  /** The last event of a process, up to one of the trace, that has a state. */
  stateAfter(process, event) {
    if (!this.trace.hasStates) return NONE;
    const { data, length } = this.trace.of[process];
    const after = firstWhere(length, (i) => data[i] > event);
    for (let i = after - 1; i >= 0; i--) if (this.trace.state.data[data[i]] !== 0) return data[i];
    return NONE;
  }

  /** What all processes were when the chosen event had happened, in the order of the trace. */
  states(event) {
    const { trace } = this;
    byId('states').hidden = !trace.hasStates;
    if (!trace.hasStates) return;
    const until = event === NONE ? trace.count - 1 : event;
    const rows = [];
    for (let process = 0; process < Math.min(trace.processes, ENTRIES_MAX); process++) {
      const last = this.stateAfter(process, until);
      const own = event !== NONE && trace.process.data[event] === process;
      rows.push(element('tr', { className: own ? 'own' : '' }, element('td', {}, `p${process}`),
        element('td', { className: 'mono' }, last === NONE ? '–' : trace.stateOf(last))));
    }
    byId('states-body').replaceChildren(...rows);
  }

  // --------------------------------------------------------------------------------------------- legend

  legend() {
    const { trace, diagram } = this;
    const colours = COLOURS[diagram.theme];
    const order = ['message', 'indication', 'request', 'timer', 'starts', 'crashes', 'recovers', 'stops'];
    const entries = [...trace.entries].sort((a, b) => order.indexOf(a.role) - order.indexOf(b.role) || a.number - b.number);
    const buttons = entries.map((entry) => {
      const button = element('button', {
        'aria-pressed': String(!entry.hidden), title: `${entry.role} ${entry.name}: switch on or off`,
      }, this.sample(entry, colours), element('span', {}, entry.name), element('span', { className: 'count' }, String(entry.count)));
      button.addEventListener('click', () => {
        entry.hidden = !entry.hidden;
        button.setAttribute('aria-pressed', String(!entry.hidden));
        diagram.repaint();
      });
      return button;
    });
    byId('legend').replaceChildren(...this.marks(colours), ...buttons);
  }

  /** What is drawn beside messages and events. */
  marks(colours) {
    const { scene } = this.diagram;
    const some = (lists) => lists.some((list) => list.length > 0);
    const bar = (colour, alpha, text) => element('span', { className: 'mark' },
      svg([['rect', { x: 1, y: 3, width: 20, height: 8, rx: 3, fill: colour, opacity: alpha }]]), text);
    const marks = [];
    if (some(scene.sections)) marks.push(bar(colours.section, 0.75, 'critical section'));
    if (some(scene.holdings)) marks.push(bar(colours.token, 0.45, 'the token’s path'));
    if (this.trace.cycle !== undefined) marks.push(bar(colours.bad, 0.3, 'repeats for ever'));
    if (some(scene.waits)) marks.push(bar(colours.doubt, 0.8, 'held message'));
    if (scene.cuts.size > 0) {
      marks.push(element('span', { className: 'mark' },
        svg([['path', { d: 'M1 7H21', stroke: colours.ink, 'stroke-width': 2, 'stroke-dasharray': '6 3' }]]), 'cut'));
    }
    return marks;
  }

  sample(entry, colours) {
    if (entry.role === 'message') {
      const { colour, dash } = this.diagram.strokeOf(entry.number, colours);
      return svg([
        ['path', { d: 'M1 7H15', stroke: colour, 'stroke-width': 2, 'stroke-dasharray': dash.join(' ') }],
        ['path', { d: 'M21 7L13 3.5V10.5Z', fill: colour }],
      ]);
    }
    const surface = new SvgSurface(22, 14);
    Object.assign(surface, { fillStyle: colours.ink, strokeStyle: colours.ink, lineWidth: 1.5 });
    const sign = entry.role === 'indication' ? this.diagram.scene.signOf(entry.name) : undefined;
    if (sign !== undefined) paintSign(surface, sign, 11, 7, 7, colours);
    else paintShape(surface, LIFE.indexOf(entry.role), 11, 7, 5, colours, colours.ink);
    const holder = element('span');
    holder.innerHTML = surface.document(); // Made of numbers and of our own colours.
    return holder.firstChild;
  }

  // ------------------------------------------------------------------------------------------ processes

  hideProcess(process) {
    this.diagram.hiddenProcesses.add(process);
    byId('processes').value = ranges(this.diagram.hiddenProcesses, this.trace.processes);
    this.applyProcesses();
  }

  filterProcesses() {
    const field = byId('processes');
    const shown = parseRanges(field.value, this.trace.processes);
    field.setAttribute('aria-invalid', String(shown === null));
    if (shown === null) return;
    const hidden = this.diagram.hiddenProcesses;
    hidden.clear();
    for (let process = 0; process < this.trace.processes; process++) if (!shown.has(process)) hidden.add(process);
    this.applyProcesses();
  }

  applyProcesses() {
    this.diagram.layRows();
    this.diagram.repaint();
    const hidden = this.diagram.hiddenProcesses.size;
    byId('processes-hint').textContent = hidden === 0 ? 'A click on a name hides its line.'
      : `${count(hidden, 'line')} hidden; empty this field to show all.`;
  }
}

/** From where to where a text is not as another, in whole words. */
function changed(before, now) {
  const [old, words] = [before, now].map((text) => text.split(/(?<=[ ,:{}()[\]])/));
  let begin = 0, end = 0;
  const shorter = Math.min(old.length, words.length);
  while (begin < shorter && old[begin] === words[begin]) begin++;
  while (end < shorter - begin && old[old.length - 1 - end] === words[words.length - 1 - end]) end++;
  const length = (some) => some.reduce((all, word) => all + word.length, 0);
  return [length(words.slice(0, begin)), length(words.slice(0, words.length - end))];
}

function count(n, noun, plural = `${noun}s`) {
  return `${n.toLocaleString('en')} ${n === 1 ? noun : plural}`;
}

function milliseconds(ms) {
  return `${ms.toLocaleString('en', { maximumFractionDigits: 3 })} ms`;
}

/** How many names stand in a sentence. */
const NAMES_MAX = 6;

/** Names in a sentence; of many only the first. */
function some(names) {
  const more = names.length - NAMES_MAX;
  return names.slice(0, NAMES_MAX).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function announce(text) {
  byId('announce').textContent = text;
}

function svg(parts, viewBox = '0 0 22 14') {
  const made = (name, attributes) => {
    const node = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const picture = made('svg', { viewBox, 'aria-hidden': 'true' });
  picture.append(...parts.map(([name, attributes]) => made(name, { fill: 'none', ...attributes })));
  return picture;
}

/** Reads `0-3,7`; everything where nothing is said; null if it cannot be read. */
function parseRanges(text, processes) {
  const shown = new Set();
  const words = text.split(',').map((word) => word.trim().replace(/p/g, '')).filter((word) => word !== '' && word !== 'all');
  if (words.length === 0) for (let process = 0; process < processes; process++) shown.add(process);
  for (const word of words) {
    const parts = /^(\d+)(?:\s*-\s*(\d+))?$/.exec(word);
    if (parts === null) return null;
    const [from, to] = [Number(parts[1]), Number(parts[2] ?? parts[1])];
    if (from > to || to >= processes) return null;
    for (let process = from; process <= to; process++) shown.add(process);
  }
  return shown;
}

/** Writes the processes that are not hidden as `0-3,7`. */
function ranges(hidden, processes) {
  const words = [];
  for (let process = 0; process < processes; process++) {
    if (hidden.has(process)) continue;
    const from = process;
    while (process + 1 < processes && !hidden.has(process + 1)) process++;
    words.push(from === process ? `${from}` : `${from}-${process}`);
  }
  return words.join(',');
}
