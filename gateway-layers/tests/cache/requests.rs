//! On which terms clients take stored answers (RFC 9111, 5.2.1, 5.4), and `HEAD`.

use super::{Row, play};

#[tokio::test]
async fn a_request_gets_what_it_takes() {
    play(ROWS).await;
}

const ROWS: &[Row] = &[
    ("9111 5.2.1.4", "no-cache asks the origin, though a fresh answer is stored", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        > GET / | cache-control: no-cache \n < 200 | cache-control: max-age=60 | body: two \n = 200 | fwd=request; stored; ttl=60 | body: two
        > GET / \n = 200 | hit; ttl=60 | body: two"),
    ("9111 5.2.1.4", "no-cache validates what is stored", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        +5
        > GET / | cache-control: no-cache \n < 304 \n ^ if-none-match: \"a\" \n = 200 | fwd=request; fwd-status=304; stored; ttl=60 | body: one | age: 0
        > GET / \n = 200 | hit; ttl=60"),
    ("9111 5.4", "Pragma: no-cache is the same for old clients", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        > GET / | pragma: no-cache \n < 200 \n = 200 | fwd=request"),
    ("9111 5.4", "Pragma says nothing beside Cache-Control", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        > GET / | pragma: no-cache | cache-control: max-age=5 \n = 200 | hit; ttl=60"),
    ("9111 5.2.1.5", "no-store is neither answered from the store nor stored", "
        > GET / | cache-control: no-store \n < 200 | cache-control: max-age=60 \n = 200 | fwd=request
        > GET / \n < 200 | cache-control: max-age=60 | body: two \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / | cache-control: no-store \n < 200 | cache-control: max-age=60 | body: three \n = 200 | fwd=request | body: three
        > GET / \n = 200 | hit; ttl=60 | body: two"),
    ("9111 5.2.1.1", "max-age takes nothing older", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        +10
        > GET / | cache-control: max-age=10 \n = 200 | hit; ttl=50
        +1
        > GET / | cache-control: max-age=10 \n < 200 \n = 200 | fwd=request"),
    ("9111 5.2.1.1", "max-age=0 asks the origin at once", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        > GET / | cache-control: max-age=0 \n < 200 \n = 200 | fwd=request"),
    ("9111 5.2.1.1", "max-age counts what an answer was old when it came", "
        > GET / \n < 200 | cache-control: max-age=60 | age: 20 \n = 200
        > GET / | cache-control: max-age=10 \n < 200 \n = 200 | fwd=request"),
    ("9111 5.2.1.1", "a max-age that is no number asks the origin", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        > GET / | cache-control: max-age=x \n < 200 \n = 200 | fwd=request"),
    ("9111 5.2.1.3", "min-fresh takes what stays fresh so long", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        +10
        > GET / | cache-control: min-fresh=50 \n = 200 | hit; ttl=50
        > GET / | cache-control: min-fresh=51 \n < 200 \n = 200 | fwd=request"),
    ("9111 5.2.1.3", "min-fresh and a stale answer", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        +60
        > GET / | cache-control: min-fresh=1 \n < 200 \n = 200 | fwd=stale"),
    ("9111 5.2.1.2", "max-stale takes what is stale no longer than that", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        +70
        > GET / | cache-control: max-stale=10 \n = 200 | hit; ttl=-10 | age: 70
        +1
        > GET / | cache-control: max-stale=10 \n < 200 \n = 200 | fwd=stale"),
    ("9111 5.2.1.2", "max-stale without a number takes anything", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        +9999
        > GET / | cache-control: max-stale \n = 200 | hit; ttl=-9939"),
    ("9111 5.2.1.2", "a max-stale that is no number takes nothing stale", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        +61
        > GET / | cache-control: max-stale=x \n < 200 \n = 200 | fwd=stale"),
    ("9111 5.2.1", "max-stale does not lift max-age", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        +70
        > GET / | cache-control: max-stale=60, max-age=60 \n < 200 \n = 200 | fwd=request"),
    ("9111 5.2.1.7", "only-if-cached gets 504 where nothing is stored", "
        > GET / | cache-control: only-if-cached \n = 504
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        > GET / | cache-control: only-if-cached \n = 200 | hit; ttl=60"),
    ("9111 5.2.1.7", "only-if-cached gets 504 where what is stored is stale", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        +60
        > GET / | cache-control: only-if-cached \n = 504 | cache-control: no-store
        > GET / | cache-control: only-if-cached, max-stale \n = 200 | hit; ttl=0"),
    ("9111 5.2.1.7", "only-if-cached gets 504 for another variant", "
        > GET / | x-a: 1 \n < 200 | cache-control: max-age=60 | vary: x-a \n = 200
        > GET / | x-a: 2 | cache-control: only-if-cached \n = 504"),
    ("9111 5.2.1.7", "only-if-cached gets 504 for a range", "
        > GET / | range: bytes=0-1 | cache-control: only-if-cached \n = 504"),
    ("9111 5.2.1", "a directive that nobody knows is ignored", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        > GET / | cache-control: stale-maybe=5 \n = 200 | hit; ttl=60"),
    ("9110 9.3.2", "HEAD is answered from the answer to GET", "
        > GET / \n < 200 | cache-control: max-age=60 | x-a: 1 \n = 200
        > HEAD / \n = 200 | hit; ttl=60 | content-length: 3 | x-a: 1 | empty"),
    ("9110 9.3.2", "HEAD of an answer of unknown length tells it, once it is known", "
        > GET / \n < 200 | cache-control: max-age=60 | chunked | body: hello \n = 200
        > HEAD / \n = 200 | hit; ttl=60 | content-length: 5 | empty"),
    ("9110 9.3.2", "HEAD goes on where nothing is stored, and is not stored", "
        > HEAD / \n < 200 | cache-control: max-age=60 \n = 200 | fwd=uri-miss | empty
        > HEAD / \n < 200 | cache-control: max-age=60 \n = 200 | fwd=uri-miss | empty"),
    ("9111 4.3.5", "HEAD validates a stale answer", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        +60
        > HEAD / \n < 304 \n ^ if-none-match: \"a\" \n = 200 | fwd=stale; fwd-status=304; stored; ttl=60 | empty
        > GET / \n = 200 | hit; ttl=60 | body: one"),
    ("9111 4", "HEAD leaves what is stored when the origin has something new", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        > HEAD / | cache-control: no-cache \n < 200 | cache-control: max-age=60 \n = 200 | fwd=request | empty"),
    ("9110 13.1.1", "If-Match is for the origin", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        > GET / | if-match: \"b\" \n < 412 \n ^ if-match: \"b\" \n = 412 | fwd=bypass"),
    ("9110 13.1.4", "If-Unmodified-Since is for the origin", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        > GET / | if-unmodified-since: {-60} \n < 412 \n = 412 | fwd=bypass"),
    ("9110 13.1.5", "If-Range is for the origin", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        > GET / | range: bytes=0-0 | if-range: \"a\" \n < 206 | content-range: bytes 0-0/3 | body: o \n = 206 | fwd=bypass"),
];
