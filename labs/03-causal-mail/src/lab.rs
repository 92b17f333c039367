//! What lab 03 demands of its algorithm, what it costs, and its options.

use std::collections::BTreeMap;
use std::io;

use labs::faults::Assumption;
use labs::lab::{BoxedApplication, Findings, Lab, Place, Prediction, Runs, Silent, Summary, Verb};
use labs::overlay::{Contact, Overlay};
use labs::process::ProcessId;
use labs::trace::Noted;
use labs::verdict::Spec;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::broken::{Broken, BrokenMailer};
use crate::causal_mail::{Indication, Mailer, Request};
use crate::correspondence::Correspondence;
use crate::ordering::{Order, Stamps};
use crate::study::{self, Plan};
use crate::tools::Tools;

/// Lab 03.
#[derive(Debug)]
pub struct CausalMailLab;

/// The lab's own options.
#[derive(Clone, Debug, Deserialize, Serialize, clap::Args)]
pub struct Options {
    /// How many servers there are, each in charge of one domain [default: 3; without --users fewer, if --processes is below 6]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=SERVERS_MAX))]
    servers: Option<u32>,
    /// How many users each server has [default: 1; without --servers too, what --processes leaves]
    #[arg(long, value_name = "U")]
    users: Option<u32>,
    /// Who writes to whom [default: random in `simulate`, triangle elsewhere]
    #[arg(long, value_enum)]
    traffic: Option<Traffic>,
    /// How many mails each user writes of its own accord, in random traffic [default: 2]
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
    /// What came of the rest.
    #[arg(skip)]
    plan: Correspondence,
}

/// Who writes to whom.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
pub enum Traffic {
    /// The first user writes to the third and then to the second, who answers to the third.
    Triangle,
    /// Everyone writes to some, who answer to others.
    Random,
}

/// How many mails each user writes of its own accord in random traffic, and how many answers follow each,
/// unless told otherwise: enough for chains that cross each other.
const MAILS: u32 = 2;
const ANSWERS: u32 = 2;

/// The most mails of a plan: what the monitors of causal delivery take.
const MAILS_MAX: u64 = 16_384;

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
    /// So many servers and users of each, and a plan.
    pub fn new(plan: Correspondence, order: Order, stamps: Stamps) -> Self {
        Self {
            servers: Some(plan.servers),
            users: Some(plan.users / plan.servers.max(1)),
            traffic: Some(Traffic::Random),
            mails: None,
            answers: None,
            order,
            stamps,
            restarts: 0,
            runs: None,
            power_cuts: None,
            plan,
        }
    }

    /// How many servers the options mean, and how many users in all; nothing if they do not say.
    fn shape(&self) -> Option<(u32, u32)> {
        if self.servers.is_none() && self.users.is_none() {
            return None;
        }
        let servers = self.servers.unwrap_or(SERVERS);
        Some((servers, servers.saturating_mul(self.users.unwrap_or(USERS))))
    }

    fn mails(&self) -> u32 {
        self.mails.unwrap_or(MAILS)
    }

    fn answers(&self) -> u32 {
        self.answers.unwrap_or(ANSWERS)
    }

    fn check_traffic(&self, users: u32) -> Result<(), String> {
        if self.traffic == Some(Traffic::Triangle) {
            return self.check_triangle(users);
        }
        let of_each = u64::from(self.mails()).saturating_mul(u64::from(self.answers()) + 1);
        let mails = u64::from(users).saturating_mul(of_each);
        if !(1..=MAILS_MAX).contains(&mails) {
            return Err(format!(
                "--mails, --answers: {mails} mails, and a run has 1 to {MAILS_MAX}"
            ));
        }
        match users >= 2 {
            true => Ok(()),
            false => Err("--users: nobody to write to; it takes two".to_owned()),
        }
    }

    fn check_triangle(&self, users: u32) -> Result<(), String> {
        let ignored = [("--mails", self.mails), ("--answers", self.answers)];
        if let Some((option, _)) = ignored.iter().find(|(_, given)| given.is_some()) {
            return Err(format!(
                "{option}: the triangle has three mails; leave it out, or take --traffic random"
            ));
        }
        match users >= 3 {
            true => Ok(()),
            false => Err("--traffic triangle: it needs three users".to_owned()),
        }
    }

    fn check_runs(&self, verb: Verb) -> Result<(), String> {
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
        Ok(())
    }

    fn draw_plan(&mut self, seed: u64) {
        let (servers, users) = (self.plan.servers, self.plan.users);
        self.plan = match self.traffic {
            Some(Traffic::Triangle) => Correspondence::triangle(servers, users),
            _ => Correspondence::random(servers, users, self.mails(), self.answers(), seed),
        };
    }

    /// All processes of the plan.
    pub fn processes(&self) -> Vec<Mailer> {
        let all = 0..self.plan.servers + self.plan.users;
        all.map(|rank| self.mailer(ProcessId(rank))).collect()
    }

    fn mailer(&self, me: ProcessId) -> Mailer {
        Mailer::new(me, &self.plan, self.order, self.stamps)
    }

    /// What is demanded.
    pub fn specs(&self) -> Vec<Spec> {
        let [wrote, arrived, read] = ["Wrote", "Arrived", "Read"].map(str::to_owned);
        let addressees = self.plan.addressees();
        vec![
            Spec::CausalDelivery {
                wrote: wrote.clone(),
                read: read.clone(),
                addressees: addressees.clone(),
            },
            Spec::NotHeld { wrote, arrived, read: read.clone(), addressees: addressees.clone() },
            Spec::ReadOnce { read, addressees },
        ]
    }
}

