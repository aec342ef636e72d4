//! A request that lies at a node that does not run, while its client has gone elsewhere.

use rookery_client::{Person, UserId};
use rookery_protocol::{ListPeople, People, RequestId, ServerFrame, SetPerson};
use rookery_tests::cluster::{Cluster, ClusterConfig, Member};
use rookery_tests::raw::{RawPeer, hello};
use rookery_tests::{Port, accounts};
use tokio::net::TcpStream;

async fn connected(node: &Member, token: &str) -> RawPeer {
    let mut peer = RawPeer::over(TcpStream::connect(node.address(Port::Tcp)).await.unwrap());
    peer.send(&hello(token)).await;
    assert!(matches!(peer.next().await, Some(ServerFrame::Welcome(_))));
    peer
}

fn set(request: u32, user: UserId, is_blocked: bool) -> SetPerson {
    let person = Person { user, is_contact: false, is_excepted: false, is_blocked };
    SetPerson { request: RequestId::new(request), person }
}

async fn done(peer: &mut RawPeer, request: u32) {
    loop {
        match peer.next().await {
            Some(ServerFrame::Done(done)) if done.request == RequestId::new(request) => return,
            Some(ServerFrame::AccountEvent(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Whom the user of this connection has blocked.
async fn blocked(peer: &mut RawPeer) -> Vec<UserId> {
    peer.send(&ListPeople { request: RequestId::new(3), after: None }).await;
    loop {
        match peer.next().await {
            Some(ServerFrame::People(People { people, .. })) => {
                return people.iter().filter(|person| person.is_blocked).map(|person| person.user).collect();
            }
            Some(ServerFrame::AccountEvent(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_asked_of_a_node_that_hung_is_not_done_after_what_it_asked_elsewhere_later() {
    let _turn = super::turn().await;
    let cluster = Cluster::start(ClusterConfig::new(2)).await.unwrap();
    let people = accounts(&cluster, &[("alice", 1), ("bob", 1)]).await.unwrap();
    let (token, bob) = (&people[0].devices[0].token, people[1].user);
    let (hangs, goes_on) = (cluster.member(0), cluster.member(1));
    let mut hung = connected(hangs, token).await;
    hangs.pause();
    hung.send(&set(1, bob, true)).await;
    // Connections are told apart by what was committed before them.
    goes_on.operator().add_user("carol").await.unwrap();
    let mut peer = connected(goes_on, token).await;
    peer.send(&set(1, bob, true)).await;
    done(&mut peer, 1).await;
    peer.send(&set(2, bob, false)).await;
    done(&mut peer, 2).await;
    assert!(hangs.resume());
    // The node closes it, when it has done what lay there or has not.
    while hung.next().await.is_some() {}
    assert_eq!(blocked(&mut peer).await, [], "bob is blocked again");
    cluster.stop().await.unwrap();
}
