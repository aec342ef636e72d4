//! `/broadcast @a,@b,... TEXT` understood, and to whom a broadcast may go.

use std::collections::HashSet;

use rookery_protocol::Handle;

use crate::{BROADCAST_USERS_MAX, BroadcastError};

const USAGE: &str = "it goes /broadcast @NAME,@NAME,... TEXT, without spaces between the names";

/// To whom, and what. The error is for the person.
pub(super) fn parse(argument: &str) -> Result<(Vec<Handle>, String), String> {
    let (names, text) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
    let text = text.trim();
    if text.is_empty() {
        return Err(USAGE.to_owned());
    }
    let handle = |name: &str| match name.strip_prefix('@') {
        Some(handle) => handle.parse().map_err(|error| format!("{name}: {error}")),
        None => Err(USAGE.to_owned()),
    };
    let handles = names.split(',').map(handle).collect::<Result<Vec<Handle>, _>>()?;
    check(&handles)?;
    Ok((handles, text.to_owned()))
}

/// Says what is wrong with these before any of them is looked up.
pub(super) fn check(handles: &[Handle]) -> Result<(), String> {
    if handles.is_empty() {
        return Err(BroadcastError::Nobody.to_string());
    }
    if handles.len() > BROADCAST_USERS_MAX {
        return Err(BroadcastError::TooMany { users: handles.len() }.to_string());
    }
    let mut named = HashSet::new();
    match handles.iter().find(|handle| !named.insert(*handle)) {
        Some(twice) => Err(format!("{twice} is named twice")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broadcast_is_understood_or_answered_with_what_is_wrong() {
        let who = ["bob", "carol"].map(|name| name.parse().unwrap()).to_vec();
        assert_eq!(parse("@bob,@carol  at eight, @bob?"), Ok((who, "at eight, @bob?".to_owned())));
        for argument in ["", "@bob", "@bob,@carol ", "bob hello", "@bob, @carol hello", "@bob,carol hello"] {
            assert_eq!(parse(argument).unwrap_err(), USAGE, "{argument}");
        }
        assert_eq!(parse("@bob,@carol,@bob hello").unwrap_err(), "bob is named twice");
        assert!(parse("@Not! hello").unwrap_err().starts_with("@Not!: "));
        let names: Vec<_> = (0..=BROADCAST_USERS_MAX).map(|number| format!("@u{number:03}")).collect();
        let error = parse(&format!("{} hello", names.join(","))).unwrap_err();
        assert_eq!(error, "a broadcast goes to at most 256 users, not to 257");
        assert!(parse(&format!("{} hello", names[1..].join(","))).is_ok());
    }
}
