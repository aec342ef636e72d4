//! Which nodes there are and how they are reached: from the data directory of this machine, or from one node's URL.

use std::future::Future;
use std::sync::Arc;

use anyhow::{Result, bail};
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use rookery_store::keys::node::NodeName;

use super::arguments::ReachArguments;
use super::client::{Access, Api};
use super::error::{AdminError, Unanswered};
use super::tls;
use super::url::AdminUrl;
use crate::admin::api;
use crate::data_dir::{AdminToken, DataDir};

/// The cluster, as one of its nodes has shown it.
pub(super) struct Cluster {
    /// The node that answered first: it is asked what all answer the same.
    pub(super) entry: Api,
    /// What that node says the members are.
    pub(super) nodes: api::Nodes,
    /// All nodes, by name.
    members: Vec<Member>,
}

/// A node.
pub(super) struct Member {
    pub(super) name: String,
    /// The way to it, or why there is none.
    way: Result<Api, Unanswered>,
}

/// A way in, as it is known before anybody has answered.
struct Doors {
    access: Arc<Access>,
    /// With the names of the nodes where they are known.
    doors: Vec<Api>,
    /// Whether they are all the nodes of this machine that there are.
    are_this_machines: bool,
}

impl Cluster {
    /// Finds it.
    pub(super) async fn find(reach: &ReachArguments) -> Result<Self> {
        let Doors { access, doors, are_this_machines } = doors(reach)?;
        let (entry, nodes) = first_answer(&doors).await?;
        let entry = entry.named(nodes.seen_by.clone());
        let loopback = if are_this_machines { None } else { loopback_of(&entry, &nodes) };
        let mut members: Vec<Member> = nodes
            .nodes
            .iter()
            .map(|node| Member {
                name: node.name.clone(),
                way: if node.name == entry.name {
                    Ok(entry.clone())
                } else if let Some(known) = doors.iter().find(|door| door.name == node.name) {
                    Ok(known.clone())
                } else {
                    way(&node.name, &node.admin, &entry, loopback.as_deref(), &access)
                },
            })
            .collect();
        // A node that is none of the members is alone, or has been taken for dead: operators want to see it all the more.
        for door in doors.into_iter().map(|door| if door.url == entry.url { entry.clone() } else { door }) {
            if !members.iter().any(|member| member.name == door.name) {
                members.push(Member { name: door.name.clone(), way: Ok(door) });
            }
        }
        members.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { entry, nodes, members })
    }

    /// Only that node, if one is named.
    pub(super) fn narrow(mut self, node: Option<&NodeName>) -> Result<Self> {
        if let Some(name) = node {
            self.entry = self.node(name)?;
            self.members.retain(|member| member.name == name.as_str());
        }
        Ok(self)
    }

    /// The way to that node.
    pub(super) fn node(&self, name: &NodeName) -> Result<Api> {
        match self.members.iter().find(|member| member.name == name.as_str()) {
            Some(Member { way: Ok(api), .. }) => Ok(api.clone()),
            Some(Member { way: Err(unanswered), .. }) => {
                Err(AdminError::Partly(vec![unanswered.clone()]).into())
            }
            None => {
                let names: Vec<&str> = self.members.iter().map(|member| member.name.as_str()).collect();
                let text = format!("there is no node {name}: there are {}", names.join(", "));
                Err(AdminError::NotFound(text).into())
            }
        }
    }

    /// A node other than that one, for what that one is not to be asked for.
    pub(super) fn another_than(&self, name: &NodeName) -> Api {
        let ways = self.members.iter().filter(|member| member.name != name.as_str());
        let mut ways = ways.filter_map(|member| member.way.as_ref().ok());
        if self.entry.name == name.as_str() {
            ways.next().unwrap_or(&self.entry).clone()
        } else {
            self.entry.clone()
        }
    }

    /// The ways to all nodes, and those to which there is none.
    pub(super) fn ways(&self) -> (Vec<Api>, Vec<Unanswered>) {
        let (mut ways, mut without) = (Vec::new(), Vec::new());
        for member in &self.members {
            match &member.way {
                Ok(api) => ways.push(api.clone()),
                Err(unanswered) => without.push(unanswered.clone()),
            }
        }
        (ways, without)
    }

    /// Asks all nodes at once.
    ///
    /// # Errors
    /// When none has an answer: what the first says that has refused, or that nobody answers.
    pub(super) async fn each<T, F>(&self, ask: impl Fn(Api) -> F) -> Result<Answers<T>, AdminError>
    where
        F: Future<Output = Result<T, AdminError>>,
    {
        let (ways, mut missing) = self.ways();
        let asked = join_all(ways.iter().map(|api| ask(api.clone()))).await;
        let (mut answered, mut refused) = (Vec::new(), None);
        for (api, asked) in ways.iter().zip(asked) {
            match asked {
                Ok(answer) => answered.push((api.name.clone(), answer)),
                Err(error) => {
                    missing.push(unanswered(api, &error));
                    if matches!(error, AdminError::Refused(_)) {
                        refused.get_or_insert(error);
                    }
                }
            }
        }
        missing.sort_by(|one, other| one.node.cmp(&other.node));
        match (answered.is_empty(), refused) {
            (true, Some(refused)) => Err(refused),
            (true, None) => Err(AdminError::Nobody(missing)),
            (false, _) => Ok(Answers { answered, unanswered: missing }),
        }
    }
}