/// How many of so many processes are servers, and how many users: as many users as servers at least.
fn shape_of(processes: u32) -> (u32, u32) {
    let servers = (processes / 2).clamp(1, SERVERS);
    (servers, processes.saturating_sub(servers))
}

impl Lab for CausalMailLab {
    const NAME: &'static str = "causal-mail";
    const ABOUT: &'static str = "E-mail in causal order";
    const PROCESSES: u32 = 6;
    const CHECK_PROCESSES: u32 = 6;
    /// Mails are handed over again until that is acknowledged, and in order.
    const ASSUMES: &'static [Assumption] = &[Assumption::NoCrash];

    type Process = Mailer;
    type BrokenProcess = BrokenMailer;
    type Broken = Broken;
    type Options = Options;
    type Findings = Reading;
    type Tools = Tools;

    fn processes(options: &Options, _: Verb) -> Option<u32> {
        options.shape().map(|(servers, users)| servers.saturating_add(users))
    }

    fn prepare(options: &mut Options, verb: Verb, processes: u32) -> Result<(), String> {
        let traffic = if verb == Verb::Simulate { Traffic::Random } else { Traffic::Triangle };
        options.traffic.get_or_insert(traffic);
        (options.plan.servers, options.plan.users) =
            options.shape().unwrap_or_else(|| shape_of(processes));
        options.check_traffic(options.plan.users)?;
        options.check_runs(verb)
    }

    fn draw(options: &mut Options, seed: u64) {
        options.draw_plan(seed);
    }

    fn study(options: &Options) -> Option<Runs> {
        let plan = Plan { runs: options.runs?, crashes: options.power_cuts.unwrap_or(CRASHES) };
        let options = options.clone();
        Some(Box::new(move |seed, network| {
            let build = |seed| {
                let mut options = options.clone();
                options.draw_plan(seed);
                (options.processes(), options.plan.servers, options.specs())
            };
            study::study(plan, seed, network, build, Mailer::stable)
        }))
    }

    fn process(options: &Options, place: &Place) -> Mailer {
        options.mailer(place.me)
    }

    fn broken(process: Mailer, how: &Broken) -> BrokenMailer {
        BrokenMailer::new(process, *how)
    }

    fn properties(options: &Options, _: u32) -> Vec<Spec> {
        options.specs()
    }

    /// If nothing is lost, and no answer takes longer than [`RETRY`](crate::courier::RETRY).
    fn predicted(options: &Options, _: u32) -> BTreeMap<String, Prediction> {
        let mails = &options.plan.mails;
        let submits = mails.len();
        let forwards: usize = mails.iter().map(|mail| options.plan.forwards(mail).len()).sum();
        let hands: usize = mails.iter().map(|mail| mail.to.len()).sum();
        let acks = submits + forwards + hands;
        [("SUBMIT", submits), ("FORWARD", forwards), ("HAND", hands), ("ACK", acks)]
            .map(|(kind, count)| (kind.to_owned(), Prediction::Exactly(count as u64)))
            .into()
    }

    /// Nothing is sent again where nothing is lost.
    fn timeouts(_: &Options) -> u32 {
        0
    }

    fn requests(options: &Options, process: ProcessId, _: u32) -> Vec<Request> {
        match options.plan.is_server(process) {
            true => vec![Request::Restart; options.restarts as usize],
            false => Vec::new(),
        }
    }

    fn overlay(_: &Options) -> Overlay {
        Overlay::Complete
    }

    fn application(_: &Options, _: &Place) -> io::Result<BoxedApplication<Self>> {
        Ok(Box::new(Silent))
    }

    fn contact(_: &Indication) -> Option<&Contact> {
        None
    }

    fn is_finished(indication: &Indication) -> bool {
        matches!(indication, Indication::Finished)
    }

    fn findings(options: &Options, processes: u32) -> Reading {
        Reading { plan: options.plan.clone(), read: vec![Vec::new(); processes as usize] }
    }
}

/// What everyone read, in this order.
#[derive(Debug)]
pub struct Reading {
    plan: Correspondence,
    read: Vec<Vec<u64>>,
}

/// How many mails of one user are shown: a line.
const SHOWN_MAX: usize = 12;

impl Findings for Reading {
    fn on_indication(&mut self, process: ProcessId, indication: &dyn Noted, _: u64) {
        if indication.kind() == "Read"
            && let Some(mail) = indication.number()
            && let Some(read) = self.read.get_mut(process.index())
        {
            read.push(mail);
        }
    }

    fn lines(&self, _: &Summary) -> Vec<String> {
        let readings: usize = self.read.iter().map(Vec::len).sum();
        vec![format!(
            "{} mails among {} users of {} servers; {readings} readings",
            self.plan.mails.len(),
            self.plan.users,
            self.plan.servers,
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
        let mut shown: Vec<_> = read.iter().take(SHOWN_MAX).map(u64::to_string).collect();
        if read.len() > SHOWN_MAX {
            shown.push("...".to_owned());
        }
        vec![("role", role.into()), ("read, in this order", shown.join(" ").into())]
    }
}
