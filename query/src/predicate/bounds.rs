//! What the top-level conjunction of a predicate implies: time bounds and usable equalities.
//!
//! Both may be weaker than the predicate, never stronger (QU-2).

use super::{Condition, Field, Predicate, Test};

/// Equality of an indexed key with one of `values`, implied by a predicate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equality {
    /// The indexed key.
    pub key: EqualityKey,
    /// One of these, sorted and distinct; none = no trace matches.
    pub values: Vec<String>,
}

/// Keys of traces that have an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EqualityKey {
    /// `trace_id`, normalized.
    TraceId,
    /// `session_id`.
    Session,
    /// `user_id`.
    User,
    /// `state`.
    State,
    /// `service_name`.
    Service,
    /// The tag of this name.
    Tag(String),
}

impl Predicate {
    /// Inclusive bounds on `request_time` in Unix nanoseconds that every match satisfies.
    pub fn time_bounds(&self) -> (Option<i64>, Option<i64>) {
        let (mut min, mut max) = (i64::MIN, i64::MAX);
        self.for_each_required(&mut |condition| {
            if let (Field::Int("request_time"), Test::Int(test)) =
                (&condition.field, &condition.test)
                && let Some((low, high)) = test.hull()
            {
                min = min.max(low);
                max = max.min(high);
            }
        });
        (
            (min > i64::MIN).then_some(min),
            (max < i64::MAX).then_some(max),
        )
    }

    /// Equalities on indexed keys that every match satisfies.
    pub fn required_equalities(&self) -> Vec<Equality> {
        let mut equalities = Vec::new();
        self.for_each_required(&mut |condition| equalities.extend(condition.equality()));
        equalities
    }

    /// Calls `see` with every condition on `traces` that all matches satisfy.
    pub(crate) fn for_each_required<'a>(&'a self, see: &mut dyn FnMut(&'a Condition)) {
        match self {
            Predicate::And(operands) => operands
                .iter()
                .for_each(|operand| operand.for_each_required(see)),
            Predicate::Trace(condition) => see(condition),
            _ => {}
        }
    }
}

impl Predicate {
    /// Whether any part of it is about something other than the trace's own row.
    pub fn has_leaves(&self) -> bool {
        match self {
            Predicate::Const(_) | Predicate::Trace(_) => false,
            Predicate::And(operands) | Predicate::Or(operands) => {
                operands.iter().any(Predicate::has_leaves)
            }
            Predicate::Not(operand) => operand.has_leaves(),
            Predicate::Span(_) | Predicate::Assessment(_) | Predicate::Dataset(_) => true,
        }
    }
}

impl Condition {
    fn equality(&self) -> Option<Equality> {
        let Test::Text(test) = &self.test else {
            return None;
        };
        let key = match &self.field {
            Field::TraceId => EqualityKey::TraceId,
            Field::Text("session_id") => EqualityKey::Session,
            Field::Text("user_id") => EqualityKey::User,
            Field::Text("state") => EqualityKey::State,
            Field::Text("service_name") => EqualityKey::Service,
            Field::Map {
                column: "tags",
                key,
            } => EqualityKey::Tag(key.clone()),
            _ => return None,
        };
        test.equalities().map(|values| Equality {
            key,
            values: values.to_vec(),
        })
    }
}
