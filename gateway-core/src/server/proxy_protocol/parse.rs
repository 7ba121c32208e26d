//! The header of the PROXY protocol, versions 1 and 2, as the document of HAProxy has it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// They could become a header, or something else.
    Undecided,
    /// The beginning of a header.
    Begun,
    /// A whole header of so many bytes. It may name the client; otherwise the connection speaks for itself, such as
    /// a health check of the load balancer.
    Header { length: usize, client: Option<SocketAddr> },
    /// No header.
    Other,
    /// A header that is broken, or larger than anybody needs.
    Broken,
}

impl Start {
    pub(super) fn of(bytes: &[u8]) -> Self {
        if let Some(rest) = bytes.strip_prefix(SIGNATURE) {
            return v2(bytes, rest);
        }
        if bytes.starts_with(WORD) {
            return v1(bytes);
        }
        match SIGNATURE.starts_with(bytes) || WORD.starts_with(bytes) {
            true => Self::Undecided,
            false => Self::Other,
        }
    }
}

fn v1(bytes: &[u8]) -> Start {
    let line = &bytes[..bytes.len().min(LONGEST_LINE)];
    let Some(end) = line.windows(2).position(|pair| pair == b"\r\n") else {
        return if line.len() == LONGEST_LINE { Start::Broken } else { Start::Begun };
    };
    let text = str::from_utf8(&line[WORD.len()..end]).unwrap_or_default();
    let length = end + 2;
    if text == "UNKNOWN" || text.starts_with("UNKNOWN ") {
        return Start::Header { length, client: None };
    }
    match v1_client(text) {
        Some(client) => Start::Header { length, client: Some(client) },
        None => Start::Broken,
    }
}

/// `TCP4 SOURCE DESTINATION SOURCE_PORT DESTINATION_PORT`, with one space between each.
fn v1_client(text: &str) -> Option<SocketAddr> {
    let mut words = text.split(' ');
    let is_v4 = match words.next()? {
        "TCP4" => true,
        "TCP6" => false,
        _ => return None,
    };
    let mut address = || {
        let address: IpAddr = words.next()?.parse().ok()?;
        (address.is_ipv4() == is_v4).then_some(address)
    };
    let (source, _destination) = (address()?, address()?);
    let (source_port, _destination_port) = (port(words.next()?)?, port(words.next()?)?);
    words.next().is_none().then_some(SocketAddr::new(source, source_port))
}

/// Digits without a sign or a leading zero, so that there is one way to write a port.
fn port(text: &str) -> Option<u16> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| canonical)
}

fn v2(bytes: &[u8], rest: &[u8]) -> Start {
    let &[command, family, high, low, ..] = rest else { return Start::Begun };
    let size = usize::from(u16::from_be_bytes([high, low]));
    let length = SIGNATURE.len() + 4 + size;
    // What is wrong is wrong already before the rest is there.
    if !matches!(command, LOCAL | PROXY) || size > LARGEST {
        return Start::Broken;
    }
    let Some(header) = bytes.get(..length) else { return Start::Begun };
    let content = &header[SIGNATURE.len() + 4..];
    let addresses = match family {
        UNSPECIFIED => Some(0),
        TCP4 => Some(12),
        TCP6 => Some(36),
        UNIX => Some(216),
        _ => None,
    };
    let client = match (command, addresses) {
        // A check of the load balancer itself; whatever else it says does not count.
        (LOCAL, _) => None,
        (_, Some(addresses)) if addresses <= size => {
            if !extensions_are_sound(header, &content[addresses..]) {
                return Start::Broken;
            }
            v2_client(family, content)
        }
        _ => return Start::Broken,
    };
    Start::Header { length, client }
}

fn v2_client(family: u8, content: &[u8]) -> Option<SocketAddr> {
    let port = |at: usize| Some(u16::from_be_bytes([*content.get(at)?, *content.get(at + 1)?]));
    match family {
        TCP4 => {
            let address: [u8; 4] = content.get(..4)?.try_into().ok()?;
            Some(SocketAddr::new(Ipv4Addr::from(address).into(), port(8)?))
        }
        TCP6 => {
            let address: [u8; 16] = content.get(..16)?.try_into().ok()?;
            Some(SocketAddr::new(Ipv6Addr::from(address).into(), port(32)?))
        }
        _ => None,
    }
}

