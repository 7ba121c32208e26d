//! Who shares stored answers (RFC 9111, 3.5).

use gateway_layers::cache::Partition;

use super::{Row, play, play_with};

#[tokio::test]
async fn who_says_who_they_are_shares_nothing_unless_told() {
    play(BY_PRINCIPAL).await;
}

#[tokio::test]
async fn a_shared_cache_shares_what_the_origin_calls_shared() {
    play_with(SHARED, |layer| layer.partition(Partition::Shared)).await;
}

const BY_PRINCIPAL: &[Row] = &[
    ("9111 3.5", "each credential has answers of its own, though the origin would share them", "
        > GET / | authorization: one \n < 200 | cache-control: public, max-age=60 | body: one \n = 200
        > GET / | authorization: two \n < 200 | cache-control: public, max-age=60 | body: two \n = 200 | fwd=uri-miss; stored; ttl=60 | body: two
        > GET / | authorization: one \n = 200 | hit; ttl=60 | body: one"),
    ("9111 3.5", "a credential does not see what nobody in particular got", "
        > GET / \n < 200 | cache-control: max-age=60 | body: all \n = 200
        > GET / | authorization: one \n < 200 | body: one \n = 200 | fwd=uri-miss | body: one
        > GET / \n = 200 | hit; ttl=60 | body: all"),
];

const SHARED: &[Row] = &[
    (
        "9111 3.5",
        "what the origin calls public is for everybody",
        "
        > GET / | authorization: one \n < 200 | cache-control: public, max-age=60 \n = 200
        > GET / | authorization: two \n = 200 | hit; ttl=60
        > GET / \n = 200 | hit; ttl=60",
    ),
    (
        "9111 3.5",
        "s-maxage is for everybody",
        "
        > GET / | authorization: one \n < 200 | cache-control: s-maxage=60 \n = 200
        > GET / | authorization: two \n = 200 | hit; ttl=60",
    ),
    (
        "9111 3.5",
        "what it does not is not stored",
        "
        > GET / | authorization: one \n < 200 | cache-control: max-age=60 \n = 200 | fwd=uri-miss
        > GET / | authorization: two \n < 200 \n = 200 | fwd=uri-miss",
    ),
    (
        "9111 3.5",
        "what was stored for nobody in particular is for everybody",
        "
        > GET / \n < 200 | cache-control: max-age=60 \n = 200
        > GET / | authorization: one \n = 200 | hit; ttl=60",
    ),
];
