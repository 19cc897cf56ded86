//! The members of one channel.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::hub::message::Member;
use crate::ids::ConnId;

#[derive(Debug, Default)]
pub(super) struct Members {
    states: BTreeMap<ConnId, Bytes>,
    /// Kept until the next change: when a crowd reconnects, everybody asks for the same list.
    snapshot: Option<Arc<[Member]>>,
}

impl Members {
    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    pub(super) fn first(&self, limit: usize) -> Vec<Member> {
        let first = self.states.iter().take(limit);
        first
            .map(|(&id, state)| Member {
                id,
                state: state.clone(),
            })
            .collect()
    }

    pub(super) fn contains(&self, id: ConnId) -> bool {
        self.states.contains_key(&id)
    }

    pub(super) fn insert(&mut self, id: ConnId, state: Bytes) {
        self.snapshot = None;
        self.states.insert(id, state);
    }

    /// Whether it was a member.
    pub(super) fn remove(&mut self, id: ConnId) -> bool {
        self.snapshot = None;
        self.states.remove(&id).is_some()
    }

    pub(super) fn snapshot(&mut self) -> Arc<[Member]> {
        let states = &self.states;
        let list = || {
            states
                .iter()
                .map(|(&id, state)| Member {
                    id,
                    state: state.clone(),
                })
                .collect()
        };
        self.snapshot.get_or_insert_with(list).clone()
    }
}
