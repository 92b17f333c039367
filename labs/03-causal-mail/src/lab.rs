//! What lab 03 demands of its algorithm, what it costs, and its options.

use labs::faults::Assumption;
use labs::hunt::{Dial, Grounds};
use labs::lab::{Findings, Lab, Place, Predictions, Runs, Summary, Tools, Verb, World, exactly};
use labs::process::ProcessId;
use labs::text::counted;
use labs::trace::Meaning;
use labs::verdict::{Property, Times};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::causal_mail::{Indication, Mailer, Mistake, Request};
use crate::correspondence::{Correspondence, Traffic};
use crate::ordering::{Order, Stamps};
use crate::properties::{
    Addressees, CausalDelivery, Handover, InOrderOfWriting, InTurn, MAILS_MAX, NotHeld, ReadOnce,
    Stamping,
};
use crate::study::{self, ManyRuns};
use crate::tools;

/// Lab 03: what its options come to.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct CausalMailLab {
    /// Who writes to whom.
    plan: Correspondence,
    order: Order,
    stamps: Stamps,
    /// How many times each server loses its power, in `check`.
    restarts: u32,
    /// Many runs instead of one.
    runs: Option<ManyRuns>,
}

/// The lab's own options.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How many servers there are, each in charge of one domain [default: 3; without --users fewer,
    /// if --processes is below 6]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=SERVERS_MAX))]
    servers: Option<u32>,
    /// How many users each server has [default: 1; without --servers too, what --processes leaves]
    #[arg(long, value_name = "U")]
    users: Option<u32>,
    /// Who writes to whom [default: random in `simulate`, triangle elsewhere]
    #[arg(long, value_enum)]
    traffic: Option<Way>,
    /// How many mails each user writes of its own accord, in random traffic [default: 2, in
    /// `check` 1]
    #[arg(long, value_name = "M")]
    mails: Option<u32>,
    /// How many answers follow each of these, one on the other, in random traffic [default: 2]
    #[arg(long, value_name = "A")]
    answers: Option<u32>,
    /// In which order users read
    #[arg(long, value_enum, default_value_t)]
    order: Order,
    /// What mails carry of the matrix
    #[arg(long, value_enum, default_value_t)]
    stamps: Stamps,
    /// How many times each server loses its power, and all that is not on its disk, in `check`
    #[arg(long, value_name = "R", default_value_t = 0)]
    restarts: u32,
    /// So many runs instead of one, with seeds from --seed on. In `simulate` only
    #[arg(long, value_name = "R")]
    runs: Option<u32>,
    /// How many times a server crashes and comes back in each of --runs [default: 5]
    #[arg(long, value_name = "C", requires = "runs")]
    power_cuts: Option<u32>,
}

/// Who writes to whom.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
enum Way {
    /// The first user writes to the third and then to the second, who answers to the third.
    Triangle,
    /// Everyone writes to some, who answer to others.
    Random,
}

/// How many mails each user writes of its own accord in random traffic, and how many answers follow
/// each, unless told otherwise: enough for chains that cross each other.
const MAILS: u32 = 2;
const ANSWERS: u32 = 2;

/// How many mails each writes in `check`, which tries every order: with one more, the states of most plans do not end
/// within a minute.
const MAILS_CHECKED: u32 = 1;

/// The most servers: with their users they are bounded by the number of processes anyway.
const SERVERS_MAX: i64 = 1_000;

/// How many servers there are unless told otherwise: as many as it takes for an answer to overtake.
const SERVERS: u32 = 3;

/// How many users each server has unless told otherwise.
const USERS: u32 = 1;

/// The most runs, and crashes in each: minutes of work.
const RUNS_MAX: u32 = 100_000;

/// How many servers crash in each of many runs, unless told otherwise.
const CRASHES: u32 = 5;

impl Options {
    /// How many servers the options mean, and how many users in all; nothing if they do not say.
    fn shape(&self) -> Option<(u32, u32)> {
        if self.servers.is_none() && self.users.is_none() {
            return None;
        }
        let servers = self.servers.unwrap_or(SERVERS);
        Some((servers, servers.saturating_mul(self.users.unwrap_or(USERS))))
    }

    /// Who writes to whom, among so many users.
    fn traffic(&self, world: &World, users: u32) -> Result<Traffic, String> {
        let usual = if world.verb == Verb::Simulate { Way::Random } else { Way::Triangle };
        if self.traffic.unwrap_or(usual) == Way::Triangle {
            return self.triangle(world, users);
        }
        let usual = if world.verb == Verb::Check { MAILS_CHECKED } else { MAILS };
        let (mails, answers) = (self.mails.unwrap_or(usual), self.answers.unwrap_or(ANSWERS));
        let of_each = u64::from(mails).saturating_mul(u64::from(answers) + 1);
        let all = u64::from(users).saturating_mul(of_each);
        let typed = self.typed(world);
        if users < 2 {
            return Err(format!("{typed}: {users} user, and nobody to write to: it takes two"));
        }
        match (1..=u64::from(MAILS_MAX)).contains(&all) {
            true => Ok(Traffic::Random { mails, answers }),
            false => Err(format!(
                "{typed}: {all} mails, and a run has 1 to {MAILS_MAX}: their number is that of users, times \
                 --mails (or {usual}), times one more than --answers (or {ANSWERS})"
            )),
        }
    }

