//! What must be true of a history once the fleet has come to rest. Each invariant looks at the clients' records only.
//!
//! An unknown outcome is never assumed absent: a message that was given to a client that then died may have been sent
//! or not, and counts as sent as soon as anybody has seen it. So does a change of a group whose answer never came.
//!
//! Who is in a group when is what the changes say that anybody was handed, by their places in its log.

mod i10_nobody_is_turned_away;
mod i11_references_are_right;
mod i12_what_is_deleted_is_gone;
mod i13_one_history_for_all;
mod i1_nothing_accepted_is_lost;
mod i2_handed_up_exactly_once;
mod i3_one_dense_order;
mod i4_only_what_was_sent;
mod i5_one_place_for_each_id;
mod i6_marks_only_grow;
mod i7_nothing_through_a_block;
mod i7_only_while_a_member;
#[cfg(test)]
mod made_up;

use crate::history::History;

/// Something that must not have happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's number and name.
    pub invariant: &'static str,
    /// What was found.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// Finds what breaks one invariant, in words.
type Check = fn(&History) -> Vec<String>;

/// Every invariant.
pub const INVARIANTS: [(&str, Check); 12] = [
    ("I1 nothing accepted is lost", i1_nothing_accepted_is_lost::check),
    ("I2 handed up exactly once", i2_handed_up_exactly_once::check),
    ("I3 one dense order for all", i3_one_dense_order::check),
    ("I4 only what was sent", i4_only_what_was_sent::check),
    ("I5 one place for each id", i5_one_place_for_each_id::check),
    ("I6 marks only grow", i6_marks_only_grow::check),
    ("I7 only while a member", i7_only_while_a_member::check),
    ("I7 nothing through a block", i7_nothing_through_a_block::check),
    ("I10 nobody is turned away", i10_nobody_is_turned_away::check),
    ("I11 references are right", i11_references_are_right::check),
    ("I12 what is deleted is gone", i12_what_is_deleted_is_gone::check),
    ("I13 one history for all", i13_one_history_for_all::check),
];

/// Everything that is wrong with a history; of each invariant the first few.
pub fn judge(history: &History) -> Vec<Violation> {
    const EXAMPLES: usize = 10;
    let of = |(invariant, check): (&'static str, Check)| {
        let found = check(history).into_iter().take(EXAMPLES);
        found.map(move |what| Violation { invariant, what })
    };
    INVARIANTS.into_iter().flat_map(of).collect()
}

/// For tests.
///
/// # Panics
/// When anything is wrong with the history.
pub fn assert_right(history: &History) {
    let violations = judge(history);
    let list: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{} violations:\n{}", list.len(), list.join("\n"));
}

#[cfg(test)]
mod tests {
    use rookery_client::GroupChange;

    use super::made_up::Story;

    #[test]
    fn a_history_without_fault_is_left_in_peace() {
        let mut story = Story::new();
        let id = story.enqueued("alice", "hello");
        story.accepted("alice", id, 1);
        story.handed_to_all(id, 1);
        story.read("bob", 1);
        story.receipt("alice", "bob", 1, 1);
        assert_eq!(super::judge(&story.history), []);
    }

    #[test]
    fn a_group_without_fault_is_left_in_peace() {
        let mut story = Story::of_group();
        let carol = || vec![Story::user("carol")];
        let added = story.changed("alice", GroupChange::Added(carol()), 2);
        story.handed("carol", added, 2);
        let id = story.enqueued("carol", "hello");
        story.accepted("carol", id, 3);
        story.handed_to_all(id, 3);
        story.handed("carol", id, 3);
        story.read("bob", 3);
        let left = story.changed("carol", GroupChange::Left { successor: None }, 4);
        story.handed("carol", left, 4);
        story.changed("alice", GroupChange::Named("fish".to_owned()), 5);
        let again = story.changed("alice", GroupChange::Added(carol()), 6);
        story.handed("carol", again, 6);
        assert_eq!(super::judge(&story.history), []);
    }
}
