//! One XML element of a stream: a stanza, or a part of one.

use std::fmt;

/// Names and namespaces are resolved, text and attributes unescaped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) namespace: String,
    /// By their names as written; declarations of namespaces are not among them.
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Element>,
    /// All text directly within, put together.
    pub(crate) text: String,
}

impl Element {
    /// Whether it has this name in this namespace.
    pub(crate) fn is(&self, name: &str, namespace: &str) -> bool {
        self.name == name && self.namespace == namespace
    }

    /// An attribute's value.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(at, _)| at == name).map(|(_, value)| value.as_str())
    }

    /// The first child with this name in this namespace.
    pub(crate) fn child(&self, name: &str, namespace: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.is(name, namespace))
    }

    /// The condition of an error within: RFC 6120 puts it first among an error's children, before the text.
    pub(crate) fn condition(&self) -> &str {
        let error = self.children.iter().find(|child| child.name == "error").unwrap_or(self);
        let condition = error.children.iter().find(|child| child.name != "text");
        condition.map_or("without a condition", |condition| condition.name.as_str())
    }

    /// The text of an error within, if the server says more than a condition.
    fn error_text(&self) -> Option<&str> {
        let error = self.children.iter().find(|child| child.name == "error").unwrap_or(self);
        error.children.iter().find(|child| child.name == "text").map(|text| text.text.as_str())
    }
}

/// For messages to people: what it is, and what is wrong if it is an error.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_error = matches!(self.name.as_str(), "error" | "failure" | "failed")
            || self.attribute("type") == Some("error");
        write!(f, "<{}>", self.name)?;
        if is_error {
            write!(f, " {}", self.condition())?;
            if let Some(text) = self.error_text() {
                write!(f, " ({text})")?;
            }
        } else if let Some(first) = self.children.first() {
            write!(f, " with <{}>", first.name)?;
        }
        Ok(())
    }
}
