use serde::{Deserialize, Serialize};

use super::*;
use crate::process::{Choices, Effect, Env, Kind, Never, step};

/// Says how often it was asked, to a process that it chooses.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Counter(u32);

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Word {
    Count(u32),
}

impl Process for Counter {
    type Request = Word;
    type Indication = Word;
    type Message = Word;
    type Timer = u32;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        ctx.start_timer(1, std::time::Duration::from_secs(1));
    }

    fn on_request(&mut self, ctx: &mut Context<Self>, Word::Count(by): Word) {
        self.0 += by;
        let to = ctx.choose(3) as u32;
        ctx.send(ProcessId(to), Word::Count(self.0));
        ctx.indicate(Word::Count(self.0));
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, word: Word) {
        ctx.send(from, word);
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, timer: u32) {
        ctx.stop_timer(timer);
    }

    fn recovered(&self) -> Option<Self> {
        Some(Self(self.0 / 2))
    }
}

/// Counts one too many.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, clap::ValueEnum)]
enum Mistakes {
    CountsTwice,
}

impl Mistake<Counter> for Mistakes {
    fn happen(
        &mut self,
        counter: &mut Counter,
        ctx: &mut Context<Counter>,
        event: EventOf<Counter>,
    ) {
        counter.0 += u32::from(matches!(event, Event::Request(_)));
        event.happen_to(counter, ctx);
    }
}

const ENV: Env = Env { me: ProcessId(1), processes: 3, now: None };

fn events() -> [EventOf<Counter>; 4] {
    let (from, word) = (ProcessId(0), Word::Count(7));
    let message = Event::Message { from, message: word.clone() };
    [Event::Init, Event::Request(word), message, Event::Timeout(1)]
}

#[test]
fn without_a_mistake_it_does_what_the_process_does() {
    let (mut counter, mut mutant) = (Counter(1), Mutant::new(Counter(1), None::<NoMistake>));
    for event in events() {
        let (mut one, mut other) = (Choices::Random(7), Choices::Random(7));
        let expected = step(&mut counter, ENV, &mut one, event.clone());
        assert_eq!(step(&mut mutant, ENV, &mut other, event), expected);
        assert_eq!(one.choose(1 << 30), other.choose(1 << 30), "as many choices were made");
        assert_eq!(mutant.process(), &counter);
    }
    assert_eq!(mutant.recovered().map(|mutant| mutant.process), counter.recovered());
}

#[test]
fn a_mistake_stands_between_a_process_and_its_events() {
    let mut mutant = Mutant::new(Counter(1), Some(Mistakes::CountsTwice));
    let choices = &mut Choices::repeating(&[2]);
    let effects = step(&mut mutant, ENV, choices, Event::Request(Word::Count(7)));
    let nine = || Word::Count(9);
    let to = ProcessId(2);
    assert_eq!(effects, [Effect::Send { to, message: nine() }, Effect::Indicate(nine())]);
    // It makes the mistake again after it has started again.
    let mut again = mutant.recovered().expect("a counter keeps half of what it counted");
    step(&mut again, ENV, choices, Event::Request(Word::Count(0)));
    assert_eq!(again.process(), &Counter(5));
}

#[test]
fn a_state_is_shown_as_that_of_the_process() {
    let shown = format!("{:?}", Mutant::new(Counter(1), None::<NoMistake>));
    assert_eq!(shown, "Counter(1)");
    let shown = format!("{:?}", Mutant::new(Counter(1), Some(Mistakes::CountsTwice)));
    assert_eq!(shown, "CountsTwice(Counter(1))");
}

#[test]
fn what_never_happens_has_no_value() {
    assert_eq!(<NoMistake as clap::ValueEnum>::value_variants(), []);
    assert!(serde_json::from_str::<Never>("null").is_err());
}
