//! The accounts that workloads use, registered in-band (XEP-0077): far faster than a command of the server's for each.

use anyhow::{Context as _, ensure};
use clap::Args as ClapArgs;
use clap::builder::RangedU64ValueParser;
use tokio::time::Instant;

use super::connection::{Connection, Login, ns};
use super::{Target, each};
use crate::report::Report;

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Accounts that are to be there.
    #[arg(long, default_value_t = 400, value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000_000))]
    count: usize,
}

/// Makes those that are not there yet.
pub(super) async fn run(target: &Target, args: Args) -> anyhow::Result<Report> {
    let mut report = Report::new(format!("accounts: {} of {}", args.count, target.label));
    let begun = Instant::now();
    let made = each("registering", target.logins(args.count), register).await?;
    let made = made.into_iter().filter(|is_made| *is_made).count() as f64;
    report.add("accounts made", made, "");
    report.add("accounts that were there", args.count as f64 - made, "");
    report.add("registrations", made / begun.elapsed().as_secs_f64(), "/s");
    Ok(report)
}

/// Whether the account has been made: if not, there is one of this name.
async fn register(login: Login) -> anyhow::Result<bool> {
    let (mut connection, features) = Connection::open(&login).await?;
    ensure!(
        features.child("register", ns::REGISTER_FEATURE).is_some(),
        "the server registers no accounts: allow it (mod_register in ejabberd, register_ibr in Prosody), or make them with \
         the server's own command, bench0 and so on"
    );
    let Login { user, password, .. } = &login;
    let query = format!(
        "<query xmlns='{}'><username>{user}</username><password>{}</password></query>",
        ns::REGISTER,
        quick_xml::escape::escape(password.as_str())
    );
    let answer = connection.ask("set", &query).await?;
    let is_made = answer.attribute("type") == Some("result");
    if !is_made {
        ensure!(answer.condition() == "conflict", "the server does not register {}: {answer}", login.jid());
    }
    connection.writer.close().await.context("cannot end a stream")?;
    Ok(is_made)
}
