//! From HTTP to WebSocket. Whoever asks for something else is told what there is.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite;
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{self, Request};
use tungstenite::http::HeaderValue;
use tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;

use super::accept::HandshakeError;
use super::{WEBSOCKET_PATH, WEBSOCKET_SUBPROTOCOL, WebSocketTransport};

/// The longest request head. Browsers send one to two KiB; cookies may add to it.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Bytes read at once.
const READ_BYTES: usize = 1024;

/// Answers the upgrade request.
pub(super) async fn accept<S>(mut stream: S) -> Result<WebSocketTransport<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (answer, outcome) = match read_request(&mut stream).await? {
        Ok((request, read_ahead)) => match upgrade(&request) {
            Ok(answer) => (answer, Ok(read_ahead)),
            Err(denial) => (denial.answer(), Err(denial)),
        },
        Err(denial) => (denial.answer(), Err(denial)),
    };
    stream.write_all(&answer).await?;
    stream.flush().await?;
    match outcome {
        Ok(read_ahead) => Ok(WebSocketTransport::new(stream, &read_ahead)),
        Err(denial) => {
            stream.shutdown().await?;
            // What is unread would reset the connection before the answer is read.
            let mut ignored = [0; 512];
            for _ in 0..HEAD_BYTES_MAX / ignored.len() {
                if stream.read(&mut ignored).await? == 0 {
                    break;
                }
            }
            Err(HandshakeError::Upgrade(denial.reason()))
        }
    }
}

/// Why there is no upgrade.
#[derive(Debug, Clone, Copy)]
enum Denial {
    NotHttp,
    HeadTooLong,
    OtherPath,
    NoUpgrade,
}

impl Denial {
    fn reason(self) -> &'static str {
        match self {
            Self::NotHttp => "not an HTTP GET request",
            Self::HeadTooLong => "a request head over 8 KiB",
            Self::OtherPath => "another path than /v1",
            Self::NoUpgrade => "no valid WebSocket upgrade",
        }
    }

    fn answer(self) -> Vec<u8> {
        let (status, headers) = match self {
            Self::NotHttp => ("400 Bad Request", ""),
            Self::HeadTooLong => ("431 Request Header Fields Too Large", ""),
            Self::OtherPath => ("404 Not Found", ""),
            Self::NoUpgrade => {
                ("426 Upgrade Required", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n")
            }
        };
        let text = format!(
            "This is a Rookery chat node: it speaks WebSocket version 13 at {WEBSOCKET_PATH}, subprotocol \
             {WEBSOCKET_SUBPROTOCOL}, in binary messages.\nYours was {}.\n",
            self.reason()
        );
        format!(
            "HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n\
             {text}",
            text.len()
        )
        .into_bytes()
    }
}

/// The request, and what came after it.
async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
) -> std::io::Result<Result<(Request, Vec<u8>), Denial>> {
    let mut head = Vec::new();
    loop {
        match Request::try_parse(&head) {
            Ok(Some((length, request))) => return Ok(Ok((request, head.split_off(length)))),
            Ok(None) if head.len() >= HEAD_BYTES_MAX => return Ok(Err(Denial::HeadTooLong)),
            Ok(None) => {}
            Err(_) => return Ok(Err(Denial::NotHttp)),
        }
        head.reserve(READ_BYTES);
        if (&mut *stream).take(READ_BYTES as u64).read_buf(&mut head).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The answer that makes it a WebSocket.
fn upgrade(request: &Request) -> Result<Vec<u8>, Denial> {
    if request.uri().path() != WEBSOCKET_PATH {
        return Err(Denial::OtherPath);
    }
    let mut response = server::create_response(request).map_err(|_| Denial::NoUpgrade)?;
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).into_iter();
    let mut offered = offered.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    if offered.any(|name| name.trim() == WEBSOCKET_SUBPROTOCOL) {
        response
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(WEBSOCKET_SUBPROTOCOL));
    }
    let mut answer = Vec::with_capacity(256);
    server::write_response(&mut answer, &response).map_err(|_| Denial::NoUpgrade)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use rookery_actors::Transport;
    use rookery_protocol::{Heartbeat, encode};
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;

    use super::*;

    /// What a peer that sends `request` and then reads to the end is answered.
    async fn answer_to(request: &[u8]) -> String {
        let (server, mut client) = tokio::io::duplex(16 * 1024);
        let serving = tokio::spawn(accept(server));
        client.write_all(request).await.unwrap();
        let mut answer = String::new();
        client.shutdown().await.unwrap();
        client.read_to_string(&mut answer).await.unwrap();
        serving.await.unwrap().unwrap_err();
        answer
    }

    #[tokio::test]
    async fn a_browser_that_comes_by_is_told_what_this_is() {
        let answer = answer_to(b"GET /v1 HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n"), "{answer}");
        assert!(answer.ends_with("in binary messages.\nYours was no valid WebSocket upgrade.\n"), "{answer}");
    }

    #[tokio::test]
    async fn other_paths_methods_and_protocols_are_told_apart() {
        assert!(answer_to(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.starts_with("HTTP/1.1 404"));
        assert!(answer_to(b"POST /v1 HTTP/1.1\r\nHost: x\r\n\r\n").await.starts_with("HTTP/1.1 400"));
        assert!(answer_to(&encode(&Heartbeat { nonce: 1 })).await.starts_with("HTTP/1.1 400"));
        let endless = [b"GET /v1 HTTP/1.1\r\nX: ".as_slice(), &[b'x'; HEAD_BYTES_MAX]].concat();
        assert!(answer_to(&endless).await.starts_with("HTTP/1.1 431"));
    }

    #[tokio::test]
    async fn a_client_that_offers_the_subprotocol_gets_it_and_can_send_frames() {
        use futures_util::SinkExt;
        let (server, client) = tokio::io::duplex(1024);
        let serving = tokio::spawn(accept(server));
        let mut request = "ws://localhost/v1".into_client_request().unwrap();
        let offer = HeaderValue::from_static("other, rookery.v1");
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, offer);
        let (mut client, response) = tokio_tungstenite::client_async(request, client).await.unwrap();
        assert_eq!(response.headers()[SEC_WEBSOCKET_PROTOCOL], WEBSOCKET_SUBPROTOCOL);
        let mut transport = serving.await.unwrap().unwrap();
        client.send(tungstenite::Message::Binary(encode(&Heartbeat { nonce: 1 }))).await.unwrap();
        transport.next_frame().await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_frame_sent_together_with_the_request_is_not_lost() {
        let (server, mut client) = tokio::io::duplex(1024);
        let frame = encode(&Heartbeat { nonce: 1 });
        let mut bytes = b"GET /v1 HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            .to_vec();
        bytes.extend([0x82, 0x80 | frame.len() as u8, 0, 0, 0, 0]);
        bytes.extend_from_slice(&frame);
        client.write_all(&bytes).await.unwrap();
        let mut transport = accept(server).await.unwrap();
        transport.next_frame().await.unwrap().unwrap();
    }
}
