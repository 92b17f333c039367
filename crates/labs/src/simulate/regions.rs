//! A network of regions: processes that are near to each other, and others that are far away.
//!
//! No course has a million machines on four continents. A simulation has: a file says which regions there are, how many of
//! the processes are in each, and how long a message is under way from one to another.
//!
//! ```json
//! {
//!   "about": "Two rooms and a line between them",
//!   "source": "measured with ping, one way is half of it",
//!   "regions": [{ "name": "Room 1", "share": 2 }, { "name": "Room 2", "share": 1 }],
//!   "latency_ms": [["0.1..0.3", "4..6"], ["4..6", "0.1..0.3"]],
//!   "loss": [["0%", "0.1%"], ["0.1%", "0%"]]
//! }
//! ```
//!
//! Rows are of senders, columns of receivers, both in the order of the regions. A latency is one way, in milliseconds: one
//! number, or a range from which it is drawn uniformly. `loss` may be left out. Of so many processes as the shares come to,
//! each region has its share; a third of them is in Room 2. They stand in the order of the regions, so that on a ring most
//! neighbours are near; with `"in_turn": true` they take turns, so that most are far.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;

use super::latency::{LATENCY_MAX, latency};
use crate::chance::Chance;
use crate::process::ProcessId;

/// The most regions: more than any cloud has.
const REGIONS_MAX: usize = 256;

/// The most that the shares of all regions come to.
const SHARES_MAX: u32 = 1 << 16;

/// The largest file, in bytes: that of so many regions has some megabytes.
pub const FILE_MAX: u64 = 16 << 20;

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    source: String,
    regions: Vec<Region>,
    latency_ms: Vec<Vec<String>>,
    #[serde(default)]
    loss: Vec<Vec<String>>,
    #[serde(default)]
    in_turn: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Region {
    name: String,
    share: u32,
}

/// The regions of a network.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Regions {
    about: String,
    names: Vec<String>,
    /// The region of each share, in order.
    shares: Vec<u16>,
    in_turn: bool,
    /// From each region to each, row by row.
    ways: Vec<Way>,
}

/// How messages travel from one region to another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Way {
    /// How long they are under way: uniform, in whole microseconds.
    pub latency: RangeInclusive<Duration>,
    /// How many are lost.
    pub loss: Chance,
}

impl Regions {
    /// Reads what stands in a file.
    ///
    /// # Errors
    ///
    /// Says what is wrong in it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let File { about, source, regions, latency_ms, loss, in_turn } = file;
        check_names(&about, &source, &regions)?;
        let mut shares = Vec::new();
        for (number, region) in (0..).zip(&regions) {
            shares.extend((0..region.share).map(|_| number));
        }
        let names: Vec<_> = regions.into_iter().map(|region| region.name).collect();
        let latencies = square("latency_ms", &latency_ms, &names, |text| match latency(text)? {
            range if range.is_empty() => Err(format!("{text} is no range: the least comes first")),
            range => Ok(range),
        })?;
        let losses = match loss.is_empty() {
            true => vec![Chance::NEVER; latencies.len()],
            false => square("loss", &loss, &names, |text| {
                text.parse::<Chance>().map_err(|error| error.to_string())
            })?,
        };
        let ways = latencies.into_iter().zip(losses);
        let ways: Vec<_> = ways.map(|(latency, loss)| Way { latency, loss }).collect();
        let too_slow = ways.iter().find(|way| *way.latency.end() > LATENCY_MAX);
        if let Some(Way { latency, .. }) = too_slow {
            return Err(format!("a latency of {:?} is above {LATENCY_MAX:?}", latency.end()));
        }
        Ok(Self { about, names, shares, in_turn, ways })
    }

    /// In which region a process is, one of so many.
    fn region(&self, process: ProcessId, processes: u32) -> usize {
        let (rank, shares) = (u64::from(process.0), self.shares.len() as u64);
        let share = match self.in_turn {
            true => rank % shares,
            false => rank * shares / u64::from(processes.max(1)),
        };
        usize::from(self.shares[(share as usize).min(self.shares.len() - 1)])
    }

    /// How messages travel from one process to another, of so many.
    pub fn way(&self, from: ProcessId, to: ProcessId, processes: u32) -> &Way {
        let (from, to) = (self.region(from, processes), self.region(to, processes));
        &self.ways[from * self.names.len() + to]
    }

    /// Whether some of the ways lose messages.
    pub fn lose(&self) -> bool {
        self.ways.iter().any(|way| way.loss != Chance::NEVER)
    }

    /// What a report says of so many processes: what this is, and how many are where.
    pub fn sentence(&self, processes: u32) -> String {
        let mut counts = vec![0_u32; self.names.len()];
        for rank in 0..processes {
            counts[self.region(ProcessId(rank), processes)] += 1;
        }
        let counts: Vec<_> =
            self.names.iter().zip(counts).map(|(name, count)| format!("{name} {count}")).collect();
        format!("{}: {}", self.about, counts.join(", "))
    }
}

