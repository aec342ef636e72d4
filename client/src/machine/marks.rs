//! The watermarks handed up so far: receipts that the server pushes again must not take any of them back.

use std::collections::HashMap;

use rookery_protocol::{ConversationId, Receipt, Seq, UserId};

/// What the application has heard of each member of each conversation.
#[derive(Debug, Default)]
pub(crate) struct Marks(HashMap<(ConversationId, UserId), (Seq, Seq)>);

impl Marks {
    /// What a receipt says that is news, with all that was known before it; `None` when nothing is.
    pub(crate) fn raise(&mut self, receipt: Receipt) -> Option<Receipt> {
        let Receipt { conversation, user, delivered, read } = receipt;
        let known = self.0.entry((conversation, user)).or_default();
        let raised = (known.0.max(delivered), known.1.max(read));
        if raised == *known {
            return None;
        }
        *known = raised;
        let (delivered, read) = raised;
        Some(Receipt { conversation, user, delivered, read })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(delivered: u64, read: u64) -> Receipt {
        let (alice, bob) = (UserId::new(1).unwrap(), UserId::new(2).unwrap());
        let conversation = ConversationId::direct(alice, bob);
        Receipt { conversation, user: bob, delivered: Seq::new(delivered), read: Seq::new(read) }
    }

    #[test]
    fn what_comes_again_is_no_news_and_what_is_behind_takes_nothing_back() {
        let mut marks = Marks::default();
        assert_eq!(marks.raise(receipt(3, 1)), Some(receipt(3, 1)));
        assert_eq!(marks.raise(receipt(3, 1)), None);
        assert_eq!(marks.raise(receipt(2, 0)), None);
        assert_eq!(marks.raise(receipt(2, 2)), Some(receipt(3, 2)));
    }
}
