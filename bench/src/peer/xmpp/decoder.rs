//! Bytes of an XMPP stream in, its elements out (RFC 6120 section 4 and 11). Does no input or output itself.
//!
//! Invariants:
//! - what it holds is bounded: an element's bytes, its depth and the namespaces it declares;
//! - input may be split anywhere, within a character too;
//! - what a stream must not contain (comments, document types, processing instructions) is an error.

use bytes::{Buf as _, BytesMut};
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{NamespaceResolver, ResolveResult};
use quick_xml::reader::Reader;

use super::element::Element;

/// Servers send no stanzas as large: ejabberd takes 256 KiB by default, Prosody 256 KiB from a client.
const ELEMENT_BYTES_MAX: usize = 512 * 1024;

/// Elements within one another: more than any stanza of the extensions used here has.
const DEPTH_MAX: usize = 32;

/// Attributes of an element: each is compared with those before it.
const ATTRIBUTES_MAX: usize = 64;

const CDATA: &[u8] = b"<![CDATA[";
const XML_DECLARATION: &[u8] = b"<?xml";

/// What a stream is made of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// The header, without what follows in the stream.
    Opened(Element),
    /// A child of the stream, complete.
    Element(Element),
    /// The end.
    Closed,
}

/// Why a stream cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("the server sent what is not XML")]
    Xml(#[from] quick_xml::Error),
    #[error("the server sent what a stream must not contain: {0}")]
    Restricted(&'static str),
    #[error("the server sent an element of more than {ELEMENT_BYTES_MAX} bytes")]
    TooLong,
    #[error("the server sent elements more than {DEPTH_MAX} deep")]
    TooDeep,
    #[error("the server sent an element of more than {ATTRIBUTES_MAX} attributes")]
    TooManyAttributes,
    #[error("the server ended <{opened}> with </{ended}>")]
    Mismatched { opened: String, ended: String },
    #[error("the server sent more after the stream's end")]
    AfterEnd,
}

/// A stream being read.
#[derive(Debug)]
pub(crate) struct StreamDecoder {
    buffer: BytesMut,
    namespaces: NamespaceResolver,
    /// Elements that have begun and not ended, without the stream itself.
    open: Vec<Open>,
    /// Bytes that the element under way has taken so far.
    taken: usize,
    place: Place,
}

#[derive(Debug)]
struct Open {
    /// As written, for its end.
    name: String,
    element: Element,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    BeforeHeader,
    /// The header's name as written.
    Within(String),
    Ended,
}

impl StreamDecoder {
    pub(crate) fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            namespaces: NamespaceResolver::default(),
            open: Vec::new(),
            taken: 0,
            place: Place::BeforeHeader,
        }
    }

    /// Where bytes that arrive go.
    pub(crate) fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next item that is complete.
    pub(crate) fn next_item(&mut self) -> Result<Option<Item>, DecodeError> {
        while !self.buffer.is_empty() {
            if self.place == Place::Ended {
                return Err(DecodeError::AfterEnd);
            }
            let before = self.buffer.len();
            let item = if self.buffer[0] == b'<' { self.take_markup()? } else { self.take_text()? };
            let taken = before - self.buffer.len();
            if taken == 0 {
                // More has to arrive, if it may.
                let is_too_long = self.taken + self.buffer.len() > ELEMENT_BYTES_MAX;
                return if is_too_long { Err(DecodeError::TooLong) } else { Ok(None) };
            }
            self.taken = if self.open.is_empty() { 0 } else { self.taken + taken };
            if self.taken > ELEMENT_BYTES_MAX {
                return Err(DecodeError::TooLong);
            }
            if item.is_some() {
                return Ok(item);
            }
        }
        Ok(None)
    }

    /// Takes a tag or a piece of CDATA off the buffer, if all of it is there.
    fn take_markup(&mut self) -> Result<Option<Item>, DecodeError> {
        let is_before = self.place == Place::BeforeHeader;
        match self.buffer.get(1) {
            Some(b'!') if !begin_alike(&self.buffer, CDATA) => {
                return Err(DecodeError::Restricted("a comment or a document type"));
            }
            Some(b'?') if !is_before || !begin_alike(&self.buffer, XML_DECLARATION) => {
                return Err(DecodeError::Restricted("a processing instruction"));
            }
            _ => {}
        }
        let bytes = std::mem::take(&mut self.buffer);
        let mut reader = Reader::from_reader(&bytes[..]);
        let config = reader.config_mut();
        // Each tag is read for itself; which ends which is seen to here.
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        let event = reader.read_event();
        let taken = usize::try_from(reader.buffer_position()).expect("it is within the buffer");
        let item = match event {
            // The tag's end has not arrived.
            Err(quick_xml::Error::Syntax(_)) => {
                self.buffer = bytes;
                return Ok(None);
            }
            Err(wrong) => return Err(wrong.into()),
            Ok(event) => self.take_event(event)?,
        };
        self.buffer = bytes;
        self.buffer.advance(taken);
        Ok(item)
    }

    fn take_event(&mut self, event: Event<'_>) -> Result<Option<Item>, DecodeError> {
        match event {
            Event::Start(start) => self.begin(&start),
            Event::Empty(start) => {
                let header = self.begin(&start)?;
                let ended = self.end(start.name().0)?;
                Ok(header.or(ended))
            }
            Event::End(end) => self.end(end.name().0),
            Event::CData(data) => {
                let open = self.open.last_mut().ok_or(DecodeError::Restricted("text between stanzas"))?;
                open.element.text.push_str(&data.xml10_content());
                Ok(None)
            }
            Event::Decl(_) => Ok(None),
            _ => Err(DecodeError::Restricted("what is neither an element nor text")),
        }
    }

    /// Takes text off the buffer, if the markup after it is there.
    fn take_text(&mut self) -> Result<Option<Item>, DecodeError> {
        let Some(open) = self.open.last_mut() else {
            // White space between stanzas keeps connections alive.
            let space = self.buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            if space == 0 {
                return Err(DecodeError::Restricted("text between stanzas"));
            }
            self.buffer.advance(space);
            return Ok(None);
        };
        let Some(end) = self.buffer.iter().position(|byte| *byte == b'<') else {
            return Ok(None);
        };
        let bytes = std::mem::take(&mut self.buffer);
        let mut reader = Reader::from_reader(&bytes[..end]);
        loop {
            match reader.read_event()? {
                Event::Text(text) => open.element.text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => match reference.resolve_char_ref()? {
                    Some(character) => open.element.text.push(character),
                    None => {
                        let text = resolve_predefined_entity(&reference.into_inner());
                        let text = text.ok_or(DecodeError::Restricted("an entity of its own"))?;
                        open.element.text.push_str(text);
                    }
                },
                Event::Eof => break,
                _ => return Err(DecodeError::Restricted("what is neither an element nor text")),
            }
        }
        self.buffer = bytes;
        self.buffer.advance(end);
        Ok(None)
    }

    fn begin(&mut self, start: &BytesStart<'_>) -> Result<Option<Item>, DecodeError> {
        if self.open.len() >= DEPTH_MAX {
            return Err(DecodeError::TooDeep);
        }
        self.namespaces.push(start).map_err(quick_xml::Error::Namespace)?;
        let (namespace, name) = self.namespaces.resolve_element(start.name());
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => namespace.0.to_owned(),
            ResolveResult::Unbound => String::new(),
            ResolveResult::Unknown(_) => return Err(DecodeError::Restricted("a prefix without a namespace")),
        };
        let mut element = Element { name: name.as_ref().to_owned(), namespace, ..Element::default() };
        for attribute in start.attributes() {
            let attribute = attribute.map_err(quick_xml::Error::InvalidAttr)?;
            if attribute.key.as_namespace_binding().is_none() {
                if element.attributes.len() >= ATTRIBUTES_MAX {
                    return Err(DecodeError::TooManyAttributes);
                }
                let value = attribute.normalized_value(XmlVersion::Implicit1_0)?.into_owned();
                element.attributes.push((attribute.key.0.to_owned(), value));
            }
        }
        let name = start.name().0.to_owned();
        if self.place == Place::BeforeHeader {
            self.place = Place::Within(name);
            return Ok(Some(Item::Opened(element)));
        }
        self.open.push(Open { name, element });
        Ok(None)
    }

    fn end(&mut self, ended: &str) -> Result<Option<Item>, DecodeError> {
        let opened = match (self.open.last(), &self.place) {
            (Some(open), _) => &open.name,
            (None, Place::Within(stream)) => stream,
            (None, _) => return Err(DecodeError::Restricted("an end without a beginning")),
        };
        if opened != ended {
            return Err(DecodeError::Mismatched { opened: opened.clone(), ended: ended.to_owned() });
        }
        self.namespaces.pop();
        let Some(Open { element, .. }) = self.open.pop() else {
            self.place = Place::Ended;
            return Ok(Some(Item::Closed));
        };
        match self.open.last_mut() {
            Some(parent) => {
                parent.element.children.push(element);
                Ok(None)
            }
            None => Ok(Some(Item::Element(element))),
        }
    }
}

