//! What a person can do with channels: `/channel ...` understood, and what a channel is in lines.

use rookery_protocol::{ConversationId, GroupId, check_name};

/// What follows `/channel`, for the list of commands.
pub(super) const COMMANDS: [(&str, &str); 4] = [
    ("/channel follow ID", "follow a channel, by its number (g:7), and open it"),
    ("/channel unfollow [ID]", "follow it no more; without ID, the open one"),
    ("/channel info [ID]", "what it is, how many follow it, and to members who they are"),
    ("/channel create NAME", "make a channel, in which its admins send, and open it"),
];

/// Lines that Tab may complete to, but for names.
pub(super) fn completions() -> impl Iterator<Item = String> {
    ["follow ", "unfollow", "info", "create "].into_iter().map(|rest| format!("/channel {rest}"))
}

/// Commands about one of the channels that are followed.
pub(super) const WITH_NAMES: [&str; 2] = ["unfollow", "info"];

/// A command about channels.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ChannelCommand {
    Create(String),
    Follow(GroupId),
    Unfollow(Which),
    Info(Which),
}

/// Which channel is meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Which {
    Open,
    Numbered(GroupId),
    /// One that is known here.
    Called(String),
}

impl ChannelCommand {
    /// What follows `/channel`. The error is for the person.
    pub(super) fn parse(argument: &str) -> Result<Self, String> {
        let (word, rest) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
        let rest = rest.trim();
        match word {
            "create" if rest.is_empty() => Err("it is /channel create NAME".to_owned()),
            "create" => {
                let quoted = rest.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                let name = quoted.unwrap_or(rest);
                check_name(name).map_err(|error| error.to_string())?;
                Ok(Self::Create(name.to_owned()))
            }
            "follow" => match number(rest) {
                Some(group) => Ok(Self::Follow(group)),
                None => Err("it is /channel follow ID, and the ID is like g:7".to_owned()),
            },
            "unfollow" => Ok(Self::Unfollow(Which::of(rest))),
            "info" => Ok(Self::Info(Which::of(rest))),
            "" => Err("/channel does nothing alone; /help channels lists what it does".to_owned()),
            _ => Err(format!("there is no command /channel {word}; /help channels lists them")),
        }
    }
}

impl Which {
    fn of(text: &str) -> Self {
        match number(text) {
            _ if text.is_empty() => Self::Open,
            Some(group) => Self::Numbered(group),
            None => Self::Called(text.to_owned()),
        }
    }
}

/// A channel's number, like `g:7`, or `7`.
fn number(text: &str) -> Option<GroupId> {
    match text.parse::<u64>() {
        Ok(number) => GroupId::new(number).ok(),
        Err(_) => text.parse::<ConversationId>().ok()?.group_id(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_understood() {
        let seven = GroupId::new(7).unwrap();
        let parse = ChannelCommand::parse;
        assert_eq!(parse("create the news"), Ok(ChannelCommand::Create("the news".to_owned())));
        assert_eq!(parse("create \"the news\""), Ok(ChannelCommand::Create("the news".to_owned())));
        assert_eq!(parse("follow g:7"), Ok(ChannelCommand::Follow(seven)));
        assert_eq!(parse("follow  7"), Ok(ChannelCommand::Follow(seven)));
        assert_eq!(parse("unfollow"), Ok(ChannelCommand::Unfollow(Which::Open)));
        assert_eq!(parse("info g:7"), Ok(ChannelCommand::Info(Which::Numbered(seven))));
        assert_eq!(parse("info the news"), Ok(ChannelCommand::Info(Which::Called("the news".to_owned()))));
    }

    #[test]
    fn a_command_that_is_wrong_is_answered_with_how_it_goes() {
        for (wrong, says) in [
            ("", "/help channels"),
            ("fly", "no command /channel fly"),
            ("create", "create NAME"),
            ("create \u{7}", "1 to 256 bytes"),
            ("follow", "follow ID"),
            ("follow news", "like g:7"),
            ("follow d:1:2", "like g:7"),
            ("follow 0", "like g:7"),
        ] {
            let error = ChannelCommand::parse(wrong).unwrap_err();
            assert!(error.contains(says), "{wrong}: {error}");
        }
    }
}
