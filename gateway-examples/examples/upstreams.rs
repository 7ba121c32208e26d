//! Three endpoints, of which one begins to fail: it gets five requests more, and the others go on.
//!
//! Prints:
//! ```text
//! well: 10, 10, 10 of 30 requests
//! one fails: 38, 5, 37 of 80 requests, 5 answered 500
//! health_check: skip: the second is ejected
//! forward: pass: to the first and the third in turn
//! ```
#![expect(clippy::print_stdout, reason = "a program to look at")]

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use gateway_layers::core::{
    Body,
    explain::Explain,
    server::serve,
    upstream::{Balance, Upstream, health::Ejection},
};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tower::{ServiceExt, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let servers = [Server::start().await?, Server::start().await?, Server::start().await?];
    let balance = Balance { ejection: Some(Ejection::default()), ..Balance::default() };
    let shop = Upstream::new(servers.iter().map(|server| server.url.clone())).balance(balance).build()?;

    let ask = async |times: usize| {
        let mut failed = 0;
        for _ in 0..times {
            let request = Request::get("/").header("host", "shop.test").body(Body::empty())?;
            failed += usize::from(shop.clone().oneshot(request).await?.status() == 500);
        }
        let counts = servers.each_ref().map(|server| server.asked.swap(0, Ordering::Relaxed).to_string());
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>((counts.join(", "), failed))
    };
    println!("well: {} of 30 requests", ask(30).await?.0);
    servers[1].fails.store(true, Ordering::Relaxed);
    let (counts, failed) = ask(80).await?;
    println!("one fails: {counts} of 80 requests, {failed} answered 500");

    let (mut said, head) = (Vec::new(), Request::get("/").body(())?.into_parts().0);
    shop.explain(&head, &mut said);
    for said in said {
        let mut said = said.to_string();
        for (server, name) in servers.iter().zip(["the first", "the second", "the third"]) {
            said = said.replace(&server.url, name);
        }
        println!(
            "{}",
            said.replace(": ejected for 30 s more, because its requests failed", " is ejected")
                .replace("first, ", "first and ")
        );
    }
    Ok(())
}

struct Server {
    url: String,
    asked: Arc<AtomicUsize>,
    fails: Arc<AtomicBool>,
}

impl Server {
    async fn start() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (asked, fails) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, broken) = (Arc::clone(&asked), Arc::clone(&fails));
        tokio::spawn(async move {
            let service = service_fn(move |_: Request<Incoming>| {
                count.fetch_add(1, Ordering::Relaxed);
                let mut answer = Response::new(Body::empty());
                if broken.load(Ordering::Relaxed) {
                    *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                }
                async { Ok::<_, std::convert::Infallible>(answer) }
            });
            serve(listener, service).await
        });
        Ok(Self { url, asked, fails })
    }
}