/// Whether one begins with the other, as far as both go.
fn begin_alike(one: &[u8], other: &[u8]) -> bool {
    one.iter().zip(other).all(|(one, other)| one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' id=\"7\" \
        xmlns:stream='http://etherx.jabber.org/streams' from='d' version='1.0'>\
        <stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism>\
        </mechanisms></stream:features>\n \
        <message to='a>b' from=\"ü&lt;@d\"><body>1 &lt; 2 &amp;&#x20ac; größer<![CDATA[<&]]>]]</body><e/></message>\
        <r xmlns='urn:xmpp:sm:3'/></stream:stream>";

    fn items(parts: &[&[u8]]) -> Result<Vec<Item>, DecodeError> {
        let (mut decoder, mut items) = (StreamDecoder::new(), Vec::new());
        for part in parts {
            decoder.buffer_mut().extend_from_slice(part);
            while let Some(item) = decoder.next_item()? {
                items.push(item);
            }
        }
        Ok(items)
    }

    fn failure(text: &str) -> DecodeError {
        items(&[text.as_bytes()]).expect_err("it is no stream")
    }

    fn within(text: &str) -> String {
        format!("<s:stream xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>{text}")
    }

    #[test]
    fn a_stream_is_read_with_names_resolved_and_text_unescaped() {
        let items = items(&[STREAM.as_bytes()]).unwrap();
        let [
            Item::Opened(header),
            Item::Element(features),
            Item::Element(message),
            Item::Element(r),
            Item::Closed,
        ] = &items[..]
        else {
            panic!("instead came {items:?}");
        };
        assert!(header.is("stream", "http://etherx.jabber.org/streams"));
        assert_eq!(header.attribute("id"), Some("7"));
        assert!(features.is("features", "http://etherx.jabber.org/streams"));
        let mechanisms = features.child("mechanisms", "urn:ietf:params:xml:ns:xmpp-sasl").unwrap();
        assert_eq!(mechanisms.children[0].text, "PLAIN");
        assert!(message.is("message", "jabber:client"));
        assert_eq!((message.attribute("to"), message.attribute("from")), (Some("a>b"), Some("ü<@d")));
        assert_eq!(message.child("body", "jabber:client").unwrap().text, "1 < 2 &€ größer<&]]");
        assert!(r.is("r", "urn:xmpp:sm:3"));
    }

    #[test]
    fn a_stream_split_at_any_byte_is_the_same_stream() {
        let whole = items(&[STREAM.as_bytes()]).unwrap();
        for at in 0..=STREAM.len() {
            let (one, other) = STREAM.as_bytes().split_at(at);
            assert_eq!(items(&[one, other]).unwrap(), whole, "split at {at}");
        }
        let bytes: Vec<&[u8]> = STREAM.as_bytes().chunks(1).collect();
        assert_eq!(items(&bytes).unwrap(), whole);
    }

    #[test]
    fn any_byte_changed_never_panics() {
        for at in 0..STREAM.len() {
            for byte in [0, b'<', b'>', b'&', b'\'', b'"', b'/', b'!', b'?', b':', b' ', 0xff] {
                let mut bytes = STREAM.as_bytes().to_vec();
                bytes[at] = byte;
                let _ = items(&[&bytes]);
            }
        }
    }

    #[test]
    fn what_a_stream_must_not_contain_is_refused() {
        for text in [
            "<!-- -->",
            "<!DOCTYPE x>",
            "<?php?>",
            "<?xml version='1.0'?>",
            "words",
            "<m>&own;</m>",
            "<x:m/>",
        ] {
            let failure = failure(&within(text));
            assert!(matches!(failure, DecodeError::Restricted(_)), "{text}: {failure}");
        }
        assert!(matches!(failure("words"), DecodeError::Restricted(_)));
        assert!(matches!(failure("</a>"), DecodeError::Restricted(_)));
    }

    #[test]
    fn an_end_is_of_what_began_last() {
        assert!(matches!(failure(&within("<a><b></a>")), DecodeError::Mismatched { .. }));
        assert!(matches!(failure(&within("</a>")), DecodeError::Mismatched { .. }));
        assert!(matches!(failure(&within("</s:stream><a/>")), DecodeError::AfterEnd));
    }

    #[test]
    fn elements_are_bounded_in_bytes_depth_attributes_and_namespaces() {
        let endless = ["<m a='".to_owned(), "<m>".to_owned(), "<m".to_owned() + "><b></b>"];
        for beginning in endless {
            let mut decoder = StreamDecoder::new();
            decoder.buffer_mut().extend_from_slice(within(&beginning).as_bytes());
            let mut fed = 0;
            let failure = loop {
                match decoder.next_item() {
                    Ok(Some(_)) => {}
                    Ok(None) => {
                        assert!(fed <= ELEMENT_BYTES_MAX, "{beginning} goes on for ever");
                        let more = if beginning.ends_with("</b>") { "<b></b>" } else { "0123456" };
                        decoder.buffer_mut().extend_from_slice(more.repeat(1000).as_bytes());
                        fed += 7000;
                    }
                    Err(failure) => break failure,
                }
            };
            assert!(matches!(failure, DecodeError::TooLong), "{beginning}: {failure}");
        }
        assert!(matches!(failure(&within(&"<a>".repeat(DEPTH_MAX + 1))), DecodeError::TooDeep));
        let attributes: String = (0..=ATTRIBUTES_MAX).map(|number| format!(" a{number}=''")).collect();
        assert!(matches!(failure(&within(&format!("<m{attributes}/>"))), DecodeError::TooManyAttributes));
        let namespaces: String = (0..1000).map(|number| format!(" xmlns:a{number}='a'")).collect();
        assert!(matches!(failure(&within(&format!("<m{namespaces}/>"))), DecodeError::Xml(_)));
    }

    #[test]
    fn bytes_that_are_no_characters_are_refused() {
        let mut stream = within("<m>").into_bytes();
        stream.extend_from_slice(b"\xff\xfe</m>");
        assert!(matches!(items(&[&stream]), Err(DecodeError::Xml(_))));
    }
}
