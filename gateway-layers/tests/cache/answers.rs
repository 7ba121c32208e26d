//! What answers demand of a cache (RFC 9111, 5.2.2), and what the cache says it did (RFC 9211).

use super::{Row, play};

#[tokio::test]
async fn an_answer_is_used_as_its_origin_demands() {
    play(ROWS).await;
}

const ROWS: &[Row] = &[
    ("9111 5.2.2.4", "no-cache is stored and validated before each use", "
        > GET / \n < 200 | cache-control: no-cache | etag: \"a\" \n = 200 | fwd=uri-miss; stored; ttl=0
        > GET / \n < 304 \n ^ if-none-match: \"a\" \n = 200 | fwd=stale; fwd-status=304; stored; ttl=0 | body: one
        > GET / \n < 200 | cache-control: no-cache | etag: \"b\" | body: two \n = 200 | fwd=stale; stored; ttl=0 | body: two"),
    ("9111 5.2.2.4", "no-cache goes before max-age", "
        > GET / \n < 200 | cache-control: no-cache, max-age=60 | etag: \"a\" \n = 200
        > GET / \n < 304 \n = 200 | fwd=stale; fwd-status=304; stored; ttl=60"),
    ("9111 5.2.2.4", "no-cache is validated, whatever staleness the client takes", "
        > GET / \n < 200 | cache-control: no-cache | etag: \"a\" \n = 200
        > GET / | cache-control: max-stale \n < 304 \n = 200 | fwd=stale; fwd-status=304; stored; ttl=0"),
    ("9111 5.2.2.4", "no-cache without a validator is not stored", "
        > GET / \n < 200 | cache-control: no-cache, max-age=60 \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 5.2.2.1", "max-age=0 is stored and validated", "
        > GET / \n < 200 | cache-control: max-age=0 | etag: \"a\" \n = 200 | fwd=uri-miss; stored; ttl=0
        > GET / \n < 304 \n = 200 | fwd=stale; fwd-status=304; stored; ttl=0"),
    ("9111 5.2.2.2", "must-revalidate is never used stale", "
        > GET / \n < 200 | cache-control: max-age=60, must-revalidate \n = 200
        +60
        > GET / | cache-control: max-stale \n < 200 \n = 200 | fwd=stale"),
    ("9111 5.2.2.8", "proxy-revalidate is never used stale here", "
        > GET / \n < 200 | cache-control: max-age=60, proxy-revalidate \n = 200
        +60
        > GET / | cache-control: max-stale \n < 200 \n = 200 | fwd=stale"),
    ("9111 5.2.2.10", "s-maxage is never used stale here", "
        > GET / \n < 200 | cache-control: s-maxage=60 \n = 200
        +60
        > GET / | cache-control: max-stale \n < 200 \n = 200 | fwd=stale"),
    ("9111 5.2.2.2", "must-revalidate is used while it is fresh", "
        > GET / \n < 200 | cache-control: max-age=60, must-revalidate \n = 200
        +59
        > GET / \n = 200 | hit; ttl=1"),
    ("9111 4.2.4", "a stale answer is not used when the origin fails", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        +60
        > GET / \n < 503 \n = 503 | fwd=stale
        > GET / \n < 304 \n ^ if-none-match: \"a\" \n = 200 | fwd=stale; fwd-status=304; stored; ttl=60 | body: one"),
    ("9111 5.2.2.6", "no-transform changes nothing: nothing is transformed", "
        > GET / \n < 200 | cache-control: max-age=60, no-transform \n = 200
        > GET / \n = 200 | hit; ttl=60"),
    ("9111 5.2.3", "an extension that nobody knows is ignored", "
        > GET / \n < 200 | cache-control: max-age=60, stale-while-revalidate=60 \n = 200
        +60
        > GET / \n < 200 \n = 200 | fwd=stale"),
    ("9111 5.4", "Pragma in an answer says nothing", "
        > GET / \n < 200 | cache-control: max-age=60 | pragma: no-cache \n = 200
        > GET / \n = 200 | hit; ttl=60"),
    ("9211 2", "what caches nearer to the origin said stands first", "
        > GET / \n < 200 | cache-control: max-age=60 | cache-status: origin; hit \n = 200 | cache-status: origin; hit, gateway; fwd=uri-miss; stored; ttl=60
        > GET / \n = 200 | cache-status: origin; hit, gateway; hit; ttl=60"),
    ("9211 2.2", "a method that is not cached", "
        > POST / | body: x \n < 200 \n = 200 | fwd=method
        > DELETE / \n < 204 \n = 204 | fwd=method"),
    ("9211 2.2", "the reason is that of the moment", "
        > GET / \n < 200 | cache-control: max-age=60 | vary: x-a \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / | x-a: 1 \n < 200 | cache-control: max-age=10 | vary: x-a \n = 200 | fwd=vary-miss; stored; ttl=10
        +10
        > GET / | x-a: 1 \n < 200 | cache-control: max-age=60 | vary: x-a \n = 200 | fwd=stale; stored; ttl=60
        > GET / | x-a: 1 | cache-control: no-cache \n < 200 \n = 200 | fwd=request"),
    ("9211 2.3", "the upstream's status is told where the client sees another", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        +60
        > GET / | if-none-match: \"a\" \n < 304 \n = 304 | fwd=stale; fwd-status=304; stored; ttl=60"),
];
