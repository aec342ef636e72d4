//! What a person says of others and of themselves: `/contacts ...`, `/block ...`, `/privacy ...`, `/profile ...` understood,
//! and done.

use rookery_protocol::{Audience, Handle, Person, PrivacySettings, Profile, UserId, UserProfile};

use super::rooms::{moment, printable};
use super::session::plainly;
use crate::Client;

/// For the list of commands.
pub(super) const COMMANDS: [(&str, &str); 11] = [
    ("/contacts", "your contacts, and whom you have blocked"),
    ("/contacts add|remove HANDLE...", "change who is one of them"),
    ("/contacts except|include HANDLE...", "whom \"contacts-except\" leaves out"),
    ("/contacts find HANDLE...", "which of these are users"),
    ("/block [HANDLE...]", "no messages either way; without a name: whom you talk with here"),
    ("/unblock [HANDLE...]", "messages again"),
    ("/privacy", "who may see what of you"),
    ("/privacy last-seen|online|profile|groups WHO", "WHO: everyone, contacts, contacts-except, nobody"),
    ("/privacy receipts on|off", "whether others learn what you have read, and you what they have"),
    ("/profile [HANDLE]", "what you or others show of themselves"),
    ("/profile set name|about|picture TEXT", "what you show"),
];

/// Lines that Tab may complete to, but for handles.
pub(super) fn completions() -> impl Iterator<Item = String> {
    let audiences = ["everyone", "contacts", "contacts-except", "nobody"];
    let privacy = ["last-seen", "online", "profile", "groups"]
        .into_iter()
        .flat_map(move |what| audiences.into_iter().map(move |who| format!("/privacy {what} {who}")));
    let plain = [
        "/contacts",
        "/contacts find ",
        "/privacy",
        "/privacy receipts on",
        "/privacy receipts off",
        "/profile",
        "/profile set name ",
        "/profile set about ",
        "/profile set picture ",
    ];
    plain.into_iter().map(str::to_owned).chain(privacy)
}

/// Commands that take handles.
pub(super) const WITH_HANDLES: [&str; 7] = [
    "/contacts add",
    "/contacts remove",
    "/contacts except",
    "/contacts include",
    "/block",
    "/unblock",
    "/profile",
];

/// What somebody is to be to the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Contact(bool),
    Excepted(bool),
    Blocked(bool),
}

/// What of the user is to be seen by others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aspect {
    LastSeen,
    Online,
    Profile,
    Groups,
}

/// Which text of the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Name,
    About,
    Picture,
}

/// A command about people.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ContactCommand {
    List,
    /// Without anybody named it is about the other one of the open conversation.
    Relate(Relation, Vec<Handle>),
    Find(Vec<Handle>),
    Privacy,
    Show(Aspect, Audience),
    ReadReceipts(bool),
    Profile(Option<Handle>),
    SetProfile(Part, String),
}

impl ContactCommand {
    /// The command `/name argument`, if it is one of these. The error is for the person.
    pub(super) fn parse(name: &str, argument: &str) -> Option<Result<Self, String>> {
        Some(match name {
            "block" => handles(argument).map(|who| Self::Relate(Relation::Blocked(true), who)),
            "unblock" => handles(argument).map(|who| Self::Relate(Relation::Blocked(false), who)),
            "contacts" => contacts(argument),
            "privacy" => privacy(argument),
            "profile" => profile(argument),
            _ => return None,
        })
    }
}

fn handles(text: &str) -> Result<Vec<Handle>, String> {
    let handle = |word: &str| word.parse().map_err(|error| format!("{word}: {error}"));
    text.split_whitespace().map(handle).collect()
}

fn contacts(argument: &str) -> Result<ContactCommand, String> {
    let (word, rest) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
    let relation = match word {
        "" => return Ok(ContactCommand::List),
        "add" => Some(Relation::Contact(true)),
        "remove" => Some(Relation::Contact(false)),
        "except" => Some(Relation::Excepted(true)),
        "include" => Some(Relation::Excepted(false)),
        "find" => None,
        _ => {
            return Err("it goes /contacts, or /contacts add|remove|except|include|find HANDLE...".to_owned());
        }
    };
    let who = handles(rest)?;
    match relation {
        _ if who.is_empty() => Err(format!("it goes /contacts {word} HANDLE...")),
        Some(relation) => Ok(ContactCommand::Relate(relation, who)),
        None => Ok(ContactCommand::Find(who)),
    }
}

