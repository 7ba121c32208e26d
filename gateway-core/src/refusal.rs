//! [`Refusal`]: how a layer says no.
//!
//! A refusal is an answer, never an error. It is rendered as RFC 9457 `application/problem+json`, as a
//! trailers-only gRPC response for gRPC requests, or as a small HTML page for browsers that ask for one. The
//! refusal itself stays in the response's extensions, so that logs, metrics and
//! [`RescueLayer::style`](crate::rescue::RescueLayer::style) can see who refused and why.

use std::{borrow::Cow, error::Error, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
    request::Parts,
};

use crate::{Facts, body::AnswerBody, facts::RequestId};

/// A typed "no": a status, a stable code for machines, a text for people.
#[derive(Clone)]
pub struct Refusal(Box<Inner>);

#[derive(Clone)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    retry_after: Option<Duration>,
    headers: HeaderMap,
    cause: Option<Arc<str>>,
}

impl Refusal {
    /// A refusal with a status, a stable `snake_case` code and a text that the client may see.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            detail: detail.into(),
            retry_after: None,
            headers: HeaderMap::new(),
            cause: None,
        }))
    }

    /// When it makes sense to come back; sent as `Retry-After` in whole seconds, rounded up.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// A header of the answer, such as `Allow` with a 405 or `WWW-Authenticate` with a 401.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.append(name, value);
        self
    }

    /// What really happened, for the log alone; the client never sees it.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Arc<str>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code, such as `rate_limited`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The text that the client sees.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The text for the log alone.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The answer in the form that the request asked for.
    #[must_use]
    pub fn into_response<B: AnswerBody>(self, asked: &Asked) -> Response<B> {
        let (mut response, body) = match asked.form {
            Form::Problem => (Response::new(()), self.problem(asked)),
            Form::Html => (Response::new(()), self.html(asked)),
            Form::Grpc => (Response::new(()), Bytes::new()),
        };
        *response.headers_mut() = self.0.headers.clone();
        let headers = response.headers_mut();
        // 204 has no body (RFC 9110 section 15.3.5).
        let body = match self.0.status {
            StatusCode::NO_CONTENT => Bytes::new(),
            _ => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(asked.form.media_type()));
                body
            }
        };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(after) = self.0.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if asked.form == Form::Grpc {
            headers.insert("grpc-status", grpc_status(self.0.status).into());
            headers.insert("grpc-message", grpc_message(&self.0.detail));
        } else {
            *response.status_mut() = self.0.status;
        }
        response.extensions_mut().insert(self);
        response.map(|()| B::whole(body))
    }

    fn problem(&self, asked: &Asked) -> Bytes {
        let mut problem = serde_json::json!({
            "type": format!("urn:gateway:refusal:{}", self.0.code),
            "title": self.0.status.canonical_reason().unwrap_or("Refused"),
            "status": self.0.status.as_u16(),
            "code": self.0.code,
            "detail": self.0.detail,
        });
        if let Some(id) = &asked.id {
            problem["request_id"] = id.as_str().into();
        }
        let mut text = problem.to_string();
        text.push('\n');
        text.into()
    }

    fn html(&self, asked: &Asked) -> Bytes {
        let status = self.0.status;
        let title = status.canonical_reason().unwrap_or("Refused");
        let detail = escape_html(&self.0.detail);
        let id = match &asked.id {
            Some(id) => format!("<p><small>Request {}</small></p>", escape_html(id.as_str())),
            None => String::new(),
        };
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{code} {title}</title>\
             <h1>{code} {title}</h1><p>{detail}</p>{id}</html>\n",
            code = status.as_u16(),
        )
        .into()
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("status", &self.0.status)
            .field("code", &self.0.code)
            .field("detail", &self.0.detail)
            .field("cause", &self.0.cause)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.0.code, self.0.status.as_u16(), self.0.detail)
    }
}

/// So that a body can break off with the refusal that should be answered, where there is still time to.
impl Error for Refusal {}

/// What a refusal needs to know of the request that it answers; taken before the request moves on.
#[derive(Clone, Debug)]
pub struct Asked {
    form: Form,
    id: Option<RequestId>,
}

impl Asked {
    /// What this request asks for. Allocates nothing.
    #[must_use]
    pub fn of(head: &Parts) -> Self {
        Self::read(&head.headers, &head.extensions)
    }

