//! How a person wants the open conversation listed: `/mute ...` understood.

use rookery_protocol::ConversationSettings;

const MS_AN_HOUR: u64 = 3_600_000;

/// For the list of commands.
pub(super) const COMMANDS: [(&str, &str); 8] = [
    ("/chats", "list conversations, with what is unread and the last line of each"),
    ("/pin [off]", "keep this conversation at the top"),
    ("/archive [off]", "put it away"),
    ("/mute [HOURS|off]", "do not make anything of what comes here"),
    ("/unread [off]", "show it as unread"),
    ("/read", "mark it as read"),
    ("/history [N]", "show the last N messages; Page Up and Page Down go through them"),
    ("/history DATE", "show what was said then; DATE is like 2026-11-22 or 2026-11-22 10:30, UTC"),
];

/// What is to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListingCommand {
    Pinned(bool),
    Archived(bool),
    Unread(bool),
    MutedFor(u64),
    Muted(bool),
}

impl ListingCommand {
    /// The command `/name argument`, if it is one of these. The error is for the person.
    pub(super) fn parse(name: &str, argument: &str) -> Option<Result<Self, String>> {
        let is_on = match argument {
            "" | "on" => Ok(true),
            "off" => Ok(false),
            _ => Err(format!("/{name} takes nothing, or \"off\"")),
        };
        Some(match name {
            "pin" => is_on.map(Self::Pinned),
            "archive" => is_on.map(Self::Archived),
            "unread" => is_on.map(Self::Unread),
            "mute" => match argument.parse() {
                Ok(hours) if (1..=24 * 366).contains(&hours) => Ok(Self::MutedFor(hours)),
                Ok(_) => Err("/mute takes 1 to 8784 hours; without a number it is for good".to_owned()),
                Err(_) => is_on.map(Self::Muted).map_err(|_| "/mute takes hours, or \"off\"".to_owned()),
            },
            _ => return None,
        })
    }

    pub(super) fn apply(self, settings: &mut ConversationSettings, now_ms: u64) {
        match self {
            Self::Pinned(on) => settings.pinned = on,
            Self::Archived(on) => settings.archived = on,
            Self::Unread(on) => settings.unread = on,
            Self::MutedFor(hours) => settings.muted_until_ms = now_ms + hours * MS_AN_HOUR,
            Self::Muted(true) => settings.muted_until_ms = u64::MAX,
            Self::Muted(false) => settings.muted_until_ms = 0,
        }
    }

    /// What the person is told once it is so.
    pub(super) fn done(self) -> String {
        match self {
            Self::Pinned(true) => "it stays at the top".to_owned(),
            Self::Pinned(false) => "it stays at the top no more".to_owned(),
            Self::Archived(true) => "it is put away; /archive off brings it back".to_owned(),
            Self::Archived(false) => "it is listed again".to_owned(),
            Self::Unread(true) => "it is shown as unread".to_owned(),
            Self::Unread(false) => "it is not shown as unread any more".to_owned(),
            Self::MutedFor(1) => "it is muted for an hour".to_owned(),
            Self::MutedFor(hours) => format!("it is muted for {hours} hours"),
            Self::Muted(true) => "it is muted".to_owned(),
            Self::Muted(false) => "it is not muted any more".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_conversation_is_listed_is_understood_and_done() {
        let parse = |name, argument| ListingCommand::parse(name, argument).unwrap();
        assert_eq!(parse("pin", ""), Ok(ListingCommand::Pinned(true)));
        assert_eq!(parse("archive", "off"), Ok(ListingCommand::Archived(false)));
        assert_eq!(parse("mute", ""), Ok(ListingCommand::Muted(true)));
        let mut settings = ConversationSettings::default();
        parse("mute", "8").unwrap().apply(&mut settings, 1_000);
        assert_eq!(settings.muted_until_ms, 1_000 + 8 * MS_AN_HOUR);
        parse("mute", "off").unwrap().apply(&mut settings, 1_000);
        parse("unread", "").unwrap().apply(&mut settings, 1_000);
        assert_eq!(settings, ConversationSettings { unread: true, ..ConversationSettings::default() });
        for (name, argument) in [("pin", "up"), ("mute", "0"), ("mute", "long"), ("archive", "8")] {
            assert!(parse(name, argument).unwrap_err().contains(name), "{name} {argument}");
        }
        assert_eq!(ListingCommand::parse("fly", ""), None);
    }
}
