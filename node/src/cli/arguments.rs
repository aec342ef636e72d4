//! What can be typed, with the help a newcomer reads.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use rookery_client::NodeAddress;
use rookery_protocol::Handle;
use rookery_store::keys::node::NodeName;

use super::admin::Admin;
use crate::config::NodeCount;

/// A chat node: messages are durable before they are acknowledged, and come to every device once and in order.
#[derive(Debug, Parser)]
#[command(
    name = "rookery",
    version = crate::VERSION,
    max_term_width = 100,
    after_help = "Your first chat, in three terminals:\n\n  \
        rookery up                 # 1: three nodes, keys and data made on first use\n  \
        rookery user add alice     # 2: two people\n  \
        rookery user add bob\n  \
        rookery chat alice         # 2\n  \
        rookery chat bob           # 3\n\n\
        `rookery COMMAND --help` says more about each."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Up(Up),
    Node(Node),
    #[command(subcommand)]
    User(User),
    Token(Token),
    Chat(Chat),
    Admin(Box<Admin>),
    Completions(Completions),
    Man(Man),
}

/// Where a node's things are.
#[derive(Debug, Clone, Args)]
pub(super) struct Place {
    /// The data directory [default: rookery-data, or as the configuration says]
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,

    /// The configuration [default: ./cluster.toml if there is one, else what is built in]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// Start a cluster here and now.
///
/// Makes a data directory with keys on first use, then runs three nodes until Ctrl-C, each in a process of its own, and
/// says what to type next. A node that dies is started again. Nothing else needs to be installed or running: messages are
/// kept in an embedded store in the data directory, which the nodes share.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    rookery up\n  \
    rookery up --nodes 1                  # one node, in one process\n  \
    rookery up --data /var/lib/rookery\n  \
    rookery up --tls                      # encrypted, with a certificate made for this machine")]
pub(super) struct Up {
    #[command(flatten)]
    pub(super) place: Place,

    /// How many nodes. The first has the ports of the configuration, the others 10, 20, ... more [default: 3, or as the
    /// configuration says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=NodeCount::MAX.into()))]
    pub(super) nodes: Option<u32>,

    /// Encrypt: TLS on the addresses for clients, with a self-made certificate unless the configuration has one
    #[arg(long)]
    pub(super) tls: bool,
}

/// Run a node for a service manager.
///
/// One node, in this process, without a welcome: logs to standard error and, once it takes connections, one line beginning
/// with `ready` to standard output. SIGTERM stops it gracefully within 30 seconds; SIGHUP makes it read its certificate and log level
/// again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    rookery node --config /etc/rookery/cluster.toml\n  \
    rookery node --config cluster.toml --data /var/lib/rookery --name chat1")]
pub(super) struct Node {
    #[command(flatten)]
    pub(super) place: Place,

    /// The node's name: no two nodes of a cluster have the same [default: as the configuration says, else rook-1]
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<NodeName>,

    #[command(flatten)]
    pub(super) under_up: UnderUp,
}

/// What `rookery up` tells the processes of its nodes.
#[derive(Debug, Args)]
pub(super) struct UnderUp {
    /// The process of `up`, with which this one ends
    #[arg(long, hide = true)]
    pub(super) up: Option<u32>,

    /// Which node of `up` it is, from 1
    #[arg(long, hide = true, default_value_t = 1)]
    pub(super) nth: u32,

    /// As for `up`
    #[arg(long, hide = true)]
    pub(super) tls: bool,

    /// Log lines go to a terminal in the end
    #[arg(long, hide = true)]
    pub(super) colour: bool,
}

/// Add, list and remove people.
///
/// Works on the data directory itself, whether a node is running on it or not.
#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a user
    #[command(after_help = "Example:\n  rookery user add alice")]
    Add {
        /// 1 to 32 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit
        name: Handle,
        /// Print the new user as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// List all users and their devices
    #[command(after_help = "Examples:\n  rookery user list\n  rookery user list --json")]
    List {
        /// Print one JSON object a user and line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Remove a user, with devices and undelivered messages; the other sides keep their conversations
    #[command(
        after_help = "Examples:\n  rookery user remove bob\n  rookery user remove bob --yes   # for scripts"
    )]
    Remove {
        /// Whom
        name: Handle,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        place: Place,
    },
}

