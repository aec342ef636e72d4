//! The load against a server as small as can be: it lets in whom it knows, counts stanzas, takes messages to who is there,
//! keeps them for who is not, and has rooms.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Parser;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::connection::{Connection, ns};
use super::decoder::{Item, StreamDecoder};
use super::element::Element;
use super::{Args, Target, run};
use crate::report::Report;

const DOMAIN: &str = "tiny.test";

/// What the server is like.
#[derive(Clone)]
struct Tiny {
    features: &'static str,
    mechanism: &'static str,
    management: &'static str,
    accounts: Arc<Mutex<HashMap<String, Account>>>,
    rooms: Arc<Mutex<HashMap<String, Vec<mpsc::UnboundedSender<String>>>>>,
}

#[derive(Default)]
struct Account {
    there: Option<mpsc::UnboundedSender<String>>,
    kept: Vec<String>,
}

impl Tiny {
    fn new() -> Self {
        Self {
            features: "<register xmlns='http://jabber.org/features/iq-register'/>",
            mechanism: "PLAIN",
            management: "<sm xmlns='urn:xmpp:sm:3'/>",
            accounts: Arc::default(),
            rooms: Arc::default(),
        }
    }

    /// Listens, and says where.
    async fn start(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // A client that goes away is none of the server's business.
                tokio::spawn(Served::new(self.clone(), stream).run());
            }
        });
        address
    }
}

/// A connection of a client's.
struct Served {
    tiny: Tiny,
    stream: TcpStream,
    decoder: StreamDecoder,
    user: Option<String>,
    handled: u32,
    inbox: (mpsc::UnboundedSender<String>, mpsc::UnboundedReceiver<String>),
    out: String,
}

impl Served {
    fn new(tiny: Tiny, stream: TcpStream) -> Self {
        let (decoder, out) = (StreamDecoder::new(), String::new());
        Self { tiny, stream, decoder, user: None, handled: 0, inbox: mpsc::unbounded_channel(), out }
    }

    async fn run(mut self) -> anyhow::Result<()> {
        loop {
            while let Some(item) = self.decoder.next_item()? {
                match item {
                    Item::Opened(header) => self.open(&header),
                    Item::Element(element) => self.take(&element),
                    Item::Closed => return Ok(()),
                }
            }
            self.stream.write_all(self.out.as_bytes()).await?;
            self.out.clear();
            tokio::select! {
                read = self.stream.read_buf(self.decoder.buffer_mut()) => if read? == 0 { return Ok(()) },
                message = self.inbox.1.recv() => self.out.push_str(&message.unwrap()),
            }
        }
    }

    fn open(&mut self, header: &Element) {
        self.out += "<?xml version='1.0'?><stream:stream xmlns='jabber:client' version='1.0' from='tiny.test' \
            xmlns:stream='http://etherx.jabber.org/streams'>";
        if header.attribute("to") != Some(DOMAIN) {
            self.out +=
                "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
        }
        let (features, mechanism) = (self.tiny.features, self.tiny.mechanism);
        let features = match self.user {
            None => format!(
                "{features}<mechanisms xmlns='{}'><mechanism>{mechanism}</mechanism></mechanisms>",
                ns::SASL
            ),
            Some(_) => format!("<bind xmlns='{}'/>{}", ns::BIND, self.tiny.management),
        };
        self.out += &format!("<stream:features>{features}</stream:features>");
    }

    fn take(&mut self, element: &Element) {
        let mut accounts = self.tiny.accounts.lock().unwrap();
        match element.name.as_str() {
            "auth" => {
                let said = String::from_utf8(BASE64.decode(&element.text).unwrap()).unwrap();
                let parts: Vec<&str> = said.split('\0').collect();
                if accounts.contains_key(parts[1]) && parts[2] == "bench" {
                    self.user = Some(parts[1].to_owned());
                    self.decoder = StreamDecoder::new();
                    self.out += &format!("<success xmlns='{}'/>", ns::SASL);
                } else {
                    self.out += &format!("<failure xmlns='{}'><not-authorized/></failure>", ns::SASL);
                }
            }
            "iq" if element.attribute("to").is_some() => {
                self.handled += 1;
                self.out += &format!("<iq id='{}' type='result'/>", element.attribute("id").unwrap());
            }
            "iq" => {
                let mut kind = "result";
                if let Some(query) = element.child("query", ns::REGISTER) {
                    let name = query.child("username", ns::REGISTER).unwrap().text.clone();
                    if accounts.contains_key(&name) {
                        kind = "error'><error type='cancel'><conflict/></error></iq><iq id='other";
                    }
                    accounts.entry(name).or_default();
                }
                self.out += &format!("<iq id='ask' type='{kind}'/>");
            }
            "enable" => self.out += &format!("<enabled xmlns='{}'/>", ns::MANAGEMENT),
            "r" => self.out += &format!("<a xmlns='{}' h='{}'/>", ns::MANAGEMENT, self.handled),
            "presence" if element.attribute("to").is_some() => {
                self.handled += 1;
                let room = element.attribute("to").unwrap().split('/').next().unwrap().to_owned();
                self.tiny.rooms.lock().unwrap().entry(room).or_default().push(self.inbox.0.clone());
                self.out +=
                    &format!("<presence><x xmlns='{}'><status code='110'/></x></presence>", ns::ROOM_USER);
            }
            "presence" => {
                self.handled += 1;
                self.out += "<presence/>";
                let account = accounts.get_mut(self.user.as_ref().unwrap()).unwrap();
                account.kept.drain(..).for_each(|message| self.out += &message);
                account.there = Some(self.inbox.0.clone());
            }
            "message" if element.attribute("type") == Some("groupchat") => {
                self.handled += 1;
                let body = &element.child("body", ns::CLIENT).unwrap().text;
                for one in &self.tiny.rooms.lock().unwrap()[element.attribute("to").unwrap()] {
                    // Who has left the room gets nothing.
                    let _ = one.send(format!("<message type='groupchat'><body>{body}</body></message>"));
                }
            }
            "message" => {
                self.handled += 1;
                let to = element.attribute("to").unwrap().split('@').next().unwrap();
                let body = &element.child("body", ns::CLIENT).unwrap().text;
                let message =
                    format!("<message from='{to}'><body>{body}</body></message><r xmlns='urn:xmpp:sm:3'/>");
                let account = accounts.get_mut(to).unwrap();
                match account.there.as_ref().filter(|there| !there.is_closed()) {
                    Some(there) => there.send(message).unwrap(),
                    None => account.kept.push(message),
                }
            }
            _ => {}
        }
    }
}