/// Extensions (type, length, value) are passed over, but they must be whole, and a checksum must be right.
fn extensions_are_sound(header: &[u8], mut rest: &[u8]) -> bool {
    while let &[kind, high, low, ref after @ ..] = rest {
        let size = usize::from(u16::from_be_bytes([high, low]));
        let Some((value, next)) = after.split_at_checked(size) else { return false };
        if kind == CRC32C {
            let Ok(told) = <[u8; 4]>::try_from(value) else { return false };
            let at = header.len() - next.len() - 4;
            if crc32c(header, at) != u32::from_be_bytes(told) {
                return false;
            }
        }
        rest = next;
    }
    rest.is_empty()
}

/// The checksum of a header (RFC 3720 appendix B.4), with its own four bytes taken as zero.
fn crc32c(header: &[u8], own: usize) -> u32 {
    let bytes =
        header.iter().enumerate().map(|(at, &byte)| if (own..own + 4).contains(&at) { 0 } else { byte });
    let step = |crc: u32, byte: u8| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg()))
    };
    !bytes.fold(u32::MAX, step)
}

const WORD: &[u8] = b"PROXY ";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// What the document says a line of version 1 can be at most, its end included.
const LONGEST_LINE: usize = 107;

/// Bytes after the fixed part of version 2: addresses, and extensions such as a client's certificate name.
const LARGEST: usize = 4096;

