//! Validation: of what clients have, and of what is stored (RFC 9111, 4.3; RFC 9110, 13).

use super::{Row, play};

#[tokio::test]
async fn clients_are_told_what_they_have_already() {
    play(CLIENTS).await;
}

#[tokio::test]
async fn stale_answers_are_validated() {
    play(OURS).await;
}

const CLIENTS: &[Row] = &[
    ("9110 13.1.2", "a client that has the tag gets 304", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" | x-a: 1 | expires: {+60} | content-location: /a \n = 200
        +5
        > GET / | if-none-match: \"a\" \n = 304 | hit; ttl=55 | etag: \"a\" | age: 5 | cache-control: max-age=60 | content-location: /a | expires: {+55} | date: {-5} | -x-a | -content-length | empty"),
    ("9110 13.1.2", "a client with another tag gets all", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        > GET / | if-none-match: \"b\" \n = 200 | hit; ttl=60 | body: one"),
    ("9110 13.1.2", "one of several tags is enough", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        > GET / | if-none-match: \"b\", \"a\" \n = 304 | hit; ttl=60"),
    ("9110 13.1.2", "also in a second line", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        > GET / | if-none-match: \"b\" | if-none-match: \"a\" \n = 304 | hit; ttl=60"),
    ("9110 8.8.3.2", "tags are compared weakly: stored weak", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: W/\"a\" \n = 200
        > GET / | if-none-match: \"a\" \n = 304 | hit; ttl=60 | etag: W/\"a\""),
    ("9110 8.8.3.2", "tags are compared weakly: asked weak", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        > GET / | if-none-match: W/\"a\" \n = 304 | hit; ttl=60"),
    ("9110 13.1.2", "a star is had by whatever is stored", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        > GET / | if-none-match: * \n = 304 | hit; ttl=60"),
    ("9110 13.1.2", "a tag is no prefix", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"ab\" \n = 200
        > GET / | if-none-match: \"a\" \n = 200 | hit; ttl=60"),
    ("9110 13.1.2", "a comma in a tag is part of it", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a,b\" \n = 200
        > GET / | if-none-match: \"a\", \"b\" \n = 200 | hit; ttl=60
        > GET / | if-none-match: \"a,b\" \n = 304 | hit; ttl=60"),
    ("9111 4.3.2", "a tag and an answer without one", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        > GET / | if-none-match: \"a\" \n = 200 | hit; ttl=60"),
    ("9110 13.1.3", "a client that has the date gets 304", "
        > GET / \n < 200 | cache-control: max-age=60 | last-modified: {-100} \n = 200
        > GET / | if-modified-since: {-100} \n = 304 | hit; ttl=60 | last-modified: {-100}"),
    ("9110 13.1.3", "also with a later date", "
        > GET / \n < 200 | cache-control: max-age=60 | last-modified: {-100} \n = 200
        > GET / | if-modified-since: {-50} \n = 304 | hit; ttl=60"),
    ("9110 13.1.3", "not with an earlier one", "
        > GET / \n < 200 | cache-control: max-age=60 | last-modified: {-100} \n = 200
        > GET / | if-modified-since: {-101} \n = 200 | hit; ttl=60"),
    ("9110 13.1.3", "the tag goes before the date", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" | last-modified: {-100} \n = 200
        > GET / | if-none-match: \"b\" | if-modified-since: {-100} \n = 200 | hit; ttl=60
        > GET / | if-none-match: \"a\" | if-modified-since: {-101} \n = 304 | hit; ttl=60"),
    ("9110 13.1.3", "a date that is none says nothing", "
        > GET / \n < 200 | cache-control: max-age=60 | last-modified: {-100} \n = 200
        > GET / | if-modified-since: yesterday \n = 200 | hit; ttl=60"),
    ("9111 4.3.2", "without Last-Modified the date of the answer counts", "
        > GET / \n < 200 | cache-control: max-age=60 | date: {-10} \n = 200
        > GET / | if-modified-since: {-10} \n = 304
        > GET / | if-modified-since: {-11} \n = 200"),
    ("9110 13.2.1", "a condition says nothing about a 404", "
        > GET / \n < 404 | cache-control: max-age=60 | etag: \"a\" \n = 404
        > GET / | if-none-match: \"a\" \n = 404 | hit; ttl=60"),
    ("9110 13.2.1", "nor about a redirect", "
        > GET / \n < 301 | cache-control: max-age=60 | location: /b | etag: \"a\" \n = 301
        > GET / | if-none-match: \"a\" \n = 301 | hit; ttl=60 | location: /b"),
    ("9110 13.1.2", "HEAD under a condition gets 304, too", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        > HEAD / | if-none-match: \"a\" \n = 304 | hit; ttl=60"),
    ("9111 4.3.2", "a condition on what is not stored fetches all of it", "
        > GET / | if-none-match: \"a\" \n < 200 | cache-control: max-age=60 | etag: \"a\" \n ^ -if-none-match \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / | if-none-match: \"a\" \n = 304 | hit; ttl=60"),
    ("9111 4.3.2", "a condition on what turned out not to be stored goes to the origin", "
        > GET / \n < 200 | etag: \"a\" \n = 200 | fwd=uri-miss
        > GET / | if-none-match: \"a\" \n < 304 | etag: \"a\" \n ^ if-none-match: \"a\" \n = 304 | fwd=uri-miss"),
    ("9110 15.4.5", "a 304 tells what Vary said", "
        > GET / | x-a: 1 \n < 200 | cache-control: max-age=60 | etag: \"a\" | vary: x-a \n = 200
        > GET / | x-a: 1 | if-none-match: \"a\" \n = 304 | vary: x-a"),
];

const OURS: &[Row] = &[
    ("9111 4.3.1", "a stale answer with a tag is validated by it", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        +60
        > GET / \n < 304 \n ^ if-none-match: \"a\" \n = 200 | fwd=stale; fwd-status=304; stored; ttl=60 | body: one | age: 0
        +59
        > GET / \n = 200 | hit; ttl=1"),
    ("9111 4.3.1", "a stale answer with a date is validated by it", "
        > GET / \n < 200 | cache-control: max-age=60 | last-modified: {-100} \n = 200
        +60
        > GET / \n < 304 \n ^ if-modified-since: {-160} \n = 200 | fwd=stale; fwd-status=304; stored; ttl=60 | body: one"),
    ("9111 4.3.1", "with both it is asked by both", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" | last-modified: {-100} \n = 200
        +60
        > GET / \n < 304 \n ^ if-none-match: \"a\" \n ^ if-modified-since: {-160} \n = 200"),
    ("9111 4.3.1", "a weak tag validates, too", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: W/\"a\" \n = 200
        +60
        > GET / \n < 304 | etag: W/\"a\" \n ^ if-none-match: W/\"a\" \n = 200 | fwd=stale; fwd-status=304; stored; ttl=60"),
    ("9111 4.3.3", "a new answer takes the place of the old one", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        +60
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"b\" | body: two \n ^ if-none-match: \"a\" \n = 200 | fwd=stale; stored; ttl=60 | body: two
        > GET / \n = 200 | hit; ttl=60 | etag: \"b\" | body: two"),
    ("9111 4.3.3", "an answer that may not be stored is passed on", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        +60
        > GET / \n < 200 | cache-control: no-store | body: two \n = 200 | fwd=stale | body: two"),
    ("9111 4.3.3", "a failure of the origin is passed on", "
        > GET / \n < 200 | cache-control: max-age=60, must-revalidate | etag: \"a\" \n = 200
        +60
        > GET / \n < 500 \n = 500 | fwd=stale"),
    ("9111 4.3.4", "what the origin says anew takes the place of what it said", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" | x-a: 1 | x-b: 1 \n = 200
        +60
        > GET / \n < 304 | cache-control: max-age=30 | x-a: 2 \n = 200 | fwd=stale; fwd-status=304; stored; ttl=30 | x-a: 2 | x-b: 1 | cache-control: max-age=30
        > GET / \n = 200 | hit; ttl=30 | x-a: 2 | x-b: 1"),
    ("9111 3.2", "but not what belongs to the body", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" | content-encoding: x \n = 200
        +60
        > GET / \n < 304 | content-encoding: y | content-length: 99 \n = 200 | content-encoding: x | content-length: 3 | body: one"),
    ("9111 3.2", "a date of now makes it young again", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" | date: {+0} \n = 200
        +100
        > GET / \n < 304 | date: {+0} \n = 200 | fwd=stale; fwd-status=304; stored; ttl=60 | date: {+0} | age: 0"),
    ("9111 3.2", "an Age of the 304 counts", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        +60
        > GET / \n < 304 | age: 10 \n = 200 | fwd=stale; fwd-status=304; stored; ttl=50 | age: 10"),
    ("9111 4.3.4", "an Expires without a new one stays expired", "
        > GET / \n < 200 | date: {+0} | expires: {+60} | etag: \"a\" \n = 200
        +100
        > GET / \n < 304 | date: {+0} \n = 200 | fwd=stale; fwd-status=304; stored; ttl=0 | body: one"),
    ("9111 4.3.4", "a 304 that forbids to store lets the old answer be used once more", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        +60
        > GET / \n < 304 | cache-control: no-store \n = 200 | fwd=stale; fwd-status=304 | body: one
        > GET / \n < 200 \n ^ -if-none-match \n = 200 | fwd=uri-miss"),
    ("9111 4.3.4", "a 304 about another tag is no answer, and what is stored is forgotten", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        +60
        > GET / \n < 304 | etag: \"b\" \n = 502
        > GET / \n < 200 \n ^ -if-none-match \n = 200 | fwd=uri-miss"),
    ("9111 4.3.4", "a 304 with the same tag is", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        +60
        > GET / \n < 304 | etag: \"a\" \n = 200 | fwd=stale; fwd-status=304; stored; ttl=60"),
    ("9111 4.3.1", "without a validator all of it is fetched", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        +60
        > GET / \n < 200 | cache-control: max-age=60 | body: two \n ^ -if-none-match \n ^ -if-modified-since \n = 200 | fwd=stale; stored; ttl=60 | body: two"),
    ("9111 4.3.1", "the client's own condition is answered from what was validated: it has it", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        +60
        > GET / | if-none-match: \"a\" \n < 304 \n ^ if-none-match: \"a\" \n = 304 | etag: \"a\""),
    ("9111 4.3.1", "the client's own condition is answered from what was validated: it has it not", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        +60
        > GET / | if-none-match: \"old\" \n < 304 \n ^ if-none-match: \"a\" \n = 200 | body: one"),
    ("9111 4.3.4", "of several variants the one that was asked about is made young", "
        > GET / | x-a: 1 \n < 200 | cache-control: max-age=60 | vary: x-a | etag: \"1\" | body: 1 \n = 200
        > GET / | x-a: 2 \n < 200 | cache-control: max-age=60 | vary: x-a | etag: \"2\" | body: 2 \n = 200
        +60
        > GET / | x-a: 1 \n < 304 \n ^ if-none-match: \"1\" \n = 200 | body: 1
        > GET / | x-a: 2 \n < 304 \n ^ if-none-match: \"2\" \n = 200 | body: 2
        > GET / | x-a: 1 \n = 200 | hit; ttl=60 | body: 1"),
    ("9111 4.3.4", "a 404 is validated, too", "
        > GET / \n < 404 | cache-control: max-age=60 | etag: \"a\" \n = 404
        +60
        > GET / \n < 304 \n = 404 | fwd=stale; fwd-status=304; stored; ttl=60 | body: one"),
    ("9111 4.3.4", "a cookie in a 304 is for its client, and ends the storing", "
        > GET / \n < 200 | cache-control: max-age=60 | etag: \"a\" \n = 200
        +60
        > GET / \n < 304 | set-cookie: a=b \n = 200 | fwd=stale; fwd-status=304 | set-cookie: a=b
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
];
