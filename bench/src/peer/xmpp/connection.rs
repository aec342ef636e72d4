//! A client's connection to an XMPP server: TCP without TLS, SASL, a resource, stream management (RFC 6120, XEP-0198).
//!
//! It costs the load generator little: no more client than the measurement needs.

use std::fmt::Write as _;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use quick_xml::escape::escape;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::decoder::{Item, StreamDecoder};
use super::element::Element;
use super::scram::{Hash, Scram};

/// Namespaces, as their extensions name them.
pub(super) mod ns {
    pub(crate) const STREAMS: &str = "http://etherx.jabber.org/streams";
    pub(crate) const CLIENT: &str = "jabber:client";
    pub(crate) const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
    pub(crate) const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
    pub(crate) const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
    /// XEP-0198.
    pub(crate) const MANAGEMENT: &str = "urn:xmpp:sm:3";
    /// XEP-0077, as a request.
    pub(crate) const REGISTER: &str = "jabber:iq:register";
    /// XEP-0077, as a feature of a stream.
    pub(crate) const REGISTER_FEATURE: &str = "http://jabber.org/features/iq-register";
    /// XEP-0045.
    pub(crate) const ROOM: &str = "http://jabber.org/protocol/muc";
    pub(crate) const ROOM_USER: &str = "http://jabber.org/protocol/muc#user";
}

/// Where the server is, and who connects.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) address: String,
    pub(crate) domain: String,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Login {
    /// The address of the account.
    pub(crate) fn jid(&self) -> String {
        format!("{}@{}", self.user, self.domain)
    }
}

/// A connection with a resource of its account.
pub(crate) struct Connection {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
}

/// Its reading half.
pub(crate) struct Reader {
    stream: OwnedReadHalf,
    decoder: StreamDecoder,
}

/// Its writing half: what is written gathers until flushed.
pub(crate) struct Writer {
    stream: OwnedWriteHalf,
    text: String,
}

/// What has gone each way since stream management began, both counted modulo 2^32 as XEP-0198 has it.
#[derive(Debug, Default)]
pub(crate) struct Management {
    received: u32,
    confirmed: u32,
    is_asked: bool,
}

impl Connection {
    /// Connects without saying who: with the stream's features.
    pub(super) async fn open(login: &Login) -> anyhow::Result<(Self, Element)> {
        let Login { address, domain, .. } = login;
        let stream = TcpStream::connect(address).await;
        let stream = stream.with_context(|| format!("no XMPP server listens at {address}"))?;
        stream.set_nodelay(true)?;
        let (read, write) = stream.into_split();
        let mut connection = Self {
            reader: Reader { stream: read, decoder: StreamDecoder::new() },
            writer: Writer { stream: write, text: String::new() },
        };
        let features = connection.restart(domain).await?;
        Ok((connection, features))
    }

    /// Connects, shows the password, takes a resource, and has the server count stanzas.
    pub(crate) async fn login(login: &Login) -> anyhow::Result<Self> {
        let (mut connection, features) = Self::open(login).await?;
        connection.authenticate(login, &features).await?;
        let features = connection.restart(&login.domain).await?;
        ensure!(
            features.child("sm", ns::MANAGEMENT).is_some(),
            "the server offers no stream management (XEP-0198), which confirms messages: load mod_stream_mgmt in \
             ejabberd, smacks in Prosody"
        );
        let bind = format!("<bind xmlns='{}'/>", ns::BIND);
        let bound = connection.ask("set", &bind).await?;
        ensure!(bound.attribute("type") == Some("result"), "the server gives no resource: {bound}");
        connection.writer.push(format_args!("<enable xmlns='{}'/>", ns::MANAGEMENT));
        connection.writer.flush().await?;
        let answer = connection.reader.next().await?;
        ensure!(answer.is("enabled", ns::MANAGEMENT), "instead of stream management came {answer}");
        Ok(connection)
    }

    /// As [`login`](Self::login), and there for messages to the account.
    pub(crate) async fn login_present(login: &Login) -> anyhow::Result<(Self, Management)> {
        let mut connection = Self::login(login).await?;
        connection.writer.push(format_args!("<presence/>"));
        connection.writer.flush().await?;
        let mut management = Management::default();
        // Once it has its own presence, the server has noted it.
        loop {
            let element = connection.reader.next().await?;
            management.take(&element)?;
            if element.is("presence", ns::CLIENT) {
                break;
            }
        }
        Ok((connection, management))
    }

    /// Asks the server and waits for its answer, be it an error. Other elements are passed over: this is
    /// for the time before stream management counts them.
    pub(super) async fn ask(&mut self, kind: &str, query: &str) -> anyhow::Result<Element> {
        self.writer.push(format_args!("<iq type='{kind}' id='ask'>{query}</iq>"));
        self.writer.flush().await?;
        loop {
            let answer = self.reader.next().await?;
            if answer.is("iq", ns::CLIENT) && answer.attribute("id") == Some("ask") {
                return Ok(answer);
            }
        }
    }

