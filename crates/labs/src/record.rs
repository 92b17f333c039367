//! Stamps the events of a run with clocks, has them judged, and writes them down.

use std::io::{self, Write};

use crate::clocks::Vector;
use crate::process::ProcessId;
use crate::trace::event::CLOCKS_MAX_PROCESSES;
use crate::trace::format::Writer;
use crate::trace::{
    Happening, Header, MessageId, MessageNote, Observer, Passing, Stamper, TraceEvent, What,
};
use crate::verdict::{Judge, Tags, Witness};

/// What a message carries from its sending to its receipt on a [`Recorder`]'s behalf.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    /// The number of the sending among the sender's events.
    pub n: u64,
    /// The sender's Lamport time.
    pub lamport: u64,
    /// The sender's vector clock, in runs that keep one.
    pub clock: Option<Box<Vector>>,
    /// What the monitors let it carry.
    pub tags: Tags,
}

/// Stamps, judges and writes the events of a whole run that happens in one program.
pub struct Recorder {
    stampers: Vec<Stamper>,
    judge: Judge,
    crashes: Vec<(ProcessId, u64)>,
    writer: Option<Writer<Box<dyn Write>>>,
    failure: Option<io::Error>,
}

impl Recorder {
    /// A recorder that judges by `judge` and writes nothing.
    pub fn new(processes: u32, judge: Judge) -> Self {
        Self::with_clocks(processes, judge, false)
    }

    /// A recorder that judges, and writes a trace.
    ///
    /// # Errors
    ///
    /// If the header cannot be written.
    pub fn writing(header: &Header, judge: Judge, to: Box<dyn Write>) -> io::Result<Self> {
        let writer = Writer::new(header, to)?;
        let mut this = Self::with_clocks(header.processes, judge, header.clocks);
        this.writer = Some(writer);
        Ok(this)
    }

    fn with_clocks(processes: u32, judge: Judge, clocks: bool) -> Self {
        let clocks = clocks && processes <= CLOCKS_MAX_PROCESSES;
        let stampers =
            (0..processes).map(|rank| Stamper::new(ProcessId(rank), processes, clocks)).collect();
        Self { stampers, judge, crashes: Vec::new(), writer: None, failure: None }
    }

    /// Ends the recording and returns the judge.
    ///
    /// # Errors
    ///
    /// If any part of the trace could not be written.
    pub fn finish(mut self) -> io::Result<Judge> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if let Some(writer) = self.writer {
            writer.finish()?;
        }
        Ok(self.judge)
    }

    /// The judge, with what it has seen so far.
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// Who died, and when, in microseconds since the start: in the order of their deaths.
    pub fn crashes(&self) -> &[(ProcessId, u64)] {
        &self.crashes
    }

    fn write(&mut self, at_us: u64, process: ProcessId, what: impl FnOnce() -> What) {
        let Some(writer) = &mut self.writer else { return };
        let stamper = &self.stampers[process.index()];
        let event = TraceEvent {
            process,
            n: stamper.n(),
            clock: stamper.clock().cloned(),
            lamport: stamper.lamport(),
            at_us,
            what: what(),
        };
        if let Err(error) = writer.write(&event) {
            // The run goes on: its verdicts do not need the file. `finish` reports it.
            self.failure = Some(error);
            self.writer = None;
        }
    }
}

impl Observer for Recorder {
    type Carried = Carried;

    fn on_send(&mut self, message: Passing<'_>) -> Carried {
        let Passing { at_us, from, to, .. } = message;
        let stamper = &mut self.stampers[from.index()];
        stamper.tick();
        let (n, lamport) = (stamper.n(), stamper.lamport());
        let clock = stamper.clock().cloned().map(Box::new);
        let tags = self.judge.on_send(Witness { process: from, n }, to, message.message);
        self.write(at_us, from, || What::Send { peer: to, message: note(n, message) });
        Carried { n, lamport, clock, tags }
    }

    fn on_receive(&mut self, message: Passing<'_>, carried: &Carried) {
        let Passing { at_us, from, to, .. } = message;
        let stamper = &mut self.stampers[to.index()];
        stamper.receive(carried.lamport, carried.clock.as_deref());
        let at = Witness { process: to, n: stamper.n() };
        self.judge.on_receive(from, at, message.message, carried.tags);
        self.write(at_us, to, || What::Receive { peer: from, message: note(carried.n, message) });
    }

