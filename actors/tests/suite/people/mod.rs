//! What users are to one another, what they show, and to whom: as their clients meet it.

use rookery_protocol::{
    AccountEvent, AccountPart, Audience, Done, Error, ErrorCode, FindPeople, GetPrivacy, GetProfiles, Handle,
    ListPeople, Payload, People, Person, PrivacySettings, Profile, RequestId, ServerFrame, SetPerson,
    SetPrivacy, SetProfile, UserId, UserProfile,
};

use crate::client::{Client, Event, user};

mod audiences;
mod blocks;
mod finding;
mod groups;
mod receipts;
mod reports;
mod settings;

/// What somebody may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Is {
    contact: bool,
    excepted: bool,
    blocked: bool,
}

const NOTHING: Is = Is { contact: false, excepted: false, blocked: false };
const CONTACT: Is = Is { contact: true, ..NOTHING };
const EXCEPTED: Is = Is { excepted: true, ..CONTACT };
const BLOCKED: Is = Is { blocked: true, ..NOTHING };
const BLOCKED_CONTACT: Is = Is { blocked: true, ..CONTACT };

fn person(number: u64, is: Is) -> Person {
    Person { user: user(number), is_contact: is.contact, is_excepted: is.excepted, is_blocked: is.blocked }
}

/// Settings in which every aspect has this audience.
fn all(audience: Audience) -> PrivacySettings {
    PrivacySettings {
        last_seen: audience,
        online: audience,
        profile: audience,
        groups: audience,
        read_receipts: true,
    }
}

fn profile(name: &str) -> Profile {
    Profile { name: name.into(), about: String::new(), picture: String::new() }
}

/// Why a request was refused.
fn why(error: &Error) -> (ErrorCode, &str) {
    (error.known_code().expect("a code of this version"), &error.text)
}

impl Client {
    async fn done(&mut self, request: RequestId) -> Result<(), Error> {
        match self.answer().await {
            ServerFrame::Done(done) => {
                assert_eq!(done, Done { request });
                Ok(())
            }
            ServerFrame::Error(error) => {
                assert_eq!(error.request, request);
                Err(error)
            }
            other => panic!("{other:?}"),
        }
    }

    async fn set_privacy(&mut self, privacy: PrivacySettings) {
        let request = self.new_request();
        self.tell(&SetPrivacy { request, privacy }).await;
        self.done(request).await.expect("settings are taken");
    }

    async fn set_profile(&mut self, profile: Profile) -> Result<(), Error> {
        let request = self.new_request();
        self.tell(&SetProfile { request, profile }).await;
        self.done(request).await
    }

    async fn try_set_person(&mut self, number: u64, is: Is) -> Result<(), Error> {
        let request = self.new_request();
        self.tell(&SetPerson { request, person: person(number, is) }).await;
        self.done(request).await
    }

    async fn set_person(&mut self, number: u64, is: Is) {
        self.try_set_person(number, is).await.expect("they are there");
    }

    async fn privacy(&mut self) -> PrivacySettings {
        let request = self.new_request();
        match self.ask(&GetPrivacy { request }).await {
            ServerFrame::Privacy(answer) => {
                assert_eq!(answer.request, request);
                answer.privacy
            }
            other => panic!("{other:?}"),
        }
    }

    async fn profiles(&mut self, users: Vec<UserId>) -> Result<Vec<UserProfile>, Error> {
        let request = self.new_request();
        match self.ask(&GetProfiles { request, users }).await {
            ServerFrame::Profiles(answer) => {
                assert_eq!(answer.request, request);
                Ok(answer.profiles)
            }
            ServerFrame::Error(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    async fn people(&mut self, after: Option<UserId>) -> People {
        let request = self.new_request();
        match self.ask(&ListPeople { request, after }).await {
            ServerFrame::People(people) => people,
            other => panic!("{other:?}"),
        }
    }

    async fn find(&mut self, handles: Vec<Handle>) -> Result<Vec<Option<UserId>>, Error> {
        let request = self.new_request();
        match self.ask(&FindPeople { request, handles }).await {
            ServerFrame::FoundPeople(found) => {
                assert_eq!(found.request, request);
                Ok(found.users)
            }
            ServerFrame::Error(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn ask<P: Payload>(&mut self, request: &P) -> ServerFrame {
        self.tell(request).await;
        self.answer().await
    }

    /// Takes the next event, which is about the account.
    async fn take_account(&mut self) -> (AccountPart, Option<Person>) {
        match self.take().await {
            Event::Account(AccountEvent { part, person, .. }) => (part, person),
            other => panic!("{other:?}"),
        }
    }
}
