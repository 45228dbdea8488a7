//! Goes through the states that power cuts leave of a life, opens the database in each, and compares it with
//! what it may hold. Some openings are lived through and cut as well, and of those some again.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tracehouse_storage::Store;
use tracehouse_storage::env::Env;

use super::disk::{Disk, Node, Outcome, SECTOR, Tail};
use super::model::{Possible, Rows, Unread, Write, complete_erase, read};
use super::sim::{Event, LeftOut, SimEnv};
use super::workload::{Run, Step, options};
use crate::order::Random;

/// How often an opening is cut once more, by how deep that is already. One has more than a thousand states.
const AGAIN_ONE_IN: [usize; 3] = [800, 3_200, 6_400];

/// What went through, and what was found.
#[derive(Debug, Default)]
pub struct Found {
    /// States that differ from all others of their life.
    pub states: usize,
    /// Of those, states of an interrupted opening.
    pub of_openings: usize,
    pub violations: Vec<String>,
}

impl Found {
    /// Takes over what another found.
    pub fn add(&mut self, other: Self) {
        self.states += other.states;
        self.of_openings += other.of_openings;
        self.violations.extend(other.violations);
    }
}

/// The enumeration of one life.
pub struct Enumerator {
    pub name: String,
    pub flush_bytes_max: usize,
    /// Syncs that are left out in openings, too.
    pub left_out: Option<LeftOut>,
    /// Ends with the first violation.
    pub stops_early: bool,
    pub random: Random,
    pub found: Found,
    seen: HashSet<u64>,
    /// Files that no cut may bring back.
    gone: HashSet<Node>,
}

impl Enumerator {
    /// An enumeration that draws from a seed.
    pub fn new(name: &str, flush_bytes_max: usize, seed: u64) -> Self {
        Self {
            name: name.into(),
            flush_bytes_max,
            left_out: None,
            stops_early: false,
            random: Random::new(seed),
            found: Found::default(),
            seen: HashSet::new(),
            gone: HashSet::new(),
        }
    }

    /// Every cut of a life that began with `disk` and went on with `events`.
    pub fn run(&mut self, disk: &Disk, events: &[Event], possible: Possible, depth: usize) {
        let (mut disk, mut possible) = (disk.clone(), possible);
        for (at, event) in events.iter().enumerate() {
            match event {
                Event::Begun(action) => possible.begin(action),
                Event::Acknowledged(number) => possible.acknowledge(*number),
                Event::Seen(rows) => possible.see(rows),
                Event::Gone(nodes) => self.gone.extend(nodes.iter()),
                Event::Disk(op) => disk.apply(op),
            }
            // What was acknowledged or seen must be in the states after this event, too.
            for outcome in outcomes(&disk, &mut self.random) {
                let cut = disk.after_power_cut(&outcome);
                if self.is_new(&cut, event, depth) {
                    self.judge(
                        &cut,
                        &possible,
                        depth,
                        &format!("event {at} of {}", events.len()),
                        &outcome,
                    );
                    if self.stops_early && !self.found.violations.is_empty() {
                        return;
                    }
                }
            }
        }
    }

    /// Whether a state was not judged before; one that was is judged again after an acknowledgement, which asks
    /// more of it, but counted once.
    fn is_new(&mut self, cut: &Disk, event: &Event, depth: usize) -> bool {
        let is_new = self.seen.insert(cut.fingerprint());
        self.found.states += usize::from(is_new);
        self.found.of_openings += usize::from(is_new && depth > 0);
        is_new || !matches!(event, Event::Disk(_))
    }

    fn judge(
        &mut self,
        cut: &Disk,
        possible: &Possible,
        depth: usize,
        at: &str,
        outcome: &Outcome,
    ) {
        let env = SimEnv::new(cut.clone());
        if let Some(left_out) = self.left_out {
            env.leave_out(left_out);
        }
        let is_back = |(_, node): &(String, Node)| self.gone.contains(node);
        let back = if self.gone.is_empty() {
            None
        } else {
            cut.files().into_iter().find(is_back)
        };
        let opened = catch_unwind(AssertUnwindSafe(|| {
            open_and_read(&env, self.flush_bytes_max)
        }));
        let wrong = match &opened {
            _ if back.is_some() => Some(format!("an erased file is back: {back:?}")),
            Ok(Ok(rows)) if possible.allows(rows) => None,
            Ok(Ok(rows)) => Some(format!("holds {rows:?}, possible {possible:?}")),
            Ok(Err(Unread::Error(error))) => Some(format!("{error}")),
            Ok(Err(Unread::Wrong(what))) => Some(what.clone()),
            Err(_) => Some("a panic".into()),
        };
        if let Some(wrong) = wrong {
            let name = &self.name;
            self.found
                .violations
                .push(format!("{name}, {at}, depth {depth}, {outcome:?}: {wrong}"));
        } else if AGAIN_ONE_IN
            .get(depth)
            .is_some_and(|one_in| self.random.below(*one_in) == 0)
        {
            self.again(cut, possible, depth, at);
        }
    }

