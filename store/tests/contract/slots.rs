//! Whose slots move when the members change.

use rookery_protocol::Epoch;
use rookery_store::keys::node::NodeName;
use rookery_store::keys::view::{ClusterView, Member};
use rookery_store::ops::{MoveSlots, Moved, SetDraining, SetWeight};
use rookery_store::placement::SLOTS;
use rookery_store::Store;

use crate::engines::UnderTest;
use crate::nodes::{commit, join, moves, name, owners, remove, view};

/// Clusters to try: the weights of their members.
const CLUSTERS: [&[u32]; 5] = [&[100], &[100, 100], &[100, 100, 100], &[100, 300, 50, 0], &[1, 2, 3, 4, 5, 6, 7]];

/// Makes a cluster of `n0`, `n1`, ...
async fn cluster(store: &Store, weights: &[u32]) -> ClusterView {
    for (number, weight) in weights.iter().enumerate() {
        join(store, &format!("n{number}"), *weight, 1).await;
    }
    view(store).await
}

/// Removes everyone.
async fn end(store: &Store) {
    for member in view(store).await.members {
        remove(store, &member.id()).await;
    }
}

/// As if all the members had come at once.
fn anew(view: &ClusterView, change: impl Fn(&mut Member)) -> ClusterView {
    let mut members = view.members.clone();
    members.iter_mut().for_each(change);
    ClusterView::placed(view.epoch, members)
}

fn has_all_its_moves(moves: &[(Option<NodeName>, Option<NodeName>)], from: Option<&NodeName>, to: Option<&NodeName>) {
    for (before, after) in moves {
        assert!(from.is_none_or(|from| before.as_ref() == Some(from)), "{before:?} is not {from:?}");
        assert!(to.is_none_or(|to| after.as_ref() == Some(to)), "{after:?} is not {to:?}");
    }
}

pub(crate) async fn who_joins_takes_its_share_and_nothing_else_moves(mut test: UnderTest) {
    let store = test.store().await;
    for weights in CLUSTERS {
        let before = cluster(&store, weights).await;
        let joined = join(&store, "m", 100, 1).await;
        let moves = moves(&before, &joined.view);
        has_all_its_moves(&moves, None, Some(&name("m")));
        assert_eq!(joined.view.decided, joined.view.epoch);
        assert_eq!(moves.len(), joined.view.slots_of(&name("m")));
        assert_eq!(joined.view.slots_to_move(), 0);
        let whole: u32 = weights.iter().sum::<u32>() + 100;
        let due = f64::from(SLOTS) * 100.0 / f64::from(whole);
        assert!((moves.len() as f64 - due).abs() < f64::from(SLOTS) * 0.02, "{} of {due}", moves.len());
        end(&store).await;
    }
}

pub(crate) async fn who_leaves_or_crashes_gives_its_own_slots_and_nothing_else_moves(mut test: UnderTest) {
    let store = test.store().await;
    for weights in CLUSTERS.into_iter().filter(|weights| weights.len() > 1) {
        let before = cluster(&store, weights).await;
        for gone in before.members.clone() {
            let before = view(&store).await;
            let after = remove(&store, &gone.id()).await;
            let moves = moves(&before, &after);
            has_all_its_moves(&moves, Some(&gone.name), None);
            assert_eq!(moves.len(), before.slots_of(&gone.name));
            assert_eq!(after, anew(&after, |_| ()));
            assert_eq!(after.slots_of(&gone.name), 0);
            // It comes back, and has what it had.
            let back = join(&store, gone.name.as_str(), gone.weight, 9).await;
            assert_eq!(owners(&back.view), owners(&before));
        }
        end(&store).await;
    }
}

pub(crate) async fn a_node_that_crashed_and_joins_before_it_was_missed_moves_nothing(mut test: UnderTest) {
    let store = test.store().await;
    let before = cluster(&store, &[100, 100, 100]).await;
    let after = join(&store, "n1", 100, 2).await.view;
    assert_eq!(moves(&before, &after), []);
    assert_eq!(after.epoch, Epoch::new(before.epoch.get() + 1));
    assert_eq!(after.member(&name("n1")).expect("it is there").incarnation.get(), 2);
    // With another weight it has what is due to that, and with the same again all is as before.
    let lighter = join(&store, "n1", 50, 3).await.view;
    has_all_its_moves(&moves(&after, &lighter), Some(&name("n1")), None);
    assert_eq!(lighter, anew(&lighter, |_| ()));
    let again = join(&store, "n1", 100, 4).await.view;
    assert_eq!(owners(&again), owners(&before));
}

async fn step(store: &Store, at_most: u16) -> Moved {
    commit(store, MoveSlots { at_most }).await.expect("the view can be read")
}

