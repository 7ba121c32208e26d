//! How long an answer is fresh (RFC 9111, 4.2 and 5).

use super::{Row, play};

#[tokio::test]
async fn an_answer_is_fresh_as_long_as_the_origin_says() {
    play(ROWS).await;
}

const ROWS: &[Row] = &[
    ("9111 4.2", "an answer is fresh until its lifetime is over", "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        +59
        > GET / \n = 200 | hit; ttl=1 | age: 59
        +1
        > GET / \n < 200 | body: two \n = 200 | fwd=stale | body: two"),
    ("9111 4.2.1", "s-maxage goes before max-age", "
        > GET / \n < 200 | cache-control: max-age=10, s-maxage=60 \n = 200 | fwd=uri-miss; stored; ttl=60
        +30
        > GET / \n = 200 | hit; ttl=30"),
    ("9111 4.2.1", "s-maxage goes before max-age, also where it is shorter", "
        > GET / \n < 200 | cache-control: max-age=60, s-maxage=10 \n = 200 | fwd=uri-miss; stored; ttl=10
        +30
        > GET / \n < 200 \n = 200 | fwd=stale"),
    ("9111 4.2.1", "max-age goes before Expires", "
        > GET / \n < 200 | cache-control: max-age=60 | expires: {-100} \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 200 | hit; ttl=60"),
    ("9111 5.3", "Expires counts from Date", "
        > GET / \n < 200 | date: {+0} | expires: {+60} \n = 200 | fwd=uri-miss; stored; ttl=60
        +59
        > GET / \n = 200 | hit; ttl=1"),
    ("9111 5.3", "Expires counts from when it came where there is no Date", "
        > GET / \n < 200 | expires: {+60} \n = 200 | fwd=uri-miss; stored; ttl=60
        +60
        > GET / \n < 200 \n = 200 | fwd=stale"),
    ("9111 5.3", "an origin whose clock is ahead still means its own clock", "
        > GET / \n < 200 | date: {+3600} | expires: {+3660} \n = 200 | fwd=uri-miss; stored; ttl=60
        +60
        > GET / \n < 200 \n = 200 | fwd=stale"),
    ("9111 5.3", "Expires: 0 has expired", "
        > GET / \n < 200 | expires: 0 \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 5.3", "an Expires that is no date has expired", "
        > GET / \n < 200 | expires: tomorrow \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 5.3", "an Expires of the past has expired", "
        > GET / \n < 200 | date: {+0} | expires: {-1} \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.2.1", "two Expires that differ are stale", "
        > GET / \n < 200 | expires: {+60} | expires: {+90} \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.2.1", "two max-age that differ are stale", "
        > GET / \n < 200 | cache-control: max-age=60, max-age=90 \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.2.1", "the same max-age twice is no contradiction", "
        > GET / \n < 200 | cache-control: max-age=60 | cache-control: max-age=60 \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 200 | hit; ttl=60"),
    ("9111 4.2.1", "a max-age that is no number is stale, though Expires would not be", "
        > GET / \n < 200 | cache-control: max-age=a | expires: {+60} \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.2.1", "a negative max-age is stale", "
        > GET / \n < 200 | cache-control: max-age=-60 \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 5.2", "a quoted max-age is read", "
        > GET / \n < 200 | cache-control: max-age=\"60\" \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 200 | hit; ttl=60"),
    ("9111 5.2", "MAX-AGE is max-age", "
        > GET / \n < 200 | cache-control: MAX-AGE=60 \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 200 | hit; ttl=60"),
    ("9111 1.2.2", "a max-age without end is 2^31 seconds", "
        > GET / \n < 200 | cache-control: max-age=99999999999999999999 \n = 200 | fwd=uri-miss; stored; ttl=2147483648
        > GET / \n = 200 | hit; ttl=2147483648"),
    ("9111 4.2.3", "an answer that was stored elsewhere is as old as it says", "
        > GET / \n < 200 | cache-control: max-age=60 | age: 20 \n = 200 | fwd=uri-miss; stored; ttl=40
        +10
        > GET / \n = 200 | hit; ttl=30 | age: 30"),
    ("9111 4.2.3", "an answer is as old as its date says", "
        > GET / \n < 200 | cache-control: max-age=60 | date: {-20} \n = 200 | fwd=uri-miss; stored; ttl=40
        +10
        > GET / \n = 200 | hit; ttl=30 | age: 30"),
    ("9111 4.2.3", "the larger of Age and Date's age counts", "
        > GET / \n < 200 | cache-control: max-age=60 | date: {-20} | age: 30 \n = 200 | fwd=uri-miss; stored; ttl=30
        > GET / \n = 200 | hit; ttl=30 | age: 30"),
    ("9111 4.2.3", "a date of the future is no age", "
        > GET / \n < 200 | cache-control: max-age=60 | date: {+20} \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 200 | hit; ttl=60 | age: 0"),
    ("9111 5.1", "an Age that is no number says nothing", "
        > GET / \n < 200 | cache-control: max-age=60 | age: old \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 200 | hit; ttl=60 | age: 0"),
    ("9111 5.1", "a negative Age says nothing", "
        > GET / \n < 200 | cache-control: max-age=60 | age: -20 \n = 200 | fwd=uri-miss; stored; ttl=60
        > GET / \n = 200 | hit; ttl=60 | age: 0"),
    ("9111 5.1", "of two Age values the first counts", "
        > GET / \n < 200 | cache-control: max-age=60 | age: 20 | age: 30 \n = 200 | fwd=uri-miss; stored; ttl=40
        > GET / \n = 200 | hit; ttl=40 | age: 20"),
    ("9111 5.1", "an Age without end is 2^31 seconds", "
        > GET / \n < 200 | cache-control: max-age=60 | age: 99999999999999999999 \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.2", "an answer that is stale when it comes is not kept without a validator", "
        > GET / \n < 200 | cache-control: max-age=60 | age: 60 \n = 200 | fwd=uri-miss
        > GET / \n < 200 \n = 200 | fwd=uri-miss"),
    ("9111 4.2", "with a validator it is, and is validated each time", "
        > GET / \n < 200 | cache-control: max-age=60 | age: 60 | etag: \"a\" \n = 200 | fwd=uri-miss; stored; ttl=0
        > GET / \n < 304 | age: 60 \n ^ if-none-match: \"a\" \n = 200 | fwd=stale; fwd-status=304; stored; ttl=0 | body: one"),
    ("9111 5.1", "a stored answer has one Age, not its old one too", "
        > GET / \n < 200 | cache-control: max-age=60 | age: 20 \n = 200 | age: 20
        +1
        > GET / \n = 200 | age: 21"),
    ("9111 4.2.1", "a new answer takes the place of a stale one", "
        > GET / \n < 200 | cache-control: max-age=10 \n = 200
        +20
        > GET / \n < 200 | cache-control: max-age=10 | body: two \n = 200 | fwd=stale; stored; ttl=10
        > GET / \n = 200 | hit; ttl=10 | body: two"),
];