const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
const UNSPECIFIED: u8 = 0x00;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
const UNIX: u8 = 0x31;
const CRC32C: u8 = 0x03;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn v2_header(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
        let size = u16::try_from(content.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &size, content].concat()
    }

    fn client(text: &str) -> Option<SocketAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn version_1() {
        for (line, expected) in [
            ("PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\n", client("192.0.2.1:56324")),
            ("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", client("[2001:db8::1]:1")),
            ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", client("255.255.255.255:65535")),
            ("PROXY TCP4 192.0.2.1 10.0.0.1 0 0\r\n", client("192.0.2.1:0")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN whatever is said here\r\n", None),
        ] {
            let header = Start::Header { length: line.len(), client: expected };
            assert_eq!(Start::of(line.as_bytes()), header, "{line}");
            assert_eq!(Start::of(format!("{line}GET / HTTP/1.1\r\n").as_bytes()), header, "{line}");
        }
        for broken in [
            "PROXY \r\n",
            "PROXY TCP4\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 56324\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 56324 443 1\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 56324 443 \r\n",
            "PROXY TCP4  192.0.2.1 10.0.0.1 56324 443\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 65536 443\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 +1 443\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 01 443\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 -1 443\r\n",
            "PROXY TCP4 192.0.2.01 10.0.0.1 1 443\r\n",
            "PROXY TCP4 ::1 ::1 1 443\r\n",
            "PROXY TCP6 192.0.2.1 10.0.0.1 1 443\r\n",
            "PROXY TCP6 fe80::1%1 ::1 1 443\r\n",
            "PROXY tcp4 192.0.2.1 10.0.0.1 1 443\r\n",
            "PROXY UDP4 192.0.2.1 10.0.0.1 1 443\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY TCP4\t192.0.2.1 10.0.0.1 1 443\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 1 443\n\r\n",
        ] {
            assert_eq!(Start::of(broken.as_bytes()), Start::Broken, "{broken}");
        }
        let longest = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LONGEST_LINE - 16));
        assert!(matches!(Start::of(longest.as_bytes()), Start::Header { length: LONGEST_LINE, .. }));
        let longer = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LONGEST_LINE - 15));
        assert_eq!(Start::of(longer.as_bytes()), Start::Broken);
    }

    #[test]
    fn version_2() {
        let v4 = [&[192, 0, 2, 1, 10, 0, 0, 1][..], &[0xdc, 4, 1, 0xbb]].concat();
        let mut v6 = vec![0; 36];
        v6[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        v6[33] = 7;
        for (command, family, content, expected) in [
            (PROXY, TCP4, v4.clone(), client("192.0.2.1:56324")),
            (PROXY, TCP4, [&v4[..], &[4, 0, 2, 0, 0]].concat(), client("192.0.2.1:56324")),
            (PROXY, TCP6, v6.clone(), client("[2001:db8::]:7")),
            (PROXY, UNIX, vec![0; 216], None),
            (PROXY, UNSPECIFIED, vec![], None),
            (LOCAL, UNSPECIFIED, vec![], None),
            (LOCAL, 0xff, vec![1, 2, 3], None),
            (LOCAL, TCP4, v4.clone(), None),
            (LOCAL, TCP4, vec![], None),
        ] {
            let header = v2_header(command, family, &content);
            let expected = Start::Header { length: header.len(), client: expected };
            assert_eq!(Start::of(&header), expected, "{command:x} {family:x} {content:?}");
            assert_eq!(Start::of(&[&header[..], b"\x16\x03"].concat()), expected);
        }
        for (command, family, content) in [
            (0x11, TCP4, v4.clone()),
            (0x22, TCP4, v4.clone()),
            (PROXY, 0x12, v4.clone()),
            (PROXY, 0x41, v4.clone()),
            (PROXY, TCP4, v4[..11].to_vec()),
            (PROXY, TCP6, v6[..35].to_vec()),
            (PROXY, UNIX, vec![0; 215]),
            (PROXY, TCP4, [&v4[..], &[4, 0]].concat()),
            (PROXY, TCP4, [&v4[..], &[4, 0, 3, 0, 0]].concat()),
            (PROXY, TCP4, [&v4[..], &[CRC32C, 0, 4, 0, 0, 0, 0]].concat()),
            (PROXY, TCP4, [&v4[..], &[CRC32C, 0, 1, 0]].concat()),
            (LOCAL, UNSPECIFIED, vec![0; LARGEST + 1]),
        ] {
            let header = v2_header(command, family, &content);
            assert_eq!(Start::of(&header), Start::Broken, "{command:x} {family:x}");
        }
    }

    #[test]
    fn a_checksum_is_checked() {
        assert_eq!(crc32c(b"123456789", 100), 0xE306_9283, "the value that every table of checksums has");
        let content = [&[192, 0, 2, 1, 10, 0, 0, 1, 0, 9, 0, 80][..], &[CRC32C, 0, 4, 0, 0, 0, 0]].concat();
        let mut header = v2_header(PROXY, TCP4, &content);
        let at = header.len() - 4;
        let sum = crc32c(&header, at).to_be_bytes();
        header[at..].copy_from_slice(&sum);
        assert_eq!(Start::of(&header), Start::Header { length: header.len(), client: client("192.0.2.1:9") });
        header[20] ^= 1;
        assert_eq!(Start::of(&header), Start::Broken);
    }

    #[test]
    fn other_protocols_are_told_apart_at_the_first_byte_that_differs() {
        for (bytes, expected) in [
            (&b""[..], Start::Undecided),
            (b"P", Start::Undecided),
            (b"PRO", Start::Undecided),
            (b"PROXY", Start::Undecided),
            (b"\r\n\r\n", Start::Undecided),
            (b"PROXY ", Start::Begun),
            (SIGNATURE, Start::Begun),
            (b"PRI * HTTP/2.0", Start::Other),
            (b"POST", Start::Other),
            (b"PROXYS", Start::Other),
            (b"GET ", Start::Other),
            (b"\x16\x03\x01", Start::Other),
            (b"\r\nGET", Start::Other),
        ] {
            assert_eq!(Start::of(bytes), expected, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_nothing_panics_and_no_length_is_too_long(
            signature in 0..3_usize,
            rest in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let bytes = [[&b""[..], WORD, SIGNATURE][signature], &rest[..]].concat();
            if let Start::Header { length, .. } = Start::of(&bytes) {
                prop_assert!(length <= bytes.len() && length <= SIGNATURE.len() + 4 + LARGEST);
            }
        }

        #[test]
        fn a_header_is_not_whole_one_byte_earlier_and_reads_the_same_with_more_behind_it(
            source: SocketAddr,
            other_port: u16,
            version_2: bool,
            behind in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let header = match (version_2, source.ip()) {
                (false, IpAddr::V4(ip)) => format!("PROXY TCP4 {ip} {ip} {} {other_port}\r\n", source.port()).into_bytes(),
                (false, IpAddr::V6(ip)) => format!("PROXY TCP6 {ip} {ip} {} {other_port}\r\n", source.port()).into_bytes(),
                (true, IpAddr::V4(ip)) => v2_header(PROXY, TCP4, &[
                    &ip.octets()[..], &ip.octets(), &source.port().to_be_bytes(), &other_port.to_be_bytes(),
                ].concat()),
                (true, IpAddr::V6(ip)) => v2_header(PROXY, TCP6, &[
                    &ip.octets()[..], &ip.octets(), &source.port().to_be_bytes(), &other_port.to_be_bytes(),
                ].concat()),
            };
            for length in 0..header.len() {
                prop_assert!(matches!(Start::of(&header[..length]), Start::Undecided | Start::Begun));
            }
            let expected = Start::Header { length: header.len(), client: Some(SocketAddr::new(source.ip(), source.port())) };
            prop_assert_eq!(Start::of(&[&header[..], &behind].concat()), expected);
        }
    }
}
