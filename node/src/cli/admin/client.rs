//! Requests to one node's admin API: a connection each, and a deadline.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::error::AdminError;
use super::url::AdminUrl;
use crate::admin::api::{Failure, FailureCode, NODE_HEADER};
use crate::data_dir::AdminToken;

/// Bytes of an answer: more than the longest page or the longest line has.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A stream says something at least every ten seconds.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What every request needs.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) token: AdminToken,
    pub(super) tls: TlsConnector,
    pub(super) deadline: Duration,
}

#[cfg(test)]
impl Access {
    /// With some token, and a second for each request.
    pub(super) fn for_tests() -> Arc<Self> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        std::fs::write(&file, "secret\n").unwrap();
        let token = AdminToken::read(&file).unwrap();
        let tls = super::tls::connector(None, None).unwrap();
        Arc::new(Self { token, tls, deadline: Duration::from_secs(1) })
    }
}

/// The way to a node.
#[derive(Clone)]
pub(super) struct Api {
    /// The node's name, or where it is as long as that is all there is.
    pub(super) name: String,
    is_named: bool,
    pub(super) url: AdminUrl,
    access: Arc<Access>,
}

/// No body.
pub(super) const NOTHING: Option<&()> = None;

impl Api {
    /// To whichever node is there.
    pub(super) fn at(url: AdminUrl, access: Arc<Access>) -> Self {
        Self { name: url.to_string(), is_named: false, url, access }
    }

    /// To that node alone: should another be there, it does nothing.
    pub(super) fn of_node(name: String, url: AdminUrl, access: Arc<Access>) -> Self {
        Self { name, is_named: true, url, access }
    }

    /// The same way, to that node alone.
    pub(super) fn named(self, name: String) -> Self {
        Self::of_node(name, self.url, self.access)
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, AdminError> {
        self.ask(Method::GET, path, NOTHING).await
    }

    pub(super) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, AdminError> {
        self.ask(Method::PUT, path, Some(body)).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, AdminError> {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub(super) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, AdminError> {
        self.ask(Method::DELETE, path, NOTHING).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, AdminError> {
        let bytes = self.bytes(method, path, body).await?;
        serde_json::from_slice(&bytes).map_err(|error| self.strange(&error.to_string()))
    }

    /// An answer that is text.
    pub(super) async fn text(&self, path: &str) -> Result<String, AdminError> {
        let bytes = self.bytes(Method::GET, path, NOTHING).await?;
        String::from_utf8(bytes.into()).map_err(|error| self.strange(&error.to_string()))
    }

    async fn bytes(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Bytes, AdminError> {
        let whole = async { self.whole(self.send(method, path, body).await?).await };
        timeout(self.access.deadline, whole).await.map_err(|_| self.too_late())?
    }

    /// An answer that goes on, line by line.
    pub(super) async fn lines<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Lines<T>, AdminError> {
        let asked = timeout(self.access.deadline, self.send(method, path, body)).await;
        let response = asked.map_err(|_| self.too_late())??;
        let (api, body) = (self.clone(), response.into_body());
        Ok(Lines { api, body, read: BytesMut::new(), searched: 0, line: PhantomData })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Response<Incoming>, AdminError> {
        let body = body.map(|body| serde_json::to_vec(body).expect("requests have a form in JSON"));
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.url.authority())
            .header(header::AUTHORIZATION, format!("Bearer {}", self.access.token.as_str()))
            .header(header::CONNECTION, "close")
            .header(header::CONTENT_TYPE, "application/json");
        if self.is_named {
            request = request.header(NODE_HEADER, &self.name);
        }
        let request = request
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|error| self.no_answer(error.to_string()))?;
        let failed = |error: std::io::Error| self.no_answer(error.to_string());
        let socket = TcpStream::connect((self.url.host.as_str(), self.url.port)).await.map_err(failed)?;
        socket.set_nodelay(true).map_err(failed)?;
        let response = if self.url.is_secure {
            let name = ServerName::try_from(self.url.host.clone());
            let name = name.map_err(|error| self.no_answer(error.to_string()))?;
            let connected = self.access.tls.connect(name, socket).await.map_err(|error| {
                let is_rustls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
                let hint = if is_rustls { " (--ca FILE names whom to trust)" } else { "" };
                self.no_answer(format!("{error}{hint}"))
            });
            exchange(connected?, request).await
        } else {
            exchange(socket, request).await
        };
        let response = response.map_err(|error| self.no_answer(with_source(&error)))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let bytes = self.whole(response).await?;
        let refused = serde_json::from_slice(&bytes);
        Err(AdminError::Refused(refused.unwrap_or_else(|_| self.foreign(status))))
    }

    async fn whole(&self, response: Response<Incoming>) -> Result<Bytes, AdminError> {
        let collected = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        Ok(collected.map_err(|error| self.no_answer(error.to_string()))?.to_bytes())
    }

    /// What has come is no answer of a node of any version.
    fn foreign(&self, status: StatusCode) -> Failure {
        Failure {
            code: FailureCode::Internal,
            message: format!("{} answers {status}, and not as a node does", self.url),
            hint: "is this the address of the admin API?".into(),
        }
    }

    fn strange(&self, why: &str) -> AdminError {
        AdminError::Refused(Failure {
            code: FailureCode::Internal,
            message: format!("{} has answered something that this program cannot read ({why})", self.name),
            hint: "its version may be another".into(),
        })
    }

    fn too_late(&self) -> AdminError {
        let time = humantime::format_duration(self.access.deadline);
        self.no_answer(format!("nothing came within {time} (--timeout)"))
    }

    fn no_answer(&self, why: String) -> AdminError {
        let url = self.url.to_string();
        let who = if self.is_named { format!("{} ({url})", self.name) } else { url };
        AdminError::NoAnswer { who, why }
    }
}

async fn exchange(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> hyper::Result<Response<Incoming>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await?;
    // Ends with the answer, or when nobody waits for it any more.
    tokio::spawn(connection);
    sender.send_request(request).await
}

fn with_source(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// JSON lines, as they come.
pub(super) struct Lines<T> {
    api: Api,
    body: Incoming,
    read: BytesMut,
    /// Bytes of `read` that hold no end of a line.
    searched: usize,
    line: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Lines<T> {
    /// The next, or none after the last.
    pub(super) async fn next(&mut self) -> Result<Option<T>, AdminError> {
        loop {
            if let Some(end) = self.read[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(self.searched + end);
                self.read.advance(1);
                self.searched = 0;
                let line = serde_json::from_slice(&line);
                return line.map(Some).map_err(|error| self.api.strange(&error.to_string()));
            }
            self.searched = self.read.len();
            if self.searched > ANSWER_BYTES_MAX {
                return Err(self.api.strange("a line without an end"));
            }
            let frame = timeout(SILENCE_MAX, self.body.frame()).await;
            match frame.map_err(|_| self.api.no_answer("it has fallen silent".into()))? {
                None => return Ok(None),
                Some(Err(error)) => {
                    let why = format!("it has gone in the middle ({})", with_source(&error));
                    return Err(self.api.no_answer(why));
                }
                Some(Ok(frame)) => self.read.extend_from_slice(&frame.into_data().unwrap_or_default()),
            }
        }
    }
}
