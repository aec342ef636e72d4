//! What users are to one another, what they show of themselves, and to whom.

use rookery_protocol::{
    ConversationId, Handle, Person, PrivacySettings, Profile, Report, RequestId, Seq, UserId, UserProfile,
    limits,
};

use super::Client;
use crate::machine::{Answer, Call};
use crate::{InvalidRequest, RequestError};

/// What is set is set whole, and on all of the user's devices, which are told by [`Event::Account`](crate::Event::Account).
/// When no answer comes in time it may have been done.
impl Client {
    /// Who may see what of this user.
    ///
    /// # Errors
    /// When the server says no, or nothing in time.
    pub async fn privacy(&self) -> Result<PrivacySettings, RequestError> {
        match self.call(Call::Privacy).await? {
            Answer::Privacy(answer) => Ok(answer.privacy),
            _ => Err(RequestError::Closed),
        }
    }

    /// Who may see what of this user from now on.
    ///
    /// # Errors
    /// As [`privacy`](Self::privacy).
    pub async fn set_privacy(&self, privacy: PrivacySettings) -> Result<(), RequestError> {
        self.order(Call::SetPrivacy(privacy)).await
    }

    /// What this user shows of themselves from now on.
    ///
    /// # Errors
    /// When a text is over its limit; as [`privacy`](Self::privacy).
    pub async fn set_profile(&self, profile: Profile) -> Result<(), RequestError> {
        profile.check().map_err(InvalidRequest::from)?;
        self.order(Call::SetProfile(profile)).await
    }

    /// What these users show of themselves to this one: those of them who exist, in this order. Any number, in a request
    /// for each [`PROFILES_MAX`](limits::PROFILES_MAX).
    ///
    /// # Errors
    /// When the server says no, or nothing in time to one of the requests.
    pub async fn profiles(&self, users: &[UserId]) -> Result<Vec<UserProfile>, RequestError> {
        let mut profiles = Vec::new();
        for some in users.chunks(limits::PROFILES_MAX) {
            match self.call(Call::Profiles(some.to_vec())).await? {
                Answer::Profiles(answer) => profiles.extend(answer.profiles),
                _ => return Err(RequestError::Closed),
            }
        }
        Ok(profiles)
    }

    /// All who are anything to this user, by user: contacts, blocked ones; no more than
    /// [`PEOPLE_PER_USER_MAX`](limits::PEOPLE_PER_USER_MAX).
    ///
    /// # Errors
    /// When the server says no, or nothing in time to one of the requests that it takes.
    pub async fn people(&self) -> Result<Vec<Person>, RequestError> {
        let mut people: Vec<Person> = Vec::new();
        loop {
            let after = people.last().map(|person| person.user);
            let Answer::People(page) = self.call(Call::People { after }).await? else {
                return Err(RequestError::Closed);
            };
            // A list that goes back would have no end.
            let news = page.people.into_iter().filter(|person| after < Some(person.user));
            let before = people.len();
            people.extend(news);
            people.truncate(limits::PEOPLE_PER_USER_MAX);
            if !page.more || people.len() == before || people.len() == limits::PEOPLE_PER_USER_MAX {
                return Ok(people);
            }
        }
    }

    /// What somebody is to this user from now on: a contact, blocked, or nothing.
    ///
    /// # Errors
    /// When the server says no ([`NotFound`](crate::ErrorCode::NotFound): there is no such user,
    /// [`Full`](crate::ErrorCode::Full)), or nothing in time.
    pub async fn set_person(&self, person: Person) -> Result<(), RequestError> {
        self.order(Call::SetPerson(person)).await
    }

    /// Which of these handles are users: for each, in this order. Any number, in a request for each
    /// [`FIND_PEOPLE_MAX`](limits::FIND_PEOPLE_MAX); how many the server answers in an hour is limited.
    ///
    /// # Errors
    /// When the server says no ([`Busy`](crate::ErrorCode::Busy) is retried until there is no time left), or nothing in
    /// time to one of the requests.
    pub async fn find_people(&self, handles: &[Handle]) -> Result<Vec<Option<UserId>>, RequestError> {
        let mut found = Vec::new();
        for some in handles.chunks(limits::FIND_PEOPLE_MAX) {
            match self.call(Call::FindPeople(some.to_vec())).await? {
                Answer::FoundPeople(answer) => found.extend(answer.users),
                _ => return Err(RequestError::Closed),
            }
        }
        Ok(found)
    }

    /// Asks the moderators to look at what a user has done: in a conversation of this user's, perhaps, and with these
    /// messages, of which there are at most [`REPORT_MESSAGES_MAX`](limits::REPORT_MESSAGES_MAX). The text has at most
    /// [`REPORT_TEXT_BYTES_MAX`](limits::REPORT_TEXT_BYTES_MAX) bytes. Asked again after an answer was lost, it may be there
    /// twice.
    ///
    /// # Errors
    /// When it is too much; when the server says no, or nothing in time.
    pub async fn report(
        &self,
        user: UserId,
        conversation: Option<ConversationId>,
        seqs: Vec<Seq>,
        text: impl Into<String>,
    ) -> Result<(), RequestError> {
        let report = Report { request: RequestId::new(0), user, conversation, seqs, text: text.into() };
        report.check().map_err(InvalidRequest::from)?;
        let Report { seqs, text, .. } = report;
        self.order(Call::Report { user, conversation, seqs, text }).await
    }
}
