//! Who may be added to groups, and by whom.

use rookery_protocol::{
    Audience, ChangeGroup, CreateGroup, Error, ErrorCode, GroupChange, GroupId, GroupSettings,
    PrivacySettings, ServerFrame,
};

use super::{BLOCKED, BLOCKED_CONTACT, CONTACT, EXCEPTED, NOTHING, why};
use crate::client::{Client, user, who};
use crate::node::Node;

impl Client {
    async fn group_with(&mut self, members: &[u64]) -> Result<GroupId, Error> {
        let (request, id) = (self.new_request(), self.new_id());
        let members = members.iter().map(|number| user(*number)).collect();
        let create =
            CreateGroup { request, id, name: "g".into(), members, settings: GroupSettings::default() };
        match self.ask(&create).await {
            ServerFrame::GroupCreated(created) => Ok(created.group),
            ServerFrame::Error(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    async fn add(&mut self, group: GroupId, number: u64) -> Result<(), Error> {
        let (request, id) = (self.new_request(), self.new_id());
        let change = GroupChange::Added(vec![user(number)]);
        match self.ask(&ChangeGroup { request, group, id, change }).await {
            ServerFrame::Sent(_) => Ok(()),
            ServerFrame::Error(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_in_the_audience_of_groups_adds_and_nobody_else() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let refusal = (ErrorCode::NotAllowed, "you may not add user 2 to groups");
    let table = [
        (NOTHING, [true, false, false, false]),
        (CONTACT, [true, true, true, false]),
        (EXCEPTED, [true, true, false, false]),
        (BLOCKED, [false; 4]),
        (BLOCKED_CONTACT, [false; 4]),
    ];
    let audiences = [Audience::Everyone, Audience::Contacts, Audience::ContactsExcept, Audience::Nobody];
    for (relation, admitted) in table {
        bob.set_person(1, relation).await;
        for (groups, admitted) in audiences.into_iter().zip(admitted) {
            bob.set_privacy(PrivacySettings { groups, ..PrivacySettings::default() }).await;
            let mine = alice.group_with(&[3]).await.expect("the third has said nothing");
            let outcomes = [alice.group_with(&[3, 2]).await.map(|_| ()), alice.add(mine, 2).await];
            for outcome in outcomes {
                let told = outcome.as_ref().map_err(why).copied();
                assert_eq!(told, if admitted { Ok(()) } else { Err(refusal) }, "{groups:?} {relation:?}");
            }
        }
        alice.events_until_quiet(std::time::Duration::ZERO).await;
        bob.events_until_quiet(std::time::Duration::ZERO).await;
    }
    // It is bob's to say for himself alone: what he hides from alice is not hidden from him.
    assert!(bob.group_with(&[1]).await.is_err(), "whom one has blocked one does not add either");
    bob.set_person(1, NOTHING).await;
    bob.group_with(&[1]).await.expect("alice has said nothing");
}
