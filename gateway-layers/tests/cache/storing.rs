//! What is stored (RFC 9111, 3).

use super::{Row, play, play_with};

#[tokio::test]
async fn stores_what_may_be_stored_and_nothing_else() {
    play(ROWS).await;
}

#[tokio::test]
async fn stores_cookies_if_told() {
    play_with(WITH_COOKIES, |layer| layer.set_cookie(true)).await;
}

#[tokio::test]
async fn stores_nothing_longer_than_it_may() {
    play_with(SMALL, |layer| layer.max_object(4)).await;
}

const ROWS: &[Row] = &[
    ("9111 3", "an answer with an explicit lifetime is stored", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 200 | hit; ttl=60 | age: 0 | body: one"),
    ("9111 3", "an answer without an explicit lifetime is not: there is no heuristic", "
        > GET / \n < 200 \n = 200 | fwd=uri-miss
        > GET / \n < 200 | body: two \n = 200 | fwd=uri-miss | body: two"),
    ("9111 4.2.2", "a Last-Modified alone gives no lifetime", "
        > GET / \n < 200 | last-modified: {-9000} \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 3", "public alone gives no lifetime", "
        > GET / \n < 200 | cache-control: public \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 3", "an ETag alone gives no lifetime", "
        > GET / \n < 200 | etag: \"a\" \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n ^ -if-none-match \n = 200 | fwd=uri-miss"),
    ("9111 5.2.2.5", "no-store is not stored", "
        > GET / \n < 200 | cache-control: max-age=60, no-store \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 5.2.2.5", "no-store in a second line counts, too", "
        > GET / \n < 200 | cache-control: max-age=60 | cache-control: no-store \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 5.2.2.5", "NO-STORE is no-store", "
        > GET / \n < 200 | cache-control: max-age=60, NO-STORE \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 5.2.2.5", "no-store inside of a quoted string is not meant", "
        > GET / \n < 200 | cache-control: max-age=60, ext=\"no-store\" \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 200 | hit; ttl=60"),
    ("9111 5.2.2.3", "must-understand lifts no-store for a status that is understood", "
        > GET / \n < 200 | cache-control: max-age=60, no-store, must-understand \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 200 | hit; ttl=60"),
    ("9111 5.2.2.3", "must-understand does not lift it for one that is not", "
        > GET / \n < 299 | cache-control: max-age=60, no-store, must-understand \n = 299 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 5.2.2.7", "private is not stored", "
        > GET / \n < 200 | cache-control: max-age=60, private \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 5.2.2.7", "private with a list of fields stores the rest", "
        > GET / \n < 200 | cache-control: max-age=60, private=\"x-me\" | x-me: 1 | x-all: 2 \n = 200 | x-me: 1
        > GET / \n = 200 | hit; ttl=60 | -x-me | x-all: 2"),
    ("9111 5.2.2.7", "private with a list that cannot be read is private", "
        > GET / \n < 200 | cache-control: max-age=60, private=\"a b\" \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 5.2.2.4", "no-cache with a list of fields stores the rest", "
        > GET / \n < 200 | cache-control: max-age=60, no-cache=\"x-me\" | x-me: 1 \n = 200 | x-me: 1
        > GET / \n = 200 | hit; ttl=60 | -x-me"),
    ("9111 7.3", "Set-Cookie is not stored unless told", "
        > GET / \n < 200 | cache-control: max-age=60 | set-cookie: a=b \n = 200 | fwd=uri-miss | set-cookie: a=b
        > GET / \n < 200 \n = 200 | fwd=uri-miss | -set-cookie"),
    ("9111 7.3", "Set-Cookie with public is not stored either", "
        > GET / \n < 200 | cache-control: public, max-age=60 | set-cookie: a=b \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 5.2.2.7", "a cookie that is named private stays with its client", "
        > GET / \n < 200 | cache-control: max-age=60, private=\"set-cookie\" | set-cookie: a=b \n = 200 | set-cookie: a=b
        > GET / \n = 200 | hit; ttl=60 | -set-cookie"),
    ("9111 3.1", "fields of one hop are not stored", "
        > GET / \n < 200 | cache-control: max-age=60 | connection: x-hop | x-hop: 1 | keep-alive: timeout=5 \n = 200 | -x-hop
        > GET / \n = 200 | hit; ttl=60 | -x-hop | -keep-alive"),
    ("9111 3.5", "an answer to Authorization is not stored", "
        > GET / | authorization: a \n < 200 | cache-control: max-age=60 \n = 200 | fwd=uri-miss
        > GET / | authorization: a \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 3.5", "public lets it be stored", "
        > GET / | authorization: a \n < 200 | cache-control: max-age=60, public \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / | authorization: a \n = 200 | hit; ttl=60"),
    ("9111 3.5", "s-maxage lets it be stored", "
        > GET / | authorization: a \n < 200 | cache-control: s-maxage=60 \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / | authorization: a \n = 200 | hit; ttl=60"),
    ("9111 3.5", "must-revalidate lets it be stored", "
        > GET / | authorization: a \n < 200 | cache-control: max-age=60, must-revalidate \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / | authorization: a \n = 200 | hit; ttl=60"),
    ("9111 3.5", "proxy-revalidate does not", "
        > GET / | authorization: a \n < 200 | cache-control: max-age=60, proxy-revalidate \n = 200 | fwd=uri-miss
        > GET / | authorization: a \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 3.5", "private with Authorization is private", "
        > GET / | authorization: a \n < 200 | cache-control: max-age=60, private, must-revalidate \n = 200 | fwd=uri-miss
        > GET / | authorization: a \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 3", "203 is stored", "
        > GET / \n < 203 | cache-control: max-age=60 \n = 203 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 203 | hit; ttl=60"),
    ("9111 3", "204 is stored", "
        > GET / \n < 204 | cache-control: max-age=60 \n = 204 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 204 | hit; ttl=60 | empty"),
    ("9111 3", "301 is stored", "
        > GET / \n < 301 | cache-control: max-age=60 | location: /x \n = 301 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 301 | hit; ttl=60 | location: /x"),
    ("9111 3", "302 with a lifetime is stored", "
        > GET / \n < 302 | cache-control: max-age=60 | location: /x \n = 302 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 302 | hit; ttl=60"),
    ("9111 3", "308 is stored", "
        > GET / \n < 308 | cache-control: max-age=60 | location: /x \n = 308 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 308 | hit; ttl=60"),
    ("9111 3", "404 with a lifetime is stored", "
        > GET / \n < 404 | cache-control: max-age=60 \n = 404 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 404 | hit; ttl=60 | body: one"),
    ("9111 3", "410 is stored", "
        > GET / \n < 410 | cache-control: max-age=60 \n = 410 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 410 | hit; ttl=60"),
    ("9111 3", "a status that nobody knows is not", "
        > GET / \n < 299 | cache-control: max-age=60 \n = 299 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 3", "500 is not stored, whatever it says", "
        > GET / \n < 500 | cache-control: max-age=60 \n = 500 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 3", "503 is not stored", "
        > GET / \n < 503 | cache-control: max-age=60 \n = 503 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 3.3", "a part is not stored, not even as an answer to a whole request", "
        > GET / \n < 206 | cache-control: max-age=60 | content-range: bytes 0-2/9 \n = 206 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 3.3", "a 200 that says it is a part is not stored", "
        > GET / \n < 200 | cache-control: max-age=60 | content-range: bytes 0-2/9 \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 3.4", "a request for a range goes by, and its answer is not stored", "
        > GET / | range: bytes=0-2 \n < 206 | cache-control: max-age=60 | content-range: bytes 0-2/9 \n ^ range: bytes=0-2 \n = 206 | fwd=bypass
        > GET / \n < 200 | cache-control: max-age=60 \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / | range: bytes=0-2 \n < 206 | content-range: bytes 0-2/9 \n = 206 | fwd=bypass"),
    ("9111 3", "an answer to POST is not stored", "
        > POST / | body: x \n < 200 | cache-control: max-age=60 \n = 200 | fwd=method
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 3", "an answer to OPTIONS is not stored", "
        > OPTIONS / \n < 200 | cache-control: max-age=60 \n = 200 | fwd=method
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9110 9.3.1", "a GET with content goes by", "
        > GET / | body: x \n < 200 | cache-control: max-age=60 \n = 200 | fwd=bypass
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 3", "an answer to HEAD is not stored", "
        > HEAD / \n < 200 | cache-control: max-age=60 \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 3", "an answer of unknown length is stored with the length that it had", "
        > GET / \n < 200 | cache-control: max-age=60 | chunked | body: hello \n = 200 | fwd=uri-miss; stored; ttl=60 | body: hello
        > GET / \n = 200 | hit; ttl=60 | content-length: 5 | body: hello"),
    ("9111 3", "an empty answer is stored", "
        > GET / \n < 200 | cache-control: max-age=60 | empty \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 200 | hit; ttl=60 | content-length: 0 | empty"),
    ("9110 6.5", "an answer with trailers is for its client alone", "
        > GET / \n < 200 | cache-control: max-age=60 | trailer-field: x-sum: 7 \n = 200 | body: one
        > GET / \n < 200 | body: two \n = 200 | fwd=uri-miss | body: two"),
    ("9110 6.6.2", "an answer that announces trailers is not even begun to be stored", "
        > GET / \n < 200 | cache-control: max-age=60 | trailer: x-sum | trailer-field: x-sum: 7 \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9110 6.6.1", "an answer without a date gets one", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        +5
        > GET / \n = 200 | hit; ttl=55 | date: {-5}"),
    ("9111 3", "an event stream is not stored", "
        > GET / \n < 200 | cache-control: max-age=60 | content-type: text/event-stream \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 3", "every line of a field is stored", "
        > GET / \n < 200 | cache-control: max-age=60 | link: <a> | link: <b> \n = 200
        > GET / \n = 200 | hit; ttl=60 | link: <a>, <b>"),
];

const WITH_COOKIES: &[Row] = &[(
    "9111 7.3",
    "an answer with Set-Cookie is stored with it",
    "
        > GET / \n < 200 | cache-control: max-age=60 | set-cookie: a=b \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 200 | hit; ttl=60 | set-cookie: a=b",
)];

const SMALL: &[Row] = &[
    (
        "9111 3",
        "an answer of just the size is stored",
        "
        > GET / \n < 200 | cache-control: max-age=60 | body: four \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 200 | hit; ttl=60 | body: four",
    ),
    (
        "9111 3",
        "a longer one is not, and passes whole",
        "
        > GET / \n < 200 | cache-control: max-age=60 | body: fives \n = 200 | fwd=uri-miss | body: fives
        > GET / \n < 200 \n = 200 | fwd=uri-miss",
    ),
    (
        "9111 3",
        "a longer one of unknown length passes whole, too",
        "
        > GET / \n < 200 | cache-control: max-age=60 | chunked | body: fives \n = 200 | body: fives
        > GET / \n < 200 | body: two \n = 200 | fwd=uri-miss | body: two",
    ),
];