    fn triangle(&self, world: &World, users: u32) -> Result<Traffic, String> {
        let ignored = [("--mails", self.mails), ("--answers", self.answers)];
        if let Some((option, _)) = ignored.iter().find(|(_, given)| given.is_some()) {
            return Err(format!(
                "{option}: the triangle has three mails; leave it out, or take --traffic random"
            ));
        }
        match users >= 3 {
            true => Ok(Traffic::Triangle),
            false => Err(format!(
                "{}: that makes {}, and the triangle of mails needs three; take --processes 5 or \
                 more, or --traffic random",
                self.typed(world),
                counted(users.into(), "user")
            )),
        }
    }

    /// Those options that say how many there are of what, as they were typed.
    fn typed(&self, world: &World) -> String {
        let numbers = [
            ("--processes", world.processes),
            ("--servers", self.servers),
            ("--users", self.users),
            ("--mails", self.mails),
            ("--answers", self.answers),
        ];
        let typed = numbers.into_iter().filter_map(|(name, n)| Some(format!("{name} {}", n?)));
        typed.collect::<Vec<_>>().join(" ")
    }

    /// A stamp that leaves entries out has no sums.
    fn check_stamps(&self) -> Result<(), String> {
        match self.order.is_by_shorter_clock() && self.stamps == Stamps::Incremental {
            true => Err(
                "--stamps incremental: a scalar or a vector is the sum of a whole matrix; take \
                         --stamps full"
                    .to_owned(),
            ),
            false => Ok(()),
        }
    }

    /// What `--runs` and its companion mean, if it is given.
    fn runs(&self, verb: Verb, traffic: Traffic) -> Result<Option<ManyRuns>, String> {
        if self.runs.is_some() && verb != Verb::Simulate {
            return Err("--runs: only in `simulate`".to_owned());
        }
        if self.runs.is_some_and(|runs| !(1..=RUNS_MAX).contains(&runs)) {
            return Err(format!("--runs: from 1 to {RUNS_MAX}"));
        }
        if self.power_cuts.is_some_and(|cuts| cuts > RUNS_MAX) {
            return Err(format!("--power-cuts: at most {RUNS_MAX}"));
        }
        if self.restarts > 0 && verb != Verb::Check {
            return Err(
                "--restarts: only in `check`; `simulate` has --runs and --power-cuts".to_owned()
            );
        }
        let crashes = self.power_cuts.unwrap_or(CRASHES);
        Ok(self.runs.map(|runs| ManyRuns { runs, crashes, traffic }))
    }
}

/// How many of so many processes are servers, and how many users: as many users as servers at
/// least.
fn shape_of(processes: u32) -> (u32, u32) {
    let servers = (processes / 2).clamp(1, SERVERS);
    (servers, processes.saturating_sub(servers))
}

impl CausalMailLab {
    /// Mail by this plan, read in causal order, with full stamps.
    pub fn new(plan: Correspondence) -> Self {
        let (order, stamps) = (Order::Causal, Stamps::Full);
        Self { plan, order, stamps, restarts: 0, runs: None }
    }

    /// The same lab with a plan that is drawn from this seed.
    fn drawn(&self, traffic: Traffic, seed: u64) -> Self {
        let Correspondence { servers, users, .. } = self.plan;
        Self { plan: traffic.plan(servers, users, seed), ..*self }
    }
}