    /// The same for a whole request, which need not be taken apart for it.
    #[must_use]
    pub fn of_request<B>(request: &Request<B>) -> Self {
        Self::read(request.headers(), request.extensions())
    }

    /// The form that the client understands.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// The id to name in the answer.
    #[must_use]
    pub fn request_id(&self) -> Option<&RequestId> {
        self.id.as_ref()
    }

    /// The id, for a request whose id became known after this was taken.
    #[must_use]
    pub fn with_request_id(mut self, id: Option<&RequestId>) -> Self {
        self.id = id.cloned();
        self
    }

    fn read(headers: &HeaderMap, extensions: &Extensions) -> Self {
        let id = Facts::get(extensions).and_then(Facts::request_id).cloned();
        Self { form: Form::of(headers), id }
    }
}

/// The form of a refusal's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `application/problem+json`, RFC 9457.
    Problem,
    /// A trailers-only gRPC response with status 200 and `grpc-status`.
    Grpc,
    /// A small page without scripts.
    Html,
}

impl Form {
    /// gRPC requests get gRPC; a client that lists `text/html` and no JSON gets HTML; the rest get a problem.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let starts =
            |name, prefix: &[u8]| headers.get(name).is_some_and(|value| value.as_bytes().starts_with(prefix));
        if starts(CONTENT_TYPE, b"application/grpc") {
            return Self::Grpc;
        }
        let accepts = |kind: &str| {
            let lists = |value: &HeaderValue| value.to_str().is_ok_and(|list| list.contains(kind));
            headers.get_all(ACCEPT).iter().any(lists)
        };
        if accepts("text/html") && !accepts("json") { Self::Html } else { Self::Problem }
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Problem => "application/problem+json",
            Self::Grpc => "application/grpc",
            Self::Html => "text/html; charset=utf-8",
        }
    }
}

/// The gRPC code for a refusal made by a gateway (gRPC's own table is for answers by strangers).
fn grpc_status(status: StatusCode) -> u16 {
    match status.as_u16() {
        400 => 3,              // INVALID_ARGUMENT
        401 => 16,             // UNAUTHENTICATED
        403 => 7,              // PERMISSION_DENIED
        404 | 405 | 501 => 12, // UNIMPLEMENTED
        408 | 504 => 4,        // DEADLINE_EXCEEDED
        409 => 10,             // ABORTED
        413 | 429 | 431 => 8,  // RESOURCE_EXHAUSTED
        502 | 503 => 14,       // UNAVAILABLE
        500 => 13,             // INTERNAL
        _ => 2,                // UNKNOWN
    }
}

/// Percent-encoded as the gRPC protocol demands of `grpc-message`.
fn grpc_message(text: &str) -> HeaderValue {
    use fmt::Write;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(byte.into()),
            _ => write!(encoded, "%{byte:02X}").expect("a string takes every text"),
        }
    }
    HeaderValue::try_from(encoded).unwrap_or(HeaderValue::from_static(""))
}

fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(name: &str, value: &str) -> Response<Bytes> {
        let (head, ()) = Request::get("/").header(name, value).body(()).unwrap().into_parts();
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "100 % <used>")
            .retry_after(Duration::from_millis(1200))
            .because("bucket 7 is empty")
            .into_response(&Asked::of(&head))
    }

    #[test]
    fn is_a_problem_document_by_default() {
        let response = answer("accept", "*/*");
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "2");
        let problem: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(problem["code"], "rate_limited");
        assert_eq!(problem["type"], "urn:gateway:refusal:rate_limited");
        assert!(!problem.to_string().contains("bucket 7"), "the cause is for the log alone");
        assert_eq!(response.extensions().get::<Refusal>().unwrap().cause(), Some("bucket 7 is empty"));
    }

    #[test]
    fn speaks_grpc_to_grpc_and_html_to_browsers() {
        let grpc = answer("content-type", "application/grpc+proto");
        assert_eq!(grpc.status(), 200);
        assert_eq!(grpc.headers()["grpc-status"], "8");
        assert_eq!(grpc.headers()["grpc-message"], "100 %25 <used>");
        let html = answer("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        assert_eq!(html.headers()["content-type"], "text/html; charset=utf-8");
        assert!(html.body().starts_with(b"<!doctype html>"));
        assert!(!String::from_utf8_lossy(html.body()).contains("<used>"));
    }
}
