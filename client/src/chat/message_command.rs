//! What a person can do with a message of the open conversation: `/reply ...` understood.

use std::time::Duration;

use rookery_protocol::{ReferenceKind, Seq};

/// For the list of commands.
pub(super) const COMMANDS: [(&str, &str); 9] = [
    ("/reply [#N] TEXT", "answer message #N, or the last one of somebody else's"),
    ("/react [#N] SYMBOL|off", "react to it"),
    ("/edit [#N] TEXT", "change what your message #N says, or your last one; for a quarter of an hour"),
    ("/delete [#N]", "delete it for everyone; for two days. Admins of a group: any"),
    ("/timer 1d|12h|30m|45s|off", "what is written from now on disappears after that long, or stays"),
    ("/hide #N...|all", "do not show these to you any more; others keep them"),
    ("/report [#N...] TEXT", "tell the moderators about the other one, or who wrote these"),
    ("/receipts", "who has received and read the last message that you sent here"),
    ("/numbers", "show the messages' numbers, or show them no more"),
];

/// A command about messages.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MessageCommand {
    /// Without a number: the last that it can be about.
    Refer {
        kind: ReferenceKind,
        to: Option<Seq>,
        text: String,
    },
    /// `None`: messages stay.
    Timer(Option<Duration>),
    Hide(Vec<Seq>),
    HideAll,
    Report {
        seqs: Vec<Seq>,
        text: String,
    },
}

impl MessageCommand {
    /// The command `/name argument`, if it is one of these. The error is for the person.
    pub(super) fn parse(name: &str, argument: &str) -> Option<Result<Self, String>> {
        Some(match name {
            "reply" => refer(ReferenceKind::Reply, argument, "/reply [#N] TEXT"),
            "edit" => refer(ReferenceKind::Edit, argument, "/edit [#N] TEXT"),
            "react" => match refer(ReferenceKind::Reaction, argument, "/react [#N] SYMBOL|off") {
                Ok(Self::Refer { kind, to, text }) if text == "off" => {
                    Ok(Self::Refer { kind, to, text: String::new() })
                }
                other => other,
            },
            "delete" => match numbers(argument) {
                (seqs, "") if seqs.len() < 2 => {
                    let (kind, to) = (ReferenceKind::Delete, seqs.first().copied());
                    Ok(Self::Refer { kind, to, text: String::new() })
                }
                _ => Err(takes("/delete [#N]")),
            },
            "timer" if argument == "off" => Ok(Self::Timer(None)),
            "timer" => match span(argument) {
                Some(span) => Ok(Self::Timer(Some(span))),
                None => Err("it goes /timer 1d|12h|30m|45s|off".to_owned()),
            },
            "hide" if argument == "all" => Ok(Self::HideAll),
            "hide" => match numbers(argument) {
                (seqs, "") if !seqs.is_empty() => Ok(Self::Hide(seqs)),
                _ => Err(takes("/hide #N...|all")),
            },
            "report" => match numbers(argument) {
                (_, "") => Err(takes("/report [#N...] TEXT")),
                (seqs, text) => Ok(Self::Report { seqs, text: text.to_owned() }),
            },
            _ => return None,
        })
    }
}

fn refer(kind: ReferenceKind, argument: &str, usage: &str) -> Result<MessageCommand, String> {
    // One number at most: what follows is the text, whatever it looks like.
    let (to, text) = match argument.split_once(char::is_whitespace) {
        Some((first, rest)) if number(first).is_some() => (number(first), rest.trim()),
        _ => (None, argument),
    };
    if text.is_empty() || number(text).is_some() {
        return Err(takes(usage));
    }
    Ok(MessageCommand::Refer { kind, to, text: text.to_owned() })
}

/// A time like `1d`, `12h`, `30m` or `45s`.
fn span(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "d" => 24 * 3600,
        "h" => 3600,
        "m" => 60,
        "s" => 1,
        _ => return None,
    };
    let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
    number.checked_mul(seconds).map(Duration::from_secs)
}

/// The numbers at the beginning, and what follows them.
fn numbers(argument: &str) -> (Vec<Seq>, &str) {
    let (mut seqs, mut rest) = (Vec::new(), argument.trim());
    loop {
        let (first, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let Some(seq) = number(first) else { return (seqs, rest) };
        seqs.push(seq);
        rest = behind.trim();
    }
}

fn number(word: &str) -> Option<Seq> {
    word.strip_prefix('#')?.parse().ok().filter(|number| *number > 0).map(Seq::new)
}

fn takes(usage: &str) -> String {
    format!("it goes {usage}; /numbers shows the numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_about_messages_are_understood() {
        let refer = |kind, to: Option<u64>, text: &str| {
            Some(Ok(MessageCommand::Refer { kind, to: to.map(Seq::new), text: text.to_owned() }))
        };
        let parse = MessageCommand::parse;
        assert_eq!(parse("reply", "yes"), refer(ReferenceKind::Reply, None, "yes"));
        assert_eq!(parse("reply", "#3 yes #4"), refer(ReferenceKind::Reply, Some(3), "yes #4"));
        assert_eq!(parse("reply", "#one of us"), refer(ReferenceKind::Reply, None, "#one of us"));
        assert_eq!(parse("edit", "#3  hello"), refer(ReferenceKind::Edit, Some(3), "hello"));
        assert_eq!(parse("react", "off"), refer(ReferenceKind::Reaction, None, ""));
        assert_eq!(parse("react", "#3 +1"), refer(ReferenceKind::Reaction, Some(3), "+1"));
        assert_eq!(parse("delete", ""), refer(ReferenceKind::Delete, None, ""));
        assert_eq!(parse("delete", "#7"), refer(ReferenceKind::Delete, Some(7), ""));
        for (text, seconds) in [("1d", 86_400), ("12h", 43_200), ("30m", 1_800), ("45s", 45)] {
            let timer = MessageCommand::Timer(Some(Duration::from_secs(seconds)));
            assert_eq!(parse("timer", text), Some(Ok(timer)));
        }
        assert_eq!(parse("timer", "off"), Some(Ok(MessageCommand::Timer(None))));
        assert_eq!(parse("hide", "all"), Some(Ok(MessageCommand::HideAll)));
        let seqs = vec![Seq::new(3), Seq::new(4)];
        assert_eq!(parse("hide", "#3 #4"), Some(Ok(MessageCommand::Hide(seqs.clone()))));
        let report = MessageCommand::Report { seqs, text: "spam and worse".to_owned() };
        assert_eq!(parse("report", "#3 #4 spam and worse"), Some(Ok(report)));
        assert_eq!(parse("fly", ""), None);
    }

    #[test]
    fn a_command_that_is_wrong_is_answered_with_how_it_goes() {
        for (name, argument) in [
            ("reply", ""),
            ("reply", "#3"),
            ("edit", ""),
            ("react", "#3"),
            ("delete", "hello"),
            ("delete", "#3 #4"),
            ("delete", "#0"),
            ("timer", ""),
            ("timer", "1"),
            ("timer", "0d"),
            ("timer", "one d\u{e9}"),
            ("timer", "99999999999999999999d"),
            ("hide", ""),
            ("hide", "#3 hello"),
            ("report", "#3"),
        ] {
            let error = MessageCommand::parse(name, argument).unwrap().unwrap_err();
            assert!(error.contains(&format!("/{name} ")), "{name} {argument}: {error}");
        }
    }
}