/// Print a token that lets one of a user's devices in.
///
/// The token alone goes to standard output. It is a signed JSON Web Token; whoever has it is that device, so treat it
/// like a password. The device is added when the user has none of that name.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    rookery token alice\n  \
    rookery token alice --device phone --expires 12h > phone.token\n  \
    rookery token alice --device phone --revoke      # every token the phone has been given")]
pub(super) struct Token {
    /// Whose
    pub(super) name: Handle,

    /// The device's name
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = device_name)]
    pub(super) device: String,

    /// How long the token is good for: 90s, 12h, 30d, ...
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = lifetime)]
    pub(super) expires: Duration,

    /// Instead of making a token, revoke all the device has been given
    #[arg(long, conflicts_with = "expires")]
    pub(super) revoke: bool,

    #[command(flatten)]
    pub(super) place: Place,
}

/// Chat in the terminal.
///
/// Talks to the node on this machine, with a token of its own making, unless told otherwise. What it has sent and
/// received is kept in the data directory under clients/, so that it goes on where it was.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    rookery chat alice\n  \
    rookery chat alice --json             # one JSON command a line in, one JSON event a line out\n  \
    rookery chat alice --server wss://chat.example.org/v1 --token-file alice.token")]
pub(super) struct Chat {
    /// Who you are
    pub(super) name: Handle,

    /// Speak JSON lines on standard input and output, for programs
    #[arg(long)]
    pub(super) json: bool,

    /// A node to connect to: ws://, wss://, tcp:// or tls://. May be given several times [default: this machine's]
    #[arg(long = "server", value_name = "URL")]
    pub(super) servers: Vec<NodeAddress>,

    /// The token to show, which other users of this machine can see in the list of processes: the variable and
    /// --token-file are safer [default: one made from the data directory]
    #[arg(long, value_name = "TOKEN", env = "ROOKERY_TOKEN", hide_env_values = true)]
    pub(super) token: Option<SecretText>,

    /// A file with the token, read again at each connection; goes before --token
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,

    /// What this device is called
    #[arg(long, value_name = "NAME", default_value = "terminal", value_parser = device_name)]
    pub(super) device: String,

    /// The certificates to trust, PEM [default: the system's, or this machine's node's own]
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,

    #[command(flatten)]
    pub(super) place: Place,
}

/// Print a shell's completions.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    rookery completions bash > /etc/bash_completion.d/rookery\n  \
    rookery completions zsh > \"${fpath[1]}/_rookery\"\n  \
    rookery completions fish > ~/.config/fish/completions/rookery.fish")]
pub(super) struct Completions {
    /// Whose
    pub(super) shell: Shell,
}

/// Write the man pages.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  rookery man /usr/local/share/man/man1")]
pub(super) struct Man {
    /// Where to; made if it is not there
    #[arg(value_name = "DIR")]
    pub(super) directory: PathBuf,
}

/// A text that shows in no log.
#[derive(Clone)]
pub(super) struct SecretText(pub(super) String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText")
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// A device's name: what fits a list on a screen.
pub(super) fn device_name(text: &str) -> Result<String, String> {
    let length = text.chars().count();
    if (1..=64).contains(&length) && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err("a device's name has 1 to 64 characters, and no control characters".into())
    }
}

pub(super) fn lifetime(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(lifetime) if lifetime >= Duration::from_secs(1) => Ok(lifetime),
        Ok(_) => Err("a token lasts one second at least".into()),
        Err(_) => Err("expected a time such as 90s, 12h or 30d".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_lifetime_is_a_time_of_a_second_or_more() {
        assert_eq!(lifetime("30d"), Ok(Duration::from_secs(30 * 24 * 60 * 60)));
        assert!(lifetime("0s").is_err());
        assert!(lifetime("soon").is_err());
    }
}
