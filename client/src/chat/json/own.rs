//! Commands about what is the user's own, and what this client knows of itself.

use rookery_protocol::{Person, Seq};

use super::contacts::PrivacyGiven;
use super::lines::{Command, ConversationLine, Output};
use super::{Chat, Done, Work, answered, contacts, conversations, done, groups, looking, target};
use crate::chat::json::Complaint;

impl<'a> Chat<'a> {
    pub(super) fn begin_own(&self, command: Command, line: u64) -> Work<'a, Done> {
        let (people, client) = (self.people, self.client.clone());
        match command {
            Command::Conversations { after, tag } => {
                let repeated = tag.clone();
                answered(
                    line,
                    tag,
                    async move { conversations::list(people, &client, after, repeated).await },
                )
            }
            Command::SetConversation { to, conversation, settings, tag } => done(line, tag, async move {
                let conversation = target(people, &client, to, conversation).await?;
                Ok(client.set_conversation(conversation, settings.into()).await?)
            }),
            Command::Hide { to, conversation, up_to, seqs, tag } => done(line, tag, async move {
                let conversation = target(people, &client, to, conversation).await?;
                let seqs = seqs.into_iter().map(Seq::new).collect();
                Ok(client.hide(conversation, Seq::new(up_to), seqs).await?)
            }),
            Command::Follow { conversation, tag } => {
                done(line, tag, async move { Ok(client.follow(groups::group(&conversation)?).await?) })
            }
            Command::Unfollow { conversation, tag } => {
                done(line, tag, async move { Ok(client.unfollow(groups::group(&conversation)?).await?) })
            }
            Command::Privacy { tag } => {
                let repeated = tag.clone();
                answered(line, tag, async move {
                    Ok(Output::Privacy { privacy: client.privacy().await?.into(), tag: repeated })
                })
            }
            Command::SetPrivacy { last_seen, online, profile, groups, read_receipts, tag } => {
                let given = PrivacyGiven { last_seen, online, profile, groups, read_receipts };
                done(line, tag, async move { given.set(&client).await })
            }
            Command::Profiles { users, tag } => {
                let repeated = tag.clone();
                answered(line, tag, async move {
                    let users = groups::look_up(people, &users).await?;
                    let profiles = client.profiles(&users).await?.into_iter().map(Into::into).collect();
                    Ok(Output::Profiles { profiles, tag: repeated })
                })
            }
            Command::SetProfile { name, about, picture, tag } => {
                done(line, tag, async move { contacts::set_profile(&client, name, about, picture).await })
            }
            Command::People { tag } => {
                let repeated = tag.clone();
                answered(line, tag, async move { contacts::list(people, &client, repeated).await })
            }
            Command::SetPerson { handle, contact, excepted, blocked, tag } => done(line, tag, async move {
                let user = people.user(&handle).await?;
                let (is_contact, is_excepted, is_blocked) = (contact, excepted, blocked);
                Ok(client.set_person(Person { user, is_contact, is_excepted, is_blocked }).await?)
            }),
            Command::FindPeople { handles, tag } => {
                let repeated = tag.clone();
                answered(line, tag, async move { contacts::find(&client, handles, repeated).await })
            }
            Command::Report { handle, conversation, seqs, text, tag } => done(line, tag, async move {
                let user = people.user(&handle).await?;
                let conversation = looking::parsed(conversation.as_slice())?.pop();
                let seqs = seqs.into_iter().map(Seq::new).collect();
                Ok(client.report(user, conversation, seqs, text).await?)
            }),
            Command::Watch { users, conversations, tag } => done(line, tag, async move {
                let users = groups::look_up(people, &users).await?;
                let conversations = looking::parsed(&conversations)?;
                let watching = client.watch(users, conversations);
                watching.map_err(|error| Complaint::usage(error.to_string()))
            }),
            Command::Active { active, tag } => done(line, tag, async move {
                client.active(active);
                Ok(())
            }),
            Command::Typing { to, conversation, doing, tag } => done(line, tag, async move {
                client.typing(target(people, &client, to, conversation).await?, doing.into());
                Ok(())
            }),
            Command::State { tag } => {
                let status = client.status();
                let identity = status.identity;
                let mut heads: Vec<_> = self.heads.iter().map(|(id, seq)| (*id, *seq)).collect();
                heads.sort_unstable();
                let conversations = heads
                    .into_iter()
                    .map(|(id, seq)| ConversationLine { conversation: id.to_string(), seq: seq.get() })
                    .collect();
                let state = Output::State {
                    connected: status.connected,
                    user: identity.as_ref().map(|identity| identity.user),
                    device: identity.as_ref().map(|identity| identity.device.get()),
                    handle: identity.map(|identity| identity.handle),
                    outbox: self.on_the_way.len(),
                    conversations,
                    tag,
                };
                Box::pin(std::future::ready(Done::Say(vec![state])))
            }
            _ => Box::pin(std::future::ready(Done::Say(Vec::new()))),
        }
    }
}
