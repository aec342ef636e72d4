//! What kind of thing somebody says: mostly something of its own, sometimes about another message.
//!
//! A plan knows the kind. Which message it is about is found when it is said: one of the last that anybody was handed.

use rand::RngExt;
use rand::rngs::StdRng;
use rookery_client::{Body, ConversationId, Reference, ReferenceKind, Seq, UserId};

use crate::fleet::Fleet;
use crate::history::{Client, Said};

/// After how long messages disappear where a timer is set, in seconds; 0: they no longer do.
const TIMERS_S: [u32; 4] = [0, 0, 5, 30];

/// Bytes of a reaction.
const REACTION_BYTES: usize = 8;

/// As many bytes, or some more, that begin with what tells one message from another.
pub fn words(beginning: String, bytes: usize) -> Vec<u8> {
    let mut words = beginning.into_bytes();
    words.resize(words.len().max(bytes), b'.');
    words
}

/// What kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saying {
    /// Something of its own.
    Plain,
    /// Something about another message.
    About {
        /// What it does to it.
        kind: ReferenceKind,
        /// Whether it may be anybody's message; else it is an own one.
        anybodys: bool,
        /// Which of them.
        pick: u32,
    },
    /// After so many seconds messages disappear from here on; 0: they no longer do.
    Timer(u32),
}

impl Saying {
    pub(super) fn random(rng: &mut StdRng) -> Self {
        let (kind, anybodys) = match rng.random_range(0..200) {
            0..24 => (ReferenceKind::Reply, true),
            24..44 => (ReferenceKind::Reaction, true),
            // Some try what they may not do.
            44..56 => (ReferenceKind::Edit, rng.random_ratio(1, 10)),
            56..66 => (ReferenceKind::Delete, rng.random_ratio(1, 3)),
            66 => return Self::Timer(TIMERS_S[rng.random_range(0..TIMERS_S.len())]),
            _ => return Self::Plain,
        };
        Self::About { kind, anybodys, pick: rng.random() }
    }

    /// Lets a client say it.
    pub async fn say(self, fleet: &Fleet, client: usize, place: ConversationId, words: Vec<u8>) {
        let said = fleet.recorder().progress(|history, progress| {
            let user = history.owner(Client(client)).user;
            self.said(user, progress.recent.get(&place).into_iter().flatten(), words)
        });
        // A full outbox is an answer like any other; nothing was taken then.
        let _ = fleet.clients()[client].say(place, said).await;
    }

    /// Whether it is for an admin of a group to say.
    pub(super) fn is_for_admins(self) -> bool {
        matches!(self, Self::About { kind: ReferenceKind::Delete, anybodys: true, .. })
    }

    /// What this user says with these words, about one of these messages. Where there is none to say it about it is
    /// something of its own.
    pub(super) fn said<'a>(
        self,
        user: UserId,
        recent: impl IntoIterator<Item = &'a (Seq, UserId)>,
        mut words: Vec<u8>,
    ) -> Said {
        match self {
            Self::Plain => Said::plain(words),
            Self::Timer(timer_s) => {
                let reference = Some(Reference { kind: ReferenceKind::Timer, seq: Seq::ZERO });
                Said { body: Body::default(), reference, timer_s }
            }
            Self::About { kind, anybodys, pick } => {
                let mine = |(_, author): &&(Seq, UserId)| anybodys || *author == user;
                let messages: Vec<Seq> = recent.into_iter().filter(mine).map(|(seq, _)| *seq).collect();
                let Some(which) = (pick as usize).checked_rem(messages.len()) else {
                    return Said::plain(words);
                };
                words.truncate(match kind {
                    ReferenceKind::Delete => 0,
                    ReferenceKind::Reaction => REACTION_BYTES,
                    _ => words.len(),
                });
                let reference = Some(Reference { kind, seq: messages[which] });
                Said { body: Body::new(words), reference, timer_s: 0 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn every_kind_is_said_and_most_is_about_nothing_else() {
        let mut rng = StdRng::seed_from_u64(1);
        let said: Vec<Saying> = (0..10_000).map(|_| Saying::random(&mut rng)).collect();
        let count = |like: fn(&Saying) -> bool| said.iter().filter(|saying| like(saying)).count();
        assert!((6_000..7_500).contains(&count(|it| *it == Saying::Plain)));
        assert!((20..100).contains(&count(|it| matches!(it, Saying::Timer(_)))));
        for wanted in
            [ReferenceKind::Reply, ReferenceKind::Reaction, ReferenceKind::Edit, ReferenceKind::Delete]
        {
            let found = said.iter().filter(|it| matches!(it, Saying::About { kind, .. } if *kind == wanted));
            assert!(found.count() > 300, "{wanted:?}");
        }
    }

    #[test]
    fn what_is_ones_own_is_chosen_among_ones_own_and_without_any_it_is_about_nothing() {
        let user = |number| UserId::new(number).unwrap();
        let recent = [(Seq::new(1), user(1)), (Seq::new(2), user(2)), (Seq::new(4), user(1))];
        let about = |kind, anybodys, pick| Saying::About { kind, anybodys, pick };
        let said = |saying: Saying, by| saying.said(user(by), &recent, b"some words".to_vec());
        for pick in 0..4 {
            let edit = said(about(ReferenceKind::Edit, false, pick), 2);
            assert_eq!(edit.target(ReferenceKind::Edit), Some(Seq::new(2)));
        }
        let deletion = said(about(ReferenceKind::Delete, true, 2), 2);
        assert_eq!((deletion.target(ReferenceKind::Delete), deletion.body.len()), (Some(Seq::new(4)), 0));
        assert_eq!(said(about(ReferenceKind::Reaction, true, 0), 3).body.len(), REACTION_BYTES);
        assert_eq!(said(about(ReferenceKind::Edit, false, 0), 3).reference, None);
    }
}