fn privacy(argument: &str) -> Result<ContactCommand, String> {
    let mut words = argument.split_whitespace();
    let (what, who, more) = (words.next(), words.next(), words.next());
    let usage = || {
        "it goes /privacy last-seen|online|profile|groups everyone|contacts|contacts-except|nobody, or /privacy receipts \
         on|off"
            .to_owned()
    };
    let (Some(what), Some(who), None) = (what, who, more) else {
        return if what.is_none() { Ok(ContactCommand::Privacy) } else { Err(usage()) };
    };
    let seen = match (what, who) {
        ("receipts", "on") => return Ok(ContactCommand::ReadReceipts(true)),
        ("receipts", "off") => return Ok(ContactCommand::ReadReceipts(false)),
        ("last-seen", _) => Aspect::LastSeen,
        ("online", _) => Aspect::Online,
        ("profile", _) => Aspect::Profile,
        ("groups", _) => Aspect::Groups,
        _ => return Err(usage()),
    };
    let audience = match who {
        "everyone" => Audience::Everyone,
        "contacts" => Audience::Contacts,
        "contacts-except" => Audience::ContactsExcept,
        "nobody" => Audience::Nobody,
        _ => return Err(usage()),
    };
    Ok(ContactCommand::Show(seen, audience))
}

fn profile(argument: &str) -> Result<ContactCommand, String> {
    let (word, rest) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
    let usage = || "it goes /profile [HANDLE], or /profile set name|about|picture TEXT".to_owned();
    match (word, rest) {
        ("", _) => Ok(ContactCommand::Profile(None)),
        ("set", rest) => {
            let (part, text) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
            let part = match part {
                "name" => Part::Name,
                "about" => Part::About,
                "picture" => Part::Picture,
                _ => return Err(usage()),
            };
            Ok(ContactCommand::SetProfile(part, text.trim().to_owned()))
        }
        (handle, "") => {
            let handle = handle.parse().map_err(|error| format!("{handle}: {error}"))?;
            Ok(ContactCommand::Profile(Some(handle)))
        }
        _ => Err(usage()),
    }
}

/// Changes what somebody is to the user; says so in a line.
pub(super) async fn relate(
    client: &Client,
    relation: Relation,
    (user, name): (UserId, String),
) -> Result<String, String> {
    let known = client.people().await.map_err(|error| plainly(&error))?;
    let is_nothing = Person { user, is_contact: false, is_excepted: false, is_blocked: false };
    let mut person = known.into_iter().find(|person| person.user == user).unwrap_or(is_nothing);
    let line = match relation {
        Relation::Contact(on) => {
            person.is_contact = on;
            if on {
                format!("{name} is one of your contacts")
            } else {
                format!("{name} is no contact of yours")
            }
        }
        Relation::Excepted(on) => {
            person.is_excepted = on;
            let is = if on { "is" } else { "is not" };
            format!("{name} {is} left out where you show something to \"contacts-except\"")
        }
        Relation::Blocked(on) => {
            person.is_blocked = on;
            if on {
                format!(
                    "{name} is blocked: neither of you gets anything from the other; /unblock {name} ends it"
                )
            } else {
                format!("{name} is not blocked any more")
            }
        }
    };
    client.set_person(person).await.map_err(|error| format!("{name}: {}", plainly(&error)))?;
    Ok(line)
}

/// What the user says of others, in lines.
pub(super) fn of_people(people: &[Person], name: impl Fn(UserId) -> String) -> Vec<String> {
    let these = |which: fn(&Person) -> bool| {
        let these: Vec<_> =
            people.iter().filter(|person| which(person)).map(|person| name(person.user)).collect();
        (!these.is_empty()).then(|| these.join(", "))
    };
    let lines = [
        ("contacts", these(|person| person.is_contact)),
        ("left out by \"contacts-except\"", these(|person| person.is_excepted)),
        ("blocked", these(|person| person.is_blocked)),
    ];
    let lines: Vec<_> =
        lines.into_iter().filter_map(|(what, these)| Some(format!("{what}: {}", these?))).collect();
    if lines.is_empty() {
        return vec!["no contacts yet: /contacts add HANDLE makes somebody one".to_owned()];
    }
    lines
}

/// Changes who may see what.
pub(super) fn show(privacy: &mut PrivacySettings, seen: Aspect, audience: Audience) {
    match seen {
        Aspect::LastSeen => privacy.last_seen = audience,
        Aspect::Online => privacy.online = audience,
        Aspect::Profile => privacy.profile = audience,
        Aspect::Groups => privacy.groups = audience,
    }
}

