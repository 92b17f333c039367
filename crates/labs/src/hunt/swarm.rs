//! How a case is drawn: first the options, then, for so many processes, what goes wrong.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Case, Dice, Grounds, Weather};
use crate::faults::{Action, Assumption, Channels, Fault, Plan, Rule, When};
use crate::process::ProcessId;
use crate::simulate::{Chance, Slow};

/// What the command line of a hunt says, and is not drawn.
#[derive(Clone, Debug, Default)]
pub struct Fixed {
    /// Options of the lab.
    pub options: Vec<String>,
    /// Whether the number of processes follows from what is said.
    pub processes: bool,
    /// Whether how long messages are under way follows from a network of regions.
    pub latency: bool,
}

/// Where something may go wrong.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What a hunt may draw for the lab.
    pub grounds: Grounds,
    /// What the algorithm assumes.
    pub assumes: &'static [Assumption],
    /// The processes that start again from what they kept, by rank.
    pub recovers: Vec<bool>,
    /// The processes that may die for good, by rank.
    pub survives: Vec<bool>,
    /// The kinds of messages, if they are known.
    pub kinds: Vec<&'static str>,
    /// Whether applications ask for anything.
    pub has_requests: bool,
    /// How long the processes work, if the options say it.
    pub lasts: Option<Duration>,
}

/// The largest seed of a run: it is read and typed.
const SEED_MAX: u64 = 999;

/// The most messages of a kind after which something happens to a process.
const AFTER_MAX: u64 = 20;

/// The longest time for which a process stands still, is down, or is cut off, in milliseconds: what lasts longer
/// is a process that died.
const PAUSE_MAX_MS: u64 = 1_000;

/// The largest share of messages that arrive twice, and that are held back, in percent.
const DOUBLED_MAX: u64 = 30;

/// Draws rules of one kind.
type Draw = fn(&Scene, &mut Dice) -> Vec<Rule>;

/// Draws the seed, the number of processes, and some options of the lab.
pub fn draw_options(dice: &mut Dice, grounds: &Grounds, least: u32, fixed: &Fixed) -> Case {
    let mut case = Case { seed: dice.between(1, SEED_MAX), ..Case::default() };
    if !fixed.processes && dice.percent(80) {
        let greatest = grounds.processes_max.max(least);
        case.processes = Some(dice.between(least.into(), greatest.into()) as u32);
    }
    for dial in grounds.dials {
        let is_fixed = fixed.options.iter().any(|option| option == dial.option);
        if !is_fixed && dice.percent(50) {
            case.own.push((dial.option, dial.drawn(dice)));
        }
    }
    case
}

/// Draws how messages travel and what goes wrong.
pub fn draw_trouble(dice: &mut Dice, scene: &Scene, case: &mut Case) {
    case.weather = scene.weather(dice);
    let draws: [(u64, Draw); 5] = [
        (25, Scene::lateness),
        (25, Scene::partition),
        (25, Scene::losses),
        (35, Scene::standstill),
        (50, Scene::deaths),
    ];
    for (percent, draw) in draws {
        if dice.percent(percent) {
            scene.add(&mut case.faults, draw(scene, dice));
        }
    }
}

impl Scene {
    fn assumes(&self, assumption: Assumption) -> bool {
        self.assumes.contains(&assumption)
    }

    fn processes(&self) -> u32 {
        self.recovers.len() as u32
    }

    fn weather(&self, dice: &mut Dice) -> Weather {
        let mut weather =
            Weather { latency: self.latency(dice), slow: self.slow(dice), ..Weather::default() };
        let chance = |dice: &mut Dice, most: u64| Chance::percent(dice.between(1, most) as u32);
        if !self.assumes(Assumption::Reliable) && dice.percent(40) {
            weather.loss = chance(dice, self.grounds.loss_max_percent.into());
        }
        if !self.assumes(Assumption::NoDuplicates) && dice.percent(40) {
            weather.duplication = chance(dice, DOUBLED_MAX);
        }
        if !self.assumes(Assumption::Fifo) {
            weather.unordered = dice.percent(40);
            if dice.percent(20) {
                weather.reordering = chance(dice, DOUBLED_MAX);
            }
        }
        if self.has_requests && dice.percent(40) {
            weather.requests_within = Duration::from_millis(dice.magnitude(1, 1_000));
        }
        weather
    }

    /// Equal, or different by little or by much.
    fn latency(&self, dice: &mut Dice) -> Option<RangeInclusive<Duration>> {
        let most = self.grounds.latency_max_ms.into();
        let ms = Duration::from_millis;
        match dice.between(0, 3) {
            0 => None,
            1 => Some(ms(dice.magnitude(0, most))).map(|time| time..=time),
            2 => Some(ms(0)..=ms(dice.magnitude(1, most))),
            _ => {
                let (one, other) = (dice.magnitude(0, most), dice.magnitude(0, most));
                Some(ms(one.min(other))..=ms(one.max(other)))
            }
        }
    }

