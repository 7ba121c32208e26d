//! Forwards everything from 127.0.0.1:$PORT to 127.0.0.1:$UPSTREAM_PORT, with $WORKERS threads.

use std::env;

use async_trait::async_trait;
use pingora::{
    proxy::{ProxyHttp, Session, http_proxy_service},
    server::{Server, configuration::ServerConf},
    upstreams::peer::HttpPeer,
};

fn main() {
    let mut conf = ServerConf::default();
    conf.threads = number("WORKERS") as usize;
    conf.upstream_keepalive_pool_size = 1024;
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut proxy = http_proxy_service(&server.configuration, Forward { upstream: number("UPSTREAM_PORT") });
    proxy.add_tcp(&format!("127.0.0.1:{}", number("PORT")));
    server.add_service(proxy);
    server.run_forever()
}

fn number(name: &str) -> u16 {
    let text = env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    text.parse().unwrap_or_else(|_| panic!("{name}: `{text}` is no number"))
}

struct Forward {
    upstream: u16,
}

#[async_trait]
impl ProxyHttp for Forward {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(("127.0.0.1", self.upstream), false, String::new())))
    }
}