    /// Opens the database of a state, goes on with it, and cuts that.
    fn again(&mut self, cut: &Disk, possible: &Possible, depth: usize, at: &str) {
        let env = SimEnv::new(cut.clone());
        if let Some(left_out) = self.left_out {
            env.leave_out(left_out);
        }
        // A number that no write of the life has.
        let first = 1_000 * (depth + 1);
        let mut run = Run::new(&env, self.flush_bytes_max, possible.clone(), first);
        let version = 9_000 + depth as u16;
        let end = if self.random.below(2) == 0 {
            Write::Delete(2)
        } else {
            Write::Erase(2)
        };
        let more = [
            Write::Spans(vec![(1, 1, version), (40, 1, version)]),
            Write::Tag(1, version),
            end,
        ];
        let mut steps: Vec<Step> = more.into_iter().map(Step::Write).collect();
        let extra = [Step::Kill, Step::Seal, Step::Reopen, Step::Compact];
        steps.insert(self.random.below(4), extra[self.random.below(4)].clone());
        run.live(&steps);
        run.kill();
        if run.errors > 0 {
            self.found
                .violations
                .push(format!("{}, {at}, depth {depth}: cannot go on", self.name));
        }
        // Files of this branch have numbers that others have in the life itself.
        let gone = self.gone.clone();
        self.run(cut, &env.events(), possible.clone(), depth + 1);
        self.gone = gone;
    }
}

fn open_and_read(env: &SimEnv, flush_bytes_max: usize) -> Result<Rows, Unread> {
    let store = Store::open(
        Arc::new(env.clone()) as Arc<dyn Env>,
        options(flush_bytes_max),
    )?;
    complete_erase(&store)?;
    read(&store)
}

/// What a power cut may make of a disk: all and nothing, each file torn in several ways, each change of names
/// alone and missing, and some at random.
fn outcomes(disk: &Disk, random: &mut Random) -> Vec<Outcome> {
    let (names, files) = (disk.pending_names(), disk.unsynced());
    let kept = || files.iter().map(|(node, _)| (*node, Tail::Kept)).collect();
    let all = |is_kept| vec![is_kept; names];
    let mut found = vec![Outcome {
        names: all(true),
        tails: kept(),
    }];
    found.push(Outcome {
        names: all(false),
        tails: Default::default(),
    });
    if names > 0 && !files.is_empty() {
        found.push(Outcome {
            names: all(true),
            tails: Default::default(),
        });
        found.push(Outcome {
            names: all(false),
            tails: kept(),
        });
    }
    for (node, bytes) in &files {
        for tail in tails(*bytes, random) {
            let mut tails = kept();
            tails.insert(*node, tail);
            found.push(Outcome {
                names: all(true),
                tails,
            });
        }
    }
    for at in 0..names.min(4) {
        let at = if names > 4 { random.below(names) } else { at };
        for (others, tails) in [(true, kept()), (false, kept()), (true, Default::default())] {
            let mut names = all(others);
            names[at] = !others;
            found.push(Outcome { names, tails });
        }
    }
    for _ in 0..if names + files.len() > 1 { 3 } else { 0 } {
        let names = (0..names).map(|_| random.below(2) == 0).collect();
        let mut tails = std::collections::BTreeMap::new();
        for (node, bytes) in &files {
            match random.below(4) {
                0 => {}
                1 => drop(tails.insert(*node, Tail::Kept)),
                _ => drop(tails.insert(*node, random_tail(*bytes, random))),
            }
        }
        found.push(Outcome { names, tails });
    }
    found
}

/// Ways to tear so many bytes.
fn tails(bytes: usize, random: &mut Random) -> Vec<Tail> {
    let cuts = [
        0,
        1,
        35,
        36,
        37,
        bytes / 2,
        bytes - 1,
        random.below(bytes),
        random.below(bytes),
    ];
    let mut tails: Vec<Tail> = cuts
        .into_iter()
        .filter(|cut| *cut < bytes)
        .map(Tail::Cut)
        .collect();
    tails.dedup();
    if bytes > SECTOR {
        tails.extend((0..4).map(|_| random_tail(bytes, random)));
    }
    tails.push(Tail::Sectors(vec![false], true));
    tails
}

fn random_tail(bytes: usize, random: &mut Random) -> Tail {
    if random.below(3) == 0 {
        return Tail::Cut(random.below(bytes));
    }
    let sectors = bytes / SECTOR + 2;
    // Sometimes only one is missing.
    let one = (random.below(2) == 0).then(|| random.below(sectors));
    let turns = (0..sectors)
        .map(|at| one.map_or_else(|| random.below(2) == 0, |one| at != one))
        .collect();
    Tail::Sectors(turns, random.below(2) == 0)
}