fn check_names(about: &str, source: &str, regions: &[Region]) -> Result<(), String> {
    if about.trim().is_empty() || source.trim().is_empty() {
        return Err(
            "say in \"about\" what it is, and in \"source\" where the figures are from".into()
        );
    }
    if regions.is_empty() || regions.len() > REGIONS_MAX {
        return Err(format!("a network has 1 to {REGIONS_MAX} regions, and not {}", regions.len()));
    }
    let mut names = BTreeSet::new();
    let mut shares = 0_u32;
    for Region { name, share } in regions {
        if name.trim().is_empty() || !names.insert(name) {
            return Err(format!("a region needs a name of its own, and not {name:?}"));
        }
        if *share == 0 {
            return Err(format!("the share of {name} is 0: leave the region out"));
        }
        shares = shares.saturating_add(*share);
    }
    match shares {
        0..=SHARES_MAX => Ok(()),
        _ => Err(format!(
            "the shares come to {shares}, and the limit is {SHARES_MAX}: divide them all"
        )),
    }
}

/// Reads a matrix from each region to each.
fn square<T>(
    what: &str,
    rows: &[Vec<String>],
    names: &[String],
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let n = names.len();
    if rows.len() != n {
        return Err(format!("{what:?} has {} rows, and there are {n} regions", rows.len()));
    }
    let mut all = Vec::new();
    for (name, row) in names.iter().zip(rows) {
        if row.len() != n {
            return Err(format!("{what:?} of {name} has {} entries, not {n}", row.len()));
        }
        for (to, text) in names.iter().zip(row) {
            let value = read(text).map_err(|why| format!("{what:?} from {name} to {to}: {why}"))?;
            all.push(value);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"{
        "about": "Two rooms", "source": "made up",
        "regions": [{ "name": "A", "share": 2 }, { "name": "B", "share": 1 }],
        "latency_ms": [["0.1..0.3", "4"], ["5..6", "0.2"]],
        "loss": [["0%", "1%"], ["2%", "0%"]]
    }"#;

    fn places(text: &str, processes: u32) -> Vec<usize> {
        let regions = Regions::parse(text).unwrap();
        (0..processes).map(|rank| regions.region(ProcessId(rank), processes)).collect()
    }

    #[test]
    fn each_region_has_its_share() {
        assert_eq!(places(TWO, 6), [0, 0, 0, 0, 1, 1]);
        let in_turn = TWO.replacen("\"source\"", "\"in_turn\": true, \"source\"", 1);
        assert_eq!(places(&in_turn, 6), [0, 0, 1, 0, 0, 1]);
        assert_eq!(places(TWO, 1), [0]);
        let sentence = Regions::parse(TWO).unwrap().sentence(6);
        assert_eq!(sentence, "Two rooms: A 4, B 2");
    }

    #[test]
    fn rows_are_of_senders() {
        let regions = Regions::parse(TWO).unwrap();
        let ms = Duration::from_millis;
        let there = regions.way(ProcessId(0), ProcessId(2), 3);
        assert_eq!(*there, Way { latency: ms(4)..=ms(4), loss: Chance::percent(1) });
        let back = regions.way(ProcessId(2), ProcessId(0), 3);
        assert_eq!(*back, Way { latency: ms(5)..=ms(6), loss: Chance::percent(2) });
        assert!(regions.lose());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (from, to, why) in [
            ("\"share\": 1", "\"share\": 0", "the share of B is 0"),
            ("\"share\": 1", "\"share\": 70000", "the limit is 65536"),
            ("\"name\": \"B\"", "\"name\": \"A\"", "a name of its own"),
            ("\"made up\"", "\"\"", "where the figures are from"),
            ("[\"5..6\", \"0.2\"]", "[\"5..6\"]", "\"latency_ms\" of B has 1 entries, not 2"),
            (", [\"2%\", \"0%\"]", "", "\"loss\" has 1 rows, and there are 2 regions"),
            ("\"5..6\"", "\"6..5\"", "\"latency_ms\" from B to A: "),
            ("\"5..6\"", "\"5..6 s\"", "\"latency_ms\" from B to A: "),
            ("\"5..6\"", "\"4000000\"", "is above"),
            ("\"2%\"", "\"x\"", "\"loss\" from B to A: "),
            ("\"about\"", "\"abuot\"", "unknown field `abuot`"),
        ] {
            let error = Regions::parse(&TWO.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
