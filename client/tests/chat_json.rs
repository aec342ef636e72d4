//! JSON mode, line by line.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod support;

use rand::{SeedableRng, rngs::StdRng};
use rookery_client::{Client, ErrorCode, MemoryStore, Receipt, Seq, chat};
use rookery_protocol::{ClientFrame, Found};
use support::*;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, duplex};
use tokio::task::JoinHandle;

struct Chat {
    input: DuplexStream,
    output: Lines<BufReader<DuplexStream>>,
    running: JoinHandle<Result<(), chat::ChatError>>,
}

impl Chat {
    fn start(server: &FakeServer) -> Self {
        let started =
            Client::resume(config(), server.network.clone(), MemoryStore::new(), StdRng::seed_from_u64(1))
                .unwrap();
        let ((input, stdin), (stdout, output)) = (duplex(1 << 20), duplex(1 << 20));
        let running = tokio::spawn(async move { chat::run_json_on(started, stdin, stdout).await });
        Self { input, output: BufReader::new(output).lines(), running }
    }

    async fn say(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn expect(&mut self, line: &str) {
        assert_eq!(self.output.next_line().await.unwrap().unwrap(), line);
    }

    async fn line(&mut self) -> String {
        self.output.next_line().await.unwrap().unwrap()
    }
}

async fn find(connection: &mut Connection, number: u64, handle: &str) {
    match connection.frame().await {
        ClientFrame::Lookup(lookup) => {
            let handle = handle.parse().unwrap();
            connection.send(Found { request: lookup.request, user: user(number), handle }).await;
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_conversation_in_json_lines_reads_as_documented() {
    let mut server = FakeServer::new();
    let mut chat = Chat::start(&server);
    chat.expect(r#"{"event":"ready","version":"0.1.0","unsent":0}"#).await;
    let (_, mut connection) = server.welcome().await;
    chat.expect(r#"{"event":"connected","user":1,"handle":"alice","device":1}"#).await;

    chat.say(r#"{"op":"send","to":"bob","text":"hello","tag":7}"#).await;
    find(&mut connection, 2, "bob").await;
    let send = connection.sent_message().await;
    assert_eq!(text(&send.body), "hello");
    let id = send.id;
    chat.expect(&format!(r#"{{"event":"queued","id":"{id}","conversation":"d:1:2","tag":7}}"#)).await;
    connection.confirm(&send, 1).await;
    chat.expect(&format!(
        r#"{{"event":"sent","id":"{id}","conversation":"d:1:2","seq":1,"time_ms":1001,"tag":7}}"#
    ))
    .await;

    let receipt =
        Receipt { conversation: with_bob(), user: user(2), delivered: Seq::new(1), read: Seq::new(1) };
    connection.push_receipt(1, receipt).await;
    chat.expect(r#"{"event":"delivered","conversation":"d:1:2","user":2,"handle":"bob","seq":1}"#).await;
    chat.expect(r#"{"event":"read","conversation":"d:1:2","user":2,"handle":"bob","seq":1}"#).await;

    connection.push(2, message(with_bob(), 2)).await;
    chat.expect(
        r#"{"event":"message","conversation":"d:1:2","seq":2,"id":"00000000000000000000000000000002","from":"bob","user":2,"device":1,"time_ms":1002,"text":"message 2"}"#,
    )
    .await;
    connection.acked(2).await;

    chat.say(r#"{"op":"read","to":"bob"}"#).await;
    assert!(matches!(connection.frame().await, ClientFrame::Read(read) if read.seq == Seq::new(2)));
    chat.say(r#"{"op":"state"}"#).await;
    chat.expect(
        r#"{"event":"state","connected":true,"user":1,"handle":"alice","device":1,"outbox":0,"conversations":[{"conversation":"d:1:2","seq":2}]}"#,
    )
    .await;
    chat.say(r#"{"op":"quit"}"#).await;
    chat.expect(r#"{"event":"bye","unsent":0}"#).await;
    chat.running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn bad_lines_are_answered_with_their_number_and_hurt_nothing() {
    let mut server = FakeServer::new();
    let mut chat = Chat::start(&server);
    chat.line().await;
    let (_, mut connection) = server.welcome().await;
    chat.line().await;
    for (number, line) in [
        "no json",
        "[]",
        r#"{"op":"fly"}"#,
        r#"{"op":"send","text":"to nobody"}"#,
        r#"{"op":"send","to":"Not A Handle","text":""}"#,
        r#"{"op":"send","to":"bob","txet":""}"#,
        r#"{"op":"read","conversation":"x:1"}"#,
        r#"{"op":"lookup"}"#,
    ]
    .iter()
    .enumerate()
    {
        chat.say(line).await;
        let answer = chat.line().await;
        let expected = format!(r#"{{"event":"error","line":{},"code":"bad_command","text":""#, number + 1);
        assert!(answer.starts_with(&expected), "{line}: {answer}");
    }
    chat.say(r#"{"op":"fly","tag":[1]}"#).await;
    assert!(chat.line().await.ends_with(r#""tag":[1]}"#));
    chat.say(r#"{"op":"lookup","handle":"nobody","tag":"t"}"#).await;
    let ClientFrame::Lookup(lookup) = connection.frame().await else { panic!("no lookup") };
    connection.refuse(lookup.request, ErrorCode::NotFound).await;
    chat.expect(r#"{"event":"error","line":10,"code":"not_found","text":"because","tag":"t"}"#).await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_input_waits_for_messages_on_the_way_but_not_for_ever() {
    for confirmed in [true, false] {
        let mut server = FakeServer::new();
        let mut chat = Chat::start(&server);
        chat.line().await;
        let (_, mut connection) = server.welcome().await;
        chat.line().await;
        chat.say(r#"{"op":"send","conversation":"d:1:2","text":"last words"}"#).await;
        chat.input.shutdown().await.unwrap();
        let send = connection.sent_message().await;
        chat.line().await;
        if confirmed {
            connection.confirm(&send, 1).await;
            assert!(chat.line().await.starts_with(r#"{"event":"sent""#));
        }
        tokio::spawn(connection.answers_heartbeats_only());
        let unsent = u8::from(!confirmed);
        chat.expect(&format!(r#"{{"event":"bye","unsent":{unsent}}}"#)).await;
        chat.running.await.unwrap().unwrap();
    }
}
