//! What requests that change something invalidate (RFC 9111, 4.4).

use super::{Row, play};

#[tokio::test]
async fn what_was_changed_is_asked_for_again() {
    play(ROWS).await;
}

const ROWS: &[Row] = &[
    ("9111 4.4", "POST invalidates its target", "
        > GET /a \n < 200 | cache-control: max-age=60 \n = 200
        > POST /a | body: x \n < 200 \n = 200 | fwd=method
        > GET /a \n < 200 | cache-control: max-age=60 | body: two \n = 200 | fwd=uri-miss; stored; ttl=60 | body: two
        > GET /a \n = 200 | hit; ttl=60 | body: two"),
    ("9111 4.4", "PUT does", "
        > GET /a \n < 200 | cache-control: max-age=60 \n = 200
        > PUT /a | body: x \n < 204 \n = 204
        > GET /a \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.4", "DELETE does", "
        > GET /a \n < 200 | cache-control: max-age=60 \n = 200
        > DELETE /a \n < 204 \n = 204
        > GET /a \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.4", "PATCH does", "
        > GET /a \n < 200 | cache-control: max-age=60 \n = 200
        > PATCH /a | body: x \n < 200 \n = 200
        > GET /a \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.4", "a method that nobody knows does", "
        > GET /a \n < 200 | cache-control: max-age=60 \n = 200
        > FROB /a \n < 200 \n = 200 | fwd=method
        > GET /a \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.4", "a redirect counts as a success", "
        > GET /a \n < 200 | cache-control: max-age=60 \n = 200
        > POST /a | body: x \n < 303 | location: /done \n = 303
        > GET /a \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.4", "a refusal changes nothing", "
        > GET /a \n < 200 | cache-control: max-age=60 \n = 200
        > POST /a | body: x \n < 400 \n = 400
        > GET /a \n = 200 | hit; ttl=60"),
    ("9111 4.4", "a failure changes nothing", "
        > GET /a \n < 200 | cache-control: max-age=60 \n = 200
        > POST /a | body: x \n < 500 \n = 500
        > GET /a \n = 200 | hit; ttl=60"),
    ("9111 4.4", "OPTIONS changes nothing", "
        > GET /a \n < 200 | cache-control: max-age=60 \n = 200
        > OPTIONS /a \n < 200 \n = 200
        > GET /a \n = 200 | hit; ttl=60"),
    ("9111 4.4", "HEAD changes nothing", "
        > GET /a \n < 200 | cache-control: max-age=60 \n = 200
        > HEAD /a | cache-control: no-cache \n < 200 \n = 200
        > GET /a \n = 200 | hit; ttl=60"),
    ("9111 4.4", "another path stays", "
        > GET /a \n < 200 | cache-control: max-age=60 \n = 200
        > POST /b | body: x \n < 200 \n = 200
        > GET /a \n = 200 | hit; ttl=60"),
    ("9111 4.4", "another query stays", "
        > GET /a?x=1 \n < 200 | cache-control: max-age=60 \n = 200
        > POST /a?x=2 | body: x \n < 200 \n = 200
        > GET /a?x=1 \n = 200 | hit; ttl=60"),
    ("9111 4.4", "another host stays", "
        > GET /a \n < 200 | cache-control: max-age=60 \n = 200
        > POST /a | host: b.test | body: x \n < 200 \n = 200
        > GET /a \n = 200 | hit; ttl=60"),
    ("9111 4.4", "all variants go", "
        > GET /a | x-a: 1 \n < 200 | cache-control: max-age=60 | vary: x-a \n = 200
        > GET /a | x-a: 2 \n < 200 | cache-control: max-age=60 | vary: x-a \n = 200
        > POST /a | x-a: 3 | body: x \n < 200 \n = 200
        > GET /a | x-a: 1 \n < 200 \n = 200 | fwd=uri-miss
        > GET /a | x-a: 2 \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.4", "what others have stored goes, too", "
        > GET /a | authorization: one \n < 200 | cache-control: max-age=60, public \n = 200
        > GET /a | authorization: one \n = 200 | hit; ttl=60
        > POST /a | authorization: two | body: x \n < 200 \n = 200
        > GET /a | authorization: one \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.4", "Location names what was changed", "
        > GET /b \n < 200 | cache-control: max-age=60 \n = 200
        > POST /a | body: x \n < 201 | location: /b \n = 201
        > GET /b \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.4", "Location with the host does", "
        > GET /b \n < 200 | cache-control: max-age=60 \n = 200
        > POST /a | body: x \n < 201 | location: http://a.test/b \n = 201
        > GET /b \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.4", "Content-Location does", "
        > GET /b \n < 200 | cache-control: max-age=60 \n = 200
        > POST /a | body: x \n < 200 | content-location: /b \n = 200
        > GET /b \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.4", "a relative Location does", "
        > GET /x/b \n < 200 | cache-control: max-age=60 \n = 200
        > POST /x/a | body: x \n < 201 | location: b \n = 201
        > GET /x/b \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.4", "a Location at another host must not", "
        > GET /b | host: b.test \n < 200 | cache-control: max-age=60 \n = 200
        > POST /a | body: x \n < 201 | location: http://b.test/b \n = 201
        > GET /b | host: b.test \n = 200 | hit; ttl=60"),
    ("9111 4.4", "the path of a Location at another host is not ours either", "
        > GET /b \n < 200 | cache-control: max-age=60 \n = 200
        > POST /a | body: x \n < 201 | location: http://b.test/b \n = 201
        > GET /b \n = 200 | hit; ttl=60"),
    ("9111 4.4", "the Location of a failure says nothing", "
        > GET /b \n < 200 | cache-control: max-age=60 \n = 200
        > POST /a | body: x \n < 500 | location: /b \n = 500
        > GET /b \n = 200 | hit; ttl=60"),
    ("9111 4.4", "the Location of a GET says nothing", "
        > GET /b \n < 200 | cache-control: max-age=60 \n = 200
        > GET /a \n < 302 | location: /b \n = 302
        > GET /b \n = 200 | hit; ttl=60"),
    ("9111 4.4", "what is stored after the change is used", "
        > POST /a | body: x \n < 200 \n = 200
        > GET /a \n < 200 | cache-control: max-age=60 \n = 200
        > GET /a \n = 200 | hit; ttl=60"),
];
