//! From spans to the lines of a tree, without recursion: traces may be thousands of spans deep.
//!
//! Invariant: every span is on exactly one line, whatever its parents say. A span whose parent never
//! came is an orphan and heads a tree of its own; of spans that are each other's ancestors the
//! earliest heads the rest.

use std::collections::HashMap;

use tracehouse::model::Span;

/// Deeper branches are drawn at this depth: a chain of many thousand spans would take quadratic room.
const STEM_BYTES_MAX: usize = 192;

/// Why a span heads a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// It has no parent.
    Root,
    /// Its parent is not in the trace.
    Orphan,
    /// Its parents lead back to it.
    Cycle,
}

/// One line of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Index of the span.
    pub span: usize,
    /// The branches drawn before the name.
    pub branches: String,
    /// The branches drawn before further lines of the same span.
    pub below: String,
    /// Set on the first line of a tree.
    pub head: Option<Head>,
}

/// The lines of all trees: roots, then orphans, then cycles, each in the order of `spans`.
pub fn lines(spans: &[Span]) -> Vec<Line> {
    let index: HashMap<&str, usize> = spans
        .iter()
        .enumerate()
        .map(|(at, span)| (span.span_id.as_str(), at))
        .collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
    let (mut roots, mut orphans) = (Vec::new(), Vec::new());
    for (at, span) in spans.iter().enumerate() {
        match span.parent_span_id.as_deref() {
            None => roots.push(at),
            Some(parent) => match index
                .get(parent)
                .and_then(|parent| children.get_mut(*parent))
            {
                Some(siblings) => siblings.push(at),
                None => orphans.push(at),
            },
        }
    }
    let mut walk = Walk {
        children,
        seen: vec![false; spans.len()],
        lines: Vec::with_capacity(spans.len()),
    };
    roots.iter().for_each(|at| walk.tree(*at, Head::Root));
    orphans.iter().for_each(|at| walk.tree(*at, Head::Orphan));
    // Whatever is left has parents that lead in a circle.
    (0..spans.len()).for_each(|at| walk.tree(at, Head::Cycle));
    debug_assert_eq!(walk.lines.len(), spans.len());
    walk.lines
}

struct Walk {
    children: Vec<Vec<usize>>,
    seen: Vec<bool>,
    lines: Vec<Line>,
}

impl Walk {
    fn tree(&mut self, head: usize, kind: Head) {
        let mut todo = vec![Line {
            span: head,
            branches: String::new(),
            below: String::new(),
            head: Some(kind),
        }];
        while let Some(mut line) = todo.pop() {
            match self.seen.get_mut(line.span) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            let mut children = self
                .children
                .get_mut(line.span)
                .map(std::mem::take)
                .unwrap_or_default();
            children.retain(|child| self.seen.get(*child) == Some(&false));
            let stem = line.below.clone();
            for (at, child) in children.iter().enumerate().rev() {
                let last = at + 1 == children.len();
                todo.push(Line {
                    span: *child,
                    branches: format!("{stem}{}", if last { "└─ " } else { "├─ " }),
                    below: grown(&stem, if last { "   " } else { "│  " }),
                    head: None,
                });
            }
            line.below
                .push_str(if children.is_empty() { "  " } else { "│ " });
            self.lines.push(line);
        }
    }
}

/// `stem` with one more branch, up to the depth that is drawn.
fn grown(stem: &str, branch: &str) -> String {
    if stem.len() >= STEM_BYTES_MAX {
        stem.to_string()
    } else {
        format!("{stem}{branch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: &str, parent: Option<&str>) -> Span {
        Span {
            span_id: id.into(),
            parent_span_id: parent.map(Into::into),
            ..Span::default()
        }
    }

    fn drawn(spans: &[Span]) -> Vec<String> {
        lines(spans)
            .iter()
            .map(|line| format!("{}{}", line.branches, spans[line.span].span_id))
            .collect()
    }

    #[test]
    fn children_are_below_their_parents() {
        let spans = [
            span("r", None),
            span("a", Some("r")),
            span("b", Some("r")),
            span("c", Some("a")),
            span("d", Some("c")),
        ];
        assert_eq!(
            drawn(&spans),
            ["r", "├─ a", "│  └─ c", "│     └─ d", "└─ b"]
        );
    }

    #[test]
    fn orphans_and_cycles_are_shown_once() {
        let spans = [
            span("x", Some("y")),
            span("y", Some("x")),
            span("self", Some("self")),
            span("o", Some("gone")),
            span("r", None),
        ];
        let heads: Vec<_> = lines(&spans)
            .iter()
            .map(|line| (line.span, line.head))
            .collect();
        assert_eq!(
            heads,
            [
                (4, Some(Head::Root)),
                (3, Some(Head::Orphan)),
                (0, Some(Head::Cycle)),
                (1, None),
                (2, Some(Head::Cycle))
            ]
        );
    }

    #[test]
    fn deep_chains_do_not_recurse() {
        let ids: Vec<String> = (0..2_000).map(|n| format!("s{n}")).collect();
        let spans: Vec<Span> = ids
            .iter()
            .enumerate()
            .map(|(n, id)| span(id, n.checked_sub(1).map(|p| ids[p].as_str())))
            .collect();
        let lines = lines(&spans);
        assert_eq!(lines.len(), 2_000);
        assert!(
            lines
                .iter()
                .all(|line| line.branches.len() < STEM_BYTES_MAX + 16)
        );
    }
}
