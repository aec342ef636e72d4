//! Who may see what of whom: decided here, for operations and for reading alike.
//!
//! Each of two users has settings, and the other may be something to them. A block on either side hides everything from
//! both. Whoever hides from somebody when they were last there, or whether they are there, is not told it of them either.

use rookery_protocol::{Audience, PrivacySettings, UserId};

use crate::error::StoreError;
use crate::keys::person::{self, Person};
use crate::keys::{decode, privacy};
use crate::op::{Reads, View};

/// Something of a user that not everybody may see, or do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aspect {
    /// When the user was last there.
    LastSeen,
    /// Whether the user is there.
    Online,
    /// What the user shows.
    Profile,
    /// Adding the user to groups.
    Groups,
}

impl Aspect {
    fn audience(self, privacy: &PrivacySettings) -> Audience {
        match self {
            Self::LastSeen => privacy.last_seen,
            Self::Online => privacy.online,
            Self::Profile => privacy.profile,
            Self::Groups => privacy.groups,
        }
    }

    /// Whether one sees it only of those to whom one shows it.
    fn is_mutual(self) -> bool {
        matches!(self, Self::LastSeen | Self::Online)
    }
}

/// One of two users, towards the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Side {
    privacy: PrivacySettings,
    /// What the other is to this one.
    other: Person,
}

impl Side {
    /// Whether the other is in the aspect's audience.
    fn shows(&self, aspect: Aspect) -> bool {
        match aspect.audience(&self.privacy) {
            Audience::Everyone => true,
            Audience::Contacts => self.other.is_contact,
            Audience::ContactsExcept => self.other.is_contact && !self.other.is_excepted,
            Audience::Nobody => false,
        }
    }
}

/// Two users, and what each lets the other see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    is_one: bool,
    viewer: Side,
    owner: Side,
}

/// How many keys decide of two users.
pub(crate) const KEYS: usize = 4;

impl Pair {
    /// Where is what decides.
    pub(crate) fn keys(viewer: UserId, owner: UserId) -> [Vec<u8>; KEYS] {
        [privacy::key(viewer), person::key(viewer, owner), privacy::key(owner), person::key(owner, viewer)]
    }

    /// What is under the [`keys`](Self::keys).
    pub(crate) fn parse<V: AsRef<[u8]>>(
        (viewer, owner): (UserId, UserId),
        values: [Option<V>; KEYS],
    ) -> Result<Self, StoreError> {
        let [viewers, to_viewer, owners, to_owner] = values;
        Ok(Self {
            is_one: viewer == owner,
            viewer: side(viewers, to_viewer)?,
            owner: side(owners, to_owner)?,
        })
    }

    /// Declares what [`of`](Self::of) looks at.
    pub(crate) fn reads(viewer: UserId, owner: UserId, reads: &mut Reads) {
        Self::keys(viewer, owner).into_iter().for_each(|key| reads.key(key));
    }

    /// As an operation sees them.
    pub(crate) fn of(view: &View<'_>, viewer: UserId, owner: UserId) -> Result<Self, StoreError> {
        let keys = Self::keys(viewer, owner);
        Self::parse((viewer, owner), std::array::from_fn(|at| view.get(&keys[at])))
    }

    /// Whether the viewer may see that of the owner. Everybody sees everything of themselves.
    pub(crate) fn may_see(&self, aspect: Aspect) -> bool {
        let Self { viewer, owner, .. } = self;
        let shown = owner.shows(aspect) && (!aspect.is_mutual() || viewer.shows(aspect));
        self.is_one || shown && !self.is_blocked()
    }

    /// Whether one has blocked the other.
    pub(crate) fn is_blocked(&self) -> bool {
        self.viewer.other.is_blocked || self.owner.other.is_blocked
    }

    /// Whether each tells the other what they have read.
    pub(crate) fn tell_what_they_read(&self) -> bool {
        self.viewer.privacy.read_receipts && self.owner.privacy.read_receipts && !self.is_blocked()
    }
}

fn side<V: AsRef<[u8]>>(privacy: Option<V>, other: Option<V>) -> Result<Side, StoreError> {
    let privacy = privacy.map(|value| decode(value.as_ref())).transpose()?.unwrap_or_default();
    let other = other.map(|value| decode(value.as_ref())).transpose()?.unwrap_or_default();
    Ok(Side { privacy, other })
}

/// Declares what [`block`] looks at.
pub(crate) fn reads_blocks(user: UserId, other: UserId, reads: &mut Reads) {
    reads.key(person::key(user, other));
    reads.key(person::key(other, user));
}

