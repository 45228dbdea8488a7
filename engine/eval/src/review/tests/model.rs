//! The queue against a simple model, by random commands: the model keeps the list of what happened and works out
//! everything from it each time.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::{Assignment, ItemKey, ItemState, Next, ReviewQueue};
use super::{entries, queue, trace};

const REVIEWERS: [&str; 3] = ["a", "b", "c"];

#[derive(Debug, Clone)]
enum Command {
    Next {
        reviewer: usize,
        lease_ns: i64,
    },
    Answer {
        item: usize,
        reviewer: usize,
        ok: bool,
    },
    Skip {
        item: usize,
        reviewer: usize,
    },
    Release {
        item: usize,
        reviewer: usize,
    },
    Add {
        how: usize,
        wanted: usize,
    },
    Pass {
        ns: i64,
    },
}

fn command() -> impl Strategy<Value = Command> {
    let (item, reviewer) = (0..6usize, 0..3usize);
    prop_oneof![
        4 => (reviewer.clone(), 1..12i64).prop_map(|(reviewer, lease_ns)| Command::Next { reviewer, lease_ns }),
        4 => (item.clone(), reviewer.clone(), any::<bool>())
            .prop_map(|(item, reviewer, ok)| Command::Answer { item, reviewer, ok }),
        1 => (item.clone(), reviewer.clone()).prop_map(|(item, reviewer)| Command::Skip { item, reviewer }),
        1 => (item, reviewer).prop_map(|(item, reviewer)| Command::Release { item, reviewer }),
        2 => (0..3usize, 1..4usize).prop_map(|(how, wanted)| Command::Add { how, wanted }),
        2 => (1..10i64).prop_map(|ns| Command::Pass { ns }),
    ]
}

#[derive(Clone)]
struct ModelItem {
    wanted: usize,
    may: Vec<usize>,
    /// What happened, in order.
    events: Vec<Event>,
}

#[derive(Clone, Copy, PartialEq)]
enum Event {
    Held(usize, i64),
    GivenBack(usize),
    Answered(usize, bool),
    Skipped(usize),
}

impl ModelItem {
    fn answer_of(&self, who: usize) -> Option<bool> {
        let answers = self.events.iter().rev();
        answers
            .filter_map(|event| match event {
                Event::Answered(by, ok) if *by == who => Some(*ok),
                _ => None,
            })
            .next()
    }

    fn lease_end(&self, who: usize, now: i64) -> Option<i64> {
        let mut end = None;
        for event in &self.events {
            match *event {
                Event::Held(by, until) if by == who => end = Some(until),
                Event::GivenBack(by) | Event::Answered(by, _) | Event::Skipped(by) if by == who => {
                    end = None
                }
                _ => {}
            }
        }
        end.filter(|end| *end > now)
    }

    fn skipped(&self, who: usize) -> bool {
        let mut skipped = false;
        for event in &self.events {
            match *event {
                Event::Skipped(by) if by == who => skipped = true,
                Event::Answered(by, _) if by == who => skipped = false,
                _ => {}
            }
        }
        skipped
    }

    fn answered(&self) -> usize {
        (0..3).filter(|who| self.answer_of(*who).is_some()).count()
    }

    fn is_full_for(&self, who: usize, now: i64) -> bool {
        let held = (0..3).filter(|other| *other != who && self.lease_end(*other, now).is_some());
        self.answered() + held.count() >= self.wanted
    }

    fn is_open_to(&self, who: usize) -> bool {
        self.may.contains(&who)
            && self.answered() < self.wanted
            && self.answer_of(who).is_none()
            && !self.skipped(who)
    }
}

#[derive(Default)]
struct Model {
    items: Vec<ModelItem>,
    now: i64,
}

impl Model {
    fn next(&mut self, who: usize, lease: i64) -> Next {
        let (now, until) = (self.now, self.now + lease);
        let held = self
            .items
            .iter()
            .position(|item| item.lease_end(who, now).is_some());
        let free = || {
            self.items
                .iter()
                .position(|item| item.is_open_to(who) && !item.is_full_for(who, now))
        };
        if let Some(index) = held.or_else(free) {
            let end = self.items[index]
                .lease_end(who, now)
                .map_or(until, |end| end.max(until));
            self.items[index].events.push(Event::Held(who, end));
            return Next::Item {
                key: trace(index),
                until_ns: end,
            };
        }
        let left = self.items.iter().filter(|item| item.is_open_to(who));
        let ends = left.flat_map(|item| (0..3).filter_map(|other| item.lease_end(other, now)));
        ends.min()
            .map_or(Next::Done, |until_ns| Next::Wait { until_ns })
    }

