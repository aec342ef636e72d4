//! What comes of [`Channels`](super::channels::Channels): what is asked about them, and what is handed up.

use std::time::Duration;

use rookery_protocol::{
    ChannelNotice, ConversationId, ConversationList, GroupId, History, HistoryPage, ListConversations,
    Message, Seq,
};

use super::online::{Purpose, RETRY, UNTAKEN_WHILE_FETCHING_MAX};
use super::ordering::said_up_to;
use super::{Alarm, Effect, Machine, Phase};

impl Machine {
    /// Asks for what is followed, or for a page of what was said there.
    pub(super) fn ask_about_channels(&mut self) -> bool {
        let has_room = self.has_room_to_hand_up();
        let Phase::Online(online) = &mut self.phase else { return false };
        if let Some(after) = self.channels.next_list() {
            let request = online.request(Purpose::Followed);
            self.put(&ListConversations { request, after: Some(after) });
            return true;
        }
        // What the application has not taken waits in memory: no more is asked for.
        let Some(group) = has_room.then(|| self.channels.next_log()).flatten() else { return false };
        let conversation = ConversationId::group(group);
        let from = self.ordering.handed(conversation).unwrap_or_default().next();
        let request = online.request(Purpose::Log(group));
        let to = Seq::new(u64::MAX);
        self.put(&History { request, conversation, from, to, backwards: false, time_ms: 0 });
        true
    }

    fn has_room_to_hand_up(&self) -> bool {
        self.ordering.last_delivery() - self.taken <= UNTAKEN_WHILE_FETCHING_MAX
    }

    pub(super) fn channel_notice(&mut self, now: Duration, ChannelNotice { message }: ChannelNotice) {
        let timer = self.timers.learn(&message);
        self.learn_timer(timer);
        let conversation = message.conversation;
        let (handed, has_room) = (self.ordering.handed(conversation), self.has_room_to_hand_up());
        let run = self.channels.notice(message, handed, has_room);
        self.bring(now, conversation, run);
    }

    pub(super) fn log_page(&mut self, now: Duration, group: GroupId, page: HistoryPage) {
        if !self.channels.follows(group) {
            return;
        }
        let conversation = ConversationId::group(group);
        let handed = |machine: &Self| machine.ordering.handed(conversation).unwrap_or_default();
        let (before, head, said) = (handed(self), page.head, said_up_to(page.next).min(page.head));
        let outcome = self.ordering.bring(conversation, page.messages, said);
        self.hand_up(now, outcome);
        let (run, waits) = self.channels.page(group, head, (before, handed(self)));
        self.bring(now, conversation, run);
        if waits {
            self.set_alarm(now + RETRY, Alarm::ReadLog(group));
        }
    }

    pub(super) fn log_refused(&mut self, now: Duration, group: GroupId, again_in: Option<Duration>) {
        if let Some(wait) = again_in {
            self.channels.log_refused(group);
            return self.set_alarm(now + wait, Alarm::ReadLog(group));
        }
        // It is no channel any more, or this user does not follow it: what is missing is not to be had.
        self.end_channel(now, group);
        if self.channels.ask_list_later() {
            self.set_alarm(now + RETRY, Alarm::ListFollowed);
        }
    }

    pub(super) fn followed_page(&mut self, now: Duration, page: ConversationList) {
        let before = self.channels.groups();
        let ordering = &self.ordering;
        let handed = |group| ordering.handed(ConversationId::group(group));
        let Some(beginnings) = self.channels.listed(page, handed) else { return };
        for (group, begins_at) in beginnings {
            let conversation = ConversationId::group(group);
            let outcome = self.ordering.bring(conversation, Vec::new(), begins_at);
            self.hand_up(now, outcome);
            self.batch.positions.push((conversation, begins_at));
        }
        if self.channels.groups() != before {
            self.tell_followed();
        }
    }

    pub(super) fn followed_refused(&mut self, now: Duration, again_in: Option<Duration>) {
        self.channels.list_refused(again_in.is_some());
        if let Some(wait) = again_in {
            self.set_alarm(now + wait, Alarm::ListFollowed);
        }
    }

    /// Hands up what is left of a channel that is followed no more, or not to be read.
    pub(super) fn end_channel(&mut self, now: Duration, group: GroupId) {
        let Some(left) = self.channels.end(group) else { return };
        self.bring(now, ConversationId::group(group), left);
        self.tell_followed();
    }

    /// Hands up entries that came as notices.
    fn bring(&mut self, now: Duration, conversation: ConversationId, run: Vec<Message>) {
        let Some(last) = run.last() else { return };
        let (seq, group) = (last.seq, conversation.group_id());
        let ended = group.filter(|_| self.channels.is_end(last));
        let outcome = self.ordering.bring(conversation, run, seq);
        self.hand_up(now, outcome);
        if let Some(group) = ended {
            self.end_channel(now, group);
        }
    }

    fn tell_followed(&mut self) {
        self.effects.push_back(Effect::Followed(self.channels.groups()));
    }
}