/// Whether `user` has blocked `other`, and whether `other` has blocked `user`.
pub(crate) fn blocks(view: &View<'_>, user: UserId, other: UserId) -> Result<(bool, bool), StoreError> {
    let has_blocked = |one, other| {
        let person = view.get(&person::key(one, other));
        let person = person.map(|value| decode::<Person>(&value)).transpose()?;
        Ok::<bool, StoreError>(person.is_some_and(|person| person.is_blocked))
    };
    Ok((has_blocked(user, other)?, has_blocked(other, user)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASPECTS: [Aspect; 4] = [Aspect::LastSeen, Aspect::Online, Aspect::Profile, Aspect::Groups];
    const AUDIENCES: [Audience; 4] =
        [Audience::Everyone, Audience::Contacts, Audience::ContactsExcept, Audience::Nobody];

    fn people() -> Vec<Person> {
        let flags = [false, true];
        let all = flags.iter().flat_map(|contact| flags.iter().map(move |excepted| (*contact, *excepted)));
        let all = all.flat_map(|(is_contact, is_excepted)| {
            flags.map(|is_blocked| Person { is_contact, is_excepted, is_blocked })
        });
        all.collect()
    }

    /// Settings in which one aspect has this audience, and the others the opposite.
    fn privacy(aspect: Aspect, audience: Audience) -> PrivacySettings {
        let opposite = if audience == Audience::Nobody { Audience::Everyone } else { Audience::Nobody };
        let of = |other| if other == aspect { audience } else { opposite };
        let [last_seen, online, profile, groups] = ASPECTS.map(of);
        PrivacySettings { last_seen, online, profile, groups, read_receipts: true }
    }

    /// Written out: audience, then whether nobody in particular, an excepted stranger, a contact, an excepted contact.
    const ADMITS: [(Audience, [bool; 4]); 4] = [
        (Audience::Everyone, [true, true, true, true]),
        (Audience::Contacts, [false, false, true, true]),
        (Audience::ContactsExcept, [false, false, true, false]),
        (Audience::Nobody, [false, false, false, false]),
    ];

    fn admits(audience: Audience, person: Person) -> bool {
        let at = 2 * usize::from(person.is_contact) + usize::from(person.is_excepted);
        ADMITS.iter().find(|(of, _)| *of == audience).expect("all are there").1[at]
    }

    /// All 4 aspects, both sides' audiences and what each is to the other: 4,096 pairs.
    #[test]
    fn one_sees_what_is_shown_to_one_unless_blocked_or_hidden_from_the_other() {
        let mut seen = 0;
        for aspect in ASPECTS {
            for (viewers, owners) in AUDIENCES.iter().flat_map(|one| AUDIENCES.map(|other| (*one, other))) {
                for (to_viewer, to_owner) in
                    people().iter().flat_map(|one| people().into_iter().map(move |other| (*one, other)))
                {
                    let viewer = Side { privacy: privacy(aspect, viewers), other: to_viewer };
                    let owner = Side { privacy: privacy(aspect, owners), other: to_owner };
                    let pair = Pair { is_one: false, viewer, owner };
                    let is_blocked = to_viewer.is_blocked || to_owner.is_blocked;
                    let hides =
                        matches!(aspect, Aspect::LastSeen | Aspect::Online) && !admits(viewers, to_viewer);
                    let expected = admits(owners, to_owner) && !is_blocked && !hides;
                    assert_eq!(pair.may_see(aspect), expected, "{aspect:?} {pair:?}");
                    assert_eq!(pair.tell_what_they_read(), !is_blocked);
                    seen += u32::from(expected);
                    assert!(Pair { is_one: true, ..pair }.may_see(aspect), "oneself");
                }
            }
        }
        // Nobody blocked, four audiences admit 4 + 2 + 1 + 0 of the four kinds of people; one-sided, the viewer may be any.
        assert_eq!(seen, 2 * (7 * 7) + 2 * (7 * 4 * 4));
    }

    #[test]
    fn who_hides_what_they_read_is_not_told_what_others_read() {
        let silent = PrivacySettings { read_receipts: false, ..PrivacySettings::default() };
        let [loud, silent] =
            [PrivacySettings::default(), silent].map(|privacy| Side { privacy, ..Side::default() });
        let tell = |viewer: &Side, owner: &Side| {
            Pair { is_one: false, viewer: viewer.clone(), owner: owner.clone() }.tell_what_they_read()
        };
        assert!(tell(&loud, &loud));
        assert!(!tell(&loud, &silent) && !tell(&silent, &loud) && !tell(&silent, &silent));
    }
}