    /// Whether the command is allowed.
    fn apply(&mut self, item: usize, event: Event) -> bool {
        let now = self.now;
        let Some(item) = self.items.get_mut(item) else {
            return false;
        };
        let (who, allowed) = match event {
            Event::Answered(who, _) => (
                who,
                item.answer_of(who).is_some() || !item.is_full_for(who, now),
            ),
            Event::Skipped(who) => (who, item.answer_of(who).is_none()),
            Event::Held(who, _) | Event::GivenBack(who) => (who, true),
        };
        if !allowed || !item.may.contains(&who) {
            return false;
        }
        item.events.push(event);
        true
    }
}

fn add(queue: &mut ReviewQueue, model: &mut Model, how: usize, wanted: usize) {
    let assignment = match how {
        0 => Assignment::Open {
            answers_per_item: wanted,
        },
        1 => Assignment::RoundRobin {
            answers_per_item: wanted,
        },
        _ => Assignment::ByHand {
            assignees: REVIEWERS[..wanted]
                .iter()
                .map(|r| (*r).to_owned())
                .collect(),
        },
    };
    queue
        .add_items(vec![trace(model.items.len())], &assignment)
        .unwrap();
    let item = queue.items().last().unwrap();
    // Who takes turns is the subject of a test of its own.
    let is_named = |who: &usize| item.assignees.iter().any(|name| name == REVIEWERS[*who]);
    let may = (0..3).filter(|who| how == 0 || is_named(who)).collect();
    model.items.push(ModelItem {
        wanted,
        may,
        events: Vec::new(),
    });
}

fn answer(ok: bool) -> Map<String, Value> {
    entries(json!({"ok": ok}))
}

fn step(
    queue: &mut ReviewQueue,
    model: &mut Model,
    command: &Command,
) -> Result<(), TestCaseError> {
    let before = queue.clone();
    let now = model.now;
    let key: fn(usize) -> ItemKey = trace;
    let (allowed, wanted) = match *command {
        Command::Next { reviewer, lease_ns } => {
            let found = queue.next(REVIEWERS[reviewer], now, lease_ns).unwrap();
            prop_assert_eq!(found, model.next(reviewer, lease_ns));
            return Ok(());
        }
        Command::Pass { ns } => {
            model.now += ns;
            return Ok(());
        }
        Command::Add { how, wanted } => {
            if model.items.len() < 6 {
                add(queue, model, how, wanted);
            }
            return Ok(());
        }
        Command::Answer { item, reviewer, ok } => (
            queue
                .answer(&key(item), REVIEWERS[reviewer], &answer(ok), None, now)
                .is_ok(),
            model.apply(item, Event::Answered(reviewer, ok)),
        ),
        Command::Skip { item, reviewer } => (
            queue
                .skip(&key(item), REVIEWERS[reviewer], None, now)
                .is_ok(),
            model.apply(item, Event::Skipped(reviewer)),
        ),
        Command::Release { item, reviewer } => (
            queue.release(&key(item), REVIEWERS[reviewer]).is_ok(),
            model.apply(item, Event::GivenBack(reviewer)),
        ),
    };
    prop_assert_eq!(allowed, wanted);
    if !allowed {
        prop_assert_eq!(&*queue, &before);
    }
    Ok(())
}

