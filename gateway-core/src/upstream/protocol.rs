/// Which HTTP an upstream speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1. The default: everything speaks it.
    #[default]
    Http1,
    /// HTTP/2, and nothing else: over `http` without asking first (h2c by prior knowledge, RFC 9113 section 3.3),
    /// over `https` as agreed by ALPN. gRPC needs it.
    Http2,
    /// HTTP/2 if the endpoint offers it while TLS begins, else HTTP/1.1; over `http` HTTP/1.1.
    Auto,
}
