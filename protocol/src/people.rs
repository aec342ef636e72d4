//! What users are to one another, what they show of themselves, and to whom.

use serde::{Deserialize, Serialize};

use crate::positional::List;
use crate::{ConversationId, Handle, RequestId, Seq, Stamp, Text, UserId, limits, positional};

/// Who may see something of a user. Whoever hides from somebody when they were last there, or whether they are there, does
/// not see it of them either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub enum Audience {
    /// Everyone who is not blocked.
    #[default]
    Everyone,
    /// Those whom the user has among the contacts.
    Contacts,
    /// Those, but for the excepted ones.
    ContactsExcept,
    /// Nobody. Also what an audience that a reader does not know is.
    Nobody,
}

impl From<u8> for Audience {
    fn from(number: u8) -> Self {
        match number {
            0 => Self::Everyone,
            1 => Self::Contacts,
            2 => Self::ContactsExcept,
            _ => Self::Nobody,
        }
    }
}

impl From<Audience> for u8 {
    fn from(audience: Audience) -> Self {
        match audience {
            Audience::Everyone => 0,
            Audience::Contacts => 1,
            Audience::ContactsExcept => 2,
            Audience::Nobody => 3,
        }
    }
}

positional! {
    /// Who may see what of a user.
    pub struct PrivacySettings {
        /// When the user was last there.
        pub last_seen: Audience,
        /// Whether the user is there.
        pub online: Audience,
        /// Name, description and picture.
        pub profile: Audience,
        /// Who may add the user to groups.
        pub groups: Audience,
        /// Whether others learn what the user has read in direct conversations, and the user what they have.
        pub read_receipts: bool,
    }
}

impl Default for PrivacySettings {
    fn default() -> Self {
        let everyone = Audience::Everyone;
        Self {
            last_seen: everyone,
            online: everyone,
            profile: everyone,
            groups: everyone,
            read_receipts: true,
        }
    }
}

positional! {
    /// Let this be seen of me from now on.
    pub struct SetPrivacy {
        /// The answer's request id.
        pub request: RequestId,
        /// What, by whom.
        pub privacy: PrivacySettings,
    }
}

positional! {
    /// What may be seen of me.
    pub struct GetPrivacy {
        /// The answer's request id.
        pub request: RequestId,
    }
}

positional! {
    /// What may be seen of the user.
    pub struct Privacy {
        /// The request.
        pub request: RequestId,
        /// What, by whom.
        pub privacy: PrivacySettings,
    }
}

positional! {
    /// What users show of themselves.
    pub struct Profile {
        /// What they call themselves.
        pub name: String as Text,
        /// What they say about themselves.
        pub about: String as Text,
        /// The reference of their picture; empty: none.
        pub picture: String as Text,
    }
}

/// A profile with a text over its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// The name is too long, or has control characters.
    #[error("a name has at most {} bytes and no control characters", limits::PROFILE_NAME_BYTES_MAX)]
    Name,
    /// The description is too long.
    #[error("a description has at most {} bytes", limits::PROFILE_ABOUT_BYTES_MAX)]
    About,
    /// The picture's reference is too long.
    #[error("the reference of a picture has at most {} bytes", limits::PROFILE_PICTURE_BYTES_MAX)]
    Picture,
}

impl Profile {
    /// Whether a user may show this.
    ///
    /// # Errors
    /// Which text is over its limit.
    pub fn check(&self) -> Result<(), ProfileError> {
        if self.name.len() > limits::PROFILE_NAME_BYTES_MAX || self.name.chars().any(char::is_control) {
            Err(ProfileError::Name)
        } else if self.about.len() > limits::PROFILE_ABOUT_BYTES_MAX {
            Err(ProfileError::About)
        } else if self.picture.len() > limits::PROFILE_PICTURE_BYTES_MAX {
            Err(ProfileError::Picture)
        } else {
            Ok(())
        }
    }
}

positional! {
    /// Show this of me from now on.
    pub struct SetProfile {
        /// The answer's request id.
        pub request: RequestId,
        /// What.
        pub profile: Profile,
    }
}

positional! {
    /// What do these users show of themselves.
    pub struct GetProfiles {
        /// The answer's request id.
        pub request: RequestId,
        /// Who; at most [`limits::PROFILES_MAX`].
        pub users: Vec<UserId> as List<UserId>,
    }
}

/// More users than one request may ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ask for at most {} profiles", limits::PROFILES_MAX)]
pub struct GetProfilesError;

impl GetProfiles {
    /// Whether it is not too much.
    ///
    /// # Errors
    /// When it is.
    pub fn check(&self) -> Result<(), GetProfilesError> {
        if self.users.len() <= limits::PROFILES_MAX { Ok(()) } else { Err(GetProfilesError) }
    }
}

positional! {
    /// What those of the users asked for who exist show to this one.
    pub struct Profiles {
        /// The request.
        pub request: RequestId,
        /// In the order asked for.
        pub profiles: Vec<UserProfile> as List<UserProfile>,
    }
}

