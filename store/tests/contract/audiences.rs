//! Who may see what of whom, as it is read from the store.

use rookery_protocol::{Audience, PrivacySettings, UserId};
use rookery_store::keys::person::Person;
use rookery_store::keys::{person, privacy};
use rookery_store::queries::{self, Aspect};

use crate::engines::UnderTest;
use crate::people::add;
use crate::probe::probe;

async fn put(store: &rookery_store::Store, key: Vec<u8>, value: &impl serde::Serialize) {
    let mut bytes = Vec::new();
    rookery_protocol::encode_value(&mut bytes, value);
    let op = probe(&[], move |_, writes| writes.put(key.clone(), bytes.clone()));
    store.submit(&0, op).await.expect("it commits");
}

async fn sees(store: &rookery_store::Store, viewer: UserId, owners: &[UserId]) -> Vec<[bool; 4]> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    let aspects = [Aspect::LastSeen, Aspect::Online, Aspect::Profile, Aspect::Groups];
    let each = queries::may_see_each(&*snapshot, viewer, owners, aspects).await.expect("read");
    for (owner, each) in owners.iter().zip(&each) {
        for (aspect, may) in aspects.into_iter().zip(each) {
            assert_eq!(queries::may_see(&*snapshot, viewer, *owner, aspect).await.expect("read"), *may);
        }
    }
    each
}

pub(crate) async fn each_aspect_is_seen_by_its_own_audience(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert, carl) =
        (add(&store, 1).await.user, add(&store, 2).await.user, add(&store, 3).await.user);
    let all = [true; 4];
    assert_eq!(sees(&store, anna, &[anna, bert, carl]).await, [all; 3], "until something is said");

    let settings = PrivacySettings {
        last_seen: Audience::Contacts,
        online: Audience::Everyone,
        profile: Audience::Nobody,
        groups: Audience::Contacts,
        read_receipts: true,
    };
    put(&store, privacy::key(bert), &settings).await;
    assert_eq!(sees(&store, anna, &[bert, carl]).await, [[false, true, false, false], all]);
    assert_eq!(
        sees(&store, bert, &[anna, bert]).await,
        [[false, true, true, true], all],
        "who hides sees not"
    );

    put(&store, person::key(bert, anna), &Person { is_contact: true, ..Person::default() }).await;
    assert_eq!(sees(&store, anna, &[bert]).await, [[true, true, false, true]]);
    assert_eq!(sees(&store, carl, &[bert]).await, [[false, true, false, false]], "the contact is another");

    put(&store, person::key(anna, bert), &Person { is_blocked: true, ..Person::default() }).await;
    assert_eq!(sees(&store, anna, &[bert, carl]).await, [[false; 4], all]);
    assert_eq!(sees(&store, bert, &[anna]).await, [[false; 4]]);
}
