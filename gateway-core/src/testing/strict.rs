//! A reader of HTTP/1.1 requests that forgives nothing: what it accepts has one meaning for every server.
//!
//! It shares no code with the rest of the crate, so that it can judge what the rest has written.

/// A request as it stood on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrictRequest {
    /// The method.
    pub method: String,
    /// The target, in origin form.
    pub target: String,
    /// Names in lower case, and values.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body without its chunks.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: Vec<(String, Vec<u8>)>,
}

impl StrictRequest {
    /// The values of a field, by its name in lower case.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_slice())
    }

    /// The only value of a field, as text.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<String> {
        let mut values = self.values(name);
        let first = values.next()?;
        values.next().is_none().then(|| String::from_utf8_lossy(first).into_owned())
    }
}

/// Why bytes are no sequence of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// They end in the middle of a request.
    Unfinished,
    /// No strict reader accepts this.
    Malformed(String),
}

/// All requests that these bytes hold, and what is wrong behind the last of them, if anything is.
#[must_use]
pub fn requests(mut bytes: &[u8]) -> (Vec<StrictRequest>, Option<Wrong>) {
    let mut requests = Vec::new();
    while !bytes.is_empty() {
        match request(bytes) {
            Ok((request, rest)) => {
                requests.push(request);
                bytes = rest;
            }
            Err(wrong) => return (requests, Some(wrong)),
        }
    }
    (requests, None)
}

/// The first request, and what follows it.
///
/// # Errors
/// [`Wrong`], with the reason.
pub fn request(bytes: &[u8]) -> Result<(StrictRequest, &[u8]), Wrong> {
    let (line, mut rest) = line(bytes)?;
    let line = str::from_utf8(line).map_err(|_| wrong("a request line that is no text"))?;
    let words: Vec<&str> = line.split(' ').collect();
    let [method, target, version] = words[..] else { return Err(wrong("a request line is three words")) };
    if !is_token(method.as_bytes()) || version != "HTTP/1.1" {
        return Err(wrong("a method is a token, the version is HTTP/1.1"));
    }
    let is_origin_form = target.starts_with('/') && !target.starts_with("//");
    if !is_origin_form
        || !target.bytes().all(|byte| (byte.is_ascii_graphic() || byte >= 0x80) && byte != b'#')
    {
        return Err(wrong("a target is in origin form"));
    }
    let fields = fields(&mut rest)?;
    let mut request = StrictRequest {
        method: method.to_owned(),
        target: target.to_owned(),
        fields,
        body: Vec::new(),
        trailers: Vec::new(),
    };
    if request.value("host").is_none_or(|host| host.is_empty() || !host.bytes().all(is_host_byte)) {
        return Err(wrong("a request has one valid host"));
    }
    let lengths: Vec<&[u8]> = request.values("content-length").collect();
    let codings: Vec<&[u8]> = request.values("transfer-encoding").collect();
    match (&lengths[..], &codings[..]) {
        ([], []) => {}
        ([length], []) => {
            let digits = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
            let length = str::from_utf8(length).ok().filter(|_| digits);
            let length: usize =
                length.and_then(|length| length.parse().ok()).ok_or_else(|| wrong("a length is a number"))?;
            let (body, after) = rest.split_at_checked(length).ok_or(Wrong::Unfinished)?;
            request.body = body.to_vec();
            rest = after;
        }
        ([], [b"chunked"]) => {
            request.body = chunks(&mut rest)?;
            request.trailers = self::fields(&mut rest)?;
        }
        _ => return Err(wrong("a body is framed once")),
    }
    Ok((request, rest))
}

/// Field lines up to and with the empty line.
fn fields(rest: &mut &[u8]) -> Result<Vec<(String, Vec<u8>)>, Wrong> {
    let mut fields = Vec::new();
    loop {
        let (field, after) = line(rest)?;
        *rest = after;
        if field.is_empty() {
            return Ok(fields);
        }
        let colon =
            field.iter().position(|&byte| byte == b':').ok_or_else(|| wrong("a field has a colon"))?;
        let (name, value) = (&field[..colon], &field[colon + 1..]);
        if !is_token(name) {
            return Err(wrong("a field's name is a token"));
        }
        let value = value.trim_ascii();
        if value.iter().any(|&byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
            return Err(wrong("a field's value holds no controls"));
        }
        fields.push((String::from_utf8_lossy(name).to_ascii_lowercase(), value.to_vec()));
    }
}

/// Chunks up to and with the line of the last.
fn chunks(rest: &mut &[u8]) -> Result<Vec<u8>, Wrong> {
    let mut body = Vec::new();
    loop {
        let (size, after) = line(rest)?;
        *rest = after;
        let is_size = !size.is_empty() && size.len() <= 8 && size.iter().all(u8::is_ascii_hexdigit);
        let size = str::from_utf8(size)
            .ok()
            .filter(|_| is_size)
            .and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.ok_or_else(|| wrong("a chunk begins with its size alone"))?;
        if size == 0 {
            return Ok(body);
        }
        let (data, after) = rest.split_at_checked(size).ok_or(Wrong::Unfinished)?;
        body.extend_from_slice(data);
        *rest = match after {
            [b'\r', b'\n', after @ ..] => after,
            [] | [b'\r'] => return Err(Wrong::Unfinished),
            _ => return Err(wrong("a chunk is followed by a line end")),
        };
    }
}

/// The bytes in front of the next `\r\n`, and those behind it. Neither character may stand alone.
fn line(bytes: &[u8]) -> Result<(&[u8], &[u8]), Wrong> {
    let end = bytes.iter().position(|&byte| byte == b'\n' || byte == b'\r').ok_or(Wrong::Unfinished)?;
    match &bytes[end..] {
        [b'\r', b'\n', rest @ ..] => Ok((&bytes[..end], rest)),
        [b'\r'] => Err(Wrong::Unfinished),
        _ => Err(wrong("lines end with CR and LF")),
    }
}

fn is_token(name: &[u8]) -> bool {
    !name.is_empty()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte)
}

fn wrong(what: &str) -> Wrong {
    Wrong::Malformed(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_has_one_meaning() {
        let (found, wrong) = requests(
            b"GET /a?b HTTP/1.1\r\nHost: a:80\r\n\r\nPOST / HTTP/1.1\r\nhost: [::1]\r\ncontent-length: 2\r\n\r\nhi\
              POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n",
        );
        assert_eq!(wrong, None);
        assert_eq!(found.len(), 3);
        assert_eq!((found[1].body.as_slice(), found[2].body.as_slice()), (&b"hi"[..], &b"hi"[..]));
        assert_eq!(found[2].trailers, [("x-sum".to_owned(), b"1".to_vec())]);
    }

    #[test]
    fn forgives_nothing() {
        for bytes in [
            "GET / HTTP/1.1\nhost: a\n\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET  / HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET / HTTP/1.0\r\nhost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\nx: a\r\n b\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na",
            "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1;x\r\na\r\n0\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        ] {
            assert!(matches!(requests(bytes.as_bytes()).1, Some(Wrong::Malformed(_))), "{bytes}");
        }
        let unfinished = b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhi";
        assert_eq!(requests(unfinished).1, Some(Wrong::Unfinished));
    }
}