positional! {
    /// A user, as another may see them.
    pub struct UserProfile {
        /// Who.
        pub user: UserId,
        /// The user's handle.
        pub handle: Handle,
        /// What they show; `None`: nothing, or nothing to this user.
        pub profile: Option<Profile>,
        /// When they were last there, milliseconds since 1970, to the minute; 0: that is not known, or hidden.
        pub last_seen_ms: u64,
    }
}

positional! {
    /// What somebody is to a user. Nothing at all is how everybody begins.
    pub struct Person {
        /// Who.
        pub user: UserId,
        /// One of the contacts.
        pub is_contact: bool,
        /// Excepted from what only contacts may see, where the audience says so.
        pub is_excepted: bool,
        /// Neither side sends the other anything, or sees anything of the other.
        pub is_blocked: bool,
    }
}

positional! {
    /// This is what somebody is to me from now on.
    pub struct SetPerson {
        /// The answer's request id.
        pub request: RequestId,
        /// Who, and what.
        pub person: Person,
    }
}

positional! {
    /// Who is anything to me.
    pub struct ListPeople {
        /// The answer's request id.
        pub request: RequestId,
        /// Those after this one; `None`: from the first on.
        pub after: Option<UserId>,
    }
}

positional! {
    /// Who is anything to the user, at most [`limits::PEOPLE_MAX`].
    pub struct People {
        /// The request.
        pub request: RequestId,
        /// By user, ascending.
        pub people: Vec<Person> as List<Person>,
        /// Whether there are others after them.
        pub more: bool,
    }
}

positional! {
    /// Which of these handles are users. For an address book; how many in an hour is limited.
    pub struct FindPeople {
        /// The answer's request id.
        pub request: RequestId,
        /// At most [`limits::FIND_PEOPLE_MAX`].
        pub handles: Vec<Handle> as List<Handle>,
    }
}

/// More handles than one request may look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("look up at most {} handles", limits::FIND_PEOPLE_MAX)]
pub struct FindPeopleError;

impl FindPeople {
    /// Whether it is not too much.
    ///
    /// # Errors
    /// When it is.
    pub fn check(&self) -> Result<(), FindPeopleError> {
        if self.handles.len() <= limits::FIND_PEOPLE_MAX { Ok(()) } else { Err(FindPeopleError) }
    }
}

positional! {
    /// Those of the handles asked for that are users.
    pub struct FoundPeople {
        /// The request.
        pub request: RequestId,
        /// For each handle, in the order asked for.
        pub users: Vec<Option<UserId>> as List<Option<UserId>>,
    }
}

positional! {
    /// The moderators should look at this.
    pub struct Report {
        /// The answer's request id.
        pub request: RequestId,
        /// Who is reported.
        pub user: UserId,
        /// Where it happened, if in a conversation that the reporter is in.
        pub conversation: Option<ConversationId>,
        /// The messages in question; at most [`limits::REPORT_MESSAGES_MAX`].
        pub seqs: Vec<Seq> as List<Seq>,
        /// What happened, in the reporter's words; at most [`limits::REPORT_TEXT_BYTES_MAX`].
        pub text: String as Text,
    }
}

/// A report that says too much, or not where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// More messages than one report may name.
    #[error("a report names at most {} messages", limits::REPORT_MESSAGES_MAX)]
    Messages,
    /// Messages of no conversation.
    #[error("a report that names messages names their conversation")]
    Conversation,
    /// A text over its limit.
    #[error("a report's text has at most {} bytes", limits::REPORT_TEXT_BYTES_MAX)]
    Text,
}

impl Report {
    /// Whether it is one that moderators can look into.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), ReportError> {
        if self.seqs.len() > limits::REPORT_MESSAGES_MAX {
            Err(ReportError::Messages)
        } else if self.conversation.is_none() && !self.seqs.is_empty() {
            Err(ReportError::Conversation)
        } else if self.text.len() > limits::REPORT_TEXT_BYTES_MAX {
            Err(ReportError::Text)
        } else {
            Ok(())
        }
    }
}

/// What of a user's account has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub enum AccountPart {
    /// Who may see what.
    Privacy,
    /// What the user shows.
    Profile,
    /// What somebody is to the user.
    People,
    /// Which channels the user follows.
    Followed,
    /// Something that a newer version knows.
    Unknown(u8),
}

impl From<u8> for AccountPart {
    fn from(number: u8) -> Self {
        match number {
            1 => Self::Privacy,
            2 => Self::Profile,
            3 => Self::People,
            4 => Self::Followed,
            other => Self::Unknown(other),
        }
    }
}

impl From<AccountPart> for u8 {
    fn from(part: AccountPart) -> Self {
        match part {
            AccountPart::Privacy => 1,
            AccountPart::Profile => 2,
            AccountPart::People => 3,
            AccountPart::Followed => 4,
            AccountPart::Unknown(number) => number,
        }
    }
}

positional! {
    /// Event: the user's privacy, profile, people or followed channels have changed. The client asks if it wants to know.
    pub struct AccountEvent {
        /// Its place in the inbox.
        pub stamp: Stamp,
        /// What has changed.
        pub part: AccountPart,
        /// What somebody is to the user now, if it is that.
        pub person: Option<Person>,
    }
}
