//! Which stored answer is for which request (RFC 9111, 2, 4 and 4.1).

use super::{Row, play};

#[tokio::test]
async fn an_answer_is_for_requests_of_the_same() {
    play(ROWS).await;
}

const ROWS: &[Row] = &[
    ("9111 2", "another path is another answer", "
        > GET /a \n < 200 | cache-control: max-age=60 | body: a \n = 200
        > GET /b \n < 200 | cache-control: max-age=60 | body: b \n = 200 | fwd=uri-miss; stored; ttl=60 | body: b
        > GET /a \n = 200 | hit; ttl=60 | body: a"),
    ("9111 2", "another query is another answer", "
        > GET /?x=1 \n < 200 | cache-control: max-age=60 | body: 1 \n = 200
        > GET /?x=2 \n < 200 | cache-control: max-age=60 | body: 2 \n = 200 | fwd=uri-miss; stored; ttl=60 | body: 2
        > GET /?x=1 \n = 200 | hit; ttl=60 | body: 1"),
    ("9111 2", "an empty query is not none", "
        > GET /a \n < 200 | cache-control: max-age=60 \n = 200
        > GET /a? \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 2", "the order of a query counts", "
        > GET /?a=1&b=2 \n < 200 | cache-control: max-age=60 \n = 200
        > GET /?b=2&a=1 \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 2", "another host is another answer", "
        > GET / \n < 200 | cache-control: max-age=60 | body: a \n = 200
        > GET / | host: b.test \n < 200 | cache-control: max-age=60 | body: b \n = 200 | fwd=uri-miss; stored; ttl=60 | body: b
        > GET / | host: a.test \n = 200 | hit; ttl=60 | body: a
        > GET / | host: b.test \n = 200 | hit; ttl=60 | body: b"),
    ("9111 2", "another port is another answer", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        > GET / | host: a.test:81 \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 2", "another scheme is another answer", "
        > GET http://a.test/ \n < 200 | cache-control: max-age=60 | body: plain \n = 200
        > GET https://a.test/ \n < 200 | cache-control: max-age=60 | body: safe \n = 200 | fwd=uri-miss; stored; ttl=60 | body: safe
        > GET http://a.test/ \n = 200 | hit; ttl=60 | body: plain
        > GET https://a.test/ \n = 200 | hit; ttl=60 | body: safe"),
    ("9111 2", "what a proxy in front says about the scheme counts as one", "
        > GET / | x-forwarded-proto: http \n < 301 | cache-control: max-age=60 | location: https://a.test/ \n = 301
        > GET / | x-forwarded-proto: https \n < 200 | cache-control: max-age=60 \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / | x-forwarded-proto: https \n = 200 | hit; ttl=60"),
    ("9111 2", "what a proxy in front says about the host counts, too", "
        > GET / | x-forwarded-host: one \n < 200 | cache-control: max-age=60 \n = 200
        > GET / | x-forwarded-host: two \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 2", "the case of a path counts", "
        > GET /A \n < 200 | cache-control: max-age=60 \n = 200
        > GET /a \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.1", "a field that Vary names tells requests apart", "
        > GET / | accept-encoding: gzip \n < 200 | cache-control: max-age=60 | vary: accept-encoding | body: gzip \n = 200
        > GET / | accept-encoding: br \n < 200 | cache-control: max-age=60 | vary: accept-encoding | body: br \n = 200 | fwd=vary-miss; stored; ttl=60
        > GET / | accept-encoding: gzip \n = 200 | hit; ttl=60 | body: gzip
        > GET / | accept-encoding: br \n = 200 | hit; ttl=60 | body: br"),
    ("9111 4.1", "a field that Vary does not name does not", "
        > GET / | accept: a \n < 200 | cache-control: max-age=60 | vary: accept-encoding \n = 200
        > GET / | accept: b \n = 200 | hit; ttl=60"),
    ("9111 4.1", "a request without the field is not one with it", "
        > GET / | x-a: 1 \n < 200 | cache-control: max-age=60 | vary: x-a \n = 200
        > GET / \n < 200 | cache-control: max-age=60 | vary: x-a \n = 200 | fwd=vary-miss; stored; ttl=60
        > GET / \n = 200 | hit; ttl=60"),
    ("9111 4.1", "all fields have to agree", "
        > GET / | x-a: 1 | x-b: 1 \n < 200 | cache-control: max-age=60 | vary: x-a, x-b \n = 200
        > GET / | x-a: 1 | x-b: 2 \n < 200 | cache-control: max-age=60 | vary: x-a, x-b \n = 200 | fwd=vary-miss; stored; ttl=60
        > GET / | x-b: 1 | x-a: 1 \n = 200 | hit; ttl=60"),
    ("9111 4.1", "Vary in two lines is one", "
        > GET / | x-a: 1 | x-b: 1 \n < 200 | cache-control: max-age=60 | vary: x-a | vary: x-b \n = 200
        > GET / | x-a: 1 | x-b: 2 \n < 200 \n = 200 | fwd=vary-miss"),
    ("9111 4.1", "the names in Vary have no case", "
        > GET / | x-a: 1 \n < 200 | cache-control: max-age=60 | vary: X-A \n = 200
        > GET / | X-A: 1 \n = 200 | hit; ttl=60
        > GET / | x-a: 2 \n < 200 \n = 200 | fwd=vary-miss"),
    ("9111 4.1", "the values have one", "
        > GET / | x-a: a \n < 200 | cache-control: max-age=60 | vary: x-a \n = 200
        > GET / | x-a: A \n < 200 \n = 200 | fwd=vary-miss"),
    ("9111 4.1", "white space around a value says nothing", "
        > GET / | x-a: 1 \n < 200 | cache-control: max-age=60 | vary: x-a \n = 200
        > GET / | x-a:    1 \n = 200 | hit; ttl=60"),
    ("9111 4.1", "two lines are one list", "
        > GET / | x-a: 1, 2 \n < 200 | cache-control: max-age=60 | vary: x-a \n = 200
        > GET / | x-a: 1 | x-a: 2 \n = 200 | hit; ttl=60"),
    ("9111 4.1", "Vary: * is for nobody else", "
        > GET / \n < 200 | cache-control: max-age=60 | vary: * \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.1", "a star beside names is a star", "
        > GET / \n < 200 | cache-control: max-age=60 | vary: x-a, * \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.1", "a Vary that cannot be read is for nobody else", "
        > GET / \n < 200 | cache-control: max-age=60 | vary: a b \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.1", "an answer that varies no more takes the place of its own variant", "
        > GET / | x-a: 1 \n < 200 | cache-control: max-age=10 | vary: x-a | body: one \n = 200
        +10
        > GET / | x-a: 1 \n < 200 | cache-control: max-age=60 | body: all \n = 200 | fwd=stale; stored; ttl=60
        > GET / | x-a: 2 \n = 200 | hit; ttl=60 | body: all"),
    ("9111 4", "of two answers that match the younger one is used", "
        > GET / | x-a: 1 \n < 200 | cache-control: max-age=60 | vary: x-a | body: old \n = 200
        +1
        > GET / | x-a: 2 \n < 200 | cache-control: max-age=60 | body: new \n = 200 | fwd=vary-miss; stored; ttl=60
        > GET / | x-a: 1 \n = 200 | hit; ttl=60 | body: new"),
    ("9111 4", "a fragment of cookies does not split answers unless Vary says so", "
        > GET / | cookie: a=1 \n < 200 | cache-control: max-age=60 \n = 200
        > GET / | cookie: a=2 \n = 200 | hit; ttl=60"),
    ("9111 4.1", "Vary: cookie splits them", "
        > GET / | cookie: a=1 \n < 200 | cache-control: max-age=60 | vary: cookie \n = 200
        > GET / | cookie: a=2 \n < 200 \n = 200 | fwd=vary-miss"),
    ("9112 3.2", "a request for two hosts is for none that is cached", "
        > GET / | HOST: b.test \n = 400"),
];
