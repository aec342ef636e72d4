//! A chat in JSON lines, against the server that a test plays.

use rand::{SeedableRng, rngs::StdRng};
use rookery_client::{Client, MemoryStore, chat};
use rookery_protocol::{ClientFrame, Found};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, duplex};
use tokio::task::JoinHandle;

use super::{Connection, FakeServer, config, user};

pub struct Chat {
    pub input: DuplexStream,
    output: Lines<BufReader<DuplexStream>>,
    pub running: JoinHandle<Result<(), chat::ChatError>>,
}

impl Chat {
    pub fn start(server: &FakeServer) -> Self {
        let started =
            Client::resume(config(), server.network.clone(), MemoryStore::new(), StdRng::seed_from_u64(1))
                .unwrap();
        let ((input, stdin), (stdout, output)) = (duplex(1 << 20), duplex(1 << 20));
        let running = tokio::spawn(async move { chat::run_json_on(started, stdin, stdout).await });
        Self { input, output: BufReader::new(output).lines(), running }
    }

    pub async fn say(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    pub async fn expect(&mut self, line: &str) {
        assert_eq!(self.output.next_line().await.unwrap().unwrap(), line);
    }

    pub async fn line(&mut self) -> String {
        self.output.next_line().await.unwrap().unwrap()
    }
}

pub async fn find(connection: &mut Connection, number: u64, handle: &str) {
    match connection.frame().await {
        ClientFrame::Lookup(lookup) => {
            let handle = handle.parse().unwrap();
            connection.send(Found { request: lookup.request, user: user(number), handle }).await;
        }
        other => panic!("{other:?}"),
    }
}

impl Chat {
    /// A chat that is connected, past its first lines.
    pub async fn connected(server: &mut FakeServer) -> (Self, Connection) {
        let mut chat = Self::start(server);
        chat.line().await;
        let (_, connection) = server.welcome().await;
        chat.line().await;
        (chat, connection)
    }
}