    /// Ends the stream, and waits until the server has too: then it knows that the user is away.
    pub(crate) async fn leave(mut self) -> anyhow::Result<()> {
        self.writer.close().await?;
        while self.reader.next().await.is_ok() {}
        Ok(())
    }

    /// Begins a stream, a second time after authentication.
    async fn restart(&mut self, domain: &str) -> anyhow::Result<Element> {
        self.reader.decoder = StreamDecoder::new();
        self.writer.push(format_args!(
            "<?xml version='1.0'?><stream:stream xmlns='{}' xmlns:stream='{}' to='{}' version='1.0'>",
            ns::CLIENT,
            ns::STREAMS,
            escape(domain)
        ));
        self.writer.flush().await?;
        let opened = self.reader.next_item().await?;
        match opened {
            Item::Opened(header) => {
                ensure!(header.is("stream", ns::STREAMS), "instead of a stream came {header}");
            }
            other => bail!("instead of a stream came {other:?}"),
        }
        let features = self.reader.next().await?;
        ensure!(features.is("features", ns::STREAMS), "instead of features came {features}");
        let tls = features.child("starttls", ns::TLS);
        ensure!(
            tls.is_none_or(|tls| tls.child("required", ns::TLS).is_none()),
            "the server demands TLS: allow plain connections on loopback"
        );
        Ok(features)
    }

    async fn authenticate(&mut self, login: &Login, features: &Element) -> anyhow::Result<()> {
        let offered =
            features.child("mechanisms", ns::SASL).context("the server offers no authentication")?;
        let offered: Vec<&str> = offered.children.iter().map(|mechanism| mechanism.text.trim()).collect();
        // What costs both sides least, for it is not what is measured.
        if offered.contains(&"PLAIN") {
            let response = BASE64.encode(format!("\0{}\0{}", login.user, login.password));
            let answer = self.authenticate_with("auth", " mechanism='PLAIN'", &response).await?;
            return accepted(&answer, login);
        }
        let hash = [Hash::Sha256, Hash::Sha1].into_iter().find(|hash| offered.contains(&hash.mechanism()));
        let Some(hash) = hash else {
            bail!("the server offers neither PLAIN nor SCRAM, but {}", offered.join(", "));
        };
        let mut random = [0; 18];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| anyhow::anyhow!("there is no randomness"))?;
        let scram = Scram::new(hash, &login.user, BASE64.encode(random));
        let mechanism = format!(" mechanism='{}'", hash.mechanism());
        let challenge = self.authenticate_with("auth", &mechanism, &BASE64.encode(scram.first())).await?;
        if !challenge.is("challenge", ns::SASL) {
            accepted(&challenge, login)?;
            bail!("the server lets {} in without a password", login.jid());
        }
        let answer = scram.answer(&decoded(&challenge.text)?, &login.password)?;
        let success = self.authenticate_with("response", "", &BASE64.encode(&answer.message)).await?;
        accepted(&success, login)?;
        Ok(answer.check(&decoded(&success.text)?)?)
    }

    async fn authenticate_with(
        &mut self,
        name: &str,
        attributes: &str,
        text: &str,
    ) -> anyhow::Result<Element> {
        self.writer.push(format_args!("<{name} xmlns='{}'{attributes}>{text}</{name}>", ns::SASL));
        self.writer.flush().await?;
        self.reader.next().await
    }
}

fn accepted(answer: &Element, login: &Login) -> anyhow::Result<()> {
    if answer.is("failure", ns::SASL) {
        bail!(
            "the server does not let {} in: {}; the accounts are made with `rookery-bench peer xmpp ... accounts`",
            login.jid(),
            answer.condition()
        );
    }
    ensure!(
        answer.is("success", ns::SASL) || answer.is("challenge", ns::SASL),
        "instead of success came {answer}"
    );
    Ok(())
}

fn decoded(text: &str) -> anyhow::Result<String> {
    let bytes = BASE64.decode(text.trim()).context("the server's challenge is not base64")?;
    String::from_utf8(bytes).context("the server's challenge is not text")
}

impl Reader {
    /// The next element, waiting for it. Nothing is lost when it is not waited for to the end.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Element> {
        element(self.next_item().await?)
    }

    /// The next element that has already arrived.
    pub(crate) fn buffered(&mut self) -> anyhow::Result<Option<Element>> {
        self.decoder.next_item()?.map(element).transpose()
    }

    async fn next_item(&mut self) -> anyhow::Result<Item> {
        loop {
            if let Some(item) = self.decoder.next_item()? {
                return Ok(item);
            }
            let buffer = self.decoder.buffer_mut();
            buffer.reserve(16 * 1024);
            let read = self.stream.read_buf(buffer).await.context("the connection broke")?;
            ensure!(read > 0, "the server closed the connection");
        }
    }
}

