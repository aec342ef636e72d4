//! Where WebSocket messages end in a stream of bytes (RFC 6455, section 5.2).
//!
//! The codec keeps its buffers for as long as it lives, and cannot say whether they are empty. This can: when the
//! stream stands between two messages and the codec has handed up all it read, there is nothing in it worth keeping.

/// Follows a client's bytes from frame to frame.
#[derive(Debug, Default)]
pub(super) struct FrameBoundary {
    header: [u8; 14],
    header_bytes: usize,
    payload_left: u64,
    /// A data frame without FIN has been seen, and not yet its last part.
    in_message: bool,
}

impl FrameBoundary {
    /// Takes notice of bytes that arrived.
    pub(super) fn advance(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let skipped = self.payload_left.min(bytes.len() as u64);
                self.payload_left -= skipped;
                bytes = &bytes[skipped as usize..];
                continue;
            }
            self.header[self.header_bytes] = bytes[0];
            self.header_bytes += 1;
            bytes = &bytes[1..];
            if self.header_bytes == self.header_length() {
                self.begin_payload();
            }
        }
    }

    /// Whether the last byte was a message's last.
    pub(super) fn is_between_messages(&self) -> bool {
        self.header_bytes == 0 && self.payload_left == 0 && !self.in_message
    }

    fn header_length(&self) -> usize {
        if self.header_bytes < 2 {
            return 2;
        }
        let length = match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.header[1] & 0x80 != 0 { 4 } else { 0 };
        2 + length + mask
    }

    fn begin_payload(&mut self) {
        let [first, second, ..] = self.header;
        self.payload_left = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes([self.header[2], self.header[3]])),
            127 => {
                let mut length = [0; 8];
                length.copy_from_slice(&self.header[2..10]);
                u64::from_be_bytes(length)
            }
            short => u64::from(short),
        };
        let is_control = first & 0x08 != 0;
        if !is_control {
            self.in_message = first & 0x80 == 0;
        }
        self.header_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload_bytes: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload_bytes {
            0..126 => bytes.push(0x80 | payload_bytes as u8),
            126..65_536 => {
                bytes.push(0x80 | 126);
                bytes.extend((payload_bytes as u16).to_be_bytes());
            }
            _ => {
                bytes.push(0x80 | 127);
                bytes.extend((payload_bytes as u64).to_be_bytes());
            }
        }
        bytes.extend([1, 2, 3, 4]);
        bytes.resize(bytes.len() + payload_bytes, 0xff);
        bytes
    }

    #[test]
    fn a_message_ends_with_its_last_byte_however_it_is_cut() {
        for payload_bytes in [0, 1, 125, 126, 300, 65_535, 65_536, 70_000] {
            let bytes = frame(0x82, payload_bytes);
            for cut in [1, 2, 3, 7, bytes.len()] {
                let mut boundary = FrameBoundary::default();
                let (mut all, last) = (bytes.chunks(cut).peekable(), bytes.len().div_ceil(cut));
                for piece in 1..=last {
                    boundary.advance(all.next().unwrap());
                    assert_eq!(
                        boundary.is_between_messages(),
                        piece == last,
                        "{payload_bytes} {cut} {piece}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_fragmented_message_ends_with_its_last_fragment_and_control_frames_between_change_nothing() {
        let mut boundary = FrameBoundary::default();
        boundary.advance(&frame(0x02, 10));
        assert!(!boundary.is_between_messages());
        boundary.advance(&frame(0x89, 4));
        assert!(!boundary.is_between_messages());
        boundary.advance(&frame(0x00, 10));
        assert!(!boundary.is_between_messages());
        boundary.advance(&frame(0x80, 10));
        assert!(boundary.is_between_messages());
    }
}