fn check(queue: &ReviewQueue, model: &Model) -> Result<(), TestCaseError> {
    for (item, wanted) in queue.items().iter().zip(&model.items) {
        let live = (0..3)
            .filter(|who| item.is_held_by(REVIEWERS[*who], model.now))
            .count();
        prop_assert!(
            item.answers_given() + live <= item.answers_wanted,
            "too many for {}",
            item.key
        );
        let answers = item.current_answers();
        for (who, name) in REVIEWERS.iter().enumerate() {
            let said = answers
                .get(name)
                .map(|answer| answer.values["ok"].to_json() == json!(true));
            prop_assert_eq!(said, wanted.answer_of(who));
            prop_assert_eq!(
                item.is_held_by(name, model.now),
                wanted.lease_end(who, model.now).is_some()
            );
        }
        let all = wanted
            .events
            .iter()
            .filter(|event| matches!(event, Event::Answered(..)));
        prop_assert_eq!(item.answers.len(), all.count());
        let willing = (0..3).filter(|who| wanted.is_open_to(*who)).count();
        let state = if wanted.answered() == wanted.wanted {
            ItemState::Complete
        } else if wanted.answered() + willing < wanted.wanted {
            ItemState::Stuck
        } else {
            ItemState::Open
        };
        prop_assert_eq!(queue.state(item), state);
    }
    let progress = queue.progress(model.now);
    prop_assert_eq!(
        progress.answers_given,
        model.items.iter().map(ModelItem::answered).sum::<usize>()
    );
    Ok(())
}

/// Everyone asks and answers until there is nothing left; then no item may be open.
fn finish(queue: &mut ReviewQueue, mut now: i64) -> Result<(), TestCaseError> {
    for round in 0.. {
        prop_assert!(round < 100, "it must come to an end");
        let mut is_done = true;
        for reviewer in REVIEWERS {
            match queue.next(reviewer, now, 5).unwrap() {
                Next::Item { key, .. } => {
                    is_done = false;
                    queue
                        .answer(&key, reviewer, &answer(true), None, now)
                        .unwrap();
                }
                Next::Wait { until_ns } => {
                    is_done = false;
                    now = until_ns;
                }
                Next::Done => {}
            }
        }
        if is_done {
            break;
        }
    }
    for item in queue.items() {
        prop_assert_ne!(queue.state(item), ItemState::Open, "{}", item.key);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_queue_is_the_model(commands in prop::collection::vec(command(), 0..60)) {
        let mut queue = queue(&REVIEWERS);
        let mut model = Model::default();
        for command in &commands {
            step(&mut queue, &mut model, command)?;
            check(&queue, &model)?;
        }
        let text = serde_json::to_string(&queue).unwrap();
        prop_assert_eq!(&serde_json::from_str::<ReviewQueue>(&text).unwrap(), &queue);
        finish(&mut queue, model.now)?;
    }

    #[test]
    fn turns_differ_by_one_at_most(
        reviewers in 1..6usize,
        batches in prop::collection::vec((1..6usize, 1..8usize), 1..5),
    ) {
        let names: Vec<String> = (0..reviewers).map(|n| format!("r{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut queue = queue(&names);
        for (wanted, items) in batches {
            let first = queue.items().len();
            let answers_per_item = wanted.min(reviewers);
            let keys = (first..first + items).map(trace).collect();
            queue.add_items(keys, &Assignment::RoundRobin { answers_per_item }).unwrap();
            for item in &queue.items()[first..] {
                let mut different = item.assignees.clone();
                different.sort_unstable();
                different.dedup();
                prop_assert_eq!(different.len(), answers_per_item);
            }
            let assigned: Vec<usize> = queue.progress(0).by_reviewer.iter().map(|r| r.assigned).collect();
            let (least, most) = (assigned.iter().min().unwrap(), assigned.iter().max().unwrap());
            prop_assert!(most - least <= 1, "{:?}", assigned);
        }
    }

    #[test]
    fn a_clock_that_jumps_breaks_no_seat(steps in prop::collection::vec((0..3usize, 0..30i64, 1..10i64), 1..40)) {
        let mut queue = queue(&REVIEWERS);
        queue.add_items((0..2).map(trace).collect(), &Assignment::Open { answers_per_item: 1 }).unwrap();
        for (reviewer, now, lease_ns) in steps {
            queue.next(REVIEWERS[reviewer], now, lease_ns).unwrap();
            // However early it is read: two leases never live together.
            for item in queue.items() {
                prop_assert!(item.leases.values().filter(|end| **end > now).count() <= 1);
                prop_assert!(item.leases.len() <= 1);
            }
        }
    }
}
