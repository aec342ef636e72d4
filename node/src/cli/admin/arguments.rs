//! What can be typed after `rookery admin`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use rookery_protocol::{ConversationId, GroupId, Handle, Stamp, UserId};
use rookery_store::keys::ban::Network;
use rookery_store::keys::node::NodeName;

use super::url::AdminUrl;
use crate::cli::arguments::{Place, device_name, lifetime};
use crate::config::Directives;

/// See what a cluster does, and change it while it runs.
///
/// Asks the nodes' admin API. The nodes that run on this machine are found by their data directory; from elsewhere, give
/// the URL of any one node and the admin token. What every node knows a part of is asked of all nodes at once: one that
/// does not answer is named, and what the others said is shown.
///
/// USER is a handle, or `id:` and the user's number. GROUP is the group's number, or `g:` and the number.
#[derive(Debug, Args)]
#[command(
    subcommand_value_name = "WHAT",
    after_help = "Examples:\n  \
    rookery admin status\n  \
    rookery admin where alice\n  \
    rookery admin drain rook-2 && systemctl restart rookery   # on rook-2's machine\n  \
    rookery admin top\n  \
    rookery admin nodes --admin https://chat1.example.org:7404 --token-file admin.token\n\n\
    Exit codes: 8 there is no such user, device, group, node, ban, report or connection; 9 a node did not answer; 10 a check \
    found something; 11 a drain was not done in time. All others are as for the other commands."
)]
pub(in crate::cli) struct Admin {
    #[command(subcommand)]
    pub(super) what: What,
    #[command(flatten)]
    pub(super) reach: ReachArguments,
}

/// Which cluster is meant, and how it is talked to.
#[derive(Debug, Clone, Args)]
pub(super) struct ReachArguments {
    /// Print JSON: one document, or one object a line where it goes on
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// The data directory [default: rookery-data, or as the configuration says]
    #[arg(long, value_name = "DIR", global = true, help_heading = "Which cluster")]
    pub(super) data: Option<PathBuf>,

    /// The configuration [default: ./cluster.toml if there is one, else what is built in]
    #[arg(long, value_name = "FILE", global = true, help_heading = "Which cluster")]
    pub(super) config: Option<PathBuf>,

    /// A node's admin API, such as https://chat1.example.org:7404 [default: those of the nodes on this machine]
    #[arg(long, value_name = "URL", global = true, help_heading = "Which cluster")]
    pub(super) admin: Option<AdminUrl>,

    /// The file with the admin token [default: that of the data directory]
    #[arg(long, value_name = "FILE", global = true, help_heading = "Which cluster")]
    pub(super) token_file: Option<PathBuf>,

    /// The certificates to trust, PEM [default: the system's, and those that the configuration names]
    #[arg(long, value_name = "FILE", global = true, help_heading = "Which cluster")]
    pub(super) ca: Option<PathBuf>,

    /// How long to wait for a node's answer
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = span, global = true,
          help_heading = "Which cluster")]
    pub(super) timeout: Duration,
}

impl ReachArguments {
    pub(super) fn place(&self) -> Place {
        Place { data: self.data.clone(), config: self.config.clone() }
    }
}

/// Only one node.
#[derive(Debug, Clone, Args)]
pub(super) struct OneNode {
    /// Only this node
    #[arg(long, value_name = "NODE")]
    pub(super) node: Option<NodeName>,
}

