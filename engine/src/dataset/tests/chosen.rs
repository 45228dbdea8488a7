//! What a dataset is built of, against a model in plain code: strata, quotas, the newest of each session, limits; the
//! same wherever rows are.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use twox_hash::XxHash3_64;

use super::*;

const SECOND_NS: i64 = 1_000_000_000;
/// 2023-11-14T22:00:00Z.
const START_NS: i64 = 1_699_999_200 * SECOND_NS;

/// Numbers by chance, which a seed decides.
struct Chance {
    seed: u64,
    drawn: u64,
}

impl Chance {
    fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// Below a bound.
    fn below(&mut self, bound: u64) -> u64 {
        self.drawn += 1;
        XxHash3_64::oneshot_with_seed(self.seed, &self.drawn.to_le_bytes()) % bound
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// A trace as the model knows it.
#[derive(Debug, Clone)]
struct Made {
    id: String,
    start_ns: i64,
    inputs: Option<String>,
    session: Option<String>,
    models: BTreeSet<String>,
    /// Given in this order: the last counts.
    feedback: Vec<&'static str>,
    tag: Option<&'static str>,
}

const KEYS: [&str; 6] = [
    "model",
    "feedback.ok",
    "hour",
    "day",
    "tags.kind",
    "session_id",
];

impl Made {
    fn by(chance: &mut Chance, number: u32) -> Self {
        let asks = chance.below(30);
        let models: BTreeSet<String> = (0..chance.below(3))
            .map(|_| chance.one_of(&["m1", "m2", "m3"]).to_string())
            .collect();
        Self {
            id: trace_id(number + 1),
            // Several begin at one time.
            start_ns: START_NS + chance.below(60) as i64 * 600 * SECOND_NS,
            models,
            inputs: (asks > 2).then(|| format!(r#"{{"q":{}}}"#, asks + u64::from(number % 2) * 50)),
            session: (chance.below(4) > 0).then(|| format!("s{}", chance.below(9))),
            feedback: (0..chance.below(3))
                .map(|_| chance.one_of(&["true", "false", "\"so so\"", "null"]))
                .collect(),
            tag: chance.one_of(&[None, Some("a"), Some("b"), Some("")]),
        }
    }

    fn stratum(&self, key: &str) -> Option<String> {
        let since = (self.start_ns - START_NS) / SECOND_NS;
        match key {
            "model" => {
                let all: Vec<&str> = self.models.iter().map(String::as_str).collect();
                (!all.is_empty()).then(|| all.join(", "))
            }
            "feedback.ok" => {
                let last = self.feedback.last().filter(|json| **json != "null");
                last.map(|json| json.trim_matches('"').to_string())
            }
            "hour" => Some(match 22 + since / 3600 {
                hour @ ..24 => format!("2023-11-14T{hour:02}:00:00Z"),
                hour => format!("2023-11-15T{:02}:00:00Z", hour - 24),
            }),
            "day" => Some(
                if since < 7200 {
                    "2023-11-14"
                } else {
                    "2023-11-15"
                }
                .into(),
            ),
            "tags.kind" => self.tag.map(str::to_string),
            _ => self.session.clone(),
        }
    }

    fn store(&self, db: &Database) {
        let span = |at: usize, parent: Option<String>, model: Option<&String>| Span {
            trace_id: self.id.clone(),
            span_id: format!("{at:016x}"),
            parent_span_id: parent,
            session_id: self.session.clone(),
            start_time_ns: self.start_ns,
            end_time_ns: Some(self.start_ns + 1),
            model: model.cloned(),
            inputs: self.inputs.clone().filter(|_| at == 1),
            ..root(1, None, None)
        };
        let mut spans = vec![span(1, None, None)];
        let calls = self.models.iter().enumerate();
        spans.extend(
            calls.map(|(at, model)| span(at + 2, Some(format!("{:016x}", 1)), Some(model))),
        );
        db.append(&spans).unwrap();
        for value in &self.feedback {
            db.assess(&self.id, NewAssessment::feedback("ok", *value))
                .unwrap();
        }
        if let Some(tag) = self.tag {
            db.set_tag(&self.id, "kind", tag).unwrap();
        }
    }
}

fn number_of(id: &str, seed: u64) -> u64 {
    XxHash3_64::oneshot_with_seed(seed, id.as_bytes())
}

/// What a sample is taken of: the first trace of each record, newest first.
fn firsts<'m>(all: &'m [Made], sample: &Sample, limit: Option<usize>) -> Vec<&'m Made> {
    let mut asking: Vec<&Made> = all.iter().filter(|one| one.inputs.is_some()).collect();
    asking.sort_by_key(|one| (-one.start_ns, one.id.clone()));
    let mut sessions = HashSet::new();
    // In this order the first of a session is its newest.
    asking.retain(|one| {
        let session = one.session.as_ref().filter(|_| sample.newest_per_session);
        session.is_none_or(|session| sessions.insert(session))
    });
    let mut known = HashSet::new();
    asking.retain(|one| known.insert(&one.inputs));
    asking.truncate(limit.unwrap_or(usize::MAX));
    asking
}

/// Checks that what was chosen is what the sample's rules allow: the seed decides within a stratum, quotas are kept, the
/// others share the rest in proportion.
fn check_chosen(firsts: &[&Made], sample: &Sample, chosen: &BTreeSet<String>) {
    let mut strata: BTreeMap<Option<String>, Vec<&Made>> = BTreeMap::new();
    for one in firsts {
        let stratum = sample.stratify.as_ref().and_then(|key| one.stratum(key));
        strata.entry(stratum).or_default().push(one);
    }
    let (mut of_quotas, mut of_others, mut others) = (0, Vec::new(), 0);
    for (stratum, mut all) in strata {
        all.sort_by_key(|one| number_of(&one.id, sample.seed));
        let taken = all.iter().filter(|one| chosen.contains(&one.id)).count();
        let first: BTreeSet<&String> = all.iter().take(taken).map(|one| &one.id).collect();
        assert!(
            all.iter()
                .all(|one| first.contains(&one.id) == chosen.contains(&one.id)),
            "the smallest numbers of {stratum:?}"
        );
        match sample.quotas.iter().find(|(value, _)| *value == stratum) {
            Some((_, quota)) => {
                assert_eq!(taken, all.len().min(*quota), "{stratum:?}");
                of_quotas += taken;
            }
            None => {
                others += all.len();
                of_others.push((all.len(), taken));
            }
        }
    }
    let left = match sample.count {
        Some(count) => (count - of_quotas).min(others),
        None if sample.quotas.is_empty() => others,
        None => 0,
    };
    assert_eq!(
        of_others.iter().map(|(_, taken)| taken).sum::<usize>(),
        left
    );
    assert_eq!(of_quotas + left, chosen.len());
    if left >= of_others.len() {
        assert!(
            of_others.iter().all(|(_, taken)| *taken > 0),
            "{of_others:?}"
        );
    }
    for (size, taken) in &of_others {
        let share = (size * left).div_ceil(others.max(1)).max(1);
        assert!(*taken <= share, "{taken} of {size}, at most {share}");
    }
}

fn sample_by(chance: &mut Chance) -> (Sample, Option<usize>) {
    let mut sample = Sample::all(chance.below(4));
    if chance.below(3) > 0 {
        sample = sample.stratify(chance.one_of(&KEYS));
        let values = [
            "m1",
            "m1, m2",
            "true",
            "a",
            "",
            "s1",
            "2023-11-15",
            "2023-11-14T23:00:00Z",
        ];
        let mut quotas: BTreeSet<Option<&str>> = BTreeSet::new();
        for _ in 0..chance.below(4) {
            quotas.insert(match chance.below(4) {
                0 => None,
                _ => Some(chance.one_of(&values)),
            });
        }
        for value in quotas {
            sample = sample.quota(value, chance.below(5) as usize);
        }
    }
    if chance.below(2) == 0 {
        let quotas: usize = sample.quotas.iter().map(|(_, quota)| quota).sum();
        sample.count = Some(quotas + chance.below(30) as usize);
    }
    sample.newest_per_session = chance.below(2) == 0;
    let limit = (chance.below(3) == 0).then(|| chance.below(40) as usize);
    (sample, limit)
}

/// The traces that a new dataset of a sample is made of.
fn built(db: &Database, name: &str, search: &Search, sample: &Sample) -> BTreeSet<String> {
    let dataset = db.create_dataset(name).unwrap();
    let plan = dataset.plan_traces(search, Some(sample)).unwrap();
    let report = dataset.add_sample(search, sample).unwrap();
    assert_eq!(report.inserted, plan.chosen);
    for (value, there, quota) in &report.unmet_quotas {
        let planned = plan.strata.iter().find(|(stratum, ..)| stratum == value);
        assert_eq!(
            planned,
            Some(&(value.clone(), *there, *there)),
            "of {quota}"
        );
    }
    let records = dataset.rows(None).unwrap().into_iter();
    records
        .filter_map(|record| record.source_trace_id)
        .collect()
}

#[test]
fn what_is_chosen_is_what_a_plain_model_allows_and_the_same_wherever_rows_are() {
    for round in 0..6 {
        let mut chance = Chance::new(round);
        let count = 40 + chance.below(80) as u32;
        let all: Vec<Made> = (0..count)
            .map(|number| Made::by(&mut chance, number))
            .collect();
        let asked: Vec<(Sample, Option<usize>)> = (0..25).map(|_| sample_by(&mut chance)).collect();
        let mut before: Vec<BTreeSet<String>> = Vec::new();
        // All in memory; in segments of any size, stored in another order.
        for layout in 0..2 {
            let db = Database::in_memory().unwrap();
            let mut stored: Vec<&Made> = all.iter().collect();
            if layout > 0 {
                stored.sort_by_key(|one| number_of(&one.id, round));
            }
            for one in stored {
                one.store(&db);
                if layout > 0 && chance.below(8) == 0 {
                    db.seal().unwrap();
                }
            }
            for (at, (sample, limit)) in asked.iter().enumerate() {
                let search = Search {
                    limit: *limit,
                    ..Search::new("")
                };
                let chosen = built(&db, &format!("d{at}"), &search, sample);
                check_chosen(&firsts(&all, sample, *limit), sample, &chosen);
                if layout > 0 {
                    assert_eq!(chosen, before[at], "{sample:?} of {limit:?}");
                } else {
                    before.push(chosen);
                }
            }
        }
    }
}

#[test]
fn of_the_spans_of_a_session_the_newest_is_taken() {
    let db = Database::in_memory().unwrap();
    for trace in 1..=4 {
        db.append(&[
            root(trace, Some(&format!("\"{trace}\"")), None),
            child(trace),
        ])
        .unwrap();
    }
    let dataset = db.create_dataset("d").unwrap();
    let search = Search::new("span.name = 'answer'");
    let newest = Sample::all(0).newest_per_session();
    let plan = dataset.plan_spans(&search, Some(&newest)).unwrap();
    assert_eq!((plan.found, plan.older, plan.chosen), (8, 6, 1));
    dataset.add_span_sample(&search, &newest).unwrap();
    let mut sources: Vec<_> = dataset.rows(None).unwrap().into_iter().collect();
    sources.sort_by(|a, b| a.source_trace_id.cmp(&b.source_trace_id));
    let spans = sources
        .iter()
        .map(|record| record.source_span_id.clone().unwrap());
    // The children of all begin at one time, after the roots; of a session's two the first by id is taken.
    assert_eq!(sources.len(), 1, "the inputs of both are the same");
    assert_eq!(spans.collect::<Vec<_>>(), ["c0000000000000ff"]);
    assert!(
        dataset.sample(&newest).is_err(),
        "records have no sessions of their own"
    );
}

#[test]
fn a_later_session_without_inputs_leaves_the_one_before() {
    let db = Database::in_memory().unwrap();
    db.append(&[
        root(1, Some("\"old\""), None),
        root(3, Some("\"newer\""), None),
        root(5, None, None),
    ])
    .unwrap();
    let dataset = db.create_dataset("d").unwrap();
    let search = Search::new("").order_by(["timestamp ASC"]);
    let newest = Sample::all(0).newest_per_session();
    let report = dataset.add_sample(&search, &newest).unwrap();
    assert_eq!((report.inserted, report.skipped), (1, 1));
    assert_eq!(dataset.rows(None).unwrap()[0].inputs, "\"newer\"");
}
