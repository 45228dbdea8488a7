//! Union-find: which things are joined, directly or over others.
//!
//! Invariant: [`UnionFind::groups`] depends on what was joined, not on the order of joining.

/// Things by position, each in one group.
#[derive(Debug)]
pub(super) struct UnionFind {
    parents: Vec<u32>,
}

impl UnionFind {
    /// So many things, each alone.
    pub(super) fn new(things: u32) -> Self {
        Self {
            parents: (0..things).collect(),
        }
    }

    /// The thing that stands for the group.
    pub(super) fn find(&mut self, thing: u32) -> u32 {
        let mut at = thing;
        loop {
            let parent = self.parent(at);
            if parent == at {
                return at;
            }
            let above = self.parent(parent);
            self.set_parent(at, above);
            at = above;
        }
    }

    /// Joins two groups; the smaller position stands for both.
    pub(super) fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.find(a), self.find(b));
        self.set_parent(a.max(b), a.min(b));
    }

    /// Every group, ascending inside and by their first.
    pub(super) fn groups(&mut self) -> Vec<Vec<u32>> {
        let things = self.parents.len() as u32;
        let mut members: Vec<Vec<u32>> = vec![Vec::new(); self.parents.len()];
        for thing in 0..things {
            let root = self.find(thing) as usize;
            if let Some(group) = members.get_mut(root) {
                group.push(thing);
            }
        }
        members.retain(|group| !group.is_empty());
        members
    }

    fn parent(&self, thing: u32) -> u32 {
        self.parents.get(thing as usize).copied().unwrap_or(thing)
    }

    fn set_parent(&mut self, thing: u32, parent: u32) {
        if let Some(slot) = self.parents.get_mut(thing as usize) {
            *slot = parent;
        }
    }
}