/// Leave to do it.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Sure {
    /// Do not ask
    #[arg(long)]
    pub(super) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum What {
    /// How each node is: ready or not, its version, what it holds
    #[command(after_help = "Examples:\n  rookery admin status\n  rookery admin status --node rook-1 --json")]
    Status {
        #[command(flatten)]
        only: OneNode,
    },
    /// The members of the cluster and the links between them
    #[command(after_help = "Example:\n  rookery admin nodes")]
    Nodes,
    /// Who owns how many of the 4,096 slots
    #[command(after_help = "Examples:\n  rookery admin slots\n  rookery admin slots --ranges   # which ones")]
    Slots {
        /// Show which slots they are
        #[arg(long)]
        ranges: bool,
    },
    /// Where a user is, or the members of a group
    ///
    /// Of a user it shows the owner of the slot, and each node's session and connections. A group has no place of its own:
    /// what is shown is how many of its members are connected to which node.
    #[command(after_help = "Examples:\n  \
        rookery admin where alice\n  \
        rookery admin where id:4711\n  \
        rookery admin where g:4711")]
    Where {
        /// Whom: a user, or `g:` and a group's number
        #[arg(value_name = "USER", value_parser = whom)]
        whom: Whom,
    },
    /// The users with a connection, node by node
    #[command(after_help = "Example:\n  rookery admin sessions --node rook-2")]
    Sessions {
        #[command(flatten)]
        only: OneNode,
        #[command(flatten)]
        limit: Limit,
    },
    /// The open connections, node by node
    #[command(after_help = "Examples:\n  \
        rookery admin connections\n  \
        rookery admin connections --user alice\n  \
        rookery admin connections --from 192.0.2.0/24")]
    Connections {
        /// Only this user's
        #[arg(long, value_parser = user)]
        user: Option<String>,
        /// Only those from this address or network
        #[arg(long, value_name = "NETWORK")]
        from: Option<Network>,
        #[command(flatten)]
        only: OneNode,
        #[command(flatten)]
        limit: Limit,
    },
    /// Close connections: a user's, one device's, or one connection. Their clients may come back
    #[command(after_help = "Examples:\n  \
        rookery admin kick alice\n  \
        rookery admin kick alice --device phone --yes\n  \
        rookery admin kick --node rook-1 --connection 17")]
    Kick(Kick),
    /// Accounts
    #[command(subcommand)]
    User(User),
    /// Groups
    #[command(subcommand)]
    Group(Group),
    /// Channels: groups that anyone may follow
    #[command(subcommand)]
    Channel(Channel),
    /// Print a token that lets one of a user's devices in; the device is added if there is none of that name
    #[command(after_help = "Example:\n  \
        rookery admin token alice --device phone --expires 12h > phone.token")]
    Token {
        /// Whose
        #[arg(value_parser = user)]
        user: String,
        /// The device's name
        #[arg(long, value_name = "NAME", default_value = "default", value_parser = device_name)]
        device: String,
        /// How long the token is good for: 90s, 12h, 30d, ...
        #[arg(long, value_name = "TIME", default_value = "30d", value_parser = lifetime)]
        expires: Duration,
    },
    /// What waits for a user's devices: how much, since when, for which; never what messages say
    #[command(after_help = "Examples:\n  rookery admin inbox alice\n  rookery admin inbox alice --peek 10")]
    Inbox {
        /// Whose
        #[arg(value_parser = user)]
        user: String,
        /// Show so many of the first events
        #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000))]
        peek: u32,
    },
    /// Give a node's slots and clients to the others, and wait until it is empty
    ///
    /// The node stays up and takes nobody until it is started again. Ends with 0 when the node may be stopped, and with
    /// 11 when clients or slots are left. Refused when no other node takes slots.
    #[command(after_help = "Examples:\n  \
        rookery admin drain rook-2\n  \
        rookery admin drain rook-2 --yes --spread 60s --within 5m   # for scripts, gently")]
    Drain(Drain),
    /// Take a node that is gone out of the cluster. One that still runs joins again by itself
    #[command(after_help = "Example:\n  rookery admin remove rook-3")]
    Remove {
        /// Which
        node: NodeName,
        #[command(flatten)]
        sure: Sure,
    },
    /// Move slots to where weights and drains want them
    #[command(after_help = "Example:\n  rookery admin weight rook-1 200 && rookery admin rebalance")]
    Rebalance {
        /// How many slots at a time
        #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=4096))]
        step: u16,
        /// How long to wait between two steps
        #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration)]
        pause: Duration,
    },
    /// Change a node's share of the slots. They move when `rebalance` is asked for
    #[command(after_help = "Examples:\n  \
        rookery admin weight rook-1 200   # twice the share of a node with 100\n  \
        rookery admin weight rook-1 0     # none")]
    Weight {
        /// Which
        node: NodeName,
        /// Its share against those of the others, 0 to 10000
        #[arg(value_parser = clap::value_parser!(u32).range(..=10_000))]
        weight: u32,
    },
    /// What users have reported to the moderators
    #[command(subcommand)]
    Reports(Reports),
    /// Addresses from which no client may connect
    #[command(subcommand)]
    Ban(Ban),
    /// Show what nodes log, or change it until they stop
    #[command(after_help = "Examples:\n  \
        rookery admin log-level\n  \
        rookery admin log-level info,rookery_actors=debug --node rook-1")]
    LogLevel {
        /// error, warn, info, debug, trace, off, or directives such as info,rookery_store=debug
        level: Option<Directives>,
        #[command(flatten)]
        only: OneNode,
    },
    /// Follow one user's messages through the cluster, live. Ctrl-C ends it
    #[command(
        after_help = "Examples:\n  rookery admin trace alice\n  rookery admin trace alice --for 30s --json"
    )]
    Trace {
        /// Whose
        #[arg(value_parser = user)]
        user: String,
        /// For how long, an hour at the most
        #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = trace_time)]
        time: Duration,
    },
    /// A screen of all nodes: rates, latencies, queues. `q` quits
    #[command(after_help = "Examples:\n  rookery admin top\n  rookery admin top --json --count 3")]
    Top {
        /// How often to look
        #[arg(long, value_name = "TIME", default_value = "1s", value_parser = every)]
        every: Duration,
        /// End after so many looks
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        count: Option<u64>,
    },
    /// Look whether the store holds what it promises. Ends with 10 when it does not
    #[command(after_help = "Examples:\n  \
        rookery admin check\n  \
        rookery admin check --offline --data /var/lib/rookery   # no node needed")]
    Check {
        /// Read the store itself instead of asking a node
        #[arg(long, conflicts_with_all = ["admin", "node"])]
        offline: bool,
        #[command(flatten)]
        only: OneNode,
    },
    /// Copy the embedded store, as of one moment, while it is in use
    ///
    /// The copy is messages and accounts. Keys and the CA are files of the data directory: copy `rookery.toml`, `keys` and
    /// `ca` once, and keep them secret.
    #[command(after_help = "Examples:\n  \
        rookery admin backup /var/backups/rookery/monday\n  \
        rookery admin backup --offline monday   # no node needed")]
    Backup {
        /// Where to: a missing or empty directory on the machine of the node that is asked
        directory: PathBuf,
        /// Read the store itself instead of asking a node
        #[arg(long, conflicts_with_all = ["admin", "node"])]
        offline: bool,
        #[command(flatten)]
        only: OneNode,
    },
    /// Put a backup in place of the embedded store. No node may run on the data directory
    ///
    /// What the store holds is moved aside, not removed.
    #[command(after_help = "Example:\n  \
        rookery admin restore /var/backups/rookery/monday --data /var/lib/rookery")]
    Restore {
        /// The directory that `backup` wrote
        #[arg(value_name = "FROM")]
        from: PathBuf,
        #[command(flatten)]
        sure: Sure,
    },
    /// Make what the cluster's machines share (CA, keys), and say what other machines need of it
    #[command(after_help = "Examples:\n  \
        rookery admin ca\n  \
        rookery admin ca --issue chat2 --out chat2/   # a certificate, so that the CA's key stays here")]
    Ca {
        /// Issue a certificate for the links of this node
        #[arg(long, value_name = "NODE", requires = "out")]
        issue: Option<NodeName>,
        /// The directory to write it to
        #[arg(long, value_name = "DIR", requires = "issue")]
        out: Option<PathBuf>,
    },
}

