//! Commands about people: what they are to the user, what they show, and to whom.

use rookery_protocol::{
    AccountPart, Audience, Handle, Person, PrivacySettings, Profile, UserId, UserProfile,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::entries::PersonLine;
use super::{Complaint, Output};
use crate::Client;
use crate::chat::people::People;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AudienceWord {
    Everyone,
    Contacts,
    ContactsExcept,
    Nobody,
}

impl From<Audience> for AudienceWord {
    fn from(audience: Audience) -> Self {
        match audience {
            Audience::Everyone => Self::Everyone,
            Audience::Contacts => Self::Contacts,
            Audience::ContactsExcept => Self::ContactsExcept,
            Audience::Nobody => Self::Nobody,
        }
    }
}

impl From<AudienceWord> for Audience {
    fn from(word: AudienceWord) -> Self {
        match word {
            AudienceWord::Everyone => Self::Everyone,
            AudienceWord::Contacts => Self::Contacts,
            AudienceWord::ContactsExcept => Self::ContactsExcept,
            AudienceWord::Nobody => Self::Nobody,
        }
    }
}

/// Who may see what of the user.
#[derive(Debug, Serialize)]
pub(super) struct PrivacyLine {
    last_seen: AudienceWord,
    online: AudienceWord,
    profile: AudienceWord,
    groups: AudienceWord,
    read_receipts: bool,
}

/// What is to be so; the rest stays as it is.
#[derive(Debug, Default)]
pub(super) struct PrivacyGiven {
    pub(super) last_seen: Option<AudienceWord>,
    pub(super) online: Option<AudienceWord>,
    pub(super) profile: Option<AudienceWord>,
    pub(super) groups: Option<AudienceWord>,
    pub(super) read_receipts: Option<bool>,
}

impl From<PrivacySettings> for PrivacyLine {
    fn from(privacy: PrivacySettings) -> Self {
        let PrivacySettings { last_seen, online, profile, groups, read_receipts } = privacy;
        Self {
            last_seen: last_seen.into(),
            online: online.into(),
            profile: profile.into(),
            groups: groups.into(),
            read_receipts,
        }
    }
}

impl PrivacyGiven {
    pub(super) async fn set(self, client: &Client) -> Result<(), Complaint> {
        let mut privacy = client.privacy().await?;
        let set = |what: &mut Audience, word: Option<AudienceWord>| {
            *what = word.map_or(*what, Audience::from);
        };
        set(&mut privacy.last_seen, self.last_seen);
        set(&mut privacy.online, self.online);
        set(&mut privacy.profile, self.profile);
        set(&mut privacy.groups, self.groups);
        privacy.read_receipts = self.read_receipts.unwrap_or(privacy.read_receipts);
        Ok(client.set_privacy(privacy).await?)
    }
}

/// What a user shows.
#[derive(Debug, Serialize)]
pub(super) struct ProfileLine {
    user: UserId,
    handle: Handle,
    /// The three are there when the user shows them to this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_ms: Option<u64>,
}

impl From<UserProfile> for ProfileLine {
    fn from(UserProfile { user, handle, profile, last_seen_ms }: UserProfile) -> Self {
        let (name, about, picture) = match profile {
            Some(Profile { name, about, picture }) => (Some(name), Some(about), Some(picture)),
            None => (None, None, None),
        };
        let last_seen_ms = (last_seen_ms > 0).then_some(last_seen_ms);
        Self { user, handle, name, about, picture, last_seen_ms }
    }
}

/// What somebody is to the user.
#[derive(Debug, Serialize)]
pub(super) struct RelationLine {
    #[serde(flatten)]
    person: PersonLine,
    contact: bool,
    excepted: bool,
    blocked: bool,
}

impl RelationLine {
    pub(super) async fn name(people: &People, person: Person) -> Self {
        let Person { user, is_contact: contact, is_excepted: excepted, is_blocked: blocked } = person;
        Self { person: PersonLine::name(people, user).await, contact, excepted, blocked }
    }
}

/// A handle, and whose it is.
#[derive(Debug, Serialize)]
pub(super) struct HolderLine {
    handle: Handle,
    user: Option<UserId>,
}

pub(super) fn part_word(part: AccountPart) -> &'static str {
    match part {
        AccountPart::Privacy => "privacy",
        AccountPart::Profile => "profile",
        AccountPart::People => "people",
        AccountPart::Followed => "followed",
        AccountPart::Unknown(_) => "unknown",
    }
}

/// Sets what is given of the user's own profile.
pub(super) async fn set_profile(
    client: &Client,
    name: Option<String>,
    about: Option<String>,
    picture: Option<String>,
) -> Result<(), Complaint> {
    let Some(me) = client.status().identity else { return Err(Complaint::not_connected()) };
    let shown = client.profiles(&[me.user]).await?.into_iter().find_map(|shown| shown.profile);
    let shown =
        shown.unwrap_or(Profile { name: String::new(), about: String::new(), picture: String::new() });
    let profile = Profile {
        name: name.unwrap_or(shown.name),
        about: about.unwrap_or(shown.about),
        picture: picture.unwrap_or(shown.picture),
    };
    Ok(client.set_profile(profile).await?)
}

pub(super) async fn list(people: &People, client: &Client, tag: Option<Value>) -> Result<Output, Complaint> {
    let mut lines = Vec::new();
    for person in client.people().await? {
        lines.push(RelationLine::name(people, person).await);
    }
    Ok(Output::People { people: lines, tag })
}

pub(super) async fn find(
    client: &Client,
    handles: Vec<Handle>,
    tag: Option<Value>,
) -> Result<Output, Complaint> {
    let users = client.find_people(&handles).await?;
    let found = handles.into_iter().zip(users).map(|(handle, user)| HolderLine { handle, user }).collect();
    Ok(Output::FoundPeople { people: found, tag })
}
