//! Lives to crash: written out, or made up from a seed.

use std::collections::VecDeque;

use super::model::{ROOT, Write};
use super::workload::Step::{self, Compact, Group, Kill, Reopen, Seal};
use super::workload::Workload;
use crate::order::Random;

/// Spans 1 to `spans` of traces.
fn spans(traces: impl IntoIterator<Item = u8>, spans: u8, version: u16) -> Write {
    let of = |trace| (1..=spans).map(move |span| (trace, span, version));
    Write::Spans(traces.into_iter().flat_map(of).collect())
}

fn life(name: &str, flush_bytes_max: usize, steps: Vec<Step>) -> Workload {
    Workload {
        name: name.into(),
        steps,
        flush_bytes_max,
    }
}

/// The lives that are written out.
pub fn written_out() -> Vec<Workload> {
    [of_rows(), of_changes(), of_ends()].concat()
}

fn batch(trace: u8, version: u16) -> Step {
    Step::Write(spans([trace, trace + 1], 2, version))
}

fn write(write: Write) -> Step {
    Step::Write(write)
}

/// Lives in which rows come and move.
fn of_rows() -> Vec<Workload> {
    vec![
        life(
            "ingest",
            1 << 20,
            vec![
                batch(1, 1),
                Group(vec![
                    spans([10], 1, 2),
                    spans([11], 2, 3),
                    spans([12], 1, 4),
                ]),
                batch(2, 5),
                Kill,
                batch(3, 6),
                Group(vec![spans([13], 1, 7), spans([14], 1, 8)]),
                Kill,
                batch(4, 9),
            ],
        ),
        life(
            "seal",
            1 << 20,
            vec![
                batch(1, 1),
                Seal,
                batch(2, 2),
                Reopen,
                batch(5, 3),
                Seal,
                batch(1, 4),
                Kill,
                batch(7, 5),
                Reopen,
            ],
        ),
        life(
            "compact",
            1 << 20,
            vec![
                batch(1, 1),
                Seal,
                batch(2, 2),
                Seal,
                write(Write::Delete(2)),
                write(Write::Tag(3, 4)),
                Compact,
                Seal,
                Compact,
                batch(8, 3),
                Reopen,
                write(Write::Delete(1)),
            ],
        ),
    ]
}

/// Lives in which they change.
fn of_changes() -> Vec<Workload> {
    vec![
        life(
            "mutate",
            1 << 20,
            vec![
                batch(1, 1),
                write(Write::Tag(1, 2)),
                write(Write::Assess(1, 1, 3)),
                Seal,
                write(Write::Tag(1, 4)),
                write(Write::Assess(1, 1, 5)),
                write(Write::Assess(2, 2, 6)),
                Kill,
                write(Write::Unassess(1, 1)),
                write(Write::Delete(2)),
                Reopen,
                write(Write::Tag(1, 7)),
                batch(2, 8),
            ],
        ),
        life(
            "settle",
            1 << 20,
            vec![
                write(Write::Spans(vec![(1, 2, 1), (2, 2, 1), (3, 2, 1)])),
                write(Write::Settle(1)),
                Kill,
                write(Write::Spans(vec![(1, 3, 2)])),
                Seal,
                write(Write::Settle(2)),
                Compact,
                write(Write::Spans(vec![(2, ROOT, 3)])),
                write(Write::Settle(3)),
                Reopen,
                write(Write::Delete(1)),
                write(Write::Spans(vec![(1, 2, 4)])),
            ],
        ),
        life(
            "catalogue",
            1 << 20,
            vec![
                write(Write::Catalog(1, 1)),
                batch(1, 2),
                write(Write::Catalog(2, 3)),
                write(Write::Catalog(1, 4)),
                Seal,
                Reopen,
                write(Write::Catalog(2, 5)),
                Kill,
                write(Write::Catalog(3, 6)),
            ],
        ),
    ]
}

/// Lives in which bytes have to go, and one that seals all the time.
fn of_ends() -> Vec<Workload> {
    vec![
        life(
            "erase",
            1 << 20,
            vec![
                batch(1, 1),
                Seal,
                write(Write::Assess(2, 1, 2)),
                batch(2, 3),
                Seal,
                Compact,
                batch(4, 4),
                write(Write::Erase(2)),
                batch(6, 5),
                write(Write::Erase(6)),
                Kill,
                write(Write::Erase(1)),
                Reopen,
                batch(1, 6),
            ],
        ),
        life(
            "small memtables",
            1,
            vec![
                batch(1, 1),
                batch(2, 2),
                write(Write::Tag(2, 3)),
                batch(3, 4),
                Kill,
                Compact,
                batch(1, 5),
                write(Write::Delete(3)),
                Reopen,
            ],
        ),
    ]
}

/// A life made up from a seed.
pub fn made_up(seed: u64) -> Workload {
    let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut version = 0;
    let mut next = |random: &mut Random| {
        version += 1;
        let (trace, id) = (1 + random.below(6) as u8, 1 + random.below(3) as u8);
        match random.below(27) {
            0..=7 => Step::Write(spans([trace, trace + 1], id, version)),
            8 => Step::Group(
                (0..1 + id)
                    .map(|n| spans([n * 8 + trace], 1, version))
                    .collect(),
            ),
            9..=10 => Step::Write(Write::Tag(trace, version)),
            11 => Step::Write(Write::Assess(trace, id, version)),
            12 => Step::Write(Write::Unassess(trace, id)),
            13..=14 => Step::Write(Write::Delete(trace)),
            15 => Step::Write(Write::Catalog(id, version)),
            16..=18 => Step::Seal,
            19..=20 => Step::Compact,
            21 => Step::Reopen,
            22 => Step::Write(Write::Erase(trace)),
            // Spans without the root.
            23 => Step::Write(Write::Spans(vec![
                (trace, 2, version),
                (trace + 1, 3, version),
            ])),
            24 => Step::Write(Write::Settle(trace)),
            _ => Step::Kill,
        }
    };
    let steps: VecDeque<Step> = (0..9).map(|_| next(&mut random)).collect();
    let flush_bytes_max = if random.below(5) == 0 { 1 } else { 1 << 20 };
    Workload {
        name: format!("seed {seed}"),
        steps: steps.into(),
        flush_bytes_max,
    }
}
