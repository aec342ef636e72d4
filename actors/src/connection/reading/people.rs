//! Requests about people: what they are to the user, and what they show to the user.

use rookery_protocol::{
    ErrorCode, FindPeople, FoundPeople, GetPrivacy, GetProfiles, ListPeople, People, Privacy, Profiles,
    UserId, UserProfile, limits,
};
use rookery_store::engine::Snapshot;
use rookery_store::queries::{self, Aspect};

use super::Refusal;

/// When somebody was last there is told to the minute.
const MINUTE_MS: u64 = 60_000;

pub(super) async fn privacy(
    snapshot: &dyn Snapshot,
    user: UserId,
    get: &GetPrivacy,
) -> Result<Privacy, Refusal> {
    Ok(Privacy { request: get.request, privacy: queries::privacy(snapshot, user).await? })
}

pub(super) async fn profiles(
    snapshot: &dyn Snapshot,
    user: UserId,
    get: &GetProfiles,
) -> Result<Profiles, Refusal> {
    get.check().map_err(|error| Refusal(ErrorCode::BadRequest, error.to_string()))?;
    let accounts = queries::accounts(snapshot, get.users.iter().copied()).await?;
    let shown = queries::profiles(snapshot, &get.users).await?;
    let last_seen = queries::last_seen(snapshot, &get.users).await?;
    let aspects = [Aspect::Profile, Aspect::LastSeen];
    let may_see = queries::may_see_each(snapshot, user, &get.users, aspects).await?;
    let all = get.users.iter().zip(accounts).zip(shown.into_iter().zip(last_seen)).zip(may_see);
    let profiles =
        all.filter_map(|(((user, account), (profile, last_seen_ms)), [may_profile, may_last_seen])| {
            Some(UserProfile {
                user: *user,
                handle: account?.handle,
                profile: profile.filter(|_| may_profile),
                last_seen_ms: if may_last_seen { last_seen_ms - last_seen_ms % MINUTE_MS } else { 0 },
            })
        });
    Ok(Profiles { request: get.request, profiles: profiles.collect() })
}

pub(super) async fn people(
    snapshot: &dyn Snapshot,
    user: UserId,
    list: &ListPeople,
) -> Result<People, Refusal> {
    // One more than a page, to know whether there is another.
    let mut people = queries::people(snapshot, user, list.after, limits::PEOPLE_MAX + 1).await?;
    let more = people.len() > limits::PEOPLE_MAX;
    people.truncate(limits::PEOPLE_MAX);
    let people = people.into_iter().map(|(other, person)| person.of(other)).collect();
    Ok(People { request: list.request, people, more })
}

pub(super) async fn find(snapshot: &dyn Snapshot, find: &FindPeople) -> Result<FoundPeople, Refusal> {
    find.check().map_err(|error| Refusal(ErrorCode::BadRequest, error.to_string()))?;
    let users = queries::users_by_handles(snapshot, &find.handles).await?;
    Ok(FoundPeople { request: find.request, users })
}
