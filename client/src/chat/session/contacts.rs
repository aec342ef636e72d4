//! What a person says of others and of themselves.

use std::collections::HashMap;

use rookery_protocol::{Handle, UserId};

use super::{Session, Update, plainly};
use crate::Client;
use crate::chat::contact_command::{self, ContactCommand, Relation};
use crate::chat::group_command::learn;

impl Session {
    pub(super) fn contact_command(&mut self, command: Result<ContactCommand, String>) {
        let command = match command {
            Ok(command) => command,
            Err(problem) => return self.notices.push(problem),
        };
        let Some(me) = self.rooms.me.as_ref().map(|me| me.user) else {
            return self.notices.push("not connected yet".to_owned());
        };
        match command {
            ContactCommand::Relate(relation, who) => self.relate(relation, who),
            ContactCommand::List => {
                let mut names = self.rooms.all_names().clone();
                self.ask_for_lines(|client| async move {
                    let people = client.people().await.map_err(|error| plainly(&error))?;
                    let users: Vec<_> = people.iter().map(|person| person.user).collect();
                    learn(&client, &mut names, &users).await;
                    let name = |user: UserId| {
                        names.get(&user).map_or_else(|| format!("user {user}"), Handle::to_string)
                    };
                    Ok((contact_command::of_people(&people, name), names))
                });
            }
            ContactCommand::Find(handles) => self.ask_for_lines(|client| async move {
                let users = client.find_people(&handles).await.map_err(|error| plainly(&error))?;
                let line = |(handle, user): (Handle, Option<UserId>)| match user {
                    Some(_) => format!("{handle} is here"),
                    None => format!("{handle} is nobody here"),
                };
                Ok((handles.into_iter().zip(users).map(line).collect(), HashMap::new()))
            }),
            ContactCommand::Privacy => self.ask_for_lines(|client| async move {
                let privacy = client.privacy().await.map_err(|error| plainly(&error))?;
                Ok((contact_command::of_privacy(&privacy), HashMap::new()))
            }),
            ContactCommand::Show(seen, audience) => self.ask_for_lines(move |client| async move {
                let mut privacy = client.privacy().await.map_err(|error| plainly(&error))?;
                contact_command::show(&mut privacy, seen, audience);
                client.set_privacy(privacy.clone()).await.map_err(|error| plainly(&error))?;
                Ok((contact_command::of_privacy(&privacy), HashMap::new()))
            }),
            ContactCommand::ReadReceipts(on) => self.ask_for_lines(move |client| async move {
                let mut privacy = client.privacy().await.map_err(|error| plainly(&error))?;
                privacy.read_receipts = on;
                client.set_privacy(privacy.clone()).await.map_err(|error| plainly(&error))?;
                Ok((contact_command::of_privacy(&privacy), HashMap::new()))
            }),
            ContactCommand::Profile(handle) => self.ask_for_lines(move |client| async move {
                let user = match handle {
                    Some(handle) => found(&client, handle).await?.0,
                    None => me,
                };
                let shown = client.profiles(&[user]).await.map_err(|error| plainly(&error))?;
                let shown = shown.first().ok_or_else(|| "there is no such user".to_owned())?;
                Ok((contact_command::of_profile(shown), HashMap::new()))
            }),
            ContactCommand::SetProfile(part, text) => self.ask_for_lines(move |client| async move {
                contact_command::set_profile(&client, me, part, text).await?;
                Ok((vec!["/profile shows what others see".to_owned()], HashMap::new()))
            }),
        }
    }

    fn relate(&mut self, relation: Relation, who: Vec<Handle>) {
        let peer = self.rooms.open.and_then(|open| self.rooms.peer(open));
        let peer = peer.filter(|peer| !self.rooms.is_me(*peer)).map(|peer| (peer, self.rooms.name(peer)));
        if who.is_empty() && peer.is_none() {
            return self
                .notices
                .push("nobody is named, and no conversation with one person is open".to_owned());
        }
        self.ask_for_lines(move |client| async move {
            let mut people: Vec<_> = peer.filter(|_| who.is_empty()).into_iter().collect();
            for handle in who {
                people.push(found(&client, handle).await?);
            }
            let mut lines = Vec::new();
            for person in people {
                lines.push(contact_command::relate(&client, relation, person).await?);
            }
            Ok((lines, HashMap::new()))
        });
    }

    fn ask_for_lines<F>(&mut self, asking: impl FnOnce(Client) -> F)
    where
        F: Future<Output = Result<(Vec<String>, HashMap<UserId, Handle>), String>> + Send + 'static,
    {
        self.ask(|client| {
            let asking = asking(client);
            async move {
                match asking.await {
                    Ok((lines, names)) => Update::Told(lines, names),
                    Err(problem) => Update::Problem(problem),
                }
            }
        });
    }
}

async fn found(client: &Client, handle: Handle) -> Result<(UserId, String), String> {
    let found = client.lookup(handle.clone()).await;
    let found = found.map_err(|error| format!("{handle}: {}", plainly(&error)))?;
    Ok((found.user, found.handle.to_string()))
}
