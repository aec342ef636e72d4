//! Two who change a group at the same time: in one batch, or each in one of their own.

use rookery_protocol::{GroupChange, GroupId, GroupSettings};
use rookery_store::Store;
use rookery_store::ops::{ChangeGroup, Outcome, Refusal};

use crate::engines::UnderTest;
use crate::group_creation::crowd;
use crate::groups::{accepted, change, log, made, members, outcome, people, say, sound, users};
use crate::one_batch::OneBatch;
use crate::people::At;

/// What two admins ask for, and what whoever comes second is told.
type Clash = (GroupChange, GroupChange, Result<(), Refusal>);

fn clashes(anna: At, bert: At, carl: At, dora: At) -> Vec<Clash> {
    let left = GroupChange::Left { successor: None };
    let settings = GroupSettings { backlog: 9, ..GroupSettings::default() };
    let demoted = |who| GroupChange::Demoted(users(&[who]));
    let removed = |who| GroupChange::Removed(users(&[who]));
    let added = |who| GroupChange::Added(users(&[who]));
    vec![
        (demoted(bert), demoted(anna), Err(Refusal::OnlyAdmins)),
        (removed(bert), removed(anna), Err(Refusal::NotMember)),
        (demoted(anna), demoted(bert), Err(Refusal::LastAdmin)),
        (left.clone(), left.clone(), Ok(())),
        (left.clone(), demoted(bert), Err(Refusal::LastAdmin)),
        (removed(carl), removed(carl), Err(Refusal::Nothing)),
        (added(dora), added(dora), Err(Refusal::Nothing)),
        (removed(carl), added(carl), Ok(())),
        (GroupChange::Promoted(users(&[carl])), removed(carl), Ok(())),
        (GroupChange::Named("same".into()), GroupChange::Named("same".into()), Err(Refusal::Nothing)),
        (GroupChange::Named("one".into()), GroupChange::Named("other".into()), Ok(())),
        (GroupChange::Set(settings), added(dora), Ok(())),
        (GroupChange::Deleted, GroupChange::Deleted, Err(Refusal::NotMember)),
        (GroupChange::Deleted, added(dora), Err(Refusal::NotMember)),
        (GroupChange::Deleted, left, Err(Refusal::NotMember)),
    ]
}

/// A group with two admins, Anna and Bert, and a member.
async fn with_two_admins(store: &Store, [anna, bert, carl, _]: [At; 4], number: u128) -> GroupId {
    let group = made(store, anna, number, &[bert, carl]).await;
    accepted(store, change(anna, group, number + 1, GroupChange::Promoted(users(&[bert])))).await;
    group
}

fn verdict(outcome: Outcome) -> Result<(), Refusal> {
    match outcome {
        Outcome::Accepted(_) => Ok(()),
        Outcome::Refused(refusal) => Err(refusal),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn who_comes_second_in_a_batch_finds_what_the_first_has_made(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl, dora] = people::<4>(&store).await;
    for (number, (first, second, expected)) in (1..).zip(clashes(anna, bert, carl, dora)) {
        let group = with_two_admins(&store, people, 100 + 2 * number).await;
        let batch = OneBatch::gather(&mut test).await;
        let told = [
            batch.submit(change(anna, group, 1_000 + number, first.clone())),
            batch.submit(change(bert, group, 1_000 + number, second.clone())),
        ];
        batch.commit();
        let [one, other] = told;
        let one = one.await.expect("told").expect("it commits").answer;
        let other = other.await.expect("told").expect("it commits").answer;
        assert_eq!((verdict(one), verdict(other)), (Ok(()), expected), "{first:?}, {second:?}");
        sound(&store, group, &people).await;
    }
}

pub(crate) async fn one_of_two_comes_second_when_both_ask_at_once(mut test: UnderTest) {
    let stores = [test.store().await, test.second_store().await];
    let people @ [anna, bert, carl, dora] = people::<4>(&stores[0]).await;
    for (number, (first, second, _)) in (1..).zip(clashes(anna, bert, carl, dora)) {
        let group = with_two_admins(&stores[0], people, 100 + 2 * number).await;
        let ask = |store: &Store, op: ChangeGroup| {
            let store = store.clone();
            tokio::spawn(async move { verdict(outcome(&store, op).await) })
        };
        let before = log(&stores[0], group).await.len();
        let one = ask(&stores[0], change(anna, group, 1_000 + number, first.clone()));
        let other = ask(&stores[1], change(bert, group, 1_000 + number, second.clone()));
        let verdicts = [one.await.expect("it ends"), other.await.expect("it ends")];
        let made = verdicts.iter().filter(|verdict| verdict.is_ok()).count();
        assert!(made >= 1, "{first:?}, {second:?}: {verdicts:?}");
        assert_eq!(log(&stores[0], group).await.len(), before + made);
        sound(&stores[0], group, &people).await;
    }
}

pub(crate) async fn of_two_for_the_last_place_one_gets_it(mut test: UnderTest) {
    let stores = [test.store().await, test.second_store().await];
    let people @ [anna, bert, carl, dora] = people::<4>(&stores[0]).await;
    let group = with_two_admins(&stores[0], people, 1).await;
    for (number, some) in (20..).zip(crowd(&stores[0], 1_020).await.chunks(256)) {
        accepted(&stores[0], change(anna, group, number, GroupChange::Added(some.to_vec()))).await;
    }
    assert_eq!(members(&stores[0], group).await.len(), 1_023);
    let late = crate::people::add(&stores[0], 5).await;
    let ask = |store: &Store, by: At, new: At| {
        let (store, op) = (store.clone(), change(by, group, 10, GroupChange::Added(users(&[new]))));
        tokio::spawn(async move { verdict(outcome(&store, op).await) })
    };
    let asked = [ask(&stores[0], anna, dora), ask(&stores[1], bert, late)];
    let [one, other] = asked;
    let mut verdicts = [one.await.expect("it ends"), other.await.expect("it ends")];
    verdicts.sort_unstable_by_key(Result::is_err);
    assert_eq!(verdicts, [Ok(()), Err(Refusal::Full)]);
    assert_eq!(members(&stores[0], group).await.len(), 1_024);
    sound(&stores[0], group, &[anna, bert, carl, dora, late]).await;
}

pub(crate) async fn many_who_do_anything_at_once_leave_a_group_that_its_log_tells_of(mut test: UnderTest) {
    let stores = [test.store().await, test.second_store().await];
    let people = people::<6>(&stores[0]).await;
    let group = made(&stores[0], people[0], 1, &people[1..4]).await;
    let all = GroupChange::Promoted(users(&people[1..4]));
    accepted(&stores[0], change(people[0], group, 2, all)).await;
    let tasks = people.into_iter().enumerate().map(|(at, me)| {
        let store = stores[at % 2].clone();
        tokio::spawn(async move {
            for step in 0..30_u128 {
                let whom = users(&[people[(at + 1 + step as usize * 5) % 6]]);
                let wanted = match (step as usize * 7 + at) % 8 {
                    0 | 1 => GroupChange::Added(users(&people)),
                    2 => GroupChange::Removed(whom),
                    3 | 4 => GroupChange::Promoted(whom),
                    5 => GroupChange::Demoted(whom),
                    6 => GroupChange::Left { successor: None },
                    _ => GroupChange::Named(format!("{at} {step}")),
                };
                let (said, changed) = (say(me, group, 100 + 2 * step), change(me, group, 101 + 2 * step, wanted));
                let _ = verdict(outcome(&store, said).await);
                let _ = verdict(outcome(&store, changed).await);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("nothing panics");
    }
    sound(&stores[0], group, &people).await;
}