/// How much of what may be long.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Limit {
    /// So many of each node at the most
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) limit: u64,
}

#[derive(Debug, Args)]
pub(super) struct Kick {
    /// Whose
    #[arg(value_parser = user, required_unless_present = "connection", conflicts_with = "connection")]
    pub(super) user: Option<String>,
    /// Only this device's
    #[arg(long, value_name = "NAME", requires = "user")]
    pub(super) device: Option<String>,
    /// The connection with this number
    #[arg(long, value_name = "N", requires = "node")]
    pub(super) connection: Option<u64>,
    #[command(flatten)]
    pub(super) only: OneNode,
    /// What the clients are told
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    #[command(flatten)]
    pub(super) sure: Sure,
}

#[derive(Debug, Args)]
pub(super) struct Drain {
    /// Which
    pub(super) node: NodeName,
    /// Over how long clients are sent away, each at a time of its own: up to 10m
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(super) spread: Duration,
    /// How long it may take: up to 1h
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = span)]
    pub(super) within: Duration,
    #[command(flatten)]
    pub(super) sure: Sure,
}

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Make an account
    #[command(after_help = "Example:\n  rookery admin user add alice")]
    Add {
        /// 1 to 32 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit
        name: Handle,
    },
    /// Show an account and its devices
    #[command(after_help = "Example:\n  rookery admin user show alice")]
    Show {
        /// Whose
        #[arg(value_parser = user)]
        user: String,
    },
    /// List the accounts
    #[command(after_help = "Example:\n  rookery admin user list")]
    List,
    /// Let an account not be used: its devices are told why, and messages to it wait
    #[command(
        after_help = "Example:\n  rookery admin user suspend bob --reason \"spam; write to help@example.org\""
    )]
    Suspend {
        /// Whom
        #[arg(value_parser = user)]
        user: String,
        /// What the user's devices are told
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
    },
    /// Let a suspended account be used again
    #[command(after_help = "Example:\n  rookery admin user unsuspend bob")]
    Unsuspend {
        /// Whom
        #[arg(value_parser = user)]
        user: String,
    },
    /// Let an account do everything as often as it likes, from its next connection on: a program of yours
    #[command(after_help = "Example:\n  rookery admin user unlimit newsbot")]
    Unlimit {
        /// Whom
        #[arg(value_parser = user)]
        user: String,
    },
    /// Let an account do things only as often as others may
    #[command(after_help = "Example:\n  rookery admin user limit newsbot")]
    Limit {
        /// Whom
        #[arg(value_parser = user)]
        user: String,
    },
    /// Let nobody but the user see what an account sends from now on; the user is not told
    #[command(after_help = "Example:\n  rookery admin user shadow-ban mallory")]
    ShadowBan {
        /// Whom
        #[arg(value_parser = user)]
        user: String,
    },
    /// Let others see again what an account sends; what it sent meanwhile stays unseen
    #[command(after_help = "Example:\n  rookery admin user unshadow-ban mallory")]
    UnshadowBan {
        /// Whom
        #[arg(value_parser = user)]
        user: String,
    },
    /// Remove a user, with devices and undelivered messages; the other sides keep their conversations
    #[command(after_help = "Example:\n  rookery admin user remove bob")]
    Remove {
        /// Whom
        #[arg(value_parser = user)]
        user: String,
        #[command(flatten)]
        sure: Sure,
    },
    /// List a user's devices, or revoke every token one has been given
    #[command(after_help = "Examples:\n  \
        rookery admin user devices alice\n  \
        rookery admin user devices alice --revoke phone")]
    Devices {
        /// Whose
        #[arg(value_parser = user)]
        user: String,
        /// Revoke what this device has been given
        #[arg(long, value_name = "NAME")]
        revoke: Option<String>,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Group {
    /// Show what a group is: its name, settings and admins, who made it, how many are in it
    #[command(
        after_help = "Examples:\n  rookery admin group show 4711\n  rookery admin group show g:4711 --json"
    )]
    Show {
        /// Which
        #[arg(value_parser = group)]
        group: GroupId,
    },
    /// List who is in a group, and how far each has received and read
    #[command(after_help = "Example:\n  rookery admin group members g:4711")]
    Members {
        /// Which
        #[arg(value_parser = group)]
        group: GroupId,
    },
    /// Take a member out of a group, as if they had left. Members learn of it at once
    #[command(after_help = "Example:\n  rookery admin group remove-member g:4711 bob")]
    RemoveMember {
        /// Which
        #[arg(value_parser = group)]
        group: GroupId,
        /// Whom
        #[arg(value_parser = user)]
        user: String,
        #[command(flatten)]
        sure: Sure,
    },
    /// End a group. Nobody is in it any more; its former members keep what they have seen
    #[command(after_help = "Example:\n  rookery admin group delete g:4711")]
    Delete {
        /// Which
        #[arg(value_parser = group)]
        group: GroupId,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Channel {
    /// List the channels, and how many follow each
    #[command(
        after_help = "Examples:\n  rookery admin channel list\n  rookery admin channel list --json --limit 1000"
    )]
    List {
        /// Only those after this one
        #[arg(long, value_name = "CHANNEL", value_parser = group)]
        after: Option<GroupId>,
        /// So many at the most
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
    },
    /// Show what a channel is: its name, settings and admins, who made it, how many follow it
    #[command(
        after_help = "Examples:\n  rookery admin channel show 4711\n  rookery admin channel show g:4711 --json"
    )]
    Show {
        /// Which
        #[arg(value_parser = group)]
        channel: GroupId,
    },
    /// List who follows a channel, by number
    #[command(after_help = "Examples:\n  \
        rookery admin channel followers 4711\n  \
        rookery admin channel followers 4711 --json --limit 1000 --after id:815")]
    Followers {
        /// Which
        #[arg(value_parser = group)]
        channel: GroupId,
        /// Only those after this user's number
        #[arg(long, value_name = "USER", value_parser = user_number)]
        after: Option<UserId>,
        /// So many at the most
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Reports {
    /// List what nobody has dealt with yet, as it came
    #[command(
        after_help = "Examples:\n  rookery admin reports list\n  rookery admin reports list --json --limit 1000"
    )]
    List {
        /// Only those after this one
        #[arg(long, value_name = "REPORT", value_parser = report)]
        after: Option<Stamp>,
        /// So many at the most
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
    },
    /// Show a report, with what the messages it names said when it was made
    #[command(after_help = "Example:\n  rookery admin reports show 0000018bcfe5687b00000000")]
    Show {
        /// As `list` shows it
        #[arg(value_parser = report)]
        report: Stamp,
    },
    /// Forget a report that has been dealt with
    #[command(after_help = "Example:\n  rookery admin reports resolve 0000018bcfe5687b00000000 --yes")]
    Resolve {
        /// As `list` shows it
        #[arg(value_parser = report)]
        report: Stamp,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Ban {
    /// List the bans
    List,
    /// Ban an address or a network on every node, and close its connections
    #[command(after_help = "Examples:\n  \
        rookery admin ban add 192.0.2.7\n  \
        rookery admin ban add 2001:db8::/32 --for 7d --reason flood")]
    Add {
        /// An address such as 192.0.2.7, or a network such as 192.0.2.0/24
        network: Network,
        /// Why, for operators
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
        /// For how long [default: until it is removed]
        #[arg(long = "for", value_name = "TIME", value_parser = span)]
        time: Option<Duration>,
    },
    /// End a ban
    #[command(after_help = "Example:\n  rookery admin ban remove 192.0.2.7")]
    Remove {
        /// As `list` shows it
        network: Network,
    },
}

/// How a user's number is told from a handle.
const ID: &str = "id:";

/// A report's id.
fn report(text: &str) -> Result<Stamp, String> {
    text.parse().map_err(|_| "expected 24 hexadecimal digits".into())
}

/// A handle, or `id:` and a number.
fn user(text: &str) -> Result<String, String> {
    if text.starts_with(ID) {
        user_number(text).map(|_| text.to_owned())
    } else {
        text.parse::<Handle>().map(String::from).map_err(|error| error.to_string())
    }
}

/// `id:` and a number.
fn user_number(text: &str) -> Result<UserId, String> {
    let number = text.strip_prefix(ID).and_then(|number| number.parse().ok());
    number
        .and_then(|number| UserId::new(number).ok())
        .ok_or_else(|| format!("expected `{ID}` and a number from 1 to {}", UserId::MAX))
}

/// Who can be somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whom {
    /// A user.
    User(String),
    /// The members of a group.
    Group(GroupId),
}