/// The node that answers first, and what it says.
async fn first_answer(doors: &[Api]) -> Result<(Api, api::Nodes), AdminError> {
    let mut asked: FuturesUnordered<_> =
        doors.iter().map(async |api| (api, api.get::<api::Nodes>("/v1/nodes").await)).collect();
    let (mut failed, mut refused) = (Vec::new(), None);
    while let Some((api, answer)) = asked.next().await {
        match answer {
            Ok(nodes) => return Ok((api.clone(), nodes)),
            Err(error @ AdminError::Refused(_)) => refused = Some(error),
            Err(error) if doors.len() == 1 => return Err(error),
            Err(error) => failed.push(unanswered(api, &error)),
        }
    }
    failed.sort_by(|one, other| one.node.cmp(&other.node));
    Err(refused.unwrap_or(AdminError::Nobody(failed)))
}

/// What all nodes say.
pub(super) struct Answers<T> {
    /// By the node's name.
    pub(super) answered: Vec<(String, T)>,
    pub(super) unanswered: Vec<Unanswered>,
}

impl<T> Answers<T> {
    /// Once what there is has been shown: whether it was all.
    pub(super) fn all(&self) -> Result<()> {
        all(&self.unanswered)
    }
}

/// An error if there are such.
pub(super) fn all(unanswered: &[Unanswered]) -> Result<()> {
    if unanswered.is_empty() { Ok(()) } else { Err(AdminError::Partly(unanswered.to_vec()).into()) }
}

pub(super) fn unanswered(api: &Api, error: impl std::borrow::Borrow<AdminError>) -> Unanswered {
    let error = match error.borrow() {
        AdminError::NoAnswer { why, .. } => why.clone(),
        error => error.to_string(),
    };
    Unanswered { node: api.name.clone(), admin: api.url.to_string(), error }
}

/// The host on this machine's loopback under which other members are to be looked for: that of a node which is where it
/// says it is. One that is reached at another address, as through a tunnel, or whose name says that it is elsewhere, tells
/// nothing of what listens on this machine, and that is not to be shown the token.
fn loopback_of(entry: &Api, nodes: &api::Nodes) -> Option<String> {
    let own = nodes.nodes.iter().find(|node| node.name == entry.name)?;
    let own: AdminUrl = own.admin.parse().ok()?;
    (own.is_loopback() && own == entry.url).then_some(own.host)
}

/// The way to a member that is known from the answer of `entry`. `loopback`: see [`loopback_of`].
fn way(
    name: &str,
    admin: &str,
    entry: &Api,
    loopback: Option<&str>,
    access: &Arc<Access>,
) -> Result<Api, Unanswered> {
    let unanswered = |error: String| Unanswered { node: name.to_owned(), admin: admin.to_owned(), error };
    if admin.is_empty() {
        return Err(unanswered("it has no admin API (`listen` of [admin] is empty)".into()));
    }
    let url: AdminUrl = admin.parse().map_err(&unanswered)?;
    if url.is_loopback() && loopback != Some(url.host.as_str()) {
        return Err(unanswered("its admin API listens on its own machine only: ask there".into()));
    }
    if url == entry.url {
        let why =
            "answers at this address: ask on the node's own machine, or give it an `advertise` under [admin]";
        return Err(unanswered(format!("{} {why}", entry.name)));
    }
    Ok(Api::of_node(name.to_owned(), url, access.clone()))
}