    fn on_drop(&mut self, message: Passing<'_>, carried: &Carried) {
        let Passing { at_us, from, to, .. } = message;
        let stamper = &mut self.stampers[from.index()];
        stamper.tick();
        let at = Witness { process: from, n: stamper.n() };
        self.judge.on_drop(at, to, message.message, carried.tags);
        self.write(at_us, from, || What::Drop { peer: to, message: note(carried.n, message) });
    }

    fn on_happening(&mut self, at_us: u64, process: ProcessId, happening: Happening<'_>) {
        let stamper = &mut self.stampers[process.index()];
        stamper.tick();
        self.judge.on_event(Witness { process, n: stamper.n() }, happening);
        if matches!(happening, Happening::Crash) {
            self.crashes.push((process, at_us));
        }
        self.write(at_us, process, || What::of(happening));
    }
}

/// A message as a trace has it: the `n`-th event of its sender.
fn note(n: u64, message: Passing<'_>) -> MessageNote {
    let id = MessageId { process: message.from, n };
    MessageNote::new(id, message.message, message.bytes)
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::process::Kind;
    use crate::testing::FileInMemory;
    use crate::trace::format::Reader;
    use crate::trace::{Identity, Meaning};
    use crate::verdict::{Check, End, Judgement, Property, StreamJudge, Violation, Watch};

    #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
    enum Said {
        Listed(Vec<u32>),
    }

    /// No list has a number twice: a property that must read the values.
    #[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
    struct NoRepetition {
        numbers: usize,
    }

    impl Watch<Said> for NoRepetition {
        fn on_indication(&mut self, at: Witness, Said::Listed(list): &Said) -> Check {
            self.numbers += list.len();
            match list.windows(2).find(|pair| pair[0] == pair[1]) {
                Some(pair) => Violation::check(format!("{} is there twice", pair[0]), [at]),
                None => Ok(()),
            }
        }

        fn at_end(&self, _: &End) -> Judgement {
            Judgement::Holds(format!("{} numbers", self.numbers))
        }
    }

    fn properties() -> [Property; 2] {
        [
            Property::safety::<Said>("no repetition", NoRepetition::default()),
            Property::one("one lists", "Listed"),
        ]
    }

    /// What the run itself says of a list, and what is said of the file that it wrote.
    fn live_and_from_file(list: Vec<u32>) -> [[(Option<bool>, String); 2]; 2] {
        let identity = Identity {
            lab: "lists".to_owned(),
            verb: "simulate".to_owned(),
            run: "test".to_owned(),
            processes: 1,
            seed: 0,
        };
        let header = Header::new(identity, Vec::new(), properties().to_vec(), Meaning::default());
        let file = FileInMemory::default();
        let judge = Judge::new(&properties(), 1);
        let mut recorder = Recorder::writing(&header, judge, Box::new(file.clone())).unwrap();
        let said = Said::Listed(list);
        recorder.on_happening(0, ProcessId(0), Happening::Indication(&said));
        let live = recorder.finish().unwrap();
        let bytes = file.take();
        let mut judge = StreamJudge::new(&properties(), 1);
        for event in Reader::new(bytes.as_slice()).unwrap() {
            judge.observe(&event.unwrap()).unwrap();
        }
        [&live, judge.judge()].map(|judge| {
            let verdicts = judge.verdicts(&End::Complete).into_iter();
            let said = verdicts.map(|v| (v.holds(), v.detail().to_owned()));
            said.collect::<Vec<_>>().try_into().unwrap()
        })
    }

    #[test]
    fn a_file_is_judged_as_the_run_was() {
        let [live, from_file] = live_and_from_file((0..100).collect());
        assert_eq!(live, from_file);
        assert_eq!(live[0], (Some(true), "100 numbers".to_owned()));
        let [live, from_file] = live_and_from_file(vec![1, 2, 2]);
        assert_eq!(live, from_file);
        assert_eq!(live[0], (Some(false), "2 is there twice".to_owned()));
    }

    #[test]
    fn a_value_that_a_file_cuts_is_judged_whole_by_the_run() {
        let [live, from_file] = live_and_from_file((0..5_000).collect());
        assert_eq!(live[0], (Some(true), "5000 numbers".to_owned()));
        let why = "not judged: 1 time what a process said cannot be read in the trace";
        assert_eq!(from_file[0], (None, why.to_owned()));
        // What looks at kinds alone is judged from the file too.
        assert_eq!((&live[1], live[1].0), (&from_file[1], Some(true)));
    }
}