/// Who may see what of the user, in lines.
pub(super) fn of_privacy(privacy: &PrivacySettings) -> Vec<String> {
    let to = |audience| match audience {
        Audience::Everyone => "everyone",
        Audience::Contacts => "your contacts",
        Audience::ContactsExcept => "your contacts, but for those left out",
        Audience::Nobody => "nobody",
    };
    let receipts = if privacy.read_receipts {
        "others learn what you have read, and you what they have"
    } else {
        "nobody learns what you have read, nor you what others have; but for groups"
    };
    vec![
        format!("that you are online is shown to {}", to(privacy.online)),
        format!("when you were last seen, to {}", to(privacy.last_seen)),
        format!("your name, description and picture, to {}", to(privacy.profile)),
        format!("to groups you may be added by {}", to(privacy.groups)),
        receipts.to_owned(),
    ]
}

/// Changes a text of the user's own profile.
pub(super) async fn set_profile(client: &Client, me: UserId, part: Part, text: String) -> Result<(), String> {
    let shown = client.profiles(&[me]).await.map_err(|error| plainly(&error))?;
    let nothing = Profile { name: String::new(), about: String::new(), picture: String::new() };
    let mut profile = shown.into_iter().find_map(|shown| shown.profile).unwrap_or(nothing);
    match part {
        Part::Name => profile.name = text,
        Part::About => profile.about = text,
        Part::Picture => profile.picture = text,
    }
    client.set_profile(profile).await.map_err(|error| plainly(&error))
}

/// What a user shows, in lines.
pub(super) fn of_profile(profile: &UserProfile) -> Vec<String> {
    let UserProfile { handle, profile, last_seen_ms, .. } = profile;
    let mut lines = vec![handle.to_string()];
    match profile {
        None => lines.push("shows no name, description or picture".to_owned()),
        Some(Profile { name, about, picture }) => {
            for (what, text) in [("name", name), ("about", about), ("picture", picture)] {
                if !text.is_empty() {
                    lines.push(format!("{what}: {}", printable(text).replace('\n', " ")));
                }
            }
        }
    }
    if *last_seen_ms > 0 {
        lines.push(format!("last seen {}", moment(*last_seen_ms)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_about_people_are_understood() {
        let who = |handles: &[&str]| handles.iter().map(|handle| handle.parse().unwrap()).collect::<Vec<_>>();
        let parse = |name, argument| ContactCommand::parse(name, argument).unwrap();
        assert_eq!(parse("contacts", ""), Ok(ContactCommand::List));
        let add = ContactCommand::Relate(Relation::Contact(true), who(&["bob", "carol"]));
        assert_eq!(parse("contacts", "add bob  carol"), Ok(add));
        assert_eq!(parse("contacts", "find bob"), Ok(ContactCommand::Find(who(&["bob"]))));
        assert_eq!(parse("block", ""), Ok(ContactCommand::Relate(Relation::Blocked(true), Vec::new())));
        assert_eq!(parse("privacy", ""), Ok(ContactCommand::Privacy));
        let show = ContactCommand::Show(Aspect::LastSeen, Audience::ContactsExcept);
        assert_eq!(parse("privacy", "last-seen contacts-except"), Ok(show));
        assert_eq!(parse("privacy", "receipts off"), Ok(ContactCommand::ReadReceipts(false)));
        assert_eq!(parse("profile", "bob"), Ok(ContactCommand::Profile(Some("bob".parse().unwrap()))));
        let name = ContactCommand::SetProfile(Part::Name, "Alice of the crew".to_owned());
        assert_eq!(parse("profile", "set name  Alice of the crew"), Ok(name));
        assert_eq!(parse("profile", "set about"), Ok(ContactCommand::SetProfile(Part::About, String::new())));
        assert_eq!(ContactCommand::parse("fly", ""), None);
    }

    #[test]
    fn a_command_that_is_wrong_is_answered_with_how_it_goes() {
        for (name, argument, says) in [
            ("contacts", "bob", "/contacts add"),
            ("contacts", "add", "/contacts add HANDLE"),
            ("contacts", "add Not.A.Handle!", "Not.A.Handle!"),
            ("block", "Not.A.Handle!", "Not.A.Handle!"),
            ("privacy", "online", "/privacy last-seen"),
            ("privacy", "online friends", "/privacy last-seen"),
            ("privacy", "online nobody now", "/privacy last-seen"),
            ("privacy", "receipts maybe", "receipts on|off"),
            ("profile", "bob carol", "/profile set"),
            ("profile", "set hat red", "/profile set"),
        ] {
            let error = ContactCommand::parse(name, argument).unwrap().unwrap_err();
            assert!(error.contains(says), "{name} {argument}: {error}");
        }
    }
}