    /// One channel, or all channels of one process, that are slow.
    fn slow(&self, dice: &mut Dice) -> Vec<Slow> {
        if !dice.percent(45) {
            return Vec::new();
        }
        let by = Duration::from_millis(dice.magnitude(1, self.grounds.latency_max_ms.into()));
        let one = [self.any(dice)].into();
        let channels = match dice.between(0, 3) {
            0 | 1 => self.channel(dice),
            2 => Channels { from: Some(one), to: None, both: true },
            _ => Channels { from: Some(one), to: None, both: false },
        };
        vec![Slow { channels, by: by..=by }]
    }

    fn any(&self, dice: &mut Dice) -> ProcessId {
        ProcessId(dice.between(0, u64::from(self.processes()) - 1) as u32)
    }

    /// From one process to another.
    fn channel(&self, dice: &mut Dice) -> Channels {
        let n = self.processes();
        let from = self.any(dice);
        let ahead = dice.between(1, u64::from(n.max(2)) - 1) as u32;
        Channels::one(from, ProcessId((from.0 + ahead) % n))
    }

    /// A moment of a run: most are early, where most happens.
    fn moment(&self, dice: &mut Dice) -> Duration {
        let lasts = self.lasts.map_or(0, |time| time.as_millis() as u64);
        Duration::from_millis(dice.magnitude(1, lasts.max(self.grounds.horizon_ms.into())))
    }

    fn while_it_lasts(&self, dice: &mut Dice) -> When {
        let from = self.moment(dice);
        When::Between(from, from + Duration::from_millis(dice.magnitude(1, PAUSE_MAX_MS)))
    }

    /// Messages of a channel take longer for a while.
    fn lateness(&self, dice: &mut Dice) -> Vec<Rule> {
        if self.assumes(Assumption::BoundedDelay) {
            return Vec::new();
        }
        let by = Duration::from_millis(dice.magnitude(1, self.grounds.latency_max_ms.into()));
        let fault = Fault::Delay(self.channel(dice), by..=by);
        vec![Rule { fault, when: self.while_it_lasts(dice) }]
    }

    /// Some processes are cut off from the others for a while.
    fn partition(&self, dice: &mut Dice) -> Vec<Rule> {
        if self.assumes(Assumption::Reliable) {
            return Vec::new();
        }
        let all = (0..self.processes()).map(ProcessId);
        let (one, other): (BTreeSet<_>, BTreeSet<_>) = all.partition(|_| dice.percent(50));
        let when = self.while_it_lasts(dice);
        match one.is_empty() || other.is_empty() {
            true => Vec::new(),
            false => vec![Rule { fault: Fault::Partition(vec![one, other]), when }],
        }
    }

    /// Many messages of one channel are lost for a while.
    fn losses(&self, dice: &mut Dice) -> Vec<Rule> {
        if self.assumes(Assumption::Reliable) {
            return Vec::new();
        }
        let share = Chance::percent(dice.between(1, 100) as u32);
        let fault = Fault::Drop(self.channel(dice), share);
        vec![Rule { fault, when: self.while_it_lasts(dice) }]
    }

    /// A process stands still for a while.
    fn standstill(&self, dice: &mut Dice) -> Vec<Rule> {
        if self.assumes(Assumption::BoundedDelay) {
            return Vec::new();
        }
        let fault = Fault::Process(Action::Stop, self.any(dice));
        vec![Rule { fault, when: self.while_it_lasts(dice) }]
    }

    /// Processes die, for good or until they start again: as many as the algorithm bears.
    fn deaths(&self, dice: &mut Dice) -> Vec<Rule> {
        let n = u64::from(self.processes());
        let most = if self.assumes(Assumption::MajorityLives) { (n - 1) / 2 } else { n - 1 };
        let wanted = dice.magnitude(1, most.max(1)).min(most);
        let mut dead = BTreeSet::new();
        let mut rules = Vec::new();
        for _ in 0..wanted {
            let process = self.any(dice);
            if dead.insert(process) {
                rules.extend(self.death(dice, process));
            }
        }
        rules
    }

    fn death(&self, dice: &mut Dice, process: ProcessId) -> Vec<Rule> {
        let rank = process.index();
        let may_stay_dead = self.survives[rank] && !self.assumes(Assumption::NoCrash);
        // What is sent to it meanwhile is lost.
        let may_return = self.recovers[rank] && !self.assumes(Assumption::Reliable);
        let rule = |action, when| Rule { fault: Fault::Process(action, process), when };
        let returns = may_return && (!may_stay_dead || dice.percent(70));
        if !returns && !may_stay_dead {
            return Vec::new();
        }
        if !returns && !self.kinds.is_empty() && dice.percent(50) {
            let kind = dice.one_of(&self.kinds).copied().unwrap_or_default().to_owned();
            return vec![rule(Action::Kill, When::After(dice.magnitude(1, AFTER_MAX), kind))];
        }
        let dies = self.moment(dice);
        let mut rules = vec![rule(Action::Kill, When::From(dies))];
        if returns {
            let back = dies + Duration::from_millis(dice.magnitude(1, PAUSE_MAX_MS));
            rules.push(rule(Action::Restart, When::From(back)));
        }
        rules
    }

    /// Adds rules to a plan, unless they contradict what is in it.
    fn add(&self, plan: &mut Plan, rules: Vec<Rule>) {
        let mut more = plan.clone();
        rules.into_iter().for_each(|rule| more.push(rule));
        if more.validate(self.processes()).is_ok() {
            *plan = more;
        }
    }
}