/// As from the command line.
#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    args: Args,
}

fn args(address: &str, more: &str) -> Args {
    let all = format!("bench --address {address} --domain {DOMAIN} {more}");
    CommandLine::try_parse_from(all.split(' ')).unwrap().args
}

async fn bench(address: &str, more: &str) -> anyhow::Result<Report> {
    let data = tempfile::tempdir()?;
    run(data.path(), args(address, more)).await
}

async fn failure(address: &str, more: &str) -> String {
    format!("{:#}", bench(address, more).await.expect_err("it fails"))
}

fn target(address: &str, more: &str) -> Target {
    args(address, &format!("{more}accounts")).target
}

#[tokio::test]
async fn accounts_are_made_once_and_pairs_exchange_messages() {
    let address = Tiny::new().start().await;
    for (made, were_there) in [(4.0, 0.0), (0.0, 4.0)] {
        let report = bench(&address, "accounts --count 4").await.unwrap();
        assert_eq!(report.value_of("accounts made"), Some(made));
        assert_eq!(report.value_of("accounts that were there"), Some(were_there));
    }
    for (load, confirmed) in [
        ("direct --pairs 2 --warmup 0 --seconds 1", "messages, confirmed"),
        ("--durable direct --pairs 2 --warmup 0 --seconds 1 --rate 2000", "durable messages, confirmed"),
    ] {
        let report = bench(&address, load).await.unwrap();
        assert!(report.value_of(confirmed).unwrap() > 0.0);
        assert!(report.value_of("send to receive, p50").unwrap() > 0.0);
    }
}

#[tokio::test]
async fn messages_wait_for_users_who_are_away_and_all_come() {
    let address = Tiny::new().start().await;
    bench(&address, "accounts --count 20").await.unwrap();
    for _ in 0..2 {
        let report = bench(&address, "offline --users 18 --messages 20").await.unwrap();
        assert!(report.value_of("messages drained").unwrap() > 0.0);
    }
}

#[tokio::test]
async fn all_in_a_room_have_each_message() {
    let address = Tiny::new().start().await;
    bench(&address, "accounts --count 5").await.unwrap();
    for load in
        ["group --members 5 --warmup 0 --seconds 1", "group --members 5 --warmup 0 --seconds 1 --rate 2000"]
    {
        let report = bench(&address, load).await.unwrap();
        assert!(report.value_of("deliveries").unwrap() >= report.value_of("messages, confirmed").unwrap());
        assert!(report.value_of("send to receive, until the last member has it, p50").unwrap() > 0.0);
    }
    let body = failure(&address, "group --members 5 --body 16").await;
    assert!(body.contains("a body is of 32 bytes at least"), "{body}");
}

#[tokio::test]
async fn who_is_not_let_in_is_told_how_accounts_are_made() {
    let address = Tiny::new().start().await;
    bench(&address, "accounts --count 1").await.unwrap();
    let refused = Connection::login(&target(&address, "--password other ").login(0)).await.err().unwrap();
    let refused = format!("{refused:#}");
    assert!(refused.contains("does not let bench0@tiny.test in: not-authorized"), "{refused}");
    assert!(refused.contains("peer xmpp ... accounts"), "{refused}");
}

#[tokio::test]
async fn each_thing_that_is_wrong_with_a_server_is_said() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    assert!(failure(&nobody, "direct").await.contains(&format!("no XMPP server listens at {nobody}")));

    let address = Tiny::new().start().await;
    let mut login = target(&address, "").login(0);
    login.domain = "other.test".into();
    let other = format!("{:#}", Connection::login(&login).await.err().unwrap());
    assert!(other.contains("does not serve this domain"), "{other}");

    let tls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>";
    let address = Tiny { features: tls, ..Tiny::new() }.start().await;
    assert!(failure(&address, "direct").await.contains("demands TLS"));

    let address = Tiny { features: "", ..Tiny::new() }.start().await;
    assert!(failure(&address, "accounts").await.contains("registers no accounts"));

    let address = Tiny { mechanism: "EXTERNAL", ..Tiny::new() }.start().await;
    assert!(failure(&address, "direct").await.contains("neither PLAIN nor SCRAM, but EXTERNAL"));

    let address = Tiny { management: "", ..Tiny::new() }.start().await;
    bench(&address, "accounts").await.unwrap();
    assert!(failure(&address, "direct").await.contains("no stream management (XEP-0198)"));

    assert!(failure(&address, "idle").await.contains("with --pid"));
}