pub(crate) async fn moves_in_steps_end_where_weights_want_them_and_move_nothing_twice(mut test: UnderTest) {
    let store = test.store().await;
    let start = cluster(&store, &[100, 100, 100]).await;
    let weighed = commit(&store, SetWeight { name: name("n0"), weight: 300 }).await;
    let weighed = weighed.expect("the view can be read").expect("it is a member");
    assert_eq!(moves(&start, &weighed), [], "a weight alone moves nothing");
    assert_eq!(weighed.epoch, Epoch::new(start.epoch.get() + 1));
    assert_eq!((start.decided, weighed.decided), (start.epoch, weighed.epoch));
    let wanted = anew(&weighed, |_| ());
    let due = moves(&weighed, &wanted).len();
    assert!(due > 300, "{due}");
    assert_eq!(weighed.slots_to_move(), due);

    let (mut before, mut moved_in_all) = (weighed, 0);
    loop {
        let Moved { moved, left, view } = step(&store, 100).await;
        let moves = moves(&before, &view);
        has_all_its_moves(&moves, None, Some(&name("n0")));
        assert_eq!(moves.len(), usize::from(moved));
        assert_eq!(view.decided, before.decided, "a step decides nothing");
        assert!(moved == 100 || left == 0);
        moved_in_all += usize::from(moved);
        assert_eq!(moved_in_all + usize::from(left), due, "none has moved twice");
        before = view;
        if left == 0 {
            break;
        }
    }
    assert_eq!(owners(&before), owners(&wanted));
    let nothing = step(&store, 100).await;
    assert_eq!((nothing.moved, nothing.left, nothing.view), (0, 0, before));
}

pub(crate) async fn a_draining_node_gives_all_it_has_and_gets_it_back_when_it_joins_again(mut test: UnderTest) {
    let store = test.store().await;
    let start = cluster(&store, &[100, 100, 100]).await;
    let drain = |draining| SetDraining { name: name("n2"), draining };
    let draining = commit(&store, drain(true)).await.expect("it is read").expect("it is a member");
    assert!(draining.member(&name("n2")).expect("it is there").draining);
    assert_eq!(moves(&start, &draining), []);
    // Again, it changes nothing.
    assert_eq!(commit(&store, drain(true)).await.expect("it is read"), Some(draining));
    let had = start.slots_of(&name("n2"));

    let half = step(&store, u16::try_from(had / 2).expect("it has fewer than all")).await;
    has_all_its_moves(&moves(&start, &half.view), Some(&name("n2")), None);
    let all = step(&store, u16::MAX).await;
    has_all_its_moves(&moves(&start, &all.view), Some(&name("n2")), None);
    assert_eq!((all.view.slots_of(&name("n2")), all.left), (0, 0));
    // Then it leaves, and nothing moves any more.
    let gone = remove(&store, &all.view.member(&name("n2")).expect("it is there").id()).await;
    assert_eq!(moves(&all.view, &gone), []);
    assert_eq!(owners(&join(&store, "n2", 100, 2).await.view), owners(&start));

    // Or it is not drained after all, and joins or not.
    commit(&store, drain(true)).await.expect("it is read");
    step(&store, 200).await;
    commit(&store, drain(false)).await.expect("it is read");
    assert_eq!(owners(&step(&store, u16::MAX).await.view), owners(&start));
    commit(&store, drain(true)).await.expect("it is read");
    step(&store, 200).await;
    assert_eq!(owners(&join(&store, "n2", 100, 3).await.view), owners(&start));
}

pub(crate) async fn a_crash_in_the_midst_of_a_move_moves_only_the_crashed_ones_slots(mut test: UnderTest) {
    let store = test.store().await;
    cluster(&store, &[100, 100, 100]).await;
    commit(&store, SetWeight { name: name("n0"), weight: 300 }).await.expect("it is read");
    let before = step(&store, 50).await.view;
    let after = remove(&store, &before.members[1].id()).await;
    has_all_its_moves(&moves(&before, &after), Some(&name("n1")), None);
    assert_eq!(moves(&before, &after).len(), before.slots_of(&name("n1")));
    assert!(after.slots_to_move() > 0);
    let joined = join(&store, "m", 100, 1).await.view;
    has_all_its_moves(&moves(&after, &joined), None, Some(&name("m")));
    let end = step(&store, u16::MAX).await.view;
    assert_eq!(owners(&end), owners(&anew(&end, |_| ())));
}

pub(crate) async fn slots_are_never_nobodys_while_there_are_members(mut test: UnderTest) {
    let store = test.store().await;
    // Everyone weighs nothing, or drains: then all count the same.
    let view = cluster(&store, &[0, 0]).await;
    assert!(view.slots_of(&name("n0")) > 1_900 && view.slots_of(&name("n1")) > 1_900);
    for number in 0..2 {
        commit(&store, SetDraining { name: name(&format!("n{number}")), draining: true }).await.expect("it is read");
    }
    assert_eq!(step(&store, u16::MAX).await.moved, 0);
    // Who weighs something gets everything.
    let view = join(&store, "m", 1, 1).await.view;
    assert_eq!(view.slots_of(&name("m")), usize::from(SLOTS));
    let view = remove(&store, &view.member(&name("m")).expect("it is there").id()).await;
    assert!(view.slots_of(&name("n0")) > 1_900 && view.slots_of(&name("n1")) > 1_900);
    assert_eq!(commit(&store, SetWeight { name: name("x"), weight: 1 }).await.expect("it is read"), None);
    end(&store).await;
    assert!(owners(&crate::nodes::view(&store).await).iter().all(Option::is_none));
    assert_eq!(step(&store, 1).await.moved, 0);
}