impl Lab for CausalMailLab {
    const NAME: &'static str = "causal-mail";
    const ABOUT: &'static str = "E-mail in causal order";
    const PROCESSES: u32 = 6;
    const CHECK_PROCESSES: u32 = 6;
    /// Mails are handed over again until that is acknowledged, and in order.
    const ASSUMES: &'static [Assumption] = &[Assumption::NoCrash];
    /// What one server sends is late, now less, now more: so an answer that goes round by another server may arrive before
    /// what it answers, though no channel overtakes itself.
    const USUAL: &'static [&'static str] = &["--slow", "0->* 20..60"];
    const HUNT: Grounds = Grounds {
        dials: &[
            Dial::words("--traffic", &["triangle", "random"]),
            Dial::numbers("--mails", 1, 3),
            Dial::numbers("--answers", 0, 3),
            Dial::words("--stamps", &["full", "incremental"]),
        ],
        // Servers, and users that write to each other.
        processes_max: 9,
        ..Grounds::USUAL
    };
    const TOOLS: Tools = Tools::of::<tools::Tools>();

    type Options = Options;
    type Process = Mailer;
    type Mistake = Mistake;

    fn plan(options: Options, world: &World) -> Result<Self, String> {
        let shape = options.shape();
        let meant = shape.map(|(servers, users)| servers.saturating_add(users));
        let processes = world.processes::<Self>(meant)?;
        let (servers, users) = shape.unwrap_or_else(|| shape_of(processes));
        let traffic = options.traffic(world, users)?;
        options.check_stamps()?;
        Ok(Self {
            runs: options.runs(world.verb, traffic)?,
            plan: traffic.plan(servers, users, world.seed),
            order: options.order,
            stamps: options.stamps,
            restarts: options.restarts,
        })
    }

    fn processes(&self) -> u32 {
        self.plan.servers + self.plan.users
    }

    fn process(&self, place: &Place) -> Mailer {
        Mailer::new(place.me, &self.plan, self.order, self.stamps)
    }

    fn properties(&self) -> Vec<Property> {
        let (n, to) = (self.processes(), Addressees::from(self.plan.mails.as_slice()));
        let mut demanded = vec![
            Property::safety("causal delivery", CausalDelivery::new(n, &to)),
            Property::safety("nothing held without need", NotHeld::new(n, &to)),
            Property::liveness("every mail read exactly once", ReadOnce::new(n, &to)),
            Property::safety("one writer's mails in order", InOrderOfWriting::new(n, &to)),
            Property::safety("written, arrived and read in turn", InTurn::new(n, &self.plan.mails)),
            Property::safety("handed over in order, once", Handover::new(&self.plan)),
            Property::each("every process finishes once", "Finished", Times::Exactly(1)),
        ];
        // What incremental stamps leave out is known only to those who read in the causal order.
        if self.stamps == Stamps::Full || self.order == Order::Causal {
            let stamping = Stamping::new(n, &to, self.stamps);
            demanded.push(Property::safety("each mail bears what was known", stamping));
        }
        demanded
    }

    /// If nothing is lost, and no answer takes longer than [`RETRY`](crate::courier::RETRY).
    fn predicted(&self) -> Predictions {
        let mails = &self.plan.mails;
        let submits = mails.len() as u64;
        let forwards = mails.iter().map(|mail| self.plan.forwards(mail).len() as u64).sum::<u64>();
        let hands = mails.iter().map(|mail| mail.to.len() as u64).sum::<u64>();
        let acks = submits + forwards + hands;
        exactly([("SUBMIT", submits), ("FORWARD", forwards), ("HAND", hands), ("ACK", acks)])
    }

    /// Who asks again, and who starts again, sends again.
    fn predicted_unless(&self) -> &'static [&'static str] {
        &["Retry", "Restart"]
    }

    fn requests(&self, process: ProcessId) -> Vec<Request> {
        let is_server = self.plan.is_server(process);
        vec![Request::Restart; if is_server { self.restarts as usize } else { 0 }]
    }

    fn findings(&self) -> Box<dyn Findings<Indication>> {
        let read = vec![Vec::new(); self.processes() as usize];
        Box::new(Reading { plan: self.plan.clone(), read })
    }

    fn meaning(&self) -> Meaning {
        let role = |process| match self.plan.is_server(process) {
            true => (process, "server".to_owned()),
            false => (process, format!("user of {}", self.plan.home(process))),
        };
        let roles = (0..self.processes()).map(ProcessId).map(role);
        Meaning::default().waits("Arrived", "Read").roles(roles)
    }

    fn study(&self) -> Option<Runs> {
        let (lab, runs) = (self.clone(), self.runs?);
        let lab = move |traffic, seed| lab.drawn(traffic, seed);
        Some(Box::new(move |series| Ok(study::study(runs, series, &lab))))
    }
}

/// What everyone read, in this order.
#[derive(Debug)]
pub struct Reading {
    plan: Correspondence,
    read: Vec<Vec<u32>>,
}

/// How many mails of one user are shown: a line.
const SHOWN_MAX: usize = 12;

impl Findings<Indication> for Reading {
    fn on_indication(&mut self, process: ProcessId, indication: &Indication, _: u64) {
        if let Indication::Read(mail) = *indication
            && let Some(read) = self.read.get_mut(process.index())
        {
            read.push(mail);
        }
    }

    fn lines(&self, _: &Summary) -> Vec<String> {
        let readings: usize = self.read.iter().map(Vec::len).sum();
        vec![format!(
            "{} among {} of {}; {}",
            counted(self.plan.mails.len() as u64, "mail"),
            counted(self.plan.users.into(), "user"),
            counted(self.plan.servers.into(), "server"),
            counted(readings as u64, "reading"),
        )]
    }

    fn json(&self, _: &Summary) -> serde_json::Value {
        json!({
            "servers": self.plan.servers,
            "users": self.plan.users,
            "mails": self.plan.mails.len(),
            "read": self.read,
        })
    }

    fn of_process(&self, process: ProcessId) -> Vec<(&'static str, serde_json::Value)> {
        let is_server = self.plan.is_server(process);
        let role = match is_server {
            true => "server".to_owned(),
            false => format!("user of {}", self.plan.home(process)),
        };
        let read = &self.read[process.index()];
        let mut shown: Vec<_> = read.iter().take(SHOWN_MAX).map(u32::to_string).collect();
        if read.len() > SHOWN_MAX {
            shown.push("...".to_owned());
        }
        vec![("role", role.into()), ("read, in this order", shown.join(" ").into())]
    }
}
