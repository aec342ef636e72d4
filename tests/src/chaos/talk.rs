//! What was said about other messages, and between whom nothing was to be said: for reports.

use std::fmt;

use rookery_client::ReferenceKind;

use crate::history::{Handed, History, What};

/// How much of it there was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Talk {
    replies: usize,
    reactions: usize,
    edits: usize,
    deletions: usize,
    timers: usize,
    /// Messages of two users, and such about others, that were refused.
    refused: usize,
    /// Messages handed up without what they said.
    emptied: usize,
    blocks_asked: usize,
    blocks_done: usize,
    looked_back: usize,
    recalled: usize,
    recalled_entries: usize,
}

impl Talk {
    /// In a history.
    pub(super) fn of(history: &History) -> Self {
        let mut talk = Self::default();
        for entry in &history.entries {
            match &entry.what {
                What::Enqueued { said, .. } => match said.reference.map(|reference| reference.kind) {
                    Some(ReferenceKind::Reply) => talk.replies += 1,
                    Some(ReferenceKind::Reaction) => talk.reactions += 1,
                    Some(ReferenceKind::Edit) => talk.edits += 1,
                    Some(ReferenceKind::Delete) => talk.deletions += 1,
                    Some(ReferenceKind::Timer) => talk.timers += 1,
                    Some(ReferenceKind::Unknown(_)) | None => {}
                },
                What::Refused { .. } => talk.refused += 1,
                What::Handed(Handed { deleted: true, .. }) => talk.emptied += 1,
                What::BlockAsked { .. } => talk.blocks_asked += 1,
                What::BlockDone { .. } => talk.blocks_done += 1,
                What::Recalled(recalled) if recalled.at_rest.is_none() => talk.looked_back += 1,
                What::Recalled(recalled) => {
                    talk.recalled += 1;
                    talk.recalled_entries += recalled.entries.len();
                }
                _ => {}
            }
        }
        talk
    }
}

impl fmt::Display for Talk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { replies, reactions, edits, deletions, timers, refused, .. } = self;
        writeln!(
            f,
            "  said       {replies} replies, {reactions} reactions, {edits} edits, {deletions} deletions, {timers} timers"
        )?;
        let Self { emptied, blocks_asked, blocks_done, looked_back, recalled, recalled_entries, .. } = self;
        writeln!(f, "             {refused} messages refused, {emptied} handed up without what they said")?;
        writeln!(
            f,
            "  blocks     {blocks_asked} asked for or to be ended, {} without an answer",
            blocks_asked - blocks_done
        )?;
        writeln!(
            f,
            "  asked      {looked_back} times in the storm what was said; at rest {recalled} clients' conversations, \
             {recalled_entries} entries"
        )
    }
}