fn element(item: Item) -> anyhow::Result<Element> {
    match item {
        Item::Element(error) if error.is("error", ns::STREAMS) => match error.condition() {
            "host-unknown" => {
                bail!("the server does not serve this domain: see its configuration, and --domain")
            }
            _ => bail!("the server ended the stream: {error}"),
        },
        Item::Element(element) => Ok(element),
        Item::Opened(header) => bail!("instead of a stanza came {header}"),
        Item::Closed => bail!("the server ended the stream"),
    }
}

impl Writer {
    /// Adds to what will be written. What comes from outside is escaped by who calls.
    pub(crate) fn push(&mut self, xml: std::fmt::Arguments<'_>) {
        self.text.write_fmt(xml).expect("writing to memory does not fail");
    }

    /// Writes what has gathered.
    pub(crate) async fn flush(&mut self) -> anyhow::Result<()> {
        if !self.text.is_empty() {
            self.stream.write_all(self.text.as_bytes()).await.context("the connection broke")?;
            self.text.clear();
        }
        Ok(())
    }

    /// Ends the stream, so that the server does not keep the session.
    pub(crate) async fn close(&mut self) -> anyhow::Result<()> {
        self.push(format_args!("</stream:stream>"));
        self.flush().await
    }
}

impl Management {
    /// Notes what has come, and returns how many stanzas of this side's the server has newly confirmed.
    ///
    /// # Errors
    /// When it is an error in answer to a message or a presence.
    pub(crate) fn take(&mut self, element: &Element) -> anyhow::Result<u32> {
        match (element.namespace.as_str(), element.name.as_str()) {
            (ns::MANAGEMENT, "a") => {
                let handled = element.attribute("h").and_then(|handled| handled.parse::<u32>().ok());
                let handled = handled.context("a confirmation has no number")?;
                let newly = handled.wrapping_sub(self.confirmed);
                self.confirmed = handled;
                return Ok(newly);
            }
            (ns::MANAGEMENT, "r") => self.is_asked = true,
            (ns::CLIENT, "message" | "presence" | "iq") => {
                self.received = self.received.wrapping_add(1);
                ensure!(
                    element.name == "iq" || element.attribute("type") != Some("error"),
                    "the server refuses: {element}"
                );
            }
            _ => {}
        }
        Ok(0)
    }

    /// Confirms to the server what has come, if it has asked.
    pub(crate) fn answer(&mut self, writer: &mut Writer) {
        if std::mem::take(&mut self.is_asked) {
            writer.push(format_args!("<a xmlns='{}' h='{}'/>", ns::MANAGEMENT, self.received));
        }
    }

    /// Asks the server to confirm all that has been sent so far.
    pub(crate) fn ask(writer: &mut Writer) {
        writer.push(format_args!("<r xmlns='{}'/>", ns::MANAGEMENT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(text: &str) -> Element {
        let mut decoder = StreamDecoder::new();
        let stream = format!("<s:stream xmlns='{}' xmlns:s='{}'>{text}", ns::CLIENT, ns::STREAMS);
        decoder.buffer_mut().extend_from_slice(stream.as_bytes());
        assert!(matches!(decoder.next_item().unwrap(), Some(Item::Opened(_))));
        match decoder.next_item().unwrap() {
            Some(Item::Element(element)) => element,
            other => panic!("instead of an element came {other:?}"),
        }
    }

    fn confirmation(handled: &str) -> Element {
        element(&format!("<a xmlns='{}' h='{handled}'/>", ns::MANAGEMENT))
    }

    #[test]
    fn confirmations_count_from_the_last_one_and_around_the_end() {
        let mut management = Management { confirmed: u32::MAX - 1, ..Management::default() };
        assert_eq!(management.take(&confirmation("4294967295")).unwrap(), 1);
        assert_eq!(management.take(&confirmation("2")).unwrap(), 3);
        assert_eq!(management.take(&confirmation("2")).unwrap(), 0);
        assert!(management.take(&confirmation("4294967296")).is_err());
    }

    #[test]
    fn stanzas_are_counted_and_nothing_else() {
        let mut management = Management::default();
        for text in
            ["<message/>", "<presence/>", "<iq type='error'/>", "<r xmlns='urn:xmpp:sm:3'/>", "<other/>"]
        {
            management.take(&element(text)).unwrap();
        }
        assert_eq!((management.received, management.is_asked), (3, true));
    }

    #[test]
    fn message_that_is_refused_is_said_with_its_condition() {
        let refused = "<message type='error'><body>x</body><error type='wait'><resource-constraint \
            xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>full</text>\
            </error></message>";
        let failure = Management::default().take(&element(refused)).unwrap_err();
        assert_eq!(failure.to_string(), "the server refuses: <message> resource-constraint (full)");
    }
}
