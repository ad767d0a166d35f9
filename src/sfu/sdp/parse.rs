//! Reads an SDP into types, within bounds. Lines we have no use for are skipped, since browsers add new ones every
//! year (and Firefox leaves dangling `rtcp-fb`); lines we need and cannot read are errors that name them.

use qism_signaling::protocol::limits;

use super::{SdpError, section::Section};

/// Most media sections read; browsers here send four or a table of slots.
const SECTIONS: usize = 24;

/// The DTLS role the peer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    ActPass,
    /// The peer is the DTLS client.
    Active,
    /// The peer is the DTLS server.
    Passive,
}

/// What an offer or answer says about the transport; it is one for all sections, since they are bundled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transport {
    pub ufrag: Option<String>,
    pub password: Option<String>,
    /// SHA-256 of the peer's certificate, `AA:BB:…`.
    pub fingerprint: Option<String>,
    pub setup: Option<Setup>,
}

/// A parsed description.
#[derive(Clone, Debug, Default)]
pub struct Description {
    pub transport: Transport,
    pub(super) sections: Vec<Section>,
}

impl Description {
    /// Parses within [`limits::SDP_BYTES`] and [`limits::SDP_LINES`].
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        if text.len() > limits::SDP_BYTES {
            return Err(SdpError::TooLong(text.len(), limits::SDP_BYTES));
        }
        let lines = text.lines().count();
        if lines > limits::SDP_LINES {
            return Err(SdpError::TooManyLines(lines, limits::SDP_LINES));
        }
        let mut description = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_end();
            description.read_line(line).map_err(|reason| SdpError::Line(index + 1, reason))?;
        }
        description.check_complete()
    }

    fn check_complete(self) -> Result<Self, SdpError> {
        let missing = [
            (self.sections.is_empty(), "a media section"),
            (self.transport.ufrag.is_none(), "ice-ufrag"),
            (self.transport.password.is_none(), "ice-pwd"),
            (self.transport.fingerprint.is_none(), "sha-256 fingerprint"),
        ];
        match missing.into_iter().find(|(absent, _)| *absent) {
            Some((_, what)) => Err(SdpError::Missing(what)),
            None => Ok(self),
        }
    }

    fn read_line(&mut self, line: &str) -> Result<(), &'static str> {
        if line.is_empty() {
            return Ok(());
        }
        let (kind, value) = line.split_once('=').ok_or("not of the form x=…")?;
        match kind {
            "m" => self.read_media(value),
            "a" => self.read_attribute(value),
            _ => Ok(()),
        }
    }

    fn read_media(&mut self, value: &str) -> Result<(), &'static str> {
        if self.sections.len() == SECTIONS {
            return Err("too many media sections");
        }
        self.sections.push(Section::parse(value)?);
        Ok(())
    }

    fn read_attribute(&mut self, attribute: &str) -> Result<(), &'static str> {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        if self.read_transport(name, value)? {
            return Ok(());
        }
        match self.sections.last_mut() {
            Some(section) => section.read_attribute(name, value),
            None => Ok(()),
        }
    }

    /// Reads a transport attribute; the first section's counts, since the rest is bundled with it. A rejected
    /// section's are not the connection's.
    fn read_transport(&mut self, name: &str, value: &str) -> Result<bool, &'static str> {
        let transport = &mut self.transport;
        match name {
            "ice-ufrag" => {
                fill(&mut transport.ufrag, || credential(value, 4, "ice-ufrag: 4 to 256 characters"))
            }
            "ice-pwd" => {
                fill(&mut transport.password, || credential(value, 22, "ice-pwd: 22 to 256 characters"))
            }
            // Other hashes may stand beside it; one is enough.
            "fingerprint" if !value.starts_with("sha-256 ") => Ok(()),
            "fingerprint" => fill(&mut transport.fingerprint, || fingerprint(value)),
            "setup" => fill(&mut transport.setup, || setup(value)),
            _ => return Ok(false),
        }?;
        Ok(true)
    }
}

fn fill<T>(
    place: &mut Option<T>,
    read: impl FnOnce() -> Result<T, &'static str>,
) -> Result<(), &'static str> {
    if place.is_none() {
        *place = Some(read()?);
    }
    Ok(())
}

fn credential(value: &str, shortest: usize, reason: &'static str) -> Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=');
    let fits = (shortest..=256).contains(&value.len()) && value.bytes().all(allowed);
    fits.then(|| value.to_owned()).ok_or(reason)
}

fn fingerprint(value: &str) -> Result<String, &'static str> {
    let digest = value.split_once(' ').map_or("", |(_, digest)| digest);
    let is_byte = |byte: &str| byte.len() == 2 && byte.bytes().all(|digit| digit.is_ascii_hexdigit());
    let fits = digest.len() == 32 * 3 - 1 && digest.split(':').all(is_byte);
    fits.then(|| digest.to_ascii_uppercase()).ok_or("fingerprint: 32 bytes in hexadecimal")
}

fn setup(value: &str) -> Result<Setup, &'static str> {
    match value {
        "actpass" => Ok(Setup::ActPass),
        "active" => Ok(Setup::Active),
        "passive" => Ok(Setup::Passive),
        _ => Err("setup: actpass, active or passive"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=setup:actpass\r\n";

    fn with_fingerprint(rest: &str) -> String {
        format!("{HEAD}a=fingerprint:sha-256 {}\r\n{rest}", ["ab"; 32].join(":"))
    }

    #[test]
    fn the_first_transport_counts() {
        let text = with_fingerprint("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:zzzz\r\n");
        let description = Description::parse(&text).expect("well formed");
        assert_eq!(description.transport.ufrag.as_deref(), Some("abcd"));
        assert_eq!(description.transport.setup, Some(Setup::ActPass));
        assert_eq!(description.sections[0].mid, "0");
    }

    #[test]
    fn bounds_are_kept() {
        let long = with_fingerprint(&"a=x\r\n".repeat(1_000));
        assert!(matches!(Description::parse(&long), Err(SdpError::TooManyLines(1_005, _))));
        let wide = "a".repeat(limits::SDP_BYTES + 1);
        assert!(matches!(Description::parse(&wide), Err(SdpError::TooLong(..))));
    }

    #[test]
    fn an_error_names_its_line() {
        let text = "v=0\r\na=ice-ufrag:abcd\r\na=fingerprint:sha-256 00\r\n";
        assert_eq!(
            Description::parse(text).map(|_| ()),
            Err(SdpError::Line(3, "fingerprint: 32 bytes in hexadecimal"))
        );
        assert_eq!(Description::parse(HEAD).map(|_| ()), Err(SdpError::Missing("a media section")));
    }

    #[test]
    fn a_section_with_a_carriage_return_in_its_line_is_not_repeated_to_the_peer() {
        let text = with_fingerprint("m=audio 9 UDP/TLS/RTP/SAVPF 0\ra=ice-lite\r\na=mid:0\r\n");
        assert_eq!(Description::parse(&text).map(|_| ()), Err(SdpError::Line(6, "m=: printable characters")));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in "([amv]=[ -~]{0,40}\r\n){0,20}") {
            let _ = Description::parse(&text);
        }
    }
}
