//! Local steps: what a handler makes of a process and an event, in each way in which it can choose.

use super::judging::Told;
use super::{About, LETTERS, Letter, Local, REQUEST, Space, TIMERS};
use crate::check::model::chosen;
use crate::check::state::{Shared, Site};
use crate::misstep::rehearsal::{compare, rehearse};
use crate::misstep::{Occasion, sends_to_nobody};
use crate::process::{Choices, Effect, EffectOf, Env, Event, EventOf, Process, ProcessId};

impl<P: Process> Space<P> {
    /// Works out what happens to a process at an event, in each way in which its handler can choose.
    pub(super) fn work_out(&mut self, rank: usize, site: u32, event: u32) -> (u32, u32) {
        let before = self.seats[rank].sites.get(site).clone();
        let me = ProcessId(rank as u32);
        let env = Env { me, processes: self.processes() as u32, now: None };
        let (happens, first_told) = self.event(me, &before, event);
        let when = Occasion::<P::Timer>::of::<P>(&happens).named();
        let from = match &happens {
            Event::Message { from, .. } => Some(*from),
            _ => None,
        };
        let first = self.locals.len() as u32;
        let mut choices = Choices::default();
        loop {
            let taken = chosen(&choices);
            let mut after = Site::clone(&before);
            let first = rehearse(&before.process, env, &choices, happens.clone());
            let effects = after.hear(env, &mut choices, happens.clone(), &self.whereabouts);
            let local = Local {
                rank: rank as u32,
                before: site,
                after: site,
                from,
                targets: 0,
                choices: taken,
                told: first_told.clone(),
                letters: Vec::new(),
                wrong: None,
            };
            let local = match effects {
                Ok(effects) => {
                    let differs = |first| compare(&when, &first, &after.process, &effects);
                    let wrong = first.and_then(differs).map(|misstep| (me, misstep));
                    let local = Local { choices: chosen(&choices), wrong, ..local };
                    self.carry_out(me, local, after, effects)
                }
                Err(misstep) => Local { wrong: Some((me, misstep)), ..local },
            };
            self.locals.push(local);
            if !choices.advance() {
                break;
            }
        }
        let known = (first, self.locals.len() as u32);
        self.seats[rank].locals.insert((site, event), known);
        known
    }

    /// The event of a number, and what monitors are told of it.
    pub(super) fn event(
        &self,
        me: ProcessId,
        site: &Site<P>,
        event: u32,
    ) -> (EventOf<P>, Vec<Told<P>>) {
        match event {
            REQUEST => {
                let request = self.model.next_request(me, site);
                let request = request.expect("it is one of the possible steps").clone();
                (Event::Request(request.clone()), vec![Told::Request(request)])
            }
            letter if letter & LETTERS != 0 => {
                let letter = letter & !LETTERS;
                let (from, _, message) = &**self.letters.get(letter);
                let event = Event::Message { from: *from, message: message.clone() };
                (event, vec![Told::Receive(letter)])
            }
            timer => {
                let timer = site.timers[(timer - TIMERS) as usize].clone();
                (Event::Timeout(timer.clone()), vec![Told::Timeout(timer)])
            }
        }
    }

    fn carry_out(
        &mut self,
        me: ProcessId,
        mut local: Local<P>,
        mut after: Site<P>,
        effects: Vec<EffectOf<P>>,
    ) -> Local<P> {
        for effect in effects {
            match effect {
                Effect::Send { to, message } if to.index() < self.processes() => {
                    let letter = self.letter((me, to, message));
                    local.targets |= 1 << to.0;
                    local.letters.push(letter);
                    local.told.push(Told::Send(letter));
                }
                Effect::Send { to, .. } => {
                    let misstep = sends_to_nobody(to, self.processes());
                    local.wrong.get_or_insert((me, misstep));
                }
                Effect::StartTimer { timer, .. } => after.start(timer),
                Effect::StopTimer { timer } => after.stop(&timer),
                Effect::Indicate(indication) => local.told.push(Told::Indication(indication)),
            }
        }
        local.after = self.seat(me.index(), Shared::new(after));
        local
    }

    pub(super) fn seat(&mut self, rank: usize, site: Shared<Site<P>>) -> u32 {
        let (number, is_new) = self.seats[rank].sites.number(site);
        if is_new {
            let about = self.about_site(rank, number);
            self.seats[rank].about.push(about);
        }
        number
    }

    fn about_site(&self, rank: usize, number: u32) -> About {
        let site = self.seats[rank].sites.get(number);
        let has_request = self.model.next_request(ProcessId(rank as u32), site).is_some();
        let may_run_out = site.timeouts < self.model.options.timeouts;
        let timers = if may_run_out { site.timers.len() as u32 } else { 0 };
        let is_bounded = !may_run_out && !site.timers.is_empty();
        About { crashed: site.crashed, has_request, timers, is_bounded }
    }

    pub(super) fn letter(&mut self, letter: Letter<P::Message>) -> u32 {
        let channel = letter.0.0 * self.seats.len() as u32 + letter.1.0;
        let (number, is_new) = self.letters.number(Shared::new(letter));
        if is_new {
            self.channels.push(channel);
        }
        number
    }
}