/// Where to knock first.
fn doors(reach: &ReachArguments) -> Result<Doors> {
    let config = reach.place().load()?;
    let data = DataDir::open(&config.node.data, config.store.engine);
    let token = match (&reach.token_file, &config.admin.token_file) {
        (Some(file), _) | (None, Some(file)) => AdminToken::read(file)?,
        (None, None) => match (&data, &reach.admin) {
            (Ok(data), _) => data.admin_token()?,
            (Err(_), Some(url)) => bail!("name the file with the admin token of {url}: --token-file FILE"),
            (Err(_), None) => return Err(data.expect_err("it is none").into()),
        },
    };
    let own = config.admin.certificate_files(&config.tls).map(|(certificate, _)| certificate.as_path());
    let tls = tls::connector(reach.ca.as_deref(), own)?;
    let access = Arc::new(Access { token, tls, deadline: reach.timeout });
    if let Some(url) = &reach.admin {
        let doors = vec![Api::at(url.clone(), access.clone())];
        return Ok(Doors { access, doors, are_this_machines: false });
    }
    let data = data?;
    let running = data.running();
    let doors = running.iter().filter_map(|node| {
        let url = node.listening.as_ref()?.admin.as_ref()?.parse().ok()?;
        Some(Api::of_node(node.name.to_string(), url, access.clone()))
    });
    let doors: Vec<Api> = doors.collect();
    if doors.is_empty() {
        let place = reach.place();
        let directory = data.path().display();
        let text = match &running[..] {
            [] => format!(
                "no node is running on {directory}: start one with `{}`, or name one elsewhere with --admin URL",
                place.command("up")
            ),
            [node, ..] => format!(
                "node {} runs on {directory}, but does not answer operators: it is still starting, or `listen` of \
                 [admin] is empty",
                node.name
            ),
        };
        return Err(AdminError::NoNode(text).into());
    }
    Ok(Doors { access, doors, are_this_machines: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What node chat1 answers that says it is at `admin`.
    fn nodes_of(admin: &str) -> api::Nodes {
        let node = api::Node {
            name: "chat1".into(),
            incarnation: 1,
            link_address: String::new(),
            admin: admin.into(),
            clients: Vec::new(),
            weight: 100,
            draining: false,
            slots: 0,
            lease: None,
            link: None,
        };
        api::Nodes { epoch: 1, seen_by: "chat1".into(), nodes: vec![node] }
    }

    #[test]
    fn another_machines_loopback_is_not_taken_for_this_ones() {
        let access = Access::for_tests();
        // Whether chat2, which says that it is at `admin`, is asked when chat1 is reached at `entry` and says it is at `own`.
        let is_asked = |admin: &str, entry: &str, own: &str| {
            let entry = Api::of_node("chat1".into(), entry.parse().unwrap(), access.clone());
            let loopback = loopback_of(&entry, &nodes_of(own));
            way("chat2", admin, &entry, loopback.as_deref(), &access).is_ok()
        };
        let remote = "https://chat1.example.org:7404";
        assert!(is_asked("https://10.0.0.6:7404", remote, remote));
        assert!(!is_asked("http://10.0.0.6:7404", remote, remote));
        assert!(!is_asked("http://127.0.0.1:7404", remote, remote));
        assert!(!is_asked("", remote, remote));
        assert!(!is_asked(remote, remote, remote), "two members at one address");

        // Nodes that share a machine, each with a port of its own.
        let local = "http://127.0.0.1:7404";
        assert!(is_asked("http://127.0.0.1:7414", local, local));
        assert!(!is_asked("http://[::1]:7414", local, local));
        // On each of several machines the same address.
        assert!(!is_asked(local, local, local));
        // A tunnel: what listens at that port of this machine is somebody else.
        assert!(!is_asked("http://127.0.0.1:7414", "http://127.0.0.1:9000", local));
        assert!(!is_asked(local, "http://127.0.0.1:9000", local));
        assert!(!is_asked("http://127.0.0.1:7414", "http://127.0.0.1:9000", remote));
        assert!(is_asked("https://10.0.0.6:7404", "http://127.0.0.1:9000", local));
    }
}
