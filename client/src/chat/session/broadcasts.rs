//! What a person says to several at once.

use rookery_protocol::{Body, ConversationId, Handle, UserId};

use super::{Session, Update};
use crate::chat::broadcast_command;
use crate::chat::group_command::look_up;
use crate::chat::rooms::{Unsent, printable};

impl Session {
    pub(super) fn broadcast(&mut self, argument: &str) {
        let (handles, text) = match broadcast_command::parse(argument) {
            Ok(wanted) => wanted,
            Err(problem) => return self.notices.push(problem),
        };
        self.ask(|client| async move {
            match look_up(&client, &handles).await {
                Ok(users) => Update::Addressed(users.into_iter().zip(handles).collect(), text),
                Err(problem) => Update::Problem(problem),
            }
        });
    }

    pub(super) fn broadcast_to(&mut self, people: Vec<(UserId, Handle)>, text: &str) {
        let users: Vec<_> = people.iter().map(|(user, _)| *user).collect();
        people.into_iter().for_each(|(user, handle)| self.rooms.learn(user, handle));
        let Some(me) = self.rooms.me.as_ref().map(|me| me.user) else {
            return self.notices.push("not connected yet".to_owned());
        };
        match self.client.broadcast(&users, Body::new(text.as_bytes().to_vec())) {
            Ok(tickets) => {
                for (user, ticket) in users.iter().zip(&tickets) {
                    let unsent =
                        Unsent { id: ticket.id(), text: printable(text), reference: None, refused: None };
                    self.rooms.room(ConversationId::direct(me, *user)).unsent.push(unsent);
                }
                self.notices.push(format!("on its way to {}, to each alone", tickets.len()));
            }
            Err(error) => self.notices.push(error.to_string()),
        }
    }
}