fn whom(text: &str) -> Result<Whom, String> {
    if text.starts_with("g:") { group(text).map(Whom::Group) } else { user(text).map(Whom::User) }
}

/// A number, or `g:` and a number.
fn group(text: &str) -> Result<GroupId, String> {
    let group = match text.parse() {
        Ok(number) => GroupId::new(number).ok(),
        Err(_) => text.parse().ok().and_then(ConversationId::group_id),
    };
    group.ok_or_else(|| format!("expected a number from 1 to {}, or `g:` and the number", GroupId::MAX))
}

fn span(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time >= Duration::from_secs(1) => Ok(time),
        Ok(_) => Err("expected a second at least".into()),
        Err(_) => Err("expected a time such as 90s, 12h or 30d".into()),
    }
}

fn trace_time(text: &str) -> Result<Duration, String> {
    span(text).and_then(|time| {
        if time <= Duration::from_secs(3_600) { Ok(time) } else { Err("expected an hour at the most".into()) }
    })
}

fn every(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time >= Duration::from_millis(200) => Ok(time),
        _ => Err("expected a time such as 1s, 200ms at least".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_handle_or_a_number() {
        assert_eq!(user("Alice"), Ok("alice".into()));
        assert_eq!(user("id:7"), Ok("id:7".into()));
        for wrong in ["", "a b", "id:", "id:0", "id:x"] {
            user(wrong).unwrap_err();
        }
    }

    #[test]
    fn a_group_is_a_number_or_a_conversation() {
        let seven = GroupId::new(7).unwrap();
        assert_eq!((group("7"), group("g:7")), (Ok(seven), Ok(seven)));
        for wrong in ["", "0", "g:", "g:0", "g:x", "d:1:2", "id:7", "crew"] {
            group(wrong).unwrap_err();
        }
        assert_eq!(whom("g:7"), Ok(Whom::Group(seven)));
        assert_eq!(whom("Alice"), Ok(Whom::User("alice".into())));
        // A handle like any other.
        assert_eq!(whom("7"), Ok(Whom::User("7".into())));
        whom("g:x").unwrap_err();
    }

    #[test]
    fn times_have_bounds() {
        assert_eq!(span("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["0s", "soon", "-1s"] {
            span(wrong).unwrap_err();
        }
        trace_time("2h").unwrap_err();
        every("1ms").unwrap_err();
    }
}
